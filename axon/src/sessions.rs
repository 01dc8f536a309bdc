//! The symmetric keys that a client has brought, one for each miner.
//!
//! **Invariant:** at most one key is on its way to a miner at a time. Who needs one meanwhile waits for it, within a deadline of
//! its own: miners take few keys of one validator, and few exchanges a minute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use crate::client::Target;
use crate::post::Problem;

/// Miners of whom a key is remembered; a subnet has 256.
const MAXIMUM_SESSIONS: usize = 1024;

type Slot<S> = Arc<AsyncMutex<Option<Arc<S>>>>;

/// Sessions by miner.
pub(crate) struct Sessions<S>(Mutex<BTreeMap<String, Slot<S>>>);

impl<S> Default for Sessions<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// A session, and whether this caller brought it.
pub(crate) struct Had<S> {
    pub(crate) session: Arc<S>,
    pub(crate) brought: bool,
}

impl<S> Sessions<S> {
    /// The miner's session when it is `good`, else one that is brought now.
    pub(crate) async fn get<B>(
        &self,
        target: &Target,
        good: impl Fn(&Arc<S>) -> bool,
        bring: impl FnOnce() -> B,
    ) -> Result<Had<S>, Problem>
    where
        B: Future<Output = Result<S, Problem>>,
    {
        let slot = self.slot(target);
        let mut kept = slot.lock().await;
        if let Some(session) = kept.as_ref().filter(|session| good(session)) {
            return Ok(Had { session: Arc::clone(session), brought: false });
        }
        *kept = None;
        let session = Arc::new(bring().await?);
        *kept = Some(Arc::clone(&session));
        Ok(Had { session, brought: true })
    }

    fn slot(&self, target: &Target) -> Slot<S> {
        // A miner that moved has another process, which does not know the key.
        let name = format!("{} {}", target.hotkey, target.address);
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !slots.contains_key(&name) && slots.len() >= MAXIMUM_SESSIONS {
            // Who holds it goes on with it.
            slots.pop_first();
        }
        Arc::clone(slots.entry(name).or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use domain::types::Hotkey;

    use super::*;
    use crate::client::Failure;

    fn target(port: u16) -> Target {
        Target { hotkey: Hotkey::from_public(&[1; 32]), address: ([127, 0, 0, 1], port).into() }
    }

    #[tokio::test]
    async fn one_key_is_brought_for_many_who_ask_at_once() {
        let (sessions, brought) = (Sessions::<usize>::default(), AtomicUsize::new(0));
        let bring = || async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(brought.fetch_add(1, Ordering::SeqCst))
        };
        let asking = (0..15).map(|_| async { sessions.get(&target(1), |_| true, bring).await });
        let had = futures::future::join_all(asking).await;
        let first = had.iter().filter(|had| had.as_ref().is_ok_and(|had| had.brought)).count();
        assert_eq!((first, brought.load(Ordering::SeqCst)), (1, 1));
        let other = sessions.get(&target(2), |_| true, bring).await.unwrap();
        assert!(other.brought && *other.session == 1);
        let stale = sessions.get(&target(1), |session| **session > 0, bring).await.unwrap();
        assert!(stale.brought && *stale.session == 2);
    }

    #[tokio::test]
    async fn who_cannot_bring_one_leaves_nothing_behind() {
        let sessions = Sessions::<usize>::default();
        let fails = || async { Err(Problem::new(Failure::Unreachable, "gone")) };
        assert!(sessions.get(&target(1), |_| true, fails).await.is_err());
        let first = target(1);
        let given_up = sessions.get(&first, |_| true, std::future::pending::<Result<usize, Problem>>);
        assert!(tokio::time::timeout(Duration::from_millis(10), given_up).await.is_err());
        assert!(sessions.get(&target(1), |_| true, || async { Ok(7) }).await.unwrap().brought);
        for port in 10..2_000 {
            sessions.get(&target(port), |_| true, || async { Ok(1) }).await.unwrap();
        }
        assert_eq!(sessions.0.lock().unwrap().len(), MAXIMUM_SESSIONS);
    }
}
