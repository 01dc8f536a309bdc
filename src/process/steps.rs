//! The steps of a round as each subnet's document names them, and their telling.
//!
//! What happens is the same for all subnets; a step that a document does not name is told under the one before it.

use crate::output;

/// What happens in a round, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A way to where conversations come from.
    Connect,
    /// What is asked.
    Task,
    /// What the rules want to know before any miner is asked.
    Before,
    /// Which miners are asked.
    Draw,
    /// The requests.
    Sent,
    /// The answers.
    Received,
    /// What the rules want to know of the answers.
    After,
    /// Scores, as far as they are known without a label.
    Scores,
    /// The label, and the scores by it.
    Label,
    /// Who gets which share of a round.
    Divide,
    /// Weights.
    Weights,
}

/// The titled steps of a subnet, in order, where labels are awaited or not.
pub fn titles(algorithm: &str, awaits_labels: bool) -> Vec<(Step, &'static str)> {
    use Step::{After, Connect, Divide, Draw, Label, Received, Scores, Sent, Task, Weights};
    match (algorithm, awaits_labels) {
        ("cgp", _) => vec![
            (Connect, "Connect to the conversation server"),
            (Task, "Download a conversation"),
            (Draw, "Send its windows to 3 miners"),
            (Received, "Receive the processed responses"),
            (After, "Send each response to the server, and score its tags"),
            (Divide, "Divide the reward by those scores"),
            (Weights, "Send for emissions"),
        ],
        ("twitter", _) => vec![
            (Task, "Take a search prompt"),
            (Draw, "Draw the miners"),
            (Sent, "Send them the query, receive tweets and summaries"),
            (After, "Have the reward models judge the summaries"),
            (Scores, "Weigh the rewards, multiply the penalties in"),
            (Weights, "Set weights by the moving averages"),
        ],
        ("conversion", true) => vec![
            (Task, "Draw a conversation's 40 features"),
            (Draw, "Draw the miners"),
            (Sent, "Send them the features, receive predictions"),
            (Scores, "Hold the scores until the label is known"),
            (Label, "Reveal the label, score the predictions by it"),
            (Weights, "Set weights by the scores"),
        ],
        ("conversion", false) => vec![
            (Task, "Draw a conversation's 40 features"),
            (Draw, "Draw the miners"),
            (Sent, "Send them the features, receive predictions"),
            (Scores, "Score the predictions by the public rule"),
            (Weights, "Set weights by the scores"),
        ],
        ("bettertherapy", awaits) => {
            let mut titles = vec![
                (Task, "Take a question and its base answer"),
                (Draw, "Draw the miners"),
                (Sent, "Send them the question, receive answers"),
                (After, "Have each answer judged beside the base answer"),
            ];
            if awaits {
                titles.push((Scores, "Hold the scores until the batch has ended"));
                titles.push((Label, "End the batch, score quality and response time"));
            } else {
                titles.push((Scores, "Score quality and response time"));
            }
            titles.push((Weights, "Set weights by the scores"));
            titles
        }
        ("loosh", _) => vec![
            (Task, "Take a challenge"),
            (Draw, "Draw the miners"),
            (Sent, "Send them the challenge, receive answers"),
            (After, "Embed the answers"),
            (Scores, "Find the consensus, score each answer by it"),
            (Weights, "Set weights by the moving averages"),
        ],
        (_, awaits) => {
            let mut titles = vec![
                (Task, "Task"),
                (Draw, "Draw"),
                (Sent, "Requests and answers"),
                (After, "Evidence of the answers"),
                (Scores, "Scores"),
            ];
            titles.extend(awaits.then_some((Label, "Scores by the label")));
            titles.push((Weights, "Weights"));
            titles
        }
    }
}

/// Tells steps, numbered as they come.
#[derive(Debug)]
pub struct Narrator {
    titles: Vec<(Step, &'static str)>,
    told: usize,
}

impl Narrator {
    /// One for a subnet.
    pub fn of(algorithm: &str, awaits_labels: bool) -> Self {
        Self { titles: titles(algorithm, awaits_labels), told: 0 }
    }

    /// Tells a step.
    pub fn tell(&mut self, step: Step, lines: &[String]) {
        if let Some((_, title)) = self.titles.iter().find(|(titled, _)| *titled == step) {
            self.told += 1;
            output::line(output::bold(&format!("{}. {title}", self.told)));
        }
        for line in lines {
            output::line(format!("   {line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subnet_has_its_own_titles_and_none_twice() {
        let mut all = Vec::new();
        for subnet in crate::subnets::ALL {
            for awaits in [false, true] {
                let titles = titles(subnet.name, awaits);
                assert_ne!(titles[0].1, "Task", "{}: the titles of no subnet", subnet.name);
                for (at, (step, title)) in titles.iter().enumerate() {
                    assert!(!titles[..at].iter().any(|(other, said)| other == step || said == title), "{title}");
                }
                assert_eq!(titles.last().map(|(step, _)| *step), Some(Step::Weights));
            }
            all.push(titles(subnet.name, true));
        }
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one));
        }
        assert_eq!(titles("cgp", false).len(), 7, "the document's seven steps");
    }
}
