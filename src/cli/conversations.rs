//! Arguments of the commands about conversations.

use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Arguments of `assay conversations`.
#[derive(Debug, Clone, Args)]
#[command(after_help = CONVERSATIONS_EXAMPLES)]
pub struct ConversationsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConversationsCommand,
}

const CONVERSATIONS_EXAMPLES: &str = "Examples:
  assay conversations import talk.vtt --source youtube --out store.jsonl
  assay conversations import messages.csv --source discord --out store.jsonl
  assay conversations list store.jsonl
  assay conversation-server --file store.jsonl";

/// What `assay conversations` does.
#[derive(Debug, Clone, Subcommand)]
pub enum ConversationsCommand {
    /// Add a file's conversations to a store, without the speakers' names.
    Import(ImportArgs),
    /// Print the conversations of a store.
    List(ListArgs),
}

/// Arguments of `assay conversations import`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay conversations import talk.vtt --source youtube --out store.jsonl
  assay conversations import episode.srt --source podcast --out store.jsonl
  assay conversations import messages.csv --source discord --out store.jsonl --json
  assay conversations import thread.txt --format json-lines --source twitter --out store.jsonl

A CSV file has a heading with columns such as author, text and conversation, or a column chat with a turn a line.
A conversation that is in the store already is not added again. Names within the texts stay.")]
pub struct ImportArgs {
    /// The file to read.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the conversations come from; JSON lines may say it themselves.
    #[arg(long, value_enum, value_name = "SOURCE")]
    pub source: Option<ConversationSource>,
    /// The store to add to; made when it does not exist.
    #[arg(long, short, value_name = "STORE")]
    pub out: PathBuf,
    /// How the file is written. Default: what its extension says (.jsonl, .ndjson, .csv, .tsv, .vtt, .srt).
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<ConversationFormat>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `assay conversations list`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  assay conversations list store.jsonl\n  assay conversations list store.jsonl --json"
)]
pub struct ListArgs {
    /// The store.
    #[arg(value_name = "STORE")]
    pub store: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where a conversation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConversationSource {
    /// The transcript of a video.
    Youtube,
    /// The transcript of a podcast.
    Podcast,
    /// Messages of a Discord channel.
    Discord,
    /// A thread of tweets.
    Twitter,
    /// Any other chat.
    Chat,
}

impl From<ConversationSource> for conversations::Source {
    fn from(source: ConversationSource) -> Self {
        match source {
            ConversationSource::Youtube => Self::Youtube,
            ConversationSource::Podcast => Self::Podcast,
            ConversationSource::Discord => Self::Discord,
            ConversationSource::Twitter => Self::Twitter,
            ConversationSource::Chat => Self::Chat,
        }
    }
}

/// How a file of conversations is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConversationFormat {
    /// A JSON object a line.
    JsonLines,
    /// A table with a heading.
    Csv,
    /// WebVTT captions.
    Vtt,
    /// SubRip captions.
    Srt,
}

impl From<ConversationFormat> for conversations::import::Format {
    fn from(format: ConversationFormat) -> Self {
        match format {
            ConversationFormat::JsonLines => Self::JsonLines,
            ConversationFormat::Csv => Self::Csv,
            ConversationFormat::Vtt => Self::Vtt,
            ConversationFormat::Srt => Self::Srt,
        }
    }
}

/// Arguments of `assay conversation-server`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  assay conversation-server --file store.jsonl
  ASSAY_CONVERSATION_KEY=… assay conversation-server --file store.jsonl --listen 0.0.0.0:8095 --records results
  curl -X POST http://127.0.0.1:8095/api/v1/conversation/reserve -d '{}'

Routes: POST /api/v1/conversation/reserve, PUT /api/v1/conversation/record/GUID, GET /metrics (this machine only).
A conversation is handed out to one client at a time. Clients send the key as `Authorization: Bearer KEY`.")]
pub struct ConversationServerArgs {
    /// The store, or any file of JSON lines with conversations.
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// Address to listen on; others than this machine are served with a key only.
    #[arg(long, env = "ASSAY_CONVERSATION_LISTEN", default_value = "127.0.0.1:8095")]
    pub listen: SocketAddr,
    /// Folder of records and reservations. Default: FILE.records.
    #[arg(long, value_name = "FOLDER")]
    pub records: Option<PathBuf>,
    /// The key that clients must bring.
    #[arg(long, env = "ASSAY_CONVERSATION_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Seconds that a conversation stays reserved.
    #[arg(long, default_value_t = 600, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub expiry: u64,
    /// Megabytes of records at most; further ones are refused.
    #[arg(long, default_value_t = 16_384, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    pub record_megabytes: u64,
}
