//! Challenges and attempts: acceptance, draw, issue, and attempts that were given up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use domain::Aggregate;
use domain::events::{AbandonReason, ChallengeAccepted, ChallengeIssued, Event, MinersSelected, RoundAbandoned};
use domain::mechanism::{Mechanism, Want};
use domain::round::{self, Round};
use domain::selection::{self, SelectionInput};
use domain::types::{Hotkey, Position};
use domain::wire;

use super::Replay;
use crate::findings::{At, Findings};
use crate::keys::verify_sr25519;
use crate::record::Recorded;

/// Challenges that are accepted and not ended, and attempts that are open, at most.
const MAX_OPEN: usize = 100_000;

/// A challenge that is accepted and not ended.
#[derive(Debug, Clone)]
pub(crate) struct OpenChallenge {
    pub(crate) position: u64,
    pub(crate) accepted: Arc<ChallengeAccepted>,
    /// Attempts given up.
    pub(crate) abandoned: u32,
    /// Where it was accepted, or its last attempt given up.
    pub(crate) free_since: u64,
}

/// An attempt that is drawn and not ended.
#[derive(Debug, Clone)]
pub(crate) struct OpenRound {
    pub(crate) challenge: OpenChallenge,
    pub(crate) attempt: u32,
    pub(crate) selected_at: u64,
    pub(crate) mechanism: Arc<dyn Mechanism>,
    /// The recorded facts, under the recomputed draw.
    pub(crate) round: Round,
    /// Evidence that the mechanism asks for next; none once a fact changed what that is.
    pub(crate) wanted: Option<VecDeque<Want>>,
    /// What follows from the facts, once the first score was recorded.
    pub(crate) scores: Option<super::scores::Expected>,
    /// A validator started since the draw.
    pub(crate) restarted: bool,
    /// A payload is missing: nothing can be recomputed.
    pub(crate) tainted: bool,
}

/// Everything that is open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rounds {
    challenges: BTreeMap<String, OpenChallenge>,
    open: BTreeMap<String, OpenRound>,
}

impl Rounds {
    /// A challenge that was accepted. Its id is that of its stream.
    pub(crate) fn accept(&mut self, recorded: &Recorded, accepted: ChallengeAccepted) -> bool {
        let position = recorded.position;
        let challenge = OpenChallenge { position, accepted: Arc::new(accepted), abandoned: 0, free_since: position };
        self.challenges.len() < MAX_OPEN && self.challenges.insert(recorded.stream_id.clone(), challenge).is_none()
    }

    /// An attempt that was given up before the range.
    pub(crate) fn abandoned_before(&mut self, recorded: &Recorded) {
        if let Some((id, _)) = recorded.stream_id.rsplit_once('/')
            && let Some(challenge) = self.challenges.get_mut(id)
        {
            challenge.abandoned = challenge.abandoned.saturating_add(1);
            challenge.free_since = recorded.position;
        }
    }

    /// A validator took the ledger: attempts that are open now must be given up for that reason.
    pub(crate) fn restarted(&mut self) {
        self.open.values_mut().for_each(|round| round.restarted = true);
    }

    /// The round of an erased event cannot be recomputed. An end is an end all the same: a derivation may follow, and after
    /// a failed attempt another one.
    pub(crate) fn taint(&mut self, recorded: &Recorded) {
        if matches!(recorded.kind.as_str(), "RoundEvaluated" | "RoundAbandoned") {
            self.end(recorded, recorded.kind == "RoundEvaluated");
        } else if let Some(round) = self.open.get_mut(&recorded.stream_id) {
            round.tainted = true;
        }
    }

    /// Whether no attempt is open.
    pub(crate) fn none_open(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn get_mut(&mut self, recorded: &Recorded) -> Option<&mut OpenRound> {
        self.open.get_mut(&recorded.stream_id)
    }

    /// Takes a round out that has ended, and its challenge when that has ended too.
    pub(crate) fn end(&mut self, recorded: &Recorded, challenge_ended: bool) -> Option<OpenRound> {
        let round = self.open.remove(&recorded.stream_id)?;
        let id = &round.challenge.accepted.challenge.id;
        let id = recorded.stream_id.rsplit_once('/').map_or(id.as_str(), |(id, _)| id);
        if challenge_ended {
            self.challenges.remove(id);
        } else if let Some(challenge) = self.challenges.get_mut(id) {
            challenge.abandoned += 1;
            challenge.free_since = recorded.position;
        }
        Some(round)
    }
}

/// Challenge and attempt in a payload must be those of its stream.
pub(crate) fn own(
    findings: &mut Findings,
    recorded: &Recorded,
    round: &OpenRound,
    challenge_id: &str,
    attempt: u32,
) -> (String, u32) {
    let (at, message) = (At::of(recorded), "an event of a round names its challenge and attempt");
    let id = recorded.stream_id.rsplit_once('/').map_or("", |(id, _)| id);
    findings.equal(at, "challenge_id", &challenge_id, &id, message);
    findings.equal(at, "attempt", &attempt, &round.attempt, message);
    (id.to_owned(), round.attempt)
}

impl Replay {
    pub(super) fn challenge_accepted(&mut self, recorded: &Recorded, accepted: &ChallengeAccepted) {
        let at = At::of(recorded);
        self.pending.challenges += 1;
        let message = "a challenge has a stream of its own under its id";
        self.findings.equal(at, "challenge.id", &accepted.challenge.id, &recorded.stream_id, message);
        match wire::commitment(&accepted.challenge) {
            Ok(commitment) if commitment == accepted.commitment => {}
            Ok(commitment) => {
                let message = "the commitment follows from the challenge";
                let involves = ["challenge"];
                self.findings.differ_involving(at, "commitment", &involves, accepted.commitment, commitment, message);
            }
            Err(error) => {
                self.findings.differ(at, "challenge", error, "an encodable challenge", "it can be committed to")
            }
        }
        if let Some(known) = self.facts.contradicted_block(accepted.block, accepted.block_hash) {
            let message = "a block has one hash";
            self.findings.differ_involving(at, "block_hash", &["block"], accepted.block_hash, known, message);
        }
        if !self.rounds.accept(recorded, accepted.clone()) {
            self.findings.differ(
                at,
                "challenge.id",
                &accepted.challenge.id,
                "a new id",
                "a challenge is accepted once",
            );
        }
    }

