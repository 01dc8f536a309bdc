#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

#[test]
fn a_lost_response_is_an_error_and_not_a_shift() {
    assert_eq!(scatter(&[0.5f32, 0.25], &[1], &[0.75]).unwrap(), [0.5, 0.75]);
    assert!(matches!(scatter(&[0.0f32; 3], &[0, 1], &[0.5]), Err(Error::Lengths { found: 1, expected: 2, .. })));
    assert!(matches!(scatter(&[0.0f32; 3], &[3], &[0.5]), Err(Error::Slot { uid: 3, slots: 3 })));
}

#[test]
fn twenty_rounds_of_one() {
    let mut averages = vec![0.0f64];
    for _ in 0..20 {
        let scattered = scatter(&averages, &[0], &[1.0]).unwrap();
        averages = moving(&scattered, &averages, 0.05);
    }
    assert!((averages[0] - (1.0 - crate::math::pow(0.95, 20.0))).abs() < 1e-12);
}

#[test]
fn a_run_of_rounds_is_due_in_time() {
    let due = |every| (0..20).filter(|round| is_due(*round, every)).collect::<Vec<u64>>();
    assert_eq!((due(10), due(2)), (vec![8, 18], (0..20).step_by(2).collect()));
    assert_eq!((due(1).len(), due(0).len()), (20, 0));
    assert!(!is_due(u64::MAX, 10));
}

#[test]
fn slots_inherit_and_hotkeys_do_not() {
    // Slot 7 changes hands after nine rounds of reward 1.
    let mut by_slot = RunMean::<u16, f32>::default();
    let mut by_hotkey = Averages::<&str, f32>::default();
    for _ in 0..9 {
        by_slot.update(&[(7, 1.0)], 0.3, 10);
        by_hotkey.update(&[("old", 1.0)], &[], 0.05);
    }
    assert_eq!(by_slot.smoothed[&7], Recorded(1.0));
    by_slot.update(&[(7, 0.0)], 0.3, 10);
    by_hotkey.update(&[("new", 0.0)], &["old"], 0.05);
    assert_eq!(by_slot.totals[&7], Recorded(9.0));
    assert_eq!(by_hotkey.0["new"], Recorded(0.0));
}

#[test]
fn the_absent_keep_old_credit_upstream_and_lose_it_under_ours() {
    let mut upstream = Averages::<&str, f32>::default();
    upstream.update(&[("a", 1.0), ("b", 1.0)], &[], 0.05);
    let mut ours = upstream.clone();
    for _ in 0..100 {
        upstream.update(&[("b", 1.0)], &[], 0.05);
        ours.update(&[("b", 1.0)], &["a", "b"], 0.05);
    }
    assert_eq!(upstream.0["a"], Recorded(0.05));
    assert!(ours.0["a"].0 < 0.001 && ours.0["b"].0 > 0.99);
    ours.forget();
    assert!(ours.0.is_empty());
}

#[test]
fn state_is_carried_as_text() {
    let mut run = RunMean::<String, f32>::default();
    run.update(&[("a".to_owned(), 0.1), ("b".to_owned(), f32::NAN)], 0.3, 2);
    let text = serde_json::to_string(&run).unwrap();
    assert!(text.contains(r#""NaN""#), "{text}");
    assert_eq!(serde_json::from_str::<RunMean<String, f32>>(&text).unwrap(), run);
}

proptest! {
    #[test]
    fn keys_give_what_slots_give(
        rounds in prop::collection::vec(prop::collection::vec(0f32..1.0, 4), 1..25),
        alpha in 0f64..1.0,
    ) {
        let keyed = |scores: &[f32]| scores.iter().copied().enumerate().collect::<Vec<(usize, f32)>>();
        let (mut averages, mut by_key) = (vec![0.0f32; 4], Averages::default());
        let (mut totals, mut means, mut run) = (vec![0.0f32; 4], None::<Vec<f32>>, RunMean::default());
        for (at, scores) in rounds.iter().enumerate() {
            let scattered = scatter(&averages, &[0, 1, 2, 3], scores).unwrap();
            averages = moving(&scattered, &averages, alpha);
            by_key.update(&keyed(scores), &[], alpha);
            totals.iter_mut().zip(scores).for_each(|(total, score)| *total += score);
            let due = is_due(at as u64, 10);
            if due {
                means = Some(smoothed(&run_mean(&totals, at as u64), means.as_deref(), 0.3));
            }
            prop_assert_eq!(run.update(&keyed(scores), 0.3, 10).is_some(), due);
        }
        let values = |map: &BTreeMap<usize, Recorded<f32>>| map.values().map(|value| value.0).collect::<Vec<f32>>();
        prop_assert_eq!(values(&by_key.0), averages);
        prop_assert_eq!(values(&run.smoothed), means.unwrap_or_default());
    }

    #[test]
    fn averages_stay_among_their_values(rewards in prop::collection::vec(0f32..=1.0, 1..40), alpha in 0f64..=1.0) {
        let mut averages = Averages::<u8, f32>::default();
        for reward in rewards {
            averages.update(&[(1, reward)], &[2], alpha);
        }
        prop_assert!(averages.0.values().all(|average| (0.0..=1.000_001).contains(&average.0)));
    }
}
