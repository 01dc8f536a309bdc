//! What is still to be brought, and when: a fold of evaluated rounds and of the attempts that are recorded. Functions of values.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::events::{DeliveryAttempted, DeliveryItem, DeliveryOutcome, DeliveryRoute, Event};
use domain::types::{Micros, Position};
use network::fiber::loosh::outbox::{Progress, Route, Step, Verdict, verdict};

use crate::clock;

/// Rounds that wait at once. More are read from the log when some are through.
const MAX_PENDING: usize = 1000;

/// Rounds that were evaluated longer ago are not begun with: whoever asked has gone. All passes take some four hours.
pub(super) const LONGEST_AGE: Duration = Duration::from_secs(24 * 3600);

/// How far one item of a round has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Item {
    progress: Progress,
    number: u32,
    /// When the last attempt was recorded.
    last: Micros,
}

/// A round with something to be brought.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pending {
    challenge_id: String,
    attempt: u32,
    /// Attempts that are recorded, of any item.
    sequence: u64,
    items: BTreeMap<DeliveryItem, Item>,
}

/// The next attempt at something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) challenge_id: String,
    pub(super) attempt: u32,
    /// Where the round's evaluation stands.
    pub(super) evaluated: Position,
    pub(super) item: DeliveryItem,
    pub(super) number: u32,
    pub(super) route: Route,
    /// Events that the stream of the round's deliveries has before.
    pub(super) after: u64,
    progress: Progress,
}

/// Everything that waits, by the position of the evaluation.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pending: BTreeMap<Position, Pending>,
}

impl Queue {
    /// Rounds that wait.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether another round may be taken up.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < MAX_PENDING
    }

    /// Takes up a round with the attempts that are recorded: sequence, time of recording, and the fact unless it is erased. An erased
    /// one may have been the last: nothing more is brought of such a round.
    pub(super) fn take_up(
        &mut self,
        (evaluated, challenge_id, attempt): (Position, String, u32),
        items: &[DeliveryItem],
        recorded: &[(u64, Micros, Option<Event>)],
    ) {
        let items = items.iter().map(|item| (*item, Item::default())).collect();
        let mut pending = Pending { challenge_id, attempt, sequence: 0, items };
        for (sequence, at, event) in recorded {
            pending.sequence = *sequence;
            match event {
                Some(Event::DeliveryAttempted(attempted)) => pending.note(attempted, *at),
                _ => return,
            }
        }
        if !pending.items.is_empty() {
            self.pending.insert(evaluated, pending);
        }
    }

    /// Forgets a round, to be taken up anew.
    pub(super) fn forget(&mut self, evaluated: Position) {
        self.pending.remove(&evaluated);
    }

    /// Notes that there is nothing of this sort to be brought.
    pub(super) fn leave_out(&mut self, evaluated: Position, item: DeliveryItem) {
        let Some(pending) = self.pending.get_mut(&evaluated) else { return };
        pending.items.remove(&item);
        if pending.items.is_empty() {
            self.pending.remove(&evaluated);
        }
    }

    /// Notes an attempt that was recorded.
    pub(super) fn note(&mut self, attempted: &DeliveryAttempted, at: Micros) {
        let Some(pending) = self.pending.get_mut(&attempted.evaluated) else { return };
        pending.sequence += 1;
        pending.note(attempted, at);
        if pending.items.is_empty() {
            self.pending.remove(&attempted.evaluated);
        }
    }

    /// What is due now, at most one item of a round, the oldest rounds first; and how long until something else is.
    pub(super) fn due(&self, now: Micros, most: usize) -> (Vec<Due>, Option<Duration>) {
        let (mut due, mut next): (Vec<Due>, Option<Micros>) = (Vec::new(), None);
        for (evaluated, pending) in &self.pending {
            let soonest = pending.items.iter().filter_map(|(item, state)| {
                let Step::Try(route, wait) = state.progress.step() else { return None };
                Some((clock::after(state.last, wait), *item, state, route))
            });
            let Some((at, item, state, route)) = soonest.min_by_key(|(at, item, ..)| (*at, *item)) else { continue };
            if at > now || due.len() >= most {
                next = Some(next.map_or(at, |next| next.min(at)));
                continue;
            }
            due.push(Due {
                challenge_id: pending.challenge_id.clone(),
                attempt: pending.attempt,
                evaluated: *evaluated,
                item,
                number: state.number.saturating_add(1),
                route,
                after: pending.sequence,
                progress: state.progress,
            });
        }
        (due, next.map(|next| Duration::from_micros(next.0.saturating_sub(now.0))))
    }
}

impl Pending {
    fn note(&mut self, attempted: &DeliveryAttempted, at: Micros) {
        let Some(state) = self.items.get_mut(&attempted.item) else { return };
        let route = of(attempted.route);
        state.number = attempted.number;
        state.last = at;
        state.progress = state.progress.after(route, verdict(route, status(attempted.status)));
        if attempted.outcome != DeliveryOutcome::Failed || !matches!(state.progress.step(), Step::Try(..)) {
            self.items.remove(&attempted.item);
        }
    }
}

impl Due {
    /// What it comes to when the attempt ended with this status; 0 for none.
    pub(super) fn outcome(&self, with: u16) -> DeliveryOutcome {
        let came_of_it = verdict(self.route, status(with));
        match (self.progress.after(self.route, came_of_it).step(), came_of_it) {
            (Step::Try(..), _) => DeliveryOutcome::Failed,
            (Step::Delivered, _) => DeliveryOutcome::Delivered,
            (Step::GivenUp, Verdict::Temporary) => DeliveryOutcome::GivenUp,
            (Step::GivenUp, _) => DeliveryOutcome::Refused,
        }
    }

