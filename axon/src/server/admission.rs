//! Places among the handlers, given to the highest stake first.
//!
//! A request that finds no place free waits in a bounded queue. When that is full, the lowest of all that wait and the newcomer is
//! turned away, so that no crowd of small senders keeps a great one out. Among equals the first comes first, and a newcomer does not
//! displace its equal.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// A place in the queue; the first is served first.
#[derive(Debug, Clone, Copy)]
struct Rank {
    priority: f64,
    arrival: u64,
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        other.priority.total_cmp(&self.priority).then(self.arrival.cmp(&other.arrival))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Rank {}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All who wait come first, or somebody came who does.
    Full,
    /// None was free in time.
    TimedOut,
}

pub(crate) struct Admission {
    state: Mutex<State>,
    most_waiting: usize,
}

struct State {
    free: usize,
    arrivals: u64,
    waiting: BTreeMap<Rank, oneshot::Sender<Place>>,
}

/// A place among the handlers, until it is dropped.
pub(crate) struct Place(Option<Arc<Admission>>);

/// Takes a request that is given up out of the queue.
struct Waiting<'a>(&'a Admission, Rank);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // What is taken out is dropped after the lock: it may hold no place, but must not be dropped under it either way.
        let taken = self.0.lock().waiting.remove(&self.1);
        drop(taken);
    }
}

impl Admission {
    pub(crate) fn new(places: usize, most_waiting: usize) -> Arc<Self> {
        let state = State { free: places.max(1), arrivals: 0, waiting: BTreeMap::new() };
        Arc::new(Self { state: Mutex::new(state), most_waiting })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place.
    pub(crate) async fn place(self: &Arc<Self>, priority: f64, deadline: Instant) -> Result<Place, NoPlace> {
        let (rank, given) = match self.enter(priority)? {
            Entered::Place(place) => return Ok(place),
            Entered::Queue(rank, given) => (rank, given),
        };
        let _waiting = Waiting(self, rank);
        match timeout_at(deadline, given).await {
            Ok(Ok(place)) => Ok(place),
            // The sender is dropped when somebody of a higher priority takes the last place of the queue.
            Ok(Err(_)) => Err(NoPlace::Full),
            Err(_) => Err(NoPlace::TimedOut),
        }
    }

    fn enter(self: &Arc<Self>, priority: f64) -> Result<Entered, NoPlace> {
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            return Ok(Entered::Place(Place(Some(Arc::clone(self)))));
        }
        state.arrivals += 1;
        // A priority that is no number is the lowest.
        let priority = if priority.is_nan() { f64::NEG_INFINITY } else { priority + 0.0 };
        let rank = Rank { priority, arrival: state.arrivals };
        if state.waiting.len() >= self.most_waiting {
            match state.waiting.last_key_value() {
                Some((last, _)) if *last > rank => drop(state.waiting.pop_last()),
                _ => return Err(NoPlace::Full),
            }
        }
        let (give, given) = oneshot::channel();
        state.waiting.insert(rank, give);
        Ok(Entered::Queue(rank, given))
    }

    /// Hands a place to the first who waits, or keeps it free.
    fn hand_on(self: Arc<Self>) {
        let mut place = Place(None);
        loop {
            let next = {
                let mut state = self.lock();
                let next = state.waiting.pop_first();
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some((_, give)) = next else { return };
            place.0 = Some(Arc::clone(&self));
            match give.send(place) {
                Ok(()) => return,
                // Gave up just now. The place is not dropped, but offered to the next.
                Err(back) => {
                    place = back;
                    place.0 = None;
                }
            }
        }
    }

    #[cfg(test)]
    fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        (state.free, state.waiting.len())
    }
}

enum Entered {
    Place(Place),
    Queue(Rank, oneshot::Receiver<Place>),
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(admission) = self.0.take() {
            admission.hand_on();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::time::Duration;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_highest_comes_first_and_equals_in_order() {
        let admission = Admission::new(1, 8);
        let first = admission.place(0.0, later()).await.unwrap();
        let served = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (name, priority) in [("a", 1.0), ("b", 5.0), ("c", f64::NAN), ("d", 5.0), ("e", -1.0), ("f", 9.0)] {
            let (admission, served) = (Arc::clone(&admission), Arc::clone(&served));
            tasks.push(tokio::spawn(async move {
                let _place = admission.place(priority, later()).await.unwrap();
                served.lock().unwrap().push(name);
            }));
            settle().await;
        }
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*served.lock().unwrap(), ["f", "b", "d", "a", "e", "c"]);
        assert_eq!(admission.counts(), (1, 0));
    }

    #[tokio::test]
    async fn a_full_queue_turns_the_lowest_away() {
        let admission = Admission::new(1, 2);
        let first = admission.place(0.0, later()).await.unwrap();
        let spawn = |priority| {
            let admission = Arc::clone(&admission);
            tokio::spawn(async move { admission.place(priority, later()).await.map(drop) })
        };
        let (low, high) = (spawn(1.0), spawn(3.0));
        settle().await;
        assert_eq!(admission.place(1.0, later()).await.err(), Some(NoPlace::Full), "its equal was first");
        let middle = spawn(2.0);
        assert_eq!(low.await.unwrap(), Err(NoPlace::Full), "displaced");
        drop(first);
        assert_eq!((high.await.unwrap(), middle.await.unwrap()), (Ok(()), Ok(())));
        assert_eq!(admission.counts(), (1, 0));
    }

    #[tokio::test]
    async fn who_gives_up_leaves_no_gap() {
        let admission = Admission::new(1, 8);
        let first = admission.place(0.0, later()).await.unwrap();
        let soon = Instant::now() + Duration::from_millis(10);
        assert_eq!(admission.place(0.0, soon).await.err(), Some(NoPlace::TimedOut));
        let waiting = Arc::clone(&admission);
        let aborted = tokio::spawn(async move { waiting.place(9.0, later()).await.map(drop) });
        settle().await;
        assert_eq!(admission.counts(), (0, 1));
        aborted.abort();
        assert!(aborted.await.is_err());
        assert_eq!(admission.counts(), (0, 0));
        drop(first);
        assert_eq!(admission.counts(), (1, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn places_are_neither_lost_nor_doubled() {
        let admission = Admission::new(3, 50);
        let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let tasks: Vec<_> = (0..2_000u32)
            .map(|at| {
                let (admission, running) = (Arc::clone(&admission), Arc::clone(&running));
                tokio::spawn(async move {
                    let soon = Instant::now() + Duration::from_micros(u64::from(at % 97) * 20);
                    if let Ok(_place) = admission.place(f64::from(at % 7), soon).await {
                        assert!(running.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 3);
                        tokio::task::yield_now().await;
                        running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(admission.counts(), (3, 0));
    }
}
