//! Conversation Genome's miner: tags of one window of a conversation, by counting, without a model.
//!
//! It reads both shapes of a request: lines alone, and a task. The same lines give the same tags each time. Miners differ in how
//! many tags they give and in how much of the window they take in, never in what they know of the validator.

use async_trait::async_trait;
use domain::cgp::conversation::Line;
use domain::cgp::synapse::NAME;
use domain::cgp::tagger;
use serde::{Deserialize, Serialize};

use super::Subnet;
use network::legacy::{Json, Kind, Shape};

use crate::drafts::{self, Drafted};
use crate::request::{Refusal, invalid};

/// Lines of a window at most; the rule sets send ten.
const MAXIMUM_LINES: usize = 1000;

/// How many tags miners give: enough that some are not in the ground truth, as the running upstream pays for three of those most.
const TAGS: [usize; 6] = [18, 15, 20, 16, 19, 14];

/// What a spammer sends: tags of another subject.
const SPAM: [&str; 8] = [
    "casino bonus",
    "cheap flights",
    "cryptocurrency",
    "luxury watches",
    "garden furniture",
    "weight loss",
    "premium loan",
    "free parasol",
];

/// Tags windows.
#[derive(Debug, Clone)]
pub struct Tagger {
    most: usize,
    skipped: usize,
}

impl Tagger {
    /// One of many different taggers: the same number gives the same one.
    #[must_use]
    pub fn of_variant(variant: u16) -> Self {
        let variant = usize::from(variant);
        Self { most: TAGS[variant % TAGS.len()], skipped: variant / TAGS.len() % 4 }
    }

    /// The tags of a window, the weightiest first.
    #[must_use]
    pub fn tags(&self, lines: &[Line]) -> Vec<String> {
        // A window of a few lines is taken in whole.
        let from = if lines.len() > 2 * self.skipped { self.skipped } else { 0 };
        let texts: Vec<&str> = lines.iter().skip(from).map(Line::text).collect();
        tagger::tags(&texts, self.most)
    }
}

#[derive(Deserialize)]
struct Body {
    cgp_input: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    lines: Option<Vec<Line>>,
    task: Option<Task>,
}

#[derive(Deserialize)]
struct Task {
    input: TaskInput,
}

#[derive(Deserialize)]
struct TaskInput {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    window: Vec<Line>,
}

#[derive(Serialize)]
struct Reply {
    cgp_output: [Output; 1],
}

#[derive(Serialize)]
struct Output {
    tags: Vec<String>,
    /// Nobody scores profiles, and no miner of this subnet sends any.
    profiles: [(); 0],
    /// The validator makes its own.
    vectors: Option<()>,
}

fn reply(tags: Vec<String>) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Reply { cgp_output: [Output { tags, profiles: [], vectors: None }] })
}

/// The window in a request.
fn lines(request: &str) -> Result<Vec<Line>, Refusal> {
    let body: Body = serde_json::from_str(request).map_err(|error| invalid("cgp_input", error.to_string()))?;
    let first = body.cgp_input.into_iter().next().ok_or_else(|| invalid("cgp_input", "one element is needed"))?;
    let lines = match (first.task, first.lines) {
        (Some(task), _) => task.input.data.window,
        (None, Some(lines)) => lines,
        (None, None) => return Err(invalid("cgp_input[0]", "neither lines nor a task")),
    };
    if lines.len() > MAXIMUM_LINES {
        return Err(invalid("lines", format!("{} lines; the limit is {MAXIMUM_LINES}", lines.len())));
    }
    Ok(lines)
}

#[async_trait]
impl Subnet for Tagger {
    fn synapse(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> Shape {
        let list = || Kind::List(Box::new(Kind::Any));
        Shape::new(NAME)
            .defaulted("time_elapsed", Kind::Integer, Json::Integer(0))
            .required("cgp_input", list())
            .optional("cgp_output", list())
    }

    async fn answer(&self, request: &str) -> Result<Vec<u8>, Refusal> {
        reply(self.tags(&lines(request)?)).map_err(|error| invalid("cgp_output", error.to_string()))
    }

    async fn draft(&self, request: &str) -> Drafted<Vec<u8>> {
        let lines = lines(request).map_err(|refusal| refusal.error)?;
        if lines.is_empty() {
            return Ok(None);
        }
        let body = |tags| reply(tags).map_err(|error| error.to_string());
        drafts::cgp::draft(&lines, self.most, body).map(Some)
    }

    fn spam(&self) -> Vec<u8> {
        // Texts alone always serialise.
        reply(SPAM.map(str::to_owned).to_vec()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use domain::cgp::answer;
    use domain::cgp::constants::Constants;
    use domain::cgp::synapse;
    use domain::cgp::task::{Task, Window};

    use super::*;

    fn request(constants: &Constants) -> String {
        let said = [
            "Did you plant the tomatoes in the vegetable garden?",
            "Yes, and two rows of beans next to the compost heap.",
            "Snails ate the lettuce, so I put copper tape around the pots.",
            "Copper tape helps. My greenhouse keeps the seedlings of peppers alive.",
        ];
        let task = Task {
            guid: "1".to_owned(),
            window_index: 0,
            window: Window { start: 0, end: 4 },
            participants: Vec::new(),
            lines: said.map(|text| Line(0, text.to_owned())).to_vec(),
            describe: false,
        };
        synapse::of(&task, &constants.collection).unwrap().body
    }

    #[tokio::test]
    async fn both_shapes_are_answered_alike() {
        let miner = Tagger::of_variant(0);
        assert_eq!(miner.synapse(), "CgSynapse");
        let classic = miner.answer(&request(&Constants::readme())).await.unwrap();
        assert_eq!(miner.answer(&request(&Constants::v2_30_65())).await.unwrap(), classic);
        let found = answer::parse(&classic).unwrap();
        assert_eq!((found.tags.len(), found.profiles), (18, 0));
        assert!(found.tags.contains(&"copper tape".to_owned()), "{found:?}");
    }

    #[tokio::test]
    async fn variants_differ_and_repeat_themselves() {
        let mut all = Vec::new();
        for variant in 0..24 {
            let body = Tagger::of_variant(variant).answer(&request(&Constants::readme())).await.unwrap();
            assert_eq!(body, Tagger::of_variant(variant + 24).answer(&request(&Constants::readme())).await.unwrap());
            assert!(!answer::parse(&body).unwrap().tags.is_empty());
            all.push(body);
        }
        all.sort();
        all.dedup();
        assert!(all.len() >= 8, "{}", all.len());
        assert_eq!(answer::parse(&Tagger::of_variant(0).spam()).unwrap().tags, SPAM);
    }

    #[tokio::test]
    async fn what_is_no_window_is_refused() {
        let miner = Tagger::of_variant(0);
        let many = format!(r#"{{"cgp_input":[{{"lines":[{}]}}]}}"#, vec![r#"[0,"a"]"#; 1001].join(","));
        for (body, field) in [
            ("{}", "cgp_input"),
            (r#"{"cgp_input":[]}"#, "cgp_input"),
            (r#"{"cgp_input":[{}]}"#, "cgp_input[0]"),
            (r#"{"cgp_input":[{"lines":[["a","b"]]}]}"#, "cgp_input"),
            (many.as_str(), "lines"),
        ] {
            assert_eq!(miner.answer(body).await.unwrap_err().field.as_deref(), Some(field), "{body:.60}");
        }
        let nothing = miner.answer(r#"{"cgp_input":[{"lines":[]}]}"#).await.unwrap();
        assert!(answer::parse(&nothing).unwrap().tags.is_empty());
    }
}
