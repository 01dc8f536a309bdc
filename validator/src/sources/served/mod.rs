//! Conversations of a conversation server: reserved, sent out window by window, and what came of them brought back.
//!
//! Two tasks. The *feeder* reserves a batch of conversations, cuts it into windows as the rule set says, and has each accepted
//! like a challenge of any client. The *delivery* follows the log: once the last window of a conversation has ended, it reads the
//! results from the recorded rounds and puts them to the server.
//!
//! **Invariants.** Whatever a round needs stands in its `ChallengeAccepted`, so that nothing later asks the server again: rounds,
//! restarts and audits do without it. What is brought back is computed from recorded events alone. A server that is away stops
//! nothing but its own conversations. A kill loses no result: a conversation that was reserved and not accepted is reserved again
//! by somebody once its time there is over, and one whose results may not have arrived has them sent again, byte for byte the same
//! (at least once; batch, window and hotkey tell repetitions).

mod batch;
mod book;
mod delivery;
mod feeder;
mod findings;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use conversations::Client;
use domain::cgp::constants::Constants;
use domain::cgp::reserved::Reserved;
use domain::events::Challenge;
use domain::mechanism::RoundFacts;
use domain::ruleset::RuleSet;
use domain::types::{Hotkey, NetUid};
use ledger::checkpoint::CheckpointDirectory;
use tokio::task::JoinHandle;

use super::Pace;
use crate::service::Handle;
use book::Book;

pub use findings::{MadeBy, Records};

/// Conversations whose results are still to be brought back, at most. No more are reserved meanwhile.
const MAX_PENDING: usize = 200;

/// Where conversations come from and results go to.
#[derive(Debug, Clone)]
pub struct ConversationServer {
    /// The way there, with its key, attempts and deadlines.
    pub client: Client,
    /// Windows that are open at once.
    pub pace: Pace,
    /// Between two looks whether results are complete.
    pub look: Duration,
    /// The longest pause after the server failed; it begins with a fifth of a second and doubles.
    pub longest_pause: Duration,
}

impl ConversationServer {
    /// Three open windows, a look each second, pauses of at most a minute.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let (look, longest_pause) = (Duration::from_secs(1), Duration::from_secs(60));
        Self { client, pace: Pace::default(), look, longest_pause }
    }
}

/// The challenges of one conversation alone, a window each, in the order in which they are sent.
///
/// # Errors
/// A rule set of another subnet, and a conversation that gives no window.
pub fn windows(found: Reserved, rule_set: &RuleSet) -> Result<Vec<Challenge>, String> {
    let mut constants: Constants = rule_set.constants().map_err(|error| error.to_string())?;
    constants.batch.minimum_pieces = 1;
    let found = batch::prepared(found, &constants)?;
    batch::challenges(&[found], &constants, 0)
}

/// The records of one window's round: of the whole conversation, unless it was left out, and of every answer.
///
/// # Errors
/// A challenge that is no window of a conversation server's, and evidence that cannot be read.
pub fn records(
    rule_set: &RuleSet,
    (challenge, facts): (&Challenge, &RoundFacts),
    by: MadeBy,
    (netuid, own): (NetUid, Hotkey),
) -> Result<Records, String> {
    let found = findings::of_facts(rule_set, challenge, facts, by)?;
    Ok((found.of_conversation(netuid, own), found.of_answers(netuid)))
}

/// What the two tasks tell each other.
#[derive(Debug, Default)]
struct Desk {
    /// The batch of which further windows may come.
    feeding: Mutex<Option<u64>>,
    /// Conversations whose results are not brought back.
    pending: AtomicUsize,
}

impl Desk {
    fn feeding(&self) -> Option<u64> {
        *self.feeding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_feeding(&self, batch: Option<u64>) {
        *self.feeding.lock().unwrap_or_else(PoisonError::into_inner) = batch;
    }

    fn is_full(&self) -> bool {
        self.pending.load(Ordering::Relaxed) >= MAX_PENDING
    }
}

/// Starts both tasks. They end with the validator.
///
/// # Errors
/// A rule set of another subnet. A file of what was brought back that cannot be read or is of another ledger: without a delivery
/// nothing is reserved.
pub(super) fn start(
    handle: &Handle,
    rule_set: &RuleSet,
    server: &ConversationServer,
) -> Result<Vec<JoinHandle<()>>, String> {
    let constants: Constants = rule_set.constants().map_err(|error| error.to_string())?;
    let desk = Arc::new(Desk::default());
    // Beside the checkpoints: outside of the database, and the ledger's own.
    let folder = CheckpointDirectory::new(&handle.shared().config.checkpoint_directory);
    let file = folder.checkpoint_file(handle.origin()).with_file_name("conversations.json");
    let book = Book::open(file, handle.origin()).map_err(|problem| {
        format!("what was brought to the conversation server is not known: {problem}; mend or remove that file")
    })?;
    let feeding = feeder::feed(handle.clone(), server.clone(), Arc::clone(&desk), constants);
    let delivering = delivery::deliver(handle.clone(), server.clone(), desk, book);
    Ok(vec![tokio::spawn(feeding), tokio::spawn(delivering)])
}

/// An error with its causes.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