    pub(super) fn miners_selected(&mut self, recorded: &Recorded, selected: &MinersSelected) {
        let at = At::of(recorded);
        let (id, _) = recorded.stream_id.rsplit_once('/').unwrap_or_default();
        let Some(challenge) = self.rounds.challenges.get(id).cloned() else {
            return self.findings.doubt(Some(at.position), format!("the acceptance of challenge {id} is not at hand"));
        };
        let Some((rules, ledger)) = self.rules.as_ref().zip(self.ledger.as_ref()) else {
            return self.findings.doubt(Some(at.position), "no usable rule set is in force");
        };
        let metagraph = self.facts.metagraphs.at_or_newest(selected.metagraph);
        let mechanism = Arc::clone(&rules.mechanism);
        let own = self.facts.sweep_of(Position(challenge.position), Position(challenge.free_since));
        let own = own.filter(|_| mechanism.sweep_before_round().is_some());
        if own.is_none() && mechanism.sweep_before_round().is_some() {
            let message = "an attempt begins with a sweep of its own, which its acceptance led to";
            let expected = format!("one after {}", challenge.free_since);
            self.findings.differ(at, "sweep", selected.sweep, expected, message);
        }
        let sweep = own.or_else(|| self.facts.sweeps.at_or_newest(selected.sweep));
        let (Some((metagraph_at, metagraph)), Some((sweep_at, sweep))) = (metagraph, sweep) else {
            return self.findings.doubt(Some(at.position), "the metagraph or the sweep of this draw is not at hand");
        };
        let understood =
            |position: Position, reply: &[u8]| mechanism.external_scores(reply).map(|scores| (position, scores));
        let external = match selected.external_scores {
            Some(used) => self.facts.external.at_or_newest(used),
            // None may be used as long as none was known when the sweep was made.
            None => self.facts.external.newest().filter(|(position, _)| *position < sweep_at),
        };
        let external = external.and_then(|(position, fetched)| understood(position, fetched.reply.bytes()));
        let attempt = challenge.abandoned + 1;
        let expected = selection::select(&SelectionInput {
            challenge_id: id,
            attempt,
            accepted: Position(challenge.position),
            block_hash: challenge.accepted.block_hash,
            commitment: challenge.accepted.commitment,
            origin: &ledger.opened.origin,
            own: ledger.opened.hotkey,
            metagraph: (metagraph_at, &metagraph),
            sweep: (sweep_at, &sweep),
            external: external.as_ref().map(|(position, known)| (*position, known)),
            mechanism: mechanism.as_ref(),
        });
        let message = "the draw follows from challenge, metagraph, sweep and rule set";
        self.findings.same_event(at, &selected.clone().into(), &expected.clone().into(), message);
        let stream = round::stream_id(id, attempt);
        self.findings.equal(at, "<stream_id>", &recorded.stream_id, &stream, "attempts are counted from 1");
        if attempt > round::MAX_ATTEMPTS {
            self.findings.differ(at, "attempt", attempt, round::MAX_ATTEMPTS, "a challenge is drawn so often at most");
        }
        let mut round = Round::default();
        round.apply(&Event::MinersSelected(expected));
        let open = OpenRound {
            challenge,
            attempt,
            selected_at: recorded.position,
            mechanism,
            round,
            wanted: None,
            scores: None,
            restarted: false,
            tainted: false,
        };
        if self.rounds.open.len() < MAX_OPEN {
            self.rounds.open.insert(recorded.stream_id.clone(), open);
        } else {
            self.findings.doubt(Some(at.position), format!("more than {MAX_OPEN} attempts are open"));
        }
    }

