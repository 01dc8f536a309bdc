//! What is counted beside the work, because nothing else remembers it. Lost with the process, as Prometheus expects of counters.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::histogram::Histogram;
use crate::page::Labels;

/// Rows of one instrument. Beyond them everything is counted in one row whose labels are all `other`: a mistake in a label must not
/// fill the memory, here or in Prometheus.
pub const MOST_ROWS: usize = 512;

/// The value of a label beyond [`MOST_ROWS`].
const OTHER: &str = "other";

type Key<const N: usize> = [Cow<'static, str>; N];

#[derive(Debug)]
struct Rows<T, const N: usize> {
    names: [&'static str; N],
    rows: Mutex<BTreeMap<Key<N>, T>>,
}

impl<T: Default + Clone, const N: usize> Rows<T, N> {
    fn with(&self, values: Key<N>, change: impl FnOnce(&mut T)) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let full = rows.len() >= MOST_ROWS && !rows.contains_key(&values);
        let key = if full { std::array::from_fn(|_| Cow::Borrowed(OTHER)) } else { values };
        change(rows.entry(key).or_default());
    }

    fn read(&self) -> Vec<(Labels, T)> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = |key: &Key<N>| self.names.iter().copied().zip(key.iter().cloned()).collect();
        rows.iter().map(|(key, value)| (labels(key), value.clone())).collect()
    }
}

/// Counts by labels. Clones count together.
#[derive(Debug, Clone)]
pub struct Counters<const N: usize>(Arc<Rows<u64, N>>);

impl<const N: usize> Counters<N> {
    /// Counts by labels of these names.
    #[must_use]
    pub fn new(names: [&'static str; N]) -> Self {
        Self(Arc::new(Rows { names, rows: Mutex::default() }))
    }

    /// With rows that are shown before anything is counted, so that a rise from nothing is seen as one.
    #[must_use]
    pub fn beginning_with<V: Into<Cow<'static, str>>>(self, rows: impl IntoIterator<Item = [V; N]>) -> Self {
        rows.into_iter().for_each(|row| self.add(row, 0));
        self
    }

    /// Counts `more`.
    pub fn add<V: Into<Cow<'static, str>>>(&self, values: [V; N], more: u64) {
        self.0.with(values.map(Into::into), |count| *count = count.saturating_add(more));
    }

    /// Counts one.
    pub fn one<V: Into<Cow<'static, str>>>(&self, values: [V; N]) {
        self.add(values, 1);
    }

    /// All rows, in order of their labels.
    #[must_use]
    pub fn read(&self) -> Vec<(Labels, u64)> {
        self.0.read()
    }
}

/// Distributions of times by labels. Clones count together.
#[derive(Debug, Clone)]
pub struct Histograms<const N: usize>(Arc<Rows<Histogram, N>>);

impl<const N: usize> Histograms<N> {
    /// Times by labels of these names.
    #[must_use]
    pub fn new(names: [&'static str; N]) -> Self {
        Self(Arc::new(Rows { names, rows: Mutex::default() }))
    }

    /// With rows that are shown before anything is observed.
    #[must_use]
    pub fn beginning_with<V: Into<Cow<'static, str>>>(self, rows: impl IntoIterator<Item = [V; N]>) -> Self {
        rows.into_iter().for_each(|row| self.0.with(row.map(Into::into), |_| ()));
        self
    }

    /// Takes note of a time.
    pub fn observe<V: Into<Cow<'static, str>>>(&self, values: [V; N], taken: Duration) {
        self.0.with(values.map(Into::into), |histogram| histogram.observe(taken.as_secs_f64()));
    }

    /// All rows, in order of their labels.
    #[must_use]
    pub fn read(&self) -> Vec<(Labels, Histogram)> {
        self.0.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_and_rows_are_in_order() {
        let counters = Counters::new(["route", "status"]).beginning_with([["/b", "200"]]);
        counters.clone().one(["/a", "404"]);
        counters.add(["/b", "200"], 2);
        let row = |route: &'static str, status: &'static str, count| {
            (vec![("route", Cow::Borrowed(route)), ("status", Cow::Borrowed(status))], count)
        };
        assert_eq!(counters.read(), [row("/a", "404", 1), row("/b", "200", 2)]);
    }

    #[test]
    fn the_number_of_rows_has_a_limit() {
        let counters = Counters::new(["id"]);
        for number in 0..MOST_ROWS + 100 {
            counters.one([number.to_string()]);
        }
        counters.one(["7".to_owned()]);
        let rows = counters.read();
        assert_eq!(rows.len(), MOST_ROWS + 1);
        let of = |value: &str| rows.iter().find(|(labels, _)| labels[0].1 == value).map(|(_, count)| *count);
        assert_eq!((of(OTHER), of("7")), (Some(100), Some(2)));
    }

    #[test]
    fn times_are_seconds() {
        let times = Histograms::new([]);
        times.observe::<&str>([], Duration::from_millis(250));
        let rows = times.read();
        assert_eq!((rows[0].1.count(), rows[0].1.sum()), (1, 0.25));
    }
}
