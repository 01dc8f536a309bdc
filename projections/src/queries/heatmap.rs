//! The heat map of a round: which answers it shows, and when there is none.

use std::collections::BTreeMap;

use domain::types::Micros;
use pictures::Heatmap;

use super::rounds::{self, Round, RoundKey, Similarity};
use super::scores::{self, Score};
use crate::error::{Error, Result};
use crate::view::{Frame, View};

/// Which answers a heat map shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeatmapRows {
    /// Those that no stage of the mechanism dropped, as upstream draws it.
    #[default]
    Survivors,
    /// All that were compared.
    All,
}

/// What came of the wish for a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum HeatmapAnswer {
    /// The picture.
    Ready(Box<Heatmap>),
    /// The round is there and has none, for this reason.
    None(String),
}

/// The heat map of a round: of the given attempt, else of the newest one. None when there is no such round.
///
/// # Errors
/// What the database says, and a recorded matrix that is none.
pub async fn heatmap(
    view: &View,
    frame: &Frame,
    challenge_id: &str,
    attempt: Option<u32>,
    which: HeatmapRows,
) -> Result<Option<HeatmapAnswer>> {
    let Some(round) = rounds::round(view, frame, challenge_id, attempt).await? else { return Ok(None) };
    let key = RoundKey { challenge_id: round.challenge_id.clone(), attempt: round.attempt };
    let name = format!("round {}/{}", key.challenge_id, key.attempt);
    if !round.disclosed {
        return Ok(Some(HeatmapAnswer::None(format!("{name} has not ended yet"))));
    }
    let Some(similarity) = rounds::similarity(view, frame, &key).await? else {
        return Ok(Some(HeatmapAnswer::None(format!("{name} was not evaluated, so its answers were not compared"))));
    };
    let scores = scores::scores_of_rounds(view, frame, &[key]).await?;
    draw(&round, &scores, similarity, which).map(Some)
}

/// The picture of recorded similarities.
fn draw(round: &Round, scores: &[Score], similarity: Similarity, which: HeatmapRows) -> Result<HeatmapAnswer> {
    let name = format!("{}/{}", round.challenge_id, round.attempt);
    let by_hotkey: BTreeMap<&str, &Score> = scores.iter().map(|score| (score.hotkey.as_str(), score)).collect();
    let compared = similarity.labels.len();
    let survives = |at: &usize| {
        let score = by_hotkey.get(similarity.labels[*at].as_str());
        which == HeatmapRows::All || score.is_some_and(|score| score.filtered.is_none())
    };
    let chosen: Vec<usize> = (0..compared).filter(survives).collect();
    if compared < 2 {
        return Ok(HeatmapAnswer::None(format!("the similarities of round {name} are of {compared} answers, not two")));
    }
    if chosen.len() < 2 {
        let left = chosen.len();
        let why = format!("of {compared} answers of round {name} the filters left {left}; all of them can be shown");
        return Ok(HeatmapAnswer::None(why));
    }
    if chosen.len() > pictures::MAX_ROWS {
        let (rows, most) = (chosen.len(), pictures::MAX_ROWS);
        return Ok(HeatmapAnswer::None(format!("round {name} has {rows} answers; a picture shows at most {most}")));
    }
    let labels = chosen.iter().map(|at| label(&similarity.labels[*at], &by_hotkey)).collect();
    let row = |at: &usize| chosen.iter().map(|column| similarity.rows[*at][*column]).collect();
    let rows = chosen.iter().map(row).collect();
    let of = if which == HeatmapRows::All { "compared" } else { "that no filter dropped" };
    let note = format!("cosines of the {} of {compared} answers {of}", chosen.len());
    let time = round.ended_at.map_or_else(String::new, short_time);
    let drawn = Heatmap::new(&name, &time, &note, labels, rows);
    let drawn = drawn.map_err(|error| Error::Damaged { what: format!("the similarities of round {name}: {error}") })?;
    Ok(HeatmapAnswer::Ready(Box::new(drawn)))
}

/// The uid when drawn, as upstream labels it.
fn label(hotkey: &str, scores: &BTreeMap<&str, &Score>) -> String {
    scores.get(hotkey).map_or_else(|| hotkey.to_owned(), |score| score.uid.to_string())
}

/// `2026-11-20 12:00:00 UTC`.
fn short_time(micros: u64) -> String {
    let text = Micros(micros).rfc3339();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {} UTC", time.split('.').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::narrative::samples;
    use super::*;

    fn drawn(which: HeatmapRows) -> String {
        let (round, _, scores, similarity) = samples::evaluated();
        match draw(&round, &scores, similarity, which).unwrap() {
            HeatmapAnswer::Ready(map) => map.svg(),
            HeatmapAnswer::None(reason) => reason,
        }
    }

    #[test]
    fn survivors_are_shown_under_their_uids() {
        let svg = drawn(HeatmapRows::Survivors);
        for text in [">c-1/1</text>", ">2026-11-20 12:00:00 UTC</text>", ">3</text>", ">5</text>", ">0.90</text>"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert!(svg.contains("cosines of the 3 of 4 answers that no filter dropped"));
        assert!(!svg.contains(">9</text>") && !svg.contains(">0.21</text>"), "the outlier");
        let all = drawn(HeatmapRows::All);
        assert!(all.contains(">9</text>") && all.contains(">0.21</text>"));
    }

    #[test]
    fn too_few_answers_are_a_reason_and_no_picture() {
        let (round, _, mut scores, similarity) = samples::evaluated();
        for score in &mut scores[1..] {
            score.filtered = Some("outlier".to_owned());
        }
        let reason = draw(&round, &scores, similarity.clone(), HeatmapRows::Survivors).unwrap();
        let expected = "of 4 answers of round c-1/1 the filters left 1; all of them can be shown";
        assert_eq!(reason, HeatmapAnswer::None(expected.to_owned()));
        let nothing = Similarity { labels: Vec::new(), rows: Vec::new() };
        assert!(matches!(draw(&round, &scores, nothing, HeatmapRows::All).unwrap(), HeatmapAnswer::None(_)));
        let mut broken = similarity;
        broken.rows[1][0] = f64::NAN;
        assert!(matches!(draw(&round, &scores, broken, HeatmapRows::All), Err(Error::Damaged { .. })));
    }
}
