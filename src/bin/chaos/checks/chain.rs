//! What stands on chain is what was derived, once, and for whom it was derived.

use super::Check;
use crate::evidence::Evidence;
use domain::events::{Event, WeightsDerived, WeightsSubmitted};
use domain::types::Digest;
use std::collections::BTreeMap;

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    let submissions = submissions(evidence);
    vec![
        once_on_chain(evidence, &submissions),
        as_derived(evidence, &submissions),
        nobody_else_paid(evidence, &submissions),
    ]
}

type Submissions<'a> = BTreeMap<Digest, &'a WeightsSubmitted>;

fn submissions(evidence: &Evidence) -> Submissions<'_> {
    evidence
        .events()
        .filter_map(|(_, event)| match event {
            Event::WeightsSubmitted(submitted) => Some((submitted.extrinsic, submitted)),
            _ => None,
        })
        .collect()
}

/// Each setting in a block was recorded before, no epoch has two, and the log knows which ones are there.
fn once_on_chain(evidence: &Evidence, submissions: &Submissions<'_>) -> Check {
    let mut faults = Vec::new();
    let mut of_epoch: BTreeMap<u64, Digest> = BTreeMap::new();
    for setting in &evidence.settings {
        let (block, hash) = (setting.block, setting.hash);
        match submissions.get(&hash) {
            None => faults.push(format!("block {block} has weights that are not in the log: {hash}")),
            Some(submitted) => {
                if of_epoch.insert(submitted.epoch, hash).is_some() {
                    faults.push(format!("epoch {} is on chain twice, again in block {block}", submitted.epoch));
                }
            }
        }
    }
    let mut included = 0;
    for (position, event) in evidence.events() {
        let Event::WeightsIncluded(inclusion) = event else { continue };
        included += 1;
        let found = evidence.settings.iter().find(|setting| setting.hash == inclusion.extrinsic);
        if found.is_none_or(|setting| setting.block != inclusion.block) {
            faults
                .push(format!("position {position} tells of weights in block {} that are not there", inclusion.block));
        }
    }
    let figures =
        format!("{} signed, {} in blocks, {included} recorded as included", submissions.len(), evidence.settings.len());
    Check::of("each epoch is on chain at most once", figures, faults)
}

fn derivation<'a>(evidence: &'a Evidence, submitted: &WeightsSubmitted) -> Option<&'a WeightsDerived> {
    match &evidence.at(submitted.derived.0)?.event {
        Event::WeightsDerived(derived) if derived.epoch == submitted.epoch => Some(derived),
        _ => None,
    }
}

fn as_derived(evidence: &Evidence, submissions: &Submissions<'_>) -> Check {
    let mut faults = Vec::new();
    for setting in &evidence.settings {
        let Some(submitted) = submissions.get(&setting.hash) else { continue };
        let Some(derived) = derivation(evidence, submitted) else {
            faults.push(format!("epoch {}'s submission names no derivation of it", submitted.epoch));
            continue;
        };
        let due: Vec<_> = derived.weights.iter().map(|weight| (weight.uid, weight.weight)).collect();
        if setting.weights != due {
            faults.push(format!("epoch {} was submitted otherwise than derived", submitted.epoch));
        }
        if evidence.on_chain.get(&setting.block).is_none_or(|chain| chain.weights != due) {
            faults.push(format!("after block {} the chain has other weights than derived", setting.block));
        }
    }
    Check::of("the weights on chain are those derived", format!("{} settings", evidence.settings.len()), faults)
}

fn nobody_else_paid(evidence: &Evidence, submissions: &Submissions<'_>) -> Check {
    let mut faults = Vec::new();
    let mut paid = 0;
    for setting in &evidence.settings {
        let derived = submissions.get(&setting.hash).and_then(|submitted| derivation(evidence, submitted));
        let chain = evidence.on_chain.get(&setting.block);
        let (Some(derived), Some(chain)) = (derived, chain) else { continue };
        for weight in &derived.weights {
            paid += 1;
            let holder = chain.metagraph.neurons.iter().find(|neuron| neuron.uid == weight.uid);
            if holder.is_none_or(|holder| holder.hotkey != weight.hotkey) {
                faults.push(format!("slot {} was paid in block {} for {}", weight.uid, setting.block, weight.hotkey));
            }
        }
    }
    Check::of("no slot was paid to another hotkey", format!("{paid} weights"), faults)
}
