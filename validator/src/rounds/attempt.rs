//! One attempt: draw → issue → ask → record → evidence → scores. Owned by one task.
//!
//! **Architecture invariant:** a request leaves only after its `ChallengeIssued` is committed, and whatever is scored is
//! read back from the recorded round, not from this task's variables.

use domain::events::{
    AbandonReason, AvailabilitySwept, ChallengeAccepted, ChallengeIssued, MinersSelected, RoundAbandoned,
};
use domain::mechanism::{Mechanism, Stage, SynapseKind};
use domain::round::{self, RoundCommand};
use domain::selection::{self, SelectionInput};
use domain::types::{HexBytes, Hotkey, Position};
use domain::wire;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedRwLockReadGuard;
use tokio::task::JoinSet;

use super::evidence;
use super::verdict::{self, Verdict, short};
use crate::Error;
use crate::clock;
use crate::commands::RoundFailure;
use crate::shared::Shared;
use crate::sweep;
use crate::transport::TransportRequest;

/// How long after the deadline a transport may take to say that there was no answer.
const TRANSPORT_GRACE: Duration = Duration::from_secs(1);

/// Held from the draw to the end of an attempt: no weights are derived meanwhile.
pub(super) type GatePass = OwnedRwLockReadGuard<()>;

/// One attempt at a challenge.
pub(super) struct Attempt<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) accepted: Position,
    pub(super) facts: &'a ChallengeAccepted,
    pub(super) number: u32,
}

/// A request that is committed and ready to be sent.
struct Issue {
    event: ChallengeIssued,
    body: Vec<u8>,
    kind: &'static SynapseKind,
    /// Of the event.
    position: Position,
    /// Of the draw.
    selected: Position,
}

