//! The verdicts that another rule set would have had: what no model made is made once more, what a model made stays as recorded.
//!
//! Requests are what the other rule set asks for, step by step, as a validator under it would have; so that a verdict which a
//! later request depends on is the other rule set's, too.

use domain::events::{JudgementRecorded, TextRole};
use domain::mechanism::{JudgementFact, JudgementRequest, Mechanism, OFFLINE, RoundFacts, Stage, Want, is_verdict};
use domain::round::Round;
use domain::types::Hotkey;

/// How often evidence is asked for at most: what is asked for depends on what was found, in a few steps.
const MAX_STEPS: usize = 32;

/// How many missing pieces of evidence are named.
const MAX_NAMED: usize = 3;

/// How much of a text is shown, in characters.
const SHOWN: usize = 48;

/// What became of a round's verdicts.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdicts {
    /// Made once more, and others than recorded.
    pub(super) recomputed: u64,
    /// Of a model, to another request than the other rule set's; by purpose.
    pub(super) of_other_requests: Vec<String>,
    /// Evidence that the other rule set asks for and nobody recorded.
    missing: Vec<String>,
}

/// Puts the verdicts that the other rule set would have had in place of the recorded ones.
pub(super) fn substitute(round: &Round, mechanism: &dyn Mechanism, facts: &mut RoundFacts) -> Verdicts {
    let mut found = Verdicts::default();
    let recorded = round.judgements();
    let mut asked = RoundFacts { judgements: Vec::new(), ..facts.clone() };
    let responses = std::mem::take(&mut asked.responses);
    let failures = std::mem::take(&mut asked.failures);
    found.gather(mechanism, Stage::BeforeIssue, recorded, &mut asked);
    (asked.responses, asked.failures) = (responses, failures);
    found.gather(mechanism, Stage::AfterAnswers, recorded, &mut asked);
    for new in asked.judgements {
        let mut known = facts.judgements.iter_mut().filter(|old| key(old) == key(&new)).peekable();
        if known.peek().is_none() {
            drop(known);
            facts.judgements.push(new);
        } else {
            known.for_each(|old| old.reply.clone_from(&new.reply));
        }
    }
    found
}

fn key(judgement: &JudgementFact) -> (&str, Option<Hotkey>) {
    (&judgement.purpose, judgement.hotkey)
}

impl Verdicts {
    /// Takes in what is asked for at a stage, until nothing more is found.
    fn gather(
        &mut self,
        mechanism: &dyn Mechanism,
        stage: Stage,
        recorded: &[JudgementRecorded],
        facts: &mut RoundFacts,
    ) {
        let mut missing = Vec::new();
        for _ in 0..MAX_STEPS {
            let before = facts.judgements.len();
            missing.clear();
            for want in mechanism.wants(stage, facts) {
                match want {
                    Want::Vectors { role, text, .. } => missing.push(vectors(role, &text)),
                    Want::Judgement(request) => match self.verdict(mechanism, recorded, &request) {
                        Some(reply) => {
                            let JudgementRequest { purpose, hotkey, .. } = request;
                            facts.judgements.push(JudgementFact { purpose, hotkey, reply });
                        }
                        None => missing.push(format!("the verdict {:?}", request.purpose)),
                    },
                }
            }
            if facts.judgements.len() == before {
                break;
            }
        }
        self.missing.extend(missing);
    }

    /// The reply to a request: the mechanism's own where no model was asked, else the recorded one.
    fn verdict(
        &mut self,
        mechanism: &dyn Mechanism,
        recorded: &[JudgementRecorded],
        request: &JudgementRequest,
    ) -> Option<Vec<u8>> {
        let same = |judged: &&JudgementRecorded| judged.purpose == request.purpose && judged.hotkey == request.hotkey;
        let verdicts = || recorded.iter().filter(|judged| is_verdict(&judged.model));
        let Some(known) = verdicts().find(same) else {
            // Where no model was asked anything, none would have been asked this.
            let without_model = !recorded.is_empty() && recorded.iter().all(|judged| judged.model == OFFLINE);
            let own = mechanism.offline(request).filter(|_| without_model)?;
            self.recomputed += 1;
            return Some(own.into_bytes());
        };
        if known.model == OFFLINE
            && let Some(own) = mechanism.offline(request)
        {
            self.recomputed += u64::from(own.as_bytes() != known.reply.bytes());
            return Some(own.into_bytes());
        }
        if request.hash() != known.request_hash {
            self.of_other_requests.push(request.purpose.clone());
        }
        Some(known.reply.bytes().to_vec())
    }

    /// The missing evidence in words; none when nothing is missing.
    pub(super) fn missing(&self) -> Option<String> {
        let (first, rest) = self.missing.split_at(self.missing.len().min(MAX_NAMED));
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        (!first.is_empty()).then(|| format!("not recorded: {}{more}", first.join(", ")))
    }
}

fn vectors(role: TextRole, text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    let cut = if shown.len() < text.len() { "\u{2026}" } else { "" };
    let of = match role {
        TextRole::Prompt => "the prompt's",
        TextRole::Answer => "an answer's",
    };
    format!("vectors of {of} text {shown:?}{cut}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_and_counted() {
        let mut verdicts = Verdicts::default();
        assert_eq!(verdicts.missing(), None);
        verdicts.missing = vec![vectors(TextRole::Prompt, "two\nlines"), vectors(TextRole::Answer, &"ä".repeat(60))];
        let shown = "ä".repeat(48);
        let two = format!(
            "not recorded: vectors of the prompt's text \"two\\nlines\", vectors of an answer's text {shown:?}\u{2026}"
        );
        assert_eq!(verdicts.missing().as_deref(), Some(two.as_str()));
        verdicts.missing = vec!["a".into(), "b".into(), "c".into(), "d".into(), "e".into()];
        assert_eq!(verdicts.missing().as_deref(), Some("not recorded: a, b, c and 2 more"));
    }
}
