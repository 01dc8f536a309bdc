//! The queries: as of a position they see what a fold up to it sees, and content only by the disclosure rule.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;

use projections::queries::{self, RoundKey, ScoreFilter, Stage};
use projections::{AsOf, Error, Frame, Projector, ReadModels, Selector, Settings, View};
use serde_json::{Value, json};
use support::{MINERS, OWN, SECRET, World, database, hotkey, little_log};

/// Every answer that can be asked for, in one value.
async fn everything(view: &View, frame: &Frame) -> Value {
    let mut all = BTreeMap::new();
    let put = |value: &dyn erased::Json| value.json();
    all.insert("leaderboard".to_owned(), put(&queries::leaderboard(view, frame).await.unwrap()));
    let epochs = queries::epochs(view, frame, None, 100).await.unwrap();
    for epoch in &epochs {
        let weights = queries::weights_of(view, frame, epoch).await.unwrap();
        all.insert(format!("weights {}", epoch.epoch), put(&weights));
        let averages = queries::averages_of_epoch(view, frame, epoch.epoch).await.unwrap();
        all.insert(format!("averages {}", epoch.epoch), put(&averages));
    }
    all.insert("epochs".to_owned(), put(&epochs));
    let rounds = queries::rounds(view, frame, None, None, 100).await.unwrap();
    for round in &rounds {
        let key = RoundKey { challenge_id: round.challenge_id.clone(), attempt: round.attempt };
        let similarity = queries::similarity(view, frame, &key).await.unwrap();
        let responses = queries::responses_of(view, frame, std::slice::from_ref(&key)).await.unwrap();
        all.insert(format!("round {key:?}"), json!([put(round), put(&similarity), put(&responses)]));
    }
    for seed in (1..=MINERS + 1).chain([OWN]) {
        let key = hotkey(seed);
        let filter = ScoreFilter::default();
        let history = queries::score_history(view, frame, &key, &filter, None, 100).await.unwrap();
        let averages = queries::averages_of(view, frame, &key, None, 100).await.unwrap();
        let miner = queries::miner(view, frame, &key).await.unwrap();
        let mut explained = Vec::new();
        for epoch in 0..5 {
            explained.push(put(&queries::explain(view, frame, &key, epoch).await.unwrap()));
        }
        all.insert(format!("miner {seed}"), json!([put(&history), put(&averages), put(&miner), explained]));
    }
    let mut after = None;
    loop {
        let page = queries::feed(view, frame, after, None, 100).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.position);
        all.insert(format!("feed {}", last.position), put(&page));
    }
    serde_json::to_value(all).unwrap()
}

mod erased {
    pub(super) trait Json {
        fn json(&self) -> serde_json::Value;
    }
    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).unwrap()
        }
    }
}