impl Attempt<'_> {
    pub(super) fn id(&self) -> String {
        round::stream_id(&self.facts.challenge.id, self.number)
    }

    /// Runs the attempt to its end and gives the position of its last event. `pass` is filled before anything of it is
    /// committed, and is the caller's to drop when the attempt has ended.
    pub(super) async fn run(&self, pass: &mut Option<GatePass>) -> Result<Position, Error> {
        let (selected, at, mechanism) = self.draw(pass).await?;
        if selected.drawn.is_empty() {
            return self.abandon(at, AbandonReason::NoMiners, "no candidate in time").await;
        }
        if let Err(failure) = evidence::gather(self, Stage::BeforeIssue, mechanism.as_ref(), at).await {
            return self.without_evidence(at, failure).await;
        }
        let issues = match self.issue(&selected, at, mechanism.as_ref()).await {
            Ok(issues) => issues,
            Err(failure) => return self.without_evidence(at, failure).await,
        };
        self.shared.config.faults.point("after_issue").await;
        if self.collect(issues, &mechanism).await? == 0 {
            return self.abandon(at, AbandonReason::NoResponses, "no drawn miner gave a usable answer").await;
        }
        if let Err(failure) = evidence::gather(self, Stage::AfterAnswers, mechanism.as_ref(), at).await {
            return self.without_evidence(at, failure).await;
        }
        self.shared.config.faults.point("before_evaluate").await;
        match self.evaluate(mechanism, at).await {
            Ok(last) => Ok(last),
            Err(failure) => self.without_evidence(at, failure).await,
        }
    }

    /// Scores the round. Evaluations follow each other, so that each goes on from the statistics of the one before.
    async fn evaluate(&self, mechanism: Arc<dyn Mechanism>, cause: Position) -> Result<Position, RoundFailure> {
        let _one_at_a_time = self.shared.evaluating.lock().await;
        self.shared.settled().await?;
        let statistics = self.shared.board.read().statistics.clone();
        let challenge = Box::new(self.facts.challenge.clone());
        let command = RoundCommand::Evaluate { challenge, mechanism, statistics };
        Ok(self.execute(command, cause).await?.last)
    }

    /// Ends an attempt whose evidence could not be produced or does not suffice.
    async fn without_evidence(&self, cause: Position, failure: RoundFailure) -> Result<Position, Error> {
        match failure {
            RoundFailure::Evidence(problem) => self.abandon(cause, AbandonReason::EvidenceFailed, &problem).await,
            RoundFailure::Other(error) => Err(error),
        }
    }

    pub(super) async fn execute(
        &self,
        command: RoundCommand,
        cause: Position,
    ) -> Result<crate::commands::Recorded, RoundFailure> {
        self.shared.commands.round(&self.id(), command, cause).await
    }

    /// Ends the attempt without scores.
    pub(super) async fn abandon(
        &self,
        cause: Position,
        reason: AbandonReason,
        detail: &str,
    ) -> Result<Position, Error> {
        let abandoned = RoundAbandoned {
            challenge_id: self.facts.challenge.id.clone(),
            attempt: self.number,
            reason,
            last: round::abandonment_is_last(reason, self.number),
            detail: short(detail),
        };
        tracing::info!(challenge = %abandoned.challenge_id, attempt = self.number, ?reason, detail, "round abandoned");
        let recorded = self.execute(RoundCommand::Abandon(abandoned), cause).await.map_err(other)?;
        Ok(recorded.last)
    }

    /// Draws miners from what is recorded, waiting for candidates for a while, and commits the draw.
    async fn draw(&self, pass: &mut Option<GatePass>) -> Result<(MinersSelected, Position, Arc<dyn Mechanism>), Error> {
        let config = &self.shared.config;
        let deadline = tokio::time::Instant::now() + config.candidates_wait;
        let mut own: Option<(Position, AvailabilitySwept)> = None;
        loop {
            *pass = Some(Arc::clone(&self.shared.gate).read_owned().await);
            let mechanism = self.shared.mechanism();
            match mechanism.sweep_before_round() {
                // Nobody is asked again before some sweep found somebody who can be drawn.
                Some(within) if own.is_none() || !self.select(mechanism.as_ref(), None)?.drawn.is_empty() => {
                    let within = Duration::from_millis(u64::from(within));
                    own = Some(sweep::before_round(self.shared, within, self.accepted).await?);
                }
                Some(_) => {}
                None => own = None,
            }
            let selected = self.select(mechanism.as_ref(), own.as_ref())?;
            if !selected.drawn.is_empty() || tokio::time::Instant::now() >= deadline {
                let command = RoundCommand::Select(Box::new(selected.clone()));
                let recorded = self.execute(command, self.accepted).await.map_err(other)?;
                return Ok((selected, recorded.first, mechanism));
            }
            // Nothing of this attempt is recorded yet: a derivation may pass.
            *pass = None;
            if self.shared.stop.sleep(config.candidates_poll).await {
                return Err(Error::Stopping);
            }
        }
    }

    /// The draw from what is recorded: the round's own sweep where it has one, otherwise the last.
    fn select(
        &self,
        mechanism: &dyn Mechanism,
        own: Option<&(Position, AvailabilitySwept)>,
    ) -> Result<MinersSelected, Error> {
        let fold = self.shared.board.read();
        let missing = |what: &str| Error::Refused(format!("{what} before anything is drawn"));
        let (metagraph_at, metagraph) = fold.metagraph.as_ref().ok_or_else(|| missing("the metagraph must be read"))?;
        let own = own.map(|(position, swept)| (*position, swept));
        let last = || fold.sweep.as_ref().map(|(position, swept)| (*position, swept.as_ref()));
        let sweep = own.or_else(last).ok_or_else(|| missing("miners must be swept"))?;
        let external = fold
            .external
            .as_ref()
            .and_then(|(position, reply)| mechanism.external_scores(reply).map(|scores| (*position, scores)));
        Ok(selection::select(&SelectionInput {
            challenge_id: &self.facts.challenge.id,
            attempt: self.number,
            accepted: self.accepted,
            block_hash: self.facts.block_hash,
            commitment: self.facts.commitment,
            origin: self.shared.origin(),
            own: self.shared.own,
            metagraph: (*metagraph_at, metagraph),
            sweep,
            external: external.as_ref().map(|(position, known)| (*position, known)),
            mechanism,
        }))
    }

    /// Commits one issue per drawn miner, as one unit, with the receipts.
    async fn issue(
        &self,
        selected: &MinersSelected,
        at: Position,
        mechanism: &dyn Mechanism,
    ) -> Result<Vec<Issue>, RoundFailure> {
        let allowed = Duration::from_millis(u64::from(mechanism.deadline_ms()));
        let allowed = self.shared.config.response_deadline.map_or(allowed, |sooner| sooner.min(allowed));
        let deadline = clock::after(clock::now(), allowed);
        let mut events = Vec::with_capacity(selected.drawn.len());
        let mut bodies = Vec::with_capacity(selected.drawn.len());
        for miner in &selected.drawn {
            let mut event = ChallengeIssued {
                challenge_id: selected.challenge_id.clone(),
                attempt: selected.attempt,
                hotkey: miner.hotkey,
                address: address(&miner.ip, miner.port),
                dialect: self.shared.transport.dialect().name().to_owned(),
                request_hash: HexBytes([0; 32]),
                nonce: nonce()?,
                deadline,
                receipt: HexBytes([0; 64]),
            };
            let request = wire::issued_request(mechanism, &self.facts.challenge, self.shared.origin(), at, &event);
            // Another rule set may have come into force since the challenge was accepted.
            let wire::IssuedRequest { body, hash, kind } =
                request.map_err(|error| RoundFailure::Evidence(format!("no request: {error}")))?;
            event.request_hash = hash;
            event.receipt = HexBytes(self.shared.config.hotkey.sign(&wire::request_message(&hash.0)));
            events.push(event);
            bodies.push((body, kind));
        }
        let command = RoundCommand::Issue(events.clone());
        let recorded = self.execute(command, at).await.map_err(|failure| RoundFailure::Other(other(failure)))?;
        let issues = events.into_iter().zip(bodies).zip(recorded.first.0..);
        Ok(issues
            .map(|((event, (body, kind)), position)| Issue {
                event,
                body,
                kind,
                position: Position(position),
                selected: at,
            })
            .collect())
    }

    /// Asks all miners at once and records each answer or failure as it comes. Gives how many usable answers there are.
    ///
    /// Each exchange runs in a task of its own: a commit that takes long must not be counted as a miner's time.
    async fn collect(&self, issues: Vec<Issue>, mechanism: &Arc<dyn Mechanism>) -> Result<usize, Error> {
        let mut exchanges = JoinSet::new();
        let mut issued: BTreeMap<Hotkey, (ChallengeIssued, Position)> = BTreeMap::new();
        for issue in issues {
            let hotkey = issue.event.hotkey;
            issued.insert(hotkey, (issue.event.clone(), issue.position));
            let (shared, mechanism) = (Arc::clone(self.shared), Arc::clone(mechanism));
            exchanges.spawn(async move { (hotkey, ask(&shared, issue, mechanism.as_ref()).await) });
        }
        let mut answers = 0;
        let mut first = true;
        while let Some(joined) = exchanges.join_next().await {
            let (hotkey, verdict) = joined.map_err(|_| Error::Task("exchange with a miner"))?;
            let Some((_, cause)) = issued.remove(&hotkey) else { continue };
            match verdict {
                Ok(response) => {
                    self.execute(RoundCommand::Receive(response), cause).await.map_err(other)?;
                    answers += 1;
                }
                Err(failure) => {
                    self.execute(RoundCommand::Fail(failure), cause).await.map_err(other)?;
                }
            }
            if std::mem::take(&mut first) {
                self.shared.config.faults.point("after_first_response").await;
            }
        }
        Ok(answers)
    }
}

