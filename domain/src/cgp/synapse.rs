//! What a miner is sent (spec 2.1): `CgSynapse` with one element of `cgp_input`, a window of the classic shape or a task of 2.30.65.
//!
//! Guid and index are masked where the rule set says so, so that nobody recognises a conversation that it answered before.

use serde::Serialize;

use super::constants::{Collection, Form};
use super::conversation::Line;
use super::task::Task;
use crate::mechanism::{Synapse, SynapseKind};

/// The name of the synapse.
pub const NAME: &str = "CgSynapse";

/// The type of a request.
pub const KIND: SynapseKind =
    SynapseKind { name: NAME, required: &[("cgp_input", "[]")], hashed: &[], streamed: false };

/// What stands for a guid that miners are not told.
const HIDDEN: &str = "HIDDEN";

#[derive(Serialize)]
struct Body<'a> {
    time_elapsed: u32,
    cgp_input: [Input<'a>; 1],
    cgp_output: Option<()>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Input<'a> {
    Window { guid: &'a str, window_idx: i64, lines: &'a [Line] },
    Task { task: Box<Prompted<'a>> },
}

#[derive(Serialize)]
struct Prompted<'a> {
    mode: &'a str,
    api_version: f64,
    guid: &'a str,
    bundle_guid: &'a str,
    r#type: &'a str,
    scoring_mechanism: &'a str,
    input: TaskInput<'a>,
    prompt_chain: [Step<'a>; 1],
    example_output: Example<'a>,
}

#[derive(Serialize)]
struct TaskInput<'a> {
    input_type: &'a str,
    guid: &'a str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    window_idx: i64,
    window: &'a [Line],
    participants: &'a [String],
}

#[derive(Serialize)]
struct Step<'a> {
    step: u32,
    id: &'a str,
    crc: u32,
    title: &'a str,
    name: &'a str,
    description: &'a str,
    r#type: &'a str,
    input_path: &'a str,
    prompt_template: &'a str,
    output_variable: &'a str,
    output_type: &'a str,
}

#[derive(Serialize)]
struct Example<'a> {
    tags: [&'a str; 3],
    r#type: &'a str,
}

const TEMPLATE: &str = "Name what this part of a conversation is about: at most 20 tags of one to three English words, separated by \
    commas, in one line.\n{{ conversation }}";

/// The CRC-32 (IEEE) of a text, by which miners tell prompts apart.
fn crc32(text: &str) -> u32 {
    !text.bytes().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// The request for a window.
///
/// # Errors
/// Never, as far as is known: it holds texts and numbers alone.
pub fn of(task: &Task, rule: &Collection) -> Result<Synapse, serde_json::Error> {
    let (guid, window_idx) = if rule.masked { (HIDDEN, -1) } else { (task.guid.as_str(), task.window_index.into()) };
    let lines = task.window_lines();
    let input = match rule.form {
        Form::Window => Input::Window { guid, window_idx, lines },
        Form::Task => Input::Task {
            task: Box::new(Prompted {
                mode: "validator",
                api_version: 1.4,
                guid,
                bundle_guid: guid,
                r#type: "conversation_tagging",
                scoring_mechanism: "ground_truth_tag_similarity_scoring",
                input: TaskInput {
                    input_type: "conversation",
                    guid,
                    data: Data { window_idx, window: lines, participants: &task.participants },
                },
                prompt_chain: [Step {
                    step: 0,
                    id: "tags",
                    crc: crc32(TEMPLATE),
                    title: "Tag a conversation",
                    name: "infer_tags",
                    description: "Tags of one window of a conversation",
                    r#type: "inference",
                    input_path: "conversation",
                    prompt_template: TEMPLATE,
                    output_variable: "tags",
                    output_type: "List[str]",
                }],
                example_output: Example { tags: ["kitchen repair", "plumbing", "weekend"], r#type: "List[str]" },
            }),
        },
    };
    let body = serde_json::to_string(&Body { time_elapsed: 0, cgp_input: [input], cgp_output: None })?;
    Ok(Synapse { kind: &KIND, body })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cgp::constants::Constants;
    use crate::cgp::task::Window;

    fn task() -> Task {
        Task {
            guid: "77".to_owned(),
            window_index: 3,
            window: Window { start: 1, end: 2 },
            participants: vec!["Ana".to_owned()],
            lines: vec![Line(0, "Tea?".to_owned()), Line(1, "Coffee.".to_owned())],
            describe: false,
        }
    }

    #[test]
    fn the_document_names_conversation_and_window() {
        let found = of(&task(), &Constants::readme().collection).unwrap();
        let expected = r#"{"time_elapsed":0,"cgp_input":[{"guid":"77","window_idx":3,"lines":[[1,"Coffee."]]}],"cgp_output":null}"#;
        assert_eq!((found.kind.name, found.body.as_str()), ("CgSynapse", expected));
    }

    #[test]
    fn upstream_hides_them() {
        let found: serde_json::Value =
            serde_json::from_str(&of(&task(), &Constants::v2_30_65().collection).unwrap().body).unwrap();
        let task = &found["cgp_input"][0]["task"];
        assert_eq!(
            (&task["guid"], &task["bundle_guid"], &task["input"]["guid"]),
            (&HIDDEN.into(), &HIDDEN.into(), &HIDDEN.into())
        );
        assert_eq!(task["input"]["data"]["window_idx"], -1);
        assert_eq!(task["input"]["data"]["window"], serde_json::json!([[1, "Coffee."]]));
        assert_eq!(task["api_version"], 1.4);
    }

    #[test]
    fn checksums_are_the_usual_ones() {
        assert_eq!(crc32("123456789"), 0xcbf4_3926);
    }
}
