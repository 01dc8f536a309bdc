//! Conversation Genome: scoring the answers of one window, beside a numpy script on the same tags and vectors.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use domain::cgp::constants::Constants;
use domain::cgp::evaluation::{Answer, Truth, evaluate, score};
use domain::cgp::similarity::Neighbourhood;
use domain::types::sha256;

use crate::{Effort, line, time, vectors};

const ANSWERS: usize = 6;
const TAGS: usize = 20;
const DIMENSIONS: usize = 384;
const PEER: &str = include_str!("cgp_peer.py");

pub(crate) fn run(effort: Effort) {
    let truth_tags: Vec<String> = (0..TAGS).map(|at| format!("tag {at}")).collect();
    let truth_vectors = vectors("conversation", TAGS, DIMENSIONS);
    // Every answer shares some tags with the truth and has some of its own.
    let tags: Vec<Vec<String>> =
        (0..ANSWERS).map(|answer| (0..TAGS).map(|at| format!("tag {}", at + answer * 3)).collect()).collect();
    let own: Vec<Vec<Vec<f64>>> =
        (0..ANSWERS).map(|answer| vectors(&format!("conversation {answer}"), TAGS, DIMENSIONS)).collect();
    let by_tag: Vec<BTreeMap<&str, &[f64]>> = tags
        .iter()
        .zip(&own)
        .map(|(tags, own)| tags.iter().map(String::as_str).zip(own.iter().map(Vec::as_slice)).collect())
        .collect();
    let rule = Constants::v2_30_65().evaluator.unwrap();
    let seed = sha256(b"bench");
    let scored = || {
        let truth = Truth { tags: &truth_tags, neighbourhood: Neighbourhood::of(&truth_vectors).unwrap() };
        let answers: Vec<Option<Answer<'_>>> = tags
            .iter()
            .zip(&by_tag)
            .map(|(tags, vectors)| Some(Answer { tags: Some(tags), vectors: Some(vectors.clone()) }))
            .collect();
        evaluate(&truth, &answers, &rule, &seed)
    };
    let ours = time(effort, scored) * 1e6;
    let scores: Vec<f64> = scored().iter().map(score).collect();
    let peers = peer(&serde_json::json!({
        "truth": { "tags": truth_tags, "vectors": truth_vectors },
        "answers": tags.iter().zip(&own).map(|(tags, vectors)| serde_json::json!({"tags": tags, "vectors": vectors})).collect::<Vec<_>>(),
        "runs": effort.runs, "seconds": effort.seconds, "scores": scores,
    }));
    let name = format!("cgp-scoring-of-{ANSWERS}-answers-microseconds");
    match peers {
        Ok([lists, arrays]) => {
            line(&name, ours, Some(lists));
            line(&format!("{name}-peer-on-arrays"), ours, Some(arrays));
        }
        Err(problem) => {
            println!("# no numpy to compare with: {problem}");
            line(&name, ours, None);
        }
    }
}

/// Microseconds of numpy on lists, as upstream holds its vectors, and on arrays made before.
fn peer(input: &serde_json::Value) -> Result<[f64; 2], String> {
    let python = std::env::var("ASSAY_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(&python);
    command.args(["-c", PEER]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for threads in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
        command.env(threads, "1");
    }
    let mut child = command.spawn().map_err(|error| format!("{python}: {error}"))?;
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(error.lines().last().unwrap_or_default().to_owned());
    }
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = printed.split_whitespace().map(|word| word.parse().unwrap()).collect();
    Ok([numbers[0], numbers[1]])
}