async fn ask(shared: &Shared, issue: Issue, mechanism: &dyn Mechanism) -> Verdict {
    let Issue { event, body, kind, selected, .. } = issue;
    let (begun, timeout) = (clock::now(), clock::until(event.deadline));
    let request = TransportRequest {
        hotkey: event.hotkey,
        address: event.address.clone(),
        body,
        kind,
        request_hash: event.request_hash,
        validator: shared.own,
        receipt: event.receipt,
        origin: shared.origin().to_owned(),
        challenge_id: event.challenge_id.clone(),
        attempt: event.attempt,
        position: selected,
        deadline: event.deadline,
        timeout,
    };
    match tokio::time::timeout(timeout + TRANSPORT_GRACE, shared.transport.ask(request)).await {
        Ok(exchange) => verdict::of(&event, exchange, mechanism),
        Err(_) => verdict::overdue(&event, begun, clock::now()),
    }
}

/// Evidence is only judged by `Evaluate`; elsewhere its failure is one of the log.
fn other(failure: RoundFailure) -> Error {
    match failure {
        RoundFailure::Evidence(problem) => Error::Refused(problem),
        RoundFailure::Other(error) => error,
    }
}

/// 128 random bits in hexadecimal: nobody can prepare an answer's signature before the request is sent.
fn nonce() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(hex::encode(bytes))
}

/// `http://ip:port`, an IPv6 address in brackets.
pub(crate) fn address(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("http://[{ip}]:{port}") } else { format!("http://{ip}:{port}") }
}
