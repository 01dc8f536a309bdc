//! What came of a question, for scripts and for people.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Duration;

use domain::events::FailureReason;
use domain::types::{Digest, Hotkey, Micros};
use domain::wire::{self, Dialect};
use domain::{bettertherapy, twitter};
use serde::Serialize;
use serde_json::Value;
use validator::transport::{TransportError, TransportReply, TransportRequest};

use crate::output;

/// Whether the miner vouches for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Signed {
    /// Its signature covers this question and this answer.
    Verified,
    /// There is none. Only miners of this make sign.
    Missing,
    /// There is one that is wrong.
    Wrong,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct Told {
    dialect: &'static str,
    axon: String,
    miner: Hotkey,
    asked_by: Hotkey,
    synapse: &'static str,
    request_sha256: Digest,
    /// HTTP status, 0 where there was none.
    status: u16,
    /// Milliseconds from the request to the first byte of the answer.
    first_byte_ms: Option<u64>,
    /// Milliseconds from the request to the end.
    elapsed_ms: u64,
    /// None where there is no answer.
    signature: Option<Signed>,
    /// JSON, or a text.
    answer: Option<Value>,
    failure: Option<FailureReason>,
    detail: Option<String>,
    #[serde(skip)]
    body: Vec<u8>,
}

fn between(from: Micros, to: Micros) -> u64 {
    to.0.saturating_sub(from.0) / 1_000
}

fn value(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn signed(request: &TransportRequest, reply: &TransportReply) -> Signed {
    let Some(signature) = &reply.signature else { return Signed::Missing };
    let (hash, signer) = (&request.request_hash, reply.signed_by.as_deref());
    let verify = network::keys::verify;
    match wire::is_signed_by(&request.hotkey, hash, &reply.body, signature, signer, verify) {
        Some(_) => Signed::Verified,
        None => Signed::Wrong,
    }
}

impl Told {
    /// What an exchange came to.
    pub fn new(
        dialect: Dialect,
        axon: SocketAddr,
        request: &TransportRequest,
        exchange: Result<TransportReply, TransportError>,
    ) -> Self {
        let told = Self {
            dialect: dialect.name(),
            axon: axon.to_string(),
            miner: request.hotkey,
            asked_by: request.validator,
            synapse: request.kind.name,
            request_sha256: request.request_hash,
            status: 0,
            first_byte_ms: None,
            elapsed_ms: 0,
            signature: None,
            answer: None,
            failure: None,
            detail: None,
            body: Vec::new(),
        };
        match exchange {
            Ok(reply) => Self {
                status: reply.status,
                first_byte_ms: Some(between(reply.sent_at, reply.first_byte_at)),
                elapsed_ms: between(reply.sent_at, reply.received_at),
                signature: Some(signed(request, &reply)),
                answer: Some(value(&reply.body)),
                body: reply.body,
                ..told
            },
            Err(error) => Self {
                status: error.status,
                elapsed_ms: between(error.sent_at, error.failed_at),
                answer: (!error.body.is_empty()).then(|| value(&error.body)),
                failure: Some(error.reason),
                detail: Some(error.detail),
                ..told
            },
        }
    }

    /// Whether there is an answer, and nothing is wrong about its signature.
    pub fn is_good(&self) -> bool {
        self.failure.is_none() && self.signature != Some(Signed::Wrong)
    }

    /// All of it as JSON.
    ///
    /// # Errors
    /// None: everything here can be written.
    pub fn print_json(&self) -> anyhow::Result<()> {
        output::line(shown(serde_json::to_string_pretty(self)?, std::io::stdout().is_terminal()));
        Ok(())
    }

    /// The answer to standard output, the rest to standard error.
    pub fn print(&self, subnet: &str, timeout: Duration) {
        if let Some(failure) = self.failure {
            let detail = self.detail.as_deref().unwrap_or_default();
            let notice = |text: String| output::notice(shown(text, std::io::stderr().is_terminal()));
            notice(format!("no answer from {} at {}: {detail}", self.miner, self.axon));
            if let Some(said) = self.answer.as_ref().filter(|said| !said.is_null()) {
                notice(format!("the miner says: {said}"));
            }
            output::notice(hint(failure, self.status, timeout));
            return;
        }
        output::line(shown(text(subnet, &self.body), std::io::stdout().is_terminal()));
        let first = self.first_byte_ms.unwrap_or(self.elapsed_ms);
        let signature = match self.signature {
            Some(Signed::Verified) => "signed by the miner over question and answer",
            Some(Signed::Wrong) => "ITS SIGNATURE IS WRONG: nobody vouches for this answer",
            _ => "not signed",
        };
        let (elapsed, dialect) = (self.elapsed_ms, self.dialect);
        output::notice(format!("{dialect}: {elapsed} ms, the first byte after {first} ms; {signature}"));
    }
}

/// The answer's text where the subnet has one, else its JSON.
fn text(subnet: &str, body: &[u8]) -> String {
    let answer = value(body);
    let text = match subnet {
        "loosh" => answer["response_text"].as_str().map(str::to_owned),
        "twitter" => twitter::task::completion(body).ok(),
        "bettertherapy" => bettertherapy::task::output(body).ok(),
        _ => None,
    };
    text.unwrap_or_else(|| serde_json::to_string_pretty(&answer).unwrap_or_default())
}

/// A miner's text as it is for a file or a program; on a terminal nothing in it may command the terminal or turn its order around.
fn shown(text: String, terminal: bool) -> String {
    if !terminal {
        return text;
    }
    let commands = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    let turns = |letter| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|letter| if commands(letter) || turns(letter) { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}

/// What to do next.
fn hint(failure: FailureReason, status: u16, timeout: Duration) -> String {
    match (failure, status) {
        (FailureReason::Unreachable, _) => "nobody listens there; is the miner running, and the port right?".to_owned(),
        (FailureReason::TimedOut, _) => format!("it took longer than {} s; --timeout waits longer", timeout.as_secs()),
        (FailureReason::Refused, 401 | 403) => {
            "it answers others: name a key that it admits with --key or --wallet.name, and its own hotkey with --hotkey"
                .to_owned()
        }
        (FailureReason::Refused, 404 | 405) => {
            "it does not know this route: try another --dialect or --subnet".to_owned()
        }
        (FailureReason::Refused, 429 | 503) => "it is busy, starting, or asked too often: try again later".to_owned(),
        (FailureReason::Refused, 400 | 422) => {
            "it does not understand the request: look at --subnet, --body and --hotkey, and at this machine's clock"
                .to_owned()
        }
        (FailureReason::Protocol, _) => "what came is no answer of the dialect: try another --dialect".to_owned(),
        _ => "ask again with --json to see all that is known".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miner_does_not_command_the_terminal() {
        for (text, expected) in [
            ("two\nlines\tand \u{e4}\u{1f600}", "two\nlines\tand \u{e4}\u{1f600}"),
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "\u{fffd}[2J\u{fffd}]0;title\u{fffd}"),
            ("back\rover \u{9b}31m \u{7f}\0", "back\u{fffd}over \u{fffd}31m \u{fffd}\u{fffd}"),
            ("\u{202e}desrever\u{2069}", "\u{fffd}desrever\u{fffd}"),
        ] {
            assert_eq!(shown(text.to_owned(), true), expected);
            assert_eq!(shown(text.to_owned(), false), text);
        }
    }
}
