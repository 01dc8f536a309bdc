//! What can go wrong with conversations, in sentences that name the file, the line and the field, or the address.

use std::net::SocketAddr;
use std::path::PathBuf;

use domain::cgp::reserved::ReservedError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {file}")]
    Write {
        /// The file.
        file: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A whole file is not what it should be.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A line is not what it should be.
    #[error("{file}, line {line}: {problem}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A field of a line is not what it should be.
    #[error("{file}, line {line}, {field}: {problem}")]
    Field {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The field, such as `lines[3].text`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A setting cannot work.
    #[error("{setting} {problem}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// No conversation is free on the server now.
    #[error("no conversation is free at {url} now")]
    NoneFree {
        /// What was asked.
        url: String,
    },
    /// The server did not answer, or not in time.
    #[error("the conversation server did not answer {url} in {attempts} attempts: {problem}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Attempts made.
        attempts: u32,
        /// What became of the last one.
        problem: String,
    },
    /// The server answered that it will not.
    #[error("the conversation server refused {url} with status {status}: {problem}")]
    Refused {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// Its own words, cut short.
        problem: String,
    },
    /// The server's answer is too large.
    #[error("the answer of {url} is over {limit} bytes")]
    AnswerTooLarge {
        /// What was asked.
        url: String,
        /// Bytes.
        limit: usize,
    },
    /// The server's answer holds no conversation.
    #[error("the answer of {url} cannot be used")]
    NotAConversation {
        /// What was asked.
        url: String,
        /// Why not.
        #[source]
        source: ReservedError,
    },
    /// A guid that cannot stand in an address.
    #[error("{0:?} is no guid: 1 to 128 ASCII letters, digits, hyphens and underscores")]
    Guid(String),
    /// A result that cannot be sent.
    #[error("the result of conversation {guid} cannot be sent: {problem}")]
    Record {
        /// The conversation.
        guid: String,
        /// Why not.
        problem: String,
    },
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The folder of records is in use.
    #[error("{0} is used by another conversation server")]
    FolderInUse(PathBuf),
}

/// An error with its causes in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
