//! Conversion prediction: a small network says whether a conversation converts, and the features when.
//!
//! The network is the one beside `models/make_conversion.py`, or a file of the operator's. Its metadata says in which order it
//! takes the features, how they are scaled, and the mean time of conversions it was trained on; a file without them gets the
//! features as they are, in the order of the subnet's data file. The network knows no time: variants of this miner estimate
//! it differently ([`Timing`]).

use std::path::Path;

use async_trait::async_trait;
use axum::http::StatusCode;
use domain::conversion::feature_set::FeatureSet;
use domain::conversion::features::MODEL_ORDER;
use domain::conversion::prediction::Prediction;
use domain::conversion::synapse::{MAX_BODY_BYTES, Submission, Synapse};
use domain::conversion::task::SYNAPSE;
use domain::conversion::value::Value;
use inference::Tabular;

use super::Subnet;
use network::legacy::{Json, Kind, Shape};

use crate::Error;
use crate::request::{Refusal, invalid};

/// The network that this program ships.
const SHIPPED: &[u8] = include_bytes!("../../models/conversion.onnx");

/// Time of a conversion where the model does not say the mean of its training: what upstream's own miner always answers.
const DEFAULT_SECONDS: f64 = 60.0;

/// The feature that times are in proportion to.
const DURATION: &str = "conversation_duration_seconds";

/// How the time of a conversion is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// In proportion to the conversation's duration: the mean time at the mean duration.
    Proportional,
    /// The mean time, whatever the conversation.
    Mean,
    /// Halfway between the two.
    Between,
}

impl Timing {
    /// The way of a variant of the miner.
    #[must_use]
    pub fn of_variant(variant: u16) -> Self {
        [Self::Proportional, Self::Mean, Self::Between][usize::from(variant % 3)]
    }
}

/// A feature as the network takes it.
#[derive(Debug)]
struct Column {
    name: String,
    mean: f64,
    scale: f64,
}

/// The miner.
#[derive(Debug)]
pub struct Conversion {
    model: Tabular,
    columns: Vec<Column>,
    positive_seconds: f64,
    timing: Timing,
}

impl Conversion {
    /// With the operator's model, or the shipped one.
    ///
    /// # Errors
    /// A file that cannot be read or is no model of 40 features and one probability.
    pub fn open(file: Option<&Path>, timing: Timing) -> Result<Self, Error> {
        let model = match file {
            Some(path) => Tabular::open(path)?,
            None => Tabular::from_bytes(SHIPPED.to_vec())?,
        };
        let columns = columns(&model)?;
        if model.columns().is_some_and(|count| count != columns.len()) {
            return Err(setting("model", &model, "must take as many numbers as its feature_order names"));
        }
        let positive_seconds = match model.metadata("positive_seconds").map(str::parse::<f64>) {
            Some(Ok(seconds)) if seconds.is_finite() && seconds > 0.0 => seconds,
            Some(_) => return Err(setting("positive_seconds", &model, "must be a number above 0")),
            None => DEFAULT_SECONDS,
        };
        let opened = Self { model, columns, positive_seconds, timing };
        // A model that gives no single probability is told at the start, not at the first request.
        opened.probability(&FeatureSet::default()).map_err(Error::Embedding)?;
        tracing::info!(
            model = %file.map_or_else(|| "shipped".to_owned(), |path| path.display().to_string()),
            sha256 = opened.model.sha256(),
            ?timing,
            "conversion model is open"
        );
        Ok(opened)
    }

    /// What the network says of a conversation, as it is answered.
    ///
    /// # Errors
    /// When the network fails, or gives no probability.
    pub fn predict(&self, features: &FeatureSet) -> Result<Submission, inference::Error> {
        let probability = self.probability(features)?;
        let prediction = Prediction::of_probability(probability, self.seconds(features));
        Ok(Submission { prediction: Some(prediction), confidence: Some(probability), claimed_seconds: 0.0 })
    }

