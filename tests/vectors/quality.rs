//! Adapters for the vectors of texts and of quality. JSON to arguments, results to JSON; no arithmetic here.

use domain::loosh::constants::{HeuristicWeights, Scorer, SignalWeights};
use domain::loosh::heuristics;
use domain::loosh::matrix::cosines;
use domain::loosh::quality::{Answer, Breakdown, Prompt, gated, heuristic, score, sigmoid};
use domain::loosh::sentences::{Coherence, Sentences, combined, complexity, penalised};
use domain::text::patterns::{prompt_components, sentences};

use super::json::{Found, Json, floats, object, offer, texts};
use super::loosh::{Call, quality_rule};

pub fn sigmoid_clamp(call: &Call<'_>) -> Found<Json> {
    let xs = call.inputs.at("x")?.numbers()?;
    let row = |pair: &Json| {
        let pair = pair.numbers()?;
        let [midpoint, steepness] = pair[..] else { return Err("a pair has two numbers".to_owned()) };
        Ok(floats(&xs.iter().map(|x| sigmoid(*x, midpoint, steepness)).collect::<Vec<_>>()))
    };
    Ok(object(vec![("rows", Json::List(call.inputs.at("pairs")?.map(row)?))]))
}

pub fn text_heuristics(call: &Call<'_>) -> Found<Json> {
    let row = |text: &Json| {
        let text = text.text()?;
        Ok(object(vec![
            ("text", Json::Text(text.to_owned())),
            ("density", Json::Float(heuristics::density(text))),
            ("specificity", Json::Float(heuristics::specificity(text))),
            ("coherence_heuristic", Json::Float(heuristics::coherence(text))),
        ]))
    };
    Ok(object(vec![("rows", Json::List(call.inputs.at("texts")?.map(row)?))]))
}

pub fn components(call: &Call<'_>) -> Found<Json> {
    let split = |prompt: &Json| Ok(texts(prompt_components(prompt.text()?).iter().map(|part| part.text())));
    Ok(object(vec![("components", Json::List(call.inputs.at("prompts")?.map(split)?))]))
}

pub fn sentence_split(call: &Call<'_>) -> Found<Json> {
    let minimum = quality_rule()?.scorer.minimum_sentence_words as usize;
    let split = |text: &Json| Ok(texts(sentences(text.text()?, minimum)));
    Ok(object(vec![("sentences", Json::List(call.inputs.at("texts")?.map(split)?))]))
}

fn coherence_json(found: &Coherence) -> Json {
    object(vec![
        ("local", Json::Float(found.local)),
        ("global", Json::Float(found.global)),
        ("breaks", Json::Int(found.breaks.into())),
        ("break_rate", Json::Float(found.break_rate)),
        ("drift", Json::Float(found.drift)),
        ("graph_score", Json::Float(found.graph_score)),
    ])
}

pub fn sentence_signals(call: &Call<'_>) -> Found<Json> {
    let vectors = call.inputs.at("sentence_embeddings")?.rows()?;
    let scorer = quality_rule()?.scorer;
    let sentences = Sentences::new(&vectors);
    let coherence = sentences.coherence(&scorer);
    let (step, steps) = sentences.steps(&scorer);
    Ok(offer(
        call.expected,
        vec![
            ("coherence", coherence_json(&coherence)),
            ("signals", coherence_json(&coherence)),
            ("combined_coherence", Json::Float(combined(&coherence, &scorer))),
            ("combined_before", Json::Float(combined(&coherence, &scorer))),
            ("combined_after", Json::Float(penalised(&coherence, &scorer))),
            ("step_score", Json::Float(step)),
            ("num_steps", Json::Int(steps.into())),
            ("redundancy", Json::Float(sentences.redundancy())),
            ("novelty", Json::Float(sentences.novelty())),
            ("complexity", Json::Float(complexity(step, sentences.novelty(), &scorer))),
            ("path_length", Json::Float(sentences.path_length())),
            ("curvature", Json::Float(sentences.curvature())),
            ("graph_score", Json::Float(sentences.graph_score(scorer.graph_edge))),
        ],
    ))
}

pub fn answer_shape(call: &Call<'_>) -> Found<Json> {
    let shape = |pair: &Json| {
        let pair = pair.texts()?;
        let [prompt, answer] = pair[..] else { return Err("a pair has two texts".to_owned()) };
        Ok(Json::Float(heuristics::answer_shape(answer, prompt)))
    };
    Ok(object(vec![("scores", Json::List(call.inputs.at("pairs")?.map(shape)?))]))
}

/// Vectors of a round's texts, from the map that comes with the vector; `None` when sentences are not embedded there.
pub struct Embedded {
    pub components: Vec<Vec<f64>>,
    pub sentences: Option<Vec<Vec<Vec<f64>>>>,
}