    /// The route as it is recorded.
    pub(super) fn recorded_route(&self) -> DeliveryRoute {
        match self.route {
            Route::Sealed => DeliveryRoute::Fiber,
            Route::Plain => DeliveryRoute::Plain,
        }
    }
}

fn of(route: DeliveryRoute) -> Route {
    match route {
        DeliveryRoute::Fiber => Route::Sealed,
        DeliveryRoute::Plain => Route::Plain,
    }
}

fn status(recorded: u16) -> Option<u16> {
    (recorded != 0).then_some(recorded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const SECOND: u64 = 1_000_000;
    const BOTH: [DeliveryItem; 2] = [DeliveryItem::Batch, DeliveryItem::Heatmap];

    fn attempted(due: &Due, status: u16) -> DeliveryAttempted {
        DeliveryAttempted {
            challenge_id: due.challenge_id.clone(),
            attempt: due.attempt,
            evaluated: due.evaluated,
            item: due.item,
            number: due.number,
            route: due.recorded_route(),
            request_hash: None,
            status,
            outcome: due.outcome(status),
            detail: String::new(),
        }
    }

    /// Plays one round's attempts with these statuses, each when it is due; gives what was recorded with its times, and the queue.
    fn played(statuses: &[u16]) -> (Vec<(u64, Micros, Option<Event>)>, Queue) {
        let mut queue = Queue::default();
        queue.take_up((Position(7), "c".to_owned(), 1), &BOTH[..1], &[]);
        let (mut now, mut recorded) = (Micros(SECOND), Vec::new());
        for status in statuses {
            let (mut due, next) = queue.due(now, 4);
            if due.is_empty() {
                now = clock::after(now, next.unwrap());
                due = queue.due(now, 4).0;
            }
            let event = attempted(&due[0], *status);
            queue.note(&event, now);
            recorded.push((recorded.len() as u64 + 1, now, Some(event.into())));
        }
        (recorded, queue)
    }

    #[test]
    fn a_restart_goes_on_where_the_record_ends() {
        let statuses = [503, 0, 500, 404, 502, 503, 409];
        let (recorded, queue) = played(&statuses);
        assert!(queue.pending.is_empty());
        let times: Vec<u64> = recorded.iter().map(|(_, at, _)| at.0 / SECOND - 1).collect();
        assert_eq!(times, [0, 2, 6, 14, 14, 74, 76]);
        for end in 0..statuses.len() {
            let (_, live) = played(&statuses[..end]);
            let mut again = Queue::default();
            again.take_up((Position(7), "c".to_owned(), 1), &BOTH[..1], &recorded[..end]);
            assert_eq!(again.pending, live.pending, "{end}");
        }
        let mut again = Queue::default();
        again.take_up((Position(7), "c".to_owned(), 1), &BOTH[..1], &recorded);
        assert!(again.pending.is_empty(), "what has ended is not begun again");
    }

    #[test]
    fn outcomes_say_whether_it_goes_on() {
        let outcomes = |statuses: &[u16]| -> Vec<DeliveryOutcome> {
            let found = |(_, _, event): (u64, Micros, Option<Event>)| match event {
                Some(Event::DeliveryAttempted(attempted)) => attempted.outcome,
                other => panic!("{other:?}"),
            };
            played(statuses).0.into_iter().map(found).collect()
        };
        use DeliveryOutcome::{Delivered, Failed, GivenUp, Refused};
        assert_eq!(outcomes(&[503, 201]), [Failed, Delivered]);
        assert_eq!(outcomes(&[409]), [Refused]);
        assert_eq!(outcomes(&[422, 403]), [Failed, Refused]);
        let long = outcomes(&[503; 50]);
        assert_eq!((long[48], long[49]), (Failed, GivenUp));
    }

    #[test]
    fn one_item_of_a_round_at_a_time_and_the_oldest_rounds_first() {
        let mut queue = Queue::default();
        for at in 0..6 {
            queue.take_up((Position(at), format!("c{at}"), 1), &BOTH, &[]);
        }
        let (due, next) = queue.due(Micros(SECOND), 4);
        let found: Vec<(u64, DeliveryItem)> = due.iter().map(|due| (due.evaluated.0, due.item)).collect();
        assert_eq!(found, (0..4).map(|at| (at, DeliveryItem::Batch)).collect::<Vec<_>>());
        assert_eq!(next, Some(Duration::ZERO));
        queue.note(&attempted(&due[0], 201), Micros(SECOND));
        queue.leave_out(Position(1), DeliveryItem::Batch);
        let (due, _) = queue.due(Micros(SECOND), 2);
        assert!(due.iter().all(|due| due.item == DeliveryItem::Heatmap));
        assert_eq!((due[0].number, due[0].after), (1, 1));
        queue.leave_out(Position(0), DeliveryItem::Heatmap);
        assert_eq!(queue.due(Micros(SECOND), 1).0[0].evaluated, Position(1));
    }

    #[test]
    fn an_erased_attempt_may_have_been_the_last() {
        let mut queue = Queue::default();
        queue.take_up((Position(7), "c".to_owned(), 1), &BOTH, &[(1, Micros(1), None)]);
        assert!(queue.pending.is_empty());
    }
}
