//! What is asked, in the subnet's own form.

use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use domain::events::Challenge;
use domain::mechanism::{self, SynapseKind};
use domain::wire::{self, Dialect};
use domain::{bettertherapy, cgp, conversion, twitter};
use serde_json::{Map, Value, json};
use validator::api::ChallengeDefaults;

use crate::cli::QueryArgs;

/// The largest file that is sent, in bytes; miners of this make take 256 KiB.
const LARGEST: u64 = 4 << 20;

/// A request before its dialect writes it.
pub struct Question {
    /// Its type.
    pub kind: &'static SynapseKind,
    /// Its JSON object, to the byte.
    body: Vec<u8>,
}

impl Question {
    /// The prompt in the subnet's form, or the file.
    ///
    /// # Errors
    /// A subnet that is not known, or has no prompts; a file that cannot be read or is no JSON object.
    pub fn of(args: &QueryArgs) -> Result<Self> {
        let kind = kind(&args.subnet)?;
        let body = match (&args.body, &args.prompt) {
            (Some(file), _) => read(file).with_context(|| format!("--body {}", file.display()))?,
            (None, Some(prompt)) => prompted(&args.subnet, prompt)?,
            (None, None) => bail!("a prompt or --body FILE is needed"),
        };
        Ok(Self { kind, body })
    }

    /// The exact bytes in a dialect.
    ///
    /// # Errors
    /// None for a JSON object; it is one.
    pub fn body_in(&self, dialect: Dialect) -> Result<Vec<u8>> {
        match dialect {
            // The plain route names the synapse; Loosh's questions are told by having none.
            Dialect::Http if self.kind.name != wire::INFERENCE.name => {
                let (head, tail) = (format!("{{\"synapse\":\"{}\",\"request\":", self.kind.name), b"}");
                Ok([head.as_bytes(), self.body.trim_ascii(), tail].concat())
            }
            Dialect::FiberEncrypted if !fields(&self.body)?.contains_key("nonce") => {
                Ok(wire::with_nonce(self.body.clone(), &fresh()?)?)
            }
            _ => Ok(self.body.clone()),
        }
    }
}

fn kind(subnet: &str) -> Result<&'static SynapseKind> {
    Ok(match subnet {
        "loosh" => &wire::INFERENCE,
        "cgp" => &cgp::synapse::KIND,
        "twitter" => &twitter::task::KIND,
        "conversion" => &conversion::task::KIND,
        "bettertherapy" => &bettertherapy::task::KIND,
        _ => bail!("--subnet {subnet:?} is unknown; one of loosh, cgp, twitter, conversion, bettertherapy"),
    })
}

/// A name that was not used before, in the form of fiber's nonces.
fn fresh() -> Result<String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(network::fiber::headers::nonce(u64::try_from(since.as_nanos())?)?)
}

fn fields(body: &[u8]) -> Result<Map<String, Value>> {
    serde_json::from_slice(body).context("it is no JSON object")
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    std::fs::File::open(file)?.take(LARGEST + 1).read_to_end(&mut body)?;
    ensure!(body.len() as u64 <= LARGEST, "it has more than {LARGEST} bytes");
    fields(&body)?;
    Ok(body)
}

/// The request that a validator makes of a prompt.
fn prompted(subnet: &str, prompt: &str) -> Result<Vec<u8>> {
    ensure!(!prompt.trim().is_empty(), "the prompt is blank; ask something");
    let defaults = ChallengeDefaults::UPSTREAM;
    let task = match subnet {
        "loosh" => {
            let ChallengeDefaults { temperature, top_p, max_tokens } = defaults;
            let question =
                json!({ "prompt": prompt, "max_tokens": max_tokens, "temperature": temperature, "top_p": top_p });
            return Ok(serde_json::to_vec(&question)?);
        }
        "bettertherapy" => None,
        "twitter" => Some(twitter::task::Task::new(prompt, 0).to_json().map_err(anyhow::Error::msg)?),
        other => bail!("a request of {other} is no text; write its JSON object into a file and name it with --body"),
    };
    let challenge = Challenge {
        id: format!("query-{}", fresh()?),
        correlation_id: None,
        prompt: Some(prompt.to_owned()),
        messages: None,
        model: None,
        tools: None,
        tool_choice: None,
        temperature: defaults.temperature,
        top_p: defaults.top_p,
        max_tokens: defaults.max_tokens,
        metadata: None,
        created_at: None,
        requester: None,
        task,
    };
    let rules = mechanism::open(&mechanism::shipped_by_name(&format!("{subnet}/readme"))?)?;
    let synapse = rules.synapse(&challenge).map_err(anyhow::Error::msg)?;
    Ok(synapse.with_context(|| format!("{subnet} asks no synapse"))?.body.into_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn question(subnet: &str) -> Question {
        Question { kind: kind(subnet).unwrap(), body: prompted(subnet, "Why \"now\"?").unwrap() }
    }

    #[test]
    fn a_prompt_stands_where_the_subnet_has_it() {
        for (subnet, field) in [("loosh", "prompt"), ("twitter", "messages"), ("bettertherapy", "prompt")] {
            let question = question(subnet);
            for dialect in Dialect::ALL {
                let body = fields(&question.body_in(dialect).unwrap()).unwrap();
                let wrapped = dialect == Dialect::Http && subnet != "loosh";
                let inner = if wrapped { body["request"].as_object().unwrap() } else { &body };
                assert_eq!(inner[field], "Why \"now\"?", "{subnet} {dialect:?}");
                assert_eq!(body.contains_key("nonce"), dialect == Dialect::FiberEncrypted, "{subnet} {dialect:?}");
                assert_eq!(wrapped.then(|| &body["synapse"]), wrapped.then_some(&json!(question.kind.name)));
            }
        }
    }

    #[test]
    fn what_is_no_question_is_told() {
        for (subnet, prompt, expected) in
            [("loosh", " ", "blank"), ("cgp", "Why?", "--body"), ("conversion", "Why?", "--body")]
        {
            let error = prompted(subnet, prompt).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(kind("other").unwrap_err().to_string().contains("one of loosh"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("body.json");
        assert!(read(&file).is_err());
        for (text, good) in [("[]", false), ("{", false), ("{\"nonce\":1}\n", true)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read(&file).is_ok(), good, "{text}");
        }
        let question = Question { kind: kind("cgp").unwrap(), body: read(&file).unwrap() };
        assert_eq!(question.body_in(Dialect::FiberEncrypted).unwrap(), b"{\"nonce\":1}\n", "has one already");
        let wrapped = question.body_in(Dialect::Http).unwrap();
        assert_eq!(wrapped, b"{\"synapse\":\"CgSynapse\",\"request\":{\"nonce\":1}}");
    }
}