pub fn embedded(inputs: &Json, prompt: &str, answers: &[&str], scorer: &Scorer) -> Found<Embedded> {
    let Some(map) = inputs.get("embedding_map").filter(|map| map.fields().is_ok()) else {
        return Ok(Embedded { components: Vec::new(), sentences: None });
    };
    let vector = |text: &str| map.get(text).ok_or_else(|| format!("no vector for {text:?}"))?.numbers();
    let minimum = scorer.minimum_sentence_words as usize;
    let of_answer = |answer: &&str| sentences(answer, minimum).into_iter().map(vector).collect::<Found<Vec<_>>>();
    Ok(Embedded {
        components: prompt_components(prompt).iter().map(|part| vector(&part.text())).collect::<Found<_>>()?,
        sentences: Some(answers.iter().map(of_answer).collect::<Found<_>>()?),
    })
}

fn breakdown_json(found: &Breakdown) -> Json {
    let whole = [
        "coherence_breaks",
        "num_steps",
        "sentence_count",
        "covered_components",
        "total_components",
        "discourse_marker_count",
    ];
    let counts = [
        found.coherence_breaks,
        found.num_steps,
        found.sentence_count,
        found.covered_components,
        found.total_components,
        found.discourse_marker_count,
    ];
    let field = |(name, value): (&'static str, f64)| match whole.iter().position(|other| *other == name) {
        Some(at) => (name, Json::Int(counts[at].into())),
        None => (name, Json::Float(value)),
    };
    object(found.named().into_iter().map(field).collect())
}

fn signal_weights(inputs: &Json) -> Found<SignalWeights> {
    let mut weights = SignalWeights::default();
    let Some(given) = inputs.get("weights") else { return Ok(weights) };
    for (name, value) in given.fields()? {
        let slot = match name.as_str() {
            "relevance" => &mut weights.relevance,
            "coherence" => &mut weights.coherence,
            "coverage" => &mut weights.coverage,
            "complexity" => &mut weights.complexity,
            "density" => &mut weights.density,
            "specificity" => &mut weights.specificity,
            other => return Err(format!("unknown weight {other}")),
        };
        *slot = value.number()?;
    }
    Ok(weights)
}

pub fn answers<'a>(
    texts: &[&'a str],
    vectors: &'a [Vec<f64>],
    sentences: Option<&'a [Vec<Vec<f64>>]>,
) -> Vec<Answer<'a>> {
    let answer = |(at, (text, vector)): (usize, (&&'a str, &'a Vec<f64>))| Answer {
        text,
        embedding: vector,
        sentences: sentences.map(|all| all[at].as_slice()),
    };
    texts.iter().zip(vectors).enumerate().map(answer).collect()
}

pub fn score_batch(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let (prompt, responses) = (inputs.at("prompt")?.text()?, inputs.at("responses")?.texts()?);
    let scorer = quality_rule()?.scorer;
    let found = embedded(inputs, prompt, &responses, &scorer)?;
    let (prompt_vector, vectors) =
        (inputs.at("prompt_embedding")?.numbers()?, inputs.at("response_embeddings")?.rows()?);
    let prompt = Prompt { text: prompt, embedding: &prompt_vector, components: &found.components };
    let answers = answers(&responses, &vectors, found.sentences.as_deref());
    let breakdowns = score(&prompt, &answers, &scorer, &signal_weights(inputs)?);
    Ok(offer(
        call.expected,
        vec![
            ("scores", Json::List(breakdowns.iter().map(|b| Json::Float(b.composite)).collect())),
            ("breakdowns", Json::List(breakdowns.iter().map(breakdown_json).collect())),
        ],
    ))
}

pub fn heuristic_quality(call: &Call<'_>) -> Found<Json> {
    let inputs = call.inputs;
    let rule = quality_rule()?;
    let weights = match inputs.get("weights").map(Json::numbers).transpose()?.as_deref() {
        Some([relevance, density, specificity, coherence]) => HeuristicWeights {
            relevance: *relevance,
            density: *density,
            specificity: *specificity,
            coherence: *coherence,
        },
        Some(_) => return Err("four weights are expected".to_owned()),
        None => rule.heuristic,
    };
    let gate = inputs.get("gate").map_or(Ok(rule.relevance_gate), Json::number)?;
    let relevance: Option<Vec<f64>> = match inputs.get("prompt_embedding") {
        Some(prompt) => Some(cosines(&prompt.numbers()?, &inputs.at("response_embeddings")?.rows()?)),
        None => None,
    };
    let of = |at: usize| relevance.as_ref().map(|all| all[at]);
    let responses = inputs.at("responses")?.texts()?;
    let ungated: Vec<f64> = responses.iter().enumerate().map(|(at, text)| heuristic(text, of(at), &weights)).collect();
    let after: Vec<f64> = ungated.iter().enumerate().map(|(at, quality)| gated(*quality, of(at), gate)).collect();
    Ok(offer(
        call.expected,
        vec![
            ("raw_relevance", relevance.as_deref().map_or(Json::Null, floats)),
            ("ungated", floats(&ungated)),
            ("gated", floats(&after)),
        ],
    ))
}