    pub(super) fn challenge_issued(&mut self, recorded: &Recorded, issued: &ChallengeIssued) {
        let at = At::of(recorded);
        let Some(ledger) = &self.ledger else { return };
        let Some(round) = self.rounds.get_mut(recorded) else {
            return self.findings.doubt(Some(at.position), "the draw of this round is not at hand");
        };
        let (challenge_id, attempt) = own(&mut self.findings, recorded, round, &issued.challenge_id, issued.attempt);
        let issued = &ChallengeIssued { challenge_id, attempt, ..issued.clone() };
        let drawn = |hotkey: &Hotkey| {
            round.round.selected().and_then(|selected| selected.drawn.iter().find(|miner| miner.hotkey == *hotkey))
        };
        match drawn(&issued.hotkey) {
            Some(miner) if round.round.issued(&issued.hotkey).is_none() => {
                let address = format!("http://{}:{}", bracketed(&miner.ip), miner.port);
                let message = "the address asked is the announced one";
                if issued.address != address {
                    let recorded = &issued.address;
                    self.findings.differ_involving(at, "address", &["hotkey"], recorded, address, message);
                }
            }
            Some(_) => self.findings.differ(at, "hotkey", issued.hotkey, "a miner not asked yet", "each is asked once"),
            None => self.findings.differ(at, "hotkey", issued.hotkey, "a drawn miner", "only drawn miners are asked"),
        }
        if wire::Dialect::of(&issued.dialect).is_none() {
            let known = wire::Dialect::names();
            self.findings.differ(
                at,
                "dialect",
                &issued.dialect,
                known,
                "the request's bytes are of a dialect of the wire",
            );
        }
        let selected = Position(round.selected_at);
        let challenge = &round.challenge.accepted.challenge;
        match wire::issued_request(round.mechanism.as_ref(), challenge, &ledger.opened.origin, selected, issued) {
            Ok(request) if request.hash == issued.request_hash => {}
            Ok(request) => {
                let involves = ["nonce", "deadline"];
                let message = "the request follows from challenge, origin, draw, nonce and deadline";
                self.findings.differ_involving(
                    at,
                    "request_hash",
                    &involves,
                    issued.request_hash,
                    request.hash,
                    message,
                );
            }
            Err(error) => self.findings.differ(at, "request_hash", issued.request_hash, error, "it can be encoded"),
        }
        let signed = wire::request_message(&issued.request_hash.0);
        if ledger.own_public.is_some_and(|own| !verify_sr25519(&own, &signed, &issued.receipt.0)) {
            let message = "the receipt is the hotkey's signature over the request's hash";
            self.findings.differ(at, "receipt", issued.receipt, "a signature that verifies", message);
        }
        round.wanted = None;
        round.round.apply(&Event::ChallengeIssued(issued.clone()));
    }

    pub(super) fn round_abandoned(&mut self, recorded: &Recorded, abandoned: &RoundAbandoned) {
        let at = At::of(recorded);
        let Some(round) = self.rounds.get_mut(recorded) else {
            return self.findings.doubt(Some(at.position), "the draw of this round is not at hand");
        };
        own(&mut self.findings, recorded, round, &abandoned.challenge_id, abandoned.attempt);
        let nobody_drawn = round.round.selected().is_none_or(|selected| selected.drawn.is_empty());
        let answered = !round.round.responses().is_empty();
        let expected = match () {
            () if round.restarted => AbandonReason::Restart,
            // A ledger that was lost in mid-round ends its attempts in the same way, and leaves no other trace.
            () if abandoned.reason == AbandonReason::Restart => AbandonReason::Restart,
            () if nobody_drawn => AbandonReason::NoMiners,
            // What comes before the requests, or they themselves, could not be made.
            () if !round.round.asked() => AbandonReason::EvidenceFailed,
            () if !answered => AbandonReason::NoResponses,
            () => AbandonReason::EvidenceFailed,
        };
        // What is missing may be the answer, or the failure, that the reason depends on.
        let expected = if round.tainted { abandoned.reason } else { expected };
        let text = |reason: AbandonReason| format!("{reason:?}");
        let message = "the reason is that of the recorded facts";
        self.findings.equal(at, "reason", &text(abandoned.reason), &text(expected), message);
        if expected == AbandonReason::NoResponses
            && !round.tainted
            && let Some(miner) = round.round.outstanding().next()
        {
            let message = "an attempt ends without answers only when all that were asked have failed";
            self.findings.differ(at, "reason", text(expected), format!("{} is still awaited", miner.hotkey), message);
        }
        let last = round::abandonment_is_last(expected, round.attempt);
        let message = "a challenge ends when nobody can answer, and with its last attempt";
        if abandoned.last != last {
            self.findings.differ_involving(at, "last", &["reason"], abandoned.last, last, message);
        }
        self.pending.abandoned += 1;
        self.rounds.end(recorded, last);
    }
}

/// An IPv6 address stands in brackets in a URL.
fn bracketed(ip: &str) -> String {
    if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() }
}
