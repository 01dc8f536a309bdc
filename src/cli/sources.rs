//! Arguments that say where a validator's challenges come from, and where what it learns goes besides the log.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Who may push challenges and labels to a validator's routes.
#[derive(Debug, Clone, Default, Args)]
pub struct RoutesArgs {
    /// Token for routes that change something; without one only loopback may use them.
    #[arg(long, env = "ASSAY_API_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// File with that token.
    #[arg(long, env = "ASSAY_API_TOKEN_FILE", value_name = "FILE", conflicts_with = "token")]
    pub token_file: Option<PathBuf>,
    /// Hotkeys whose signed requests may change something.
    #[arg(long, env = "ASSAY_ALLOW_HOTKEY", value_delimiter = ',', value_name = "SS58")]
    pub allow_hotkey: Vec<String>,
    /// A hotkey (SS58) that may push sealed challenges to the routes under /fiber/ of the push routes' address, for rule sets of loosh;
    /// repeat for several. Without one these routes are not there.
    #[arg(long, env = "ASSAY_CHALLENGE_HOTKEY", value_delimiter = ',', value_name = "SS58")]
    pub challenge_hotkey: Vec<String>,
}

/// Where a validator of Conversation Genome takes its conversations from.
#[derive(Debug, Clone, Args)]
pub struct ConversationSourceArgs {
    /// Conversation server, for rule sets of cgp: conversations are reserved there and results brought back. Without one those
    /// that come with the program are used. `assay conversation-server` is such a server.
    #[arg(long, env = "ASSAY_CONVERSATIONS", value_name = "URL")]
    pub conversations: Option<String>,
    /// Where results go, when that is another address.
    #[arg(long, value_name = "URL", requires = "conversations")]
    pub conversation_results: Option<String>,
    /// The conversation server's key.
    #[arg(long, env = "ASSAY_CONVERSATION_KEY", hide_env_values = true, value_name = "KEY")]
    pub conversation_key: Option<String>,
    /// A JSON file with the key as `api_key`, as upstream keeps it in readyai_api_data.json.
    #[arg(
        long,
        env = "ASSAY_CONVERSATION_KEY_FILE",
        value_name = "FILE",
        requires = "conversations",
        conflicts_with = "conversation_key"
    )]
    pub conversation_key_file: Option<PathBuf>,
    /// Ask as this version of upstream: its server then answers with bundles, of which those that are conversations are taken.
    #[arg(long, value_name = "VERSION", requires = "conversations")]
    pub conversation_version: Option<String>,
}

/// Where a validator of Loosh brings results, and reads scores.
#[derive(Debug, Clone, Args)]
pub struct ChallengeServiceArgs {
    /// Loosh's challenge service, for rule sets of loosh: results and pictures of what it asked are brought back, and validators,
    /// weights of the draw and scores are read from it. Without one nothing is brought anywhere.
    #[arg(long, env = "ASSAY_CHALLENGE_API", value_name = "URL")]
    pub challenge_api: Option<String>,
    /// The challenge service's key, where it asks for one besides the hotkey's signature.
    #[arg(long, env = "ASSAY_CHALLENGE_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub challenge_api_key: Option<String>,
    /// File with that key.
    #[arg(long, env = "ASSAY_CHALLENGE_API_KEY_FILE", value_name = "FILE", conflicts_with = "challenge_api_key")]
    pub challenge_api_key_file: Option<PathBuf>,
    /// Of which challenges results are brought: of those that say who asked (a correlation id or a requester), or of all.
    #[arg(long, value_enum, default_value_t = ResultsName::Service, requires = "challenge_api", value_name = "WHICH")]
    pub challenge_api_results: ResultsName,
}

/// Of which challenges results are brought to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResultsName {
    /// Those that say who asked.
    Service,
    /// All.
    All,
}

impl From<ResultsName> for validator::outbox::ResultsOf {
    fn from(name: ResultsName) -> Self {
        match name {
            ResultsName::Service => Self::Service,
            ResultsName::All => Self::All,
        }
    }
}
