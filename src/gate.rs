//! Who may ask a miner that is a member of its subnet: what the chain says of a hotkey, read again every minute.
//!
//! More stake comes first when the miner is busy. A chain that does not answer changes nothing: what was read last stands.

use crate::shutdown::Shutdown;
use crate::subnets::NetworkName;
use anyhow::Result;
use chain::{Chain, Metagraph};
use domain::types::{Hotkey, NetUid, Rao};
use miner::Gate;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Between two looks at the metagraph.
const INTERVAL: Duration = Duration::from_secs(60);

/// Who is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Admitted {
    /// Whoever signs.
    Anyone,
    /// Hotkeys that hold a slot of the subnet.
    Registered,
    /// Those of them that may set weights.
    Validators,
}

impl Admitted {
    /// What is usual: on a public network a request of a stranger is nobody's.
    pub fn on(network: NetworkName) -> Self {
        if network == NetworkName::Local { Self::Anyone } else { Self::Registered }
    }
}

/// What the chain says of a hotkey.
#[derive(Debug, Clone, Copy)]
struct Holder {
    stake: Rao,
    permit: bool,
}

/// The rule and what was read last.
#[derive(Debug)]
pub struct MetagraphGate {
    admitted: Admitted,
    minimum_stake: Rao,
    holders: RwLock<BTreeMap<String, Holder>>,
}

impl MetagraphGate {
    /// A gate that has read the metagraph once and goes on reading until `stop`.
    ///
    /// # Errors
    /// A chain that does not answer the first time.
    pub async fn open(
        chain: Arc<dyn Chain>,
        netuid: NetUid,
        admitted: Admitted,
        minimum_stake: Rao,
        stop: Shutdown,
    ) -> Result<Arc<Self>> {
        let gate = Arc::new(Self { admitted, minimum_stake, holders: RwLock::default() });
        gate.take(&read(chain.as_ref(), netuid).await?);
        tracing::info!(?admitted, minimum_stake_rao = minimum_stake.0, "who may ask this miner");
        let reading = Arc::clone(&gate);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(INTERVAL) => {}
                    () = stop.wait() => return,
                }
                match read(chain.as_ref(), netuid).await {
                    Ok(metagraph) => reading.take(&metagraph),
                    Err(error) => tracing::warn!(%error, "who may ask stays as it was read last"),
                }
            }
        });
        Ok(gate)
    }

    fn take(&self, metagraph: &Metagraph) {
        let holder = |neuron: &chain::Neuron| {
            (neuron.hotkey.to_string(), Holder { stake: neuron.stake, permit: neuron.validator_permit })
        };
        let holders = metagraph.neurons.iter().map(holder).collect();
        *self.holders.write().unwrap_or_else(PoisonError::into_inner) = holders;
    }

    fn holder(&self, hotkey: &str) -> Option<Holder> {
        self.holders.read().unwrap_or_else(PoisonError::into_inner).get(hotkey).copied()
    }
}

async fn read(chain: &dyn Chain, netuid: NetUid) -> Result<Metagraph, chain::Error> {
    let head = chain.head().await?;
    chain.metagraph(netuid, head.number).await
}

impl Gate for MetagraphGate {
    fn refuses(&self, hotkey: Option<&str>) -> Option<String> {
        if self.admitted == Admitted::Anyone && self.minimum_stake == Rao(0) {
            return None;
        }
        let Some(hotkey) = hotkey else { return Some("no hotkey is named".to_owned()) };
        match self.holder(hotkey) {
            None => Some("the hotkey is not registered in this subnet".to_owned()),
            Some(holder) if self.admitted == Admitted::Validators && !holder.permit => {
                Some("the hotkey has no validator permit".to_owned())
            }
            Some(holder) if holder.stake < self.minimum_stake => {
                Some(format!("a stake of {} rao is below {}", holder.stake.0, self.minimum_stake.0))
            }
            Some(_) => None,
        }
    }

    fn priority(&self, hotkey: &Hotkey) -> Option<f64> {
        // Stakes beyond 2^53 rao, 9 million TAO, tie by a rao or two.
        Some(self.holder(hotkey.as_str()).map_or(0.0, |holder| holder.stake.0 as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(admitted: Admitted, minimum_stake: u64) -> MetagraphGate {
        let holder = |stake, permit| Holder { stake: Rao(stake), permit };
        let holders = [("validator", holder(9, true)), ("miner", holder(2, false))];
        let holders = holders.map(|(hotkey, holder)| (hotkey.to_owned(), holder)).into();
        MetagraphGate { admitted, minimum_stake: Rao(minimum_stake), holders: RwLock::new(holders) }
    }

    #[test]
    fn the_rule_decides_who_may_ask() {
        let may = |admitted, minimum, hotkey| gate(admitted, minimum).refuses(hotkey).is_none();
        use Admitted::{Anyone, Registered, Validators};
        let (validator, miner, stranger) = (Some("validator"), Some("miner"), Some("stranger"));
        for (admitted, minimum, answers) in [
            (Anyone, 0, [true, true, true, true]),
            (Registered, 0, [true, true, false, false]),
            (Validators, 0, [true, false, false, false]),
            (Anyone, 3, [true, false, false, false]),
            (Registered, 10, [false, false, false, false]),
        ] {
            let found = [validator, miner, stranger, None].map(|hotkey| may(admitted, minimum, hotkey));
            assert_eq!(found, answers, "{admitted:?} with {minimum}");
        }
        let refusal = gate(Registered, 10).refuses(validator);
        assert_eq!(refusal.as_deref(), Some("a stake of 9 rao is below 10"));
    }
}
