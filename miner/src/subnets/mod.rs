//! How a miner answers the requests of one subnet, other than Loosh's questions.
//!
//! A request names its synapse and carries that as JSON. Each subnet answers from what it is sent and from what it ships, the
//! same way each time: an honest answer without a language model. Where texts are asked for, a subnet also says what such a
//! model is asked instead.

pub mod bettertherapy;
pub mod cgp;
pub mod conversion;
pub mod twitter;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use network::legacy::Shape;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Error;
use crate::drafts::Drafted;
use crate::request::{ReceiptFields, Refusal};

/// A body in the pieces in which it is sent, each when it is there.
pub type Pieces = BoxStream<'static, Vec<u8>>;

/// One subnet's way of answering.
#[async_trait]
pub trait Subnet: Send + Sync {
    /// The name of the synapse that it answers.
    fn synapse(&self) -> &'static str;

    /// The declaration of that synapse, as the subnet's own clients have it.
    fn shape(&self) -> Shape;

    /// The answer's body to the synapse's JSON.
    ///
    /// # Errors
    /// A refusal that names the field.
    async fn answer(&self, request: &str) -> Result<Vec<u8>, Refusal>;

    /// What a language model is asked so that it answers in this way's stead; none where the answer is no text.
    async fn draft(&self, _request: &str) -> Drafted<Vec<u8>> {
        Ok(None)
    }

    /// The pieces in which an answer's body leaves, for callers who take it so: together exactly the body.
    fn pieces(&self, body: Vec<u8>) -> Pieces {
        stream::once(async { body }).boxed()
    }

    /// The text of an answer in the pieces in which a streaming synapse of the SDK sends it; none where it does not stream.
    fn tokens(&self, _answer: &[u8]) -> Option<Pieces> {
        None
    }

    /// What somebody answers at once who did not read the request, for a spammer to send.
    fn spam(&self) -> Vec<u8>;
}

/// The subnets besides Loosh.
pub const NAMES: &[&str] = &["cgp", "twitter", "conversion", "bettertherapy"];

/// Files in place of what is shipped.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// Conversion's model, as ONNX.
    pub model: Option<PathBuf>,
    /// The Twitter scraper's tweets, one JSON object a line.
    pub tweets: Option<PathBuf>,
}

/// The way of a subnet. Variants answer honestly in different ways. None for a subnet that is not known.
///
/// # Errors
/// A model or data that cannot be opened.
pub fn open(name: &str, variant: u16, data: &Data) -> Result<Option<Arc<dyn Subnet>>, Error> {
    let subnet: Arc<dyn Subnet> = match name {
        "cgp" => Arc::new(cgp::Tagger::of_variant(variant)),
        "twitter" => match &data.tweets {
            Some(file) => Arc::new(twitter::TwitterScraper::new(Arc::new(twitter::TweetFile::open(file)?))),
            None => Arc::new(twitter::TwitterScraper::shipped(variant)?),
        },
        "conversion" => {
            let timing = conversion::Timing::of_variant(variant);
            Arc::new(conversion::Conversion::open(data.model.as_deref(), timing)?)
        }
        "bettertherapy" => Arc::new(bettertherapy::Supporter::of_variant(variant)?),
        _ => return Ok(None),
    };
    Ok(Some(subnet))
}

/// A request of a subnet with synapses of its own, on the plain route.
#[derive(Debug)]
pub struct SynapseRequest {
    /// The synapse's name.
    pub synapse: String,
    /// Its JSON, as it was sent.
    pub request: String,
    /// What the request says about the round it belongs to.
    pub receipt: Option<ReceiptFields>,
}

impl SynapseRequest {
    /// Reads a body; none when it names no synapse.
    ///
    /// # Errors
    /// As [`crate::InferenceRequest::parse`].
    pub fn parse(body: &[u8]) -> Result<Option<Self>, Refusal> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            synapse: Option<String>,
            #[serde(borrow)]
            request: Option<&'a RawValue>,
            assay: Option<serde_json::Value>,
        }
        // A reader of bytes passes over texts that nobody asks for, whatever they are.
        let body = std::str::from_utf8(body).map_err(|error| {
            let problem = format!("the body is not UTF-8 from byte {}", error.valid_up_to());
            Refusal::new(axum::http::StatusCode::BAD_REQUEST, problem)
        })?;
        // What is no object at all is for the other kind of request to refuse.
        let Ok(Fields { synapse: Some(synapse), request, assay }) = serde_json::from_str(body) else {
            return Ok(None);
        };
        let request = request.ok_or_else(|| crate::request::invalid("request", "the synapse's object is missing"))?;
        let receipt = assay.as_ref().map(crate::request::receipt).transpose()?;
        Ok(Some(Self { synapse, request: request.get().to_owned(), receipt }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::SynapseRequest;

    #[test]
    fn a_synapse_is_told_by_its_name() {
        let body =
            br#"{"synapse":"CgSynapse","request":{"a":[1, 2]},"assay":{"origin":"o","challenge_id":"c","position":3}}"#;
        let parsed = SynapseRequest::parse(body).unwrap().unwrap();
        assert_eq!((parsed.synapse.as_str(), parsed.request.as_str()), ("CgSynapse", r#"{"a":[1, 2]}"#));
        assert_eq!(parsed.receipt.unwrap().position, 3);
        assert!(SynapseRequest::parse(br#"{"prompt":"Why?"}"#).unwrap().is_none());
        assert!(SynapseRequest::parse(b"no json").unwrap().is_none());
        let odd = b"{\"synapse\":\"X\",\"request\":{},\"\xff\":1}";
        assert_eq!(SynapseRequest::parse(odd).unwrap_err().status.as_u16(), 400);
        assert_eq!(SynapseRequest::parse(br#"{"synapse":"X"}"#).unwrap_err().field.as_deref(), Some("request"));
    }
}