    fn probability(&self, features: &FeatureSet) -> Result<f64, inference::Error> {
        let number = |name: &str| features.get(name).and_then(|value| value.to_float().ok());
        // What is missing counts as the mean: it then says nothing.
        let row: Vec<f32> = self
            .columns
            .iter()
            .map(|column| {
                let value = number(&column.name).filter(|number| number.is_finite()).unwrap_or(column.mean);
                ((value - column.mean) / column.scale) as f32
            })
            .collect();
        match self.model.run(&row)?[..] {
            [probability] if (0.0..=1.0).contains(&probability) => Ok(f64::from(probability)),
            [other] => Err(inference::Error::Output { what: format!("{other} instead of a probability") }),
            ref other => Err(inference::Error::Output { what: format!("{} numbers instead of one", other.len()) }),
        }
    }

    /// Seconds to conversion, should there be one; above 0.
    fn seconds(&self, features: &FeatureSet) -> f64 {
        let mean = self.columns.iter().find(|column| column.name == DURATION).map(|column| column.mean);
        let duration = features.number(DURATION).ok().filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        let proportional = match (duration, mean) {
            (Some(duration), Some(mean)) if mean > 0.0 => self.positive_seconds * duration / mean,
            _ => self.positive_seconds,
        };
        match self.timing {
            Timing::Proportional => proportional,
            Timing::Mean => self.positive_seconds,
            Timing::Between => f64::midpoint(proportional, self.positive_seconds),
        }
    }
}

fn setting(field: &'static str, model: &Tabular, reason: &'static str) -> Error {
    let value = model.metadata(field).unwrap_or(model.sha256());
    Error::Setting { field, value: value.chars().take(80).collect(), reason }
}

/// Order, means and scales of the model's metadata; a model without them takes the features as they are.
fn columns(model: &Tabular) -> Result<Vec<Column>, Error> {
    let order: Vec<String> = match model.metadata("feature_order").map(serde_json::from_str) {
        Some(Ok(order)) => order,
        Some(Err(_)) => return Err(setting("feature_order", model, "must be a JSON list of names")),
        None => {
            tracing::warn!(
                sha256 = model.sha256(),
                "the model does not say its order of features: the usual one is taken"
            );
            MODEL_ORDER.iter().map(|name| (*name).to_owned()).collect()
        }
    };
    if let Some(unknown) = order.iter().find(|name| !MODEL_ORDER.contains(&name.as_str())) {
        tracing::warn!(feature = unknown, "no feature of this name is ever sent: the model always gets its mean");
    }
    let numbers = |field: &'static str, default: f64| -> Result<Vec<f64>, Error> {
        match model.metadata(field).map(serde_json::from_str::<Vec<f64>>) {
            Some(Ok(numbers)) if numbers.len() == order.len() => Ok(numbers),
            Some(_) => Err(setting(field, model, "must be a JSON list of one number for each feature")),
            None => Ok(vec![default; order.len()]),
        }
    };
    let (means, scales) = (numbers("feature_mean", 0.0)?, numbers("feature_scale", 1.0)?);
    if scales.contains(&0.0) {
        return Err(setting("feature_scale", model, "must not hold 0"));
    }
    let rows = order.into_iter().zip(means.into_iter().zip(scales));
    Ok(rows.map(|(name, (mean, scale))| Column { name, mean, scale }).collect())
}

