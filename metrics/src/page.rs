//! The page: families of figures, and the text that Prometheus reads.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::histogram::Histogram;

/// Names and values of a row's labels.
pub type Labels = Vec<(&'static str, Cow<'static, str>)>;

#[derive(Debug, Clone)]
enum Rows {
    Gauge(Vec<(Labels, f64)>),
    Counter(Vec<(Labels, u64)>),
    Histogram(Vec<(Labels, Histogram)>),
}

#[derive(Debug, Clone)]
struct Family {
    help: &'static str,
    rows: Rows,
}

/// What a service says of itself at one moment.
///
/// Names are those that a query uses: counters end in `_total`, and a name says the unit. A name that is set twice holds what was
/// set last.
#[derive(Debug, Clone, Default)]
pub struct Page {
    labels: Labels,
    families: BTreeMap<&'static str, Family>,
}

impl Page {
    /// A page whose every row has these labels.
    #[must_use]
    pub fn of(labels: Labels) -> Self {
        Self { labels, families: BTreeMap::new() }
    }

    /// A figure that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.gauges(name, help, [(Labels::new(), value)]);
    }

    /// Such figures by labels.
    pub fn gauges(&mut self, name: &'static str, help: &'static str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        self.put(name, help, Rows::Gauge(rows.into_iter().collect()));
    }

    /// A figure that only goes up.
    pub fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.counters(name, help, [(Labels::new(), value)]);
    }

    /// Such figures by labels.
    pub fn counters(&mut self, name: &'static str, help: &'static str, rows: impl IntoIterator<Item = (Labels, u64)>) {
        self.put(name, help, Rows::Counter(rows.into_iter().collect()));
    }

    /// Figures by one label.
    pub fn counted<V: Into<Cow<'static, str>>>(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        rows: impl IntoIterator<Item = (V, u64)>,
    ) {
        let rows = rows.into_iter().map(|(value, count)| (vec![(label, value.into())], count));
        self.counters(name, help, rows.collect::<Vec<_>>());
    }

    /// Distributions by labels.
    pub fn histograms(
        &mut self,
        name: &'static str,
        help: &'static str,
        rows: impl IntoIterator<Item = (Labels, Histogram)>,
    ) {
        self.put(name, help, Rows::Histogram(rows.into_iter().collect()));
    }

    /// A distribution.
    pub fn histogram(&mut self, name: &'static str, help: &'static str, value: Histogram) {
        self.histograms(name, help, [(Labels::new(), value)]);
    }

    fn put(&mut self, name: &'static str, help: &'static str, rows: Rows) {
        self.families.insert(name, Family { help, rows });
    }

    /// Names with their kinds (`gauge`, `counter`, `histogram`), in order.
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<&'static str, &'static str> {
        let kind = |family: &Family| match family.rows {
            Rows::Gauge(_) => "gauge",
            Rows::Counter(_) => "counter",
            Rows::Histogram(_) => "histogram",
        };
        self.families.iter().map(|(name, family)| (*name, kind(family))).collect()
    }

    /// The text.
    #[must_use]
    pub fn text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut written = String::new();
        // Writing to a text cannot fail.
        if let Err(error) = text::encode(&mut written, &registry) {
            tracing::error!(%error, "the page of figures cannot be written");
        }
        written
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let with = |labels: &Labels| -> Labels { self.labels.iter().chain(labels).cloned().collect() };
        for (name, Family { help, rows }) in &self.families {
            match rows {
                Rows::Gauge(rows) => {
                    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    for (labels, value) in rows {
                        row(&mut family, &with(labels), |place| place.encode_gauge(value))?;
                    }
                }
                Rows::Counter(rows) => {
                    // The crate adds the end of the name itself.
                    let name = name.strip_suffix("_total").unwrap_or(name);
                    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    for (labels, value) in rows {
                        let none = None::<&prometheus_client::metrics::exemplar::Exemplar<Labels, u64>>;
                        row(&mut family, &with(labels), |place| place.encode_counter(value, none))?;
                    }
                }
                Rows::Histogram(rows) => {
                    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
                    for (labels, value) in rows {
                        let buckets = value.buckets();
                        row(&mut family, &with(labels), |place| {
                            place.encode_histogram::<NoLabelSet>(value.sum(), value.count(), &buckets, None)
                        })?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn row(
    family: &mut MetricEncoder<'_>,
    labels: &Labels,
    write: impl FnOnce(&mut MetricEncoder<'_>) -> Result<(), fmt::Error>,
) -> Result<(), fmt::Error> {
    // Without labels the crate would write empty braces.
    if labels.is_empty() { write(family) } else { write(&mut family.encode_family(labels)?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_open_metrics_in_a_fixed_order() {
        let mut page = Page::of(vec![("netuid", "78".into())]);
        page.gauge("assay_z", "Last.", 1.5);
        page.counted("assay_b_total", "By outcome.", "outcome", [("failed", 1), ("a\"\\\nb", 2)]);
        let mut times = Histogram::new(&[0.5, 1.0]);
        [0.25, 0.75, 3.0].into_iter().for_each(|value| times.observe(value));
        page.histograms("assay_c_seconds", "Times.", [(vec![("route", "/".into())], times)]);
        page.gauges("assay_empty", "Nothing yet.", []);
        let expected = r#"# HELP assay_b By outcome.
# TYPE assay_b counter
assay_b_total{netuid="78",outcome="failed"} 1
assay_b_total{netuid="78",outcome="a\"\\\nb"} 2
# HELP assay_c_seconds Times.
# TYPE assay_c_seconds histogram
assay_c_seconds_sum{netuid="78",route="/"} 4.0
assay_c_seconds_count{netuid="78",route="/"} 3
assay_c_seconds_bucket{le="0.5",netuid="78",route="/"} 1
assay_c_seconds_bucket{le="1.0",netuid="78",route="/"} 2
assay_c_seconds_bucket{le="+Inf",netuid="78",route="/"} 3
# HELP assay_empty Nothing yet.
# TYPE assay_empty gauge
# HELP assay_z Last.
# TYPE assay_z gauge
assay_z{netuid="78"} 1.5
# EOF
"#;
        assert_eq!(page.kinds()["assay_b_total"], "counter");
        assert_eq!(page.clone().text(), expected);
        assert_eq!(page.text(), expected);
    }

    #[test]
    fn a_page_without_labels_has_no_braces() {
        let mut page = Page::default();
        page.counter("assay_n_total", "N.", 3);
        assert_eq!(page.text(), "# HELP assay_n N.\n# TYPE assay_n counter\nassay_n_total 3\n# EOF\n");
    }
}
