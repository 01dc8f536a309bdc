//! A distribution in buckets, as a plain value.

/// Upper bounds for times in seconds, from half a millisecond to two minutes: the deadlines of the subnets lie between 4 s and 120 s.
pub const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// How many observations lie in which bucket, and their sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One more than there are bounds: the last is for what lies above all of them.
    counts: Vec<u64>,
    sum: f64,
}

impl Default for Histogram {
    /// Of times.
    fn default() -> Self {
        Self::new(SECONDS)
    }
}

impl Histogram {
    /// Nothing observed yet. `bounds` are upper bounds in ascending order; one above all of them is added.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Takes note of a value. What is no finite number is left out.
    pub fn observe(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
            self.sum += value;
        }
    }

    /// Observations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Upper bounds with the number of observations in each bucket alone, the infinite one last.
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        self.bounds.iter().copied().chain([f64::INFINITY]).zip(self.counts.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.0, 1.0, 1.5, 2.0, 2.1, 9.0, f64::NAN, f64::INFINITY] {
            histogram.observe(value);
        }
        assert_eq!(histogram.buckets(), [(1.0, 2), (2.0, 2), (f64::INFINITY, 2)]);
        assert_eq!((histogram.count(), histogram.sum()), (6, 15.6));
    }

    #[test]
    fn bounds_of_times_ascend() {
        assert!(SECONDS.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