#[async_trait]
impl Subnet for Conversion {
    fn synapse(&self) -> &'static str {
        SYNAPSE
    }

    fn shape(&self) -> Shape {
        let none = Json::Object(vec![
            ("conversion_happened".to_owned(), Json::Integer(0)),
            ("time_to_conversion_seconds".to_owned(), Json::Float(-1.0)),
        ]);
        Shape::new(SYNAPSE)
            .required("features", Kind::Map(Box::new(Kind::Any)))
            .defaulted("prediction", Kind::Map(Box::new(Kind::Any)), none)
            .optional("confidence", Kind::Float)
            .defaulted("response_time", Kind::Float, Json::Float(0.0))
            .defaulted("miner_uid", Kind::Integer, Json::Integer(0))
    }

    async fn answer(&self, request: &str) -> Result<Vec<u8>, Refusal> {
        if request.len() > MAX_BODY_BYTES {
            return Err(invalid("request", "the message is too long"));
        }
        let Ok(Value::Object(fields)) = serde_json::from_str(request) else {
            return Err(invalid("request", "the message is no object"));
        };
        let message = Synapse::of(&fields).map_err(|rejected| {
            let first = rejected.into_iter().next();
            let (path, kind) = first.map_or_else(Default::default, |first| (first.path.join("."), first.kind));
            invalid(format!("request.{path}"), kind)
        })?;
        // A few thousand multiplications: not worth another thread.
        let answer = self.predict(&message.features).map_err(|error| Refusal {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: error.to_string(),
            field: None,
        })?;
        Ok(answer.to_json().into_bytes())
    }

    fn spam(&self) -> Vec<u8> {
        let prediction = Some(Prediction { class: 1, seconds: DEFAULT_SECONDS });
        Submission { prediction, confidence: Some(1.0), claimed_seconds: 0.0 }.to_json().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use domain::conversion::constants::Constants;
    use domain::conversion::features::COUNT;
    use domain::conversion::generate::{LABEL, conversation};
    use domain::conversion::task;
    use domain::conversion::truth::Truth;
    use domain::draw::Stream;
    use domain::types::sha256;

    fn shipped(timing: Timing) -> Conversion {
        Conversion::open(None, timing).unwrap()
    }

    fn conversations(count: usize) -> Vec<FeatureSet> {
        let mut stream = Stream::new(sha256(b"miner"), LABEL);
        (0..count).map(|_| conversation(&mut stream).unwrap()).collect()
    }

    #[test]
    fn the_shipped_network_has_learned_the_rule() {
        let rule = Constants::readme().label.rule;
        let ways = [Timing::Proportional, Timing::Mean, Timing::Between].map(shipped);
        let (mut right, mut positives, mut errors) = (0, 0, [0.0; 3]);
        for features in conversations(400) {
            let truth = Truth::of(&features, &rule).unwrap();
            for (way, error) in ways.iter().zip(&mut errors) {
                let found = way.predict(&features).unwrap().prediction.unwrap();
                let is_right = (found.class == 1) == truth.happened;
                right += usize::from(is_right);
                if truth.happened && is_right {
                    *error += (found.seconds - truth.seconds).abs();
                }
            }
            positives += usize::from(truth.happened);
        }
        assert!(right >= 3 * 396, "{right} of 1200");
        let mean = errors.map(|error| error / f64::from(u32::try_from(positives).unwrap()));
        assert!(mean[0] < mean[2] && mean[2] < mean[1] && mean[0] < 7.0 && mean[1] < 13.0, "{mean:?}");
    }

    #[tokio::test]
    async fn a_request_is_answered_as_the_validator_reads_it() {
        let miner = shipped(Timing::of_variant(3));
        for features in conversations(3) {
            let body = miner.answer(&task::request(&features).unwrap()).await.unwrap();
            assert_eq!(Submission::parse(&body), miner.predict(&features).map_err(|_| unreachable!()));
        }
        assert!(Submission::parse(&miner.spam()).unwrap().prediction.is_some());
        assert_eq!(miner.synapse(), "ConversionSynapse");
    }

    #[tokio::test]
    async fn bad_requests_are_refused_by_field() {
        let miner = shipped(Timing::Mean);
        for (request, field) in [
            ("[]", "request"),
            ("{", "request"),
            ("{}", "request.features"),
            (r#"{"features":{"is_weekend":1.5}}"#, "request.features.is_weekend"),
        ] {
            assert_eq!(miner.answer(request).await.unwrap_err().field.as_deref(), Some(field), "{request}");
        }
        // Fewer features than were promised are answered all the same.
        assert!(miner.answer(r#"{"features":{}}"#).await.is_ok());
    }

    #[test]
    fn models_of_the_operator() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        assert!(Conversion::open(Some(&path), Timing::Mean).is_err());
        std::fs::write(&path, SHIPPED).unwrap();
        let own = Conversion::open(Some(&path), Timing::Mean).unwrap();
        assert_eq!((own.columns.len(), own.positive_seconds), (COUNT, 76.49));
        // Keys that are misspelt are as good as missing.
        for (key, replaced, works) in [
            ("feature_order", "feature_Order", true),
            ("positive_seconds", "positive_Seconds", true),
            ("76.49", "-6.49", false),
            ("[\"conversation_duration_seconds", "[8conversation_duration_seconds", false),
        ] {
            let mut bytes = SHIPPED.to_vec();
            let at = bytes.windows(key.len()).position(|window| window == key.as_bytes()).unwrap();
            bytes[at..at + key.len()].copy_from_slice(replaced.as_bytes());
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Conversion::open(Some(&path), Timing::Mean).is_ok(), works, "{replaced}");
        }
    }
}