async fn frame(view: &View, as_of: AsOf) -> Frame {
    view.frame(&Selector::default(), as_of).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn as_of_a_position_equals_a_fold_up_to_it() {
    let database = database().await;
    let world = little_log(database.url()).await;
    let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    let models = ReadModels::open(database.url()).unwrap();
    let mut then = BTreeMap::new();
    // A stride that is prime to the log's units lands inside and between them.
    let positions: Vec<u64> = (1..world.size()).step_by(5).chain([world.size() - 1]).collect();
    for position in &positions {
        projector.catch_up_to(position + 1).await.unwrap();
        let view = models.begin().await.unwrap();
        let frame = frame(&view, AsOf::Newest).await;
        assert_eq!(frame.position, *position);
        then.insert(*position, everything(&view, &frame).await);
    }
    let view = models.begin().await.unwrap();
    for (position, expected) in then {
        let frame = frame(&view, AsOf::Position(position)).await;
        let found = everything(&view, &frame).await;
        let names = expected.as_object().unwrap();
        for (name, value) in names {
            assert_eq!(found.get(name), Some(value), "{name} as of {position}");
        }
        assert_eq!(found.as_object().unwrap().len(), names.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn block_and_time_name_the_last_position_before() {
    let database = database().await;
    let world = little_log(database.url()).await;
    let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    projector.catch_up().await.unwrap();
    let view = ReadModels::open(database.url()).unwrap().begin().await.unwrap();
    let newest = frame(&view, AsOf::Newest).await;
    let middle = frame(&view, AsOf::Position(world.size() / 2)).await;
    let by_block = frame(&view, AsOf::Block(middle.block)).await;
    assert!(by_block.position >= middle.position && by_block.block == middle.block);
    let by_time = frame(&view, AsOf::Time(middle.at)).await;
    assert!(by_time.position >= middle.position && by_time.at == middle.at);
    assert_eq!(frame(&view, AsOf::Time(u64::MAX)).await, newest);
    let selector = Selector::default();
    assert!(matches!(view.frame(&selector, AsOf::Time(1)).await.unwrap_err(), Error::BeforeFirst { .. }));
    let ahead = view.frame(&selector, AsOf::Position(world.size())).await.unwrap_err();
    assert!(matches!(ahead, Error::Behind { newest, .. } if newest == world.size() - 1), "{ahead}");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_shown_when_the_challenge_has_ended_and_not_before() {
    let database = database().await;
    let mut world = World::open(database.url(), 78).await;
    world.open_epoch().await;
    world.accept("c").await;
    world.ask("c", 1, 0).await;
    // Given up and drawn again: its answers could be copied.
    world.abandon("c", 1, false).await;
    let drawn = world.ask("c", 2, 1).await;
    let hidden_until = world.size() - 1;
    let evaluated = world.evaluate("c", 2, &drawn).await.last;
    let derived = world.derive().await.last;
    let submitted = world.submit().await.last;
    let included = world.include().await.last;
    let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    projector.catch_up().await.unwrap();
    let view = ReadModels::open(database.url()).unwrap().begin().await.unwrap();
    for position in [hidden_until, evaluated - 1] {
        let text = everything(&view, &frame(&view, AsOf::Position(position)).await).await.to_string();
        assert!(!text.contains(SECRET), "content is shown at {position}: {text}");
    }
    let at_end = frame(&view, AsOf::Position(evaluated)).await;
    let text = everything(&view, &at_end).await.to_string();
    // Both attempts' prompt, their six answers and two details; in the feed the challenge and the two failures.
    assert_eq!(text.matches(SECRET).count(), 2 + 6 + 2 + 3, "{text}");

    for position in [derived, submitted] {
        let hidden = frame(&view, AsOf::Position(position)).await;
        let epoch = queries::epoch(&view, &hidden, 0).await.unwrap().unwrap();
        let derivation = epoch.derivation.clone().unwrap();
        assert_eq!((derivation.position, derivation.mode), (derived, None));
        assert_eq!(derivation.leaf_hash.len(), 64);
        let weights = queries::weights_of(&view, &hidden, &epoch).await.unwrap();
        assert!(!weights.public && weights.weights.is_empty() && weights.zeros.is_empty());
        let feed = queries::feed(&view, &hidden, Some(derived - 1), None, 100).await.unwrap();
        for event in feed.iter().filter(|event| event.kind.starts_with("Weights")) {
            assert!(!event.disclosed && event.payload.is_none(), "{event:?}");
        }
        let row = queries::leaderboard(&view, &hidden).await.unwrap();
        assert!(row.rows.iter().all(|row| row.weight.is_none()));
    }
    let public = frame(&view, AsOf::Position(included)).await;
    let epoch = queries::epoch(&view, &public, 0).await.unwrap().unwrap();
    let weights = queries::weights_of(&view, &public, &epoch).await.unwrap();
    assert!(weights.public && !weights.weights.is_empty() && !weights.zeros.is_empty());
    assert!(weights.zeros.iter().all(|zero| zero.reason.is_some()));
    let feed =
        queries::feed(&view, &public, Some(derived - 1), Some(&["WeightsDerived".to_owned()]), 100).await.unwrap();
    assert!(feed[0].payload.as_ref().unwrap().contains("\"carried\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leaderboard_is_the_mechanisms_average_and_explanations_end_in_the_weight() {
    let database = database().await;
    let world = little_log(database.url()).await;
    let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    projector.catch_up().await.unwrap();
    let view = ReadModels::open(database.url()).unwrap().begin().await.unwrap();
    let newest = frame(&view, AsOf::Newest).await;
    let board = queries::leaderboard(&view, &newest).await.unwrap();
    assert!(board.live);
    assert_eq!((board.meta.position, board.derived_epoch, board.weight_epoch), (world.size() - 1, Some(2), Some(2)));
    assert_eq!(board.rows.len(), usize::from(MINERS) + 1, "six slots and the miner who lost one");
    let averages: Vec<f64> = board.rows.iter().filter_map(|row| row.average).collect();
    assert!(averages.len() >= 4 && averages.is_sorted_by(|one, other| one >= other), "{averages:?}");

    // Where an epoch is derived, the live average is the derived one, bit for bit.
    let epochs = queries::epochs(&view, &newest, None, 10).await.unwrap();
    assert_eq!(epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(), [3, 2, 1, 0]);
    let derived_at = epochs[1].derivation.as_ref().unwrap().position;
    let at_derivation = queries::leaderboard(&view, &frame(&view, AsOf::Position(derived_at)).await).await.unwrap();
    for row in at_derivation.rows {
        assert_eq!(row.average.map(f64::to_bits), row.derived_average.map(f64::to_bits), "{}", row.hotkey);
    }
    for seed in 1..=MINERS {
        // The same average as the mechanism's, from the history that the read models show.
        let history =
            queries::score_history(&view, &newest, &hotkey(seed), &ScoreFilter::default(), None, 100).await.unwrap();
        let counted = history.iter().rev().filter(|score| score.counted).map(|score| score.score);
        let expected = counted.fold(None, |average: Option<f64>, score| {
            Some(average.map_or(score, |average| 0.3 * score + 0.7 * average))
        });
        let row = board.rows.iter().find(|row| row.hotkey == hotkey(seed).as_str()).unwrap();
        let close = |one: f64, other: f64| (one - other).abs() <= 1e-12;
        assert!(match (row.average, expected) {
            (Some(found), Some(expected)) => close(found, expected),
            (found, expected) => found == expected,
        });
        let explanation = queries::explain(&view, &newest, &hotkey(seed), 0).await.unwrap().unwrap();
        assert_eq!(explanation.state, "closed");
        assert!(explanation.steps.is_sorted_by_key(|step| step.stage), "{explanation:#?}");
        assert!(explanation.weight.is_some_and(|weight| (weight == 0) == explanation.reason.is_some()));
        assert!(explanation.steps.iter().any(|step| step.stage == Stage::Chain));
    }
    let nobody = queries::explain(&view, &newest, &hotkey(55), 0).await.unwrap().unwrap();
    assert!(nobody.verdict.contains("held no slot"), "{}", nobody.verdict);
    assert!(queries::explain(&view, &newest, &hotkey(1), 9).await.unwrap().is_none());
}

/// Averages that run from round to round are carried in, moved by what is recorded since, and come to what is derived next.
#[tokio::test(flavor = "multi_thread")]
async fn live_averages_are_those_that_the_next_derivation_carries_out() {
    for rules in [
        "loosh/readme",
        "cgp/readme",
        "twitter/readme",
        "twitter/2.5.9",
        "conversion/readme",
        "bettertherapy/readme",
        "bettertherapy/assay-1",
    ] {
        let database = database().await;
        let mut world = World::open_under(database.url(), 78, rules).await;
        world.epoch(3).await;
        world.metagraph(true, (1..=MINERS).map(|seed| (u16::from(seed), seed)).collect()).await;
        world.derive().await;
        world.close_epoch().await;
        world.round("since").await;
        world.accept("labelled").await;
        let drawn = world.ask("labelled", 1, 1).await;
        let evaluated = world.evaluate("labelled", 1, &drawn).await.last;
        world.metagraph(false, vec![(3, 9)]).await;
        world.label("labelled", 1, &drawn, evaluated).await;
        let holder = |uid: u8| (u16::from(uid), if uid == 3 { 9 } else { uid });
        world.metagraph(true, (1..=MINERS).map(holder).collect()).await;
        let before = world.size() - 1;
        let derived = world.derive().await.last;
        let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
        projector.catch_up().await.unwrap();
        let view = ReadModels::open(database.url()).unwrap().begin().await.unwrap();
        let board = |position| {
            let view = &view;
            async move { queries::leaderboard(view, &frame(view, AsOf::Position(position)).await).await.unwrap() }
        };
        let (live, next) = (board(before).await, board(derived).await);
        assert!(live.live && live.derived_epoch == Some(1) && next.derived_epoch == Some(2), "{rules}");
        let by_hotkey = |rows: &[queries::LeaderboardRow], of: fn(&queries::LeaderboardRow) -> Option<f64>| {
            rows.iter().map(|row| (row.hotkey.clone(), of(row).map(f64::to_bits))).collect::<BTreeMap<_, _>>()
        };
        let found = by_hotkey(&live.rows, |row| row.average);
        assert_eq!(found, by_hotkey(&next.rows, |row| row.derived_average), "{rules}");
        let moved = live.rows.iter().filter(|row| row.average.is_some() && row.average != row.derived_average);
        assert!(moved.count() >= 3, "nothing moved since the last derivation under {rules}: {:?}", live.rows);
        // Where nothing is recorded since, nothing moves.
        assert_eq!(by_hotkey(&next.rows, |row| row.average), found, "{rules}");
        // Between a round's scores and its end, it is not known yet.
        assert_eq!(
            by_hotkey(&board(evaluated - 1).await.rows, |row| row.average),
            by_hotkey(&board(evaluated - 5).await.rows, |row| row.average),
            "{rules}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_and_times_filter_a_history() {
    let database = database().await;
    little_log(database.url()).await;
    let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    projector.catch_up().await.unwrap();
    let view = ReadModels::open(database.url()).unwrap().begin().await.unwrap();
    let newest = frame(&view, AsOf::Newest).await;
    for seed in 1..=MINERS {
        let ask = |filter: ScoreFilter, before, first| {
            let (view, newest) = (&view, &newest);
            async move { queries::score_history(view, newest, &hotkey(seed), &filter, before, first).await.unwrap() }
        };
        let all = ask(ScoreFilter::default(), None, 100).await;
        for epoch in 0..4 {
            let found = ask(ScoreFilter { epochs: Some(epoch..=epoch), ..ScoreFilter::default() }, None, 100).await;
            let expected: Vec<_> = all.iter().filter(|score| score.epoch == epoch).cloned().collect();
            assert_eq!(found, expected);
        }
        if let Some(middle) = all.get(all.len() / 2) {
            let time = middle.recorded_at;
            let late = ask(ScoreFilter { since: Some(time), ..ScoreFilter::default() }, None, 100).await;
            let early = ask(ScoreFilter { until: Some(time), ..ScoreFilter::default() }, None, 100).await;
            assert_eq!([late, early].concat(), all);
        }
        let (mut paged, mut before) = (Vec::new(), None);
        loop {
            let page = ask(ScoreFilter::default(), before, 2).await;
            let Some(last) = page.last() else { break };
            before = Some(last.position);
            paged.extend(page);
        }
        assert_eq!(paged, all);
    }
}
