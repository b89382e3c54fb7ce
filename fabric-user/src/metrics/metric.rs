//! What a metric is: name, kind, labels and a sentence; and how its series are written.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use super::histogram::Counted;

/// What a metric counts or shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at [`START`](super::family::heart::START) or the daemon's start; its name ends with `_total`.
    Counter,
    /// A number at this moment.
    Gauge,
    /// 1, with labels that say something; its name ends with `_info`.
    Info,
    /// Durations in buckets.
    Histogram,
}

impl Kind {
    /// The word of the exposition formats.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, without `fabric_` in front and what its kind puts behind.
    name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// One sentence for people, without a full stop.
    pub help: &'static str,
}

impl Metric {
    pub(super) const fn new(
        kind: Kind,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind, labels, help }
    }

    /// The name by which it is asked for; of a histogram, that of its family.
    #[must_use]
    pub fn full_name(&self) -> String {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("fabric_{}{suffix}", self.name)
    }

    /// The names of its series.
    #[must_use]
    pub fn series_names(&self) -> Vec<String> {
        let name = self.full_name();
        match self.kind {
            Kind::Histogram => {
                ["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")).into()
            }
            _ => vec![name],
        }
    }

    /// Begins to write it.
    pub(super) fn begin<'a>(
        &'static self,
        encoder: &'a mut DescriptorEncoder<'_>,
    ) -> Result<Series<'a>, fmt::Error> {
        let kind = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Info => MetricType::Info,
            Kind::Histogram => MetricType::Histogram,
        };
        let encoder = encoder.encode_descriptor(self.name, self.help, None, kind)?;
        Ok(Series { metric: self, encoder })
    }

    /// Writes a gauge without labels, if its value is known.
    pub(super) fn only(
        &'static self,
        encoder: &mut DescriptorEncoder<'_>,
        value: Option<f64>,
    ) -> fmt::Result {
        let mut series = self.begin(encoder)?;
        value.map_or(Ok(()), |value| series.gauge(&[], value))
    }

    /// Writes a counter without labels.
    pub(super) fn count(
        &'static self,
        encoder: &mut DescriptorEncoder<'_>,
        value: u64,
    ) -> fmt::Result {
        self.begin(encoder)?.count(&[], value)
    }

    /// Writes a histogram without labels.
    pub(super) fn durations(
        &'static self,
        encoder: &mut DescriptorEncoder<'_>,
        Counted { sum, count, buckets }: &Counted,
    ) -> fmt::Result {
        let mut series = self.begin(encoder)?;
        series.encoder.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)
    }
}

/// The series of a metric, which come one after the other.
pub(super) struct Series<'a> {
    metric: &'static Metric,
    encoder: MetricEncoder<'a>,
}

impl Series<'_> {
    fn labels<'v>(&self, values: &[&'v str]) -> Vec<(&'static str, &'v str)> {
        assert_eq!(values.len(), self.metric.labels.len(), "labels of {}", self.metric.name);
        self.metric.labels.iter().copied().zip(values.iter().copied()).collect()
    }

    /// Writes one of a counter; values stand in the order of the metric's labels.
    pub(super) fn count(&mut self, values: &[&str], value: u64) -> fmt::Result {
        let labels = self.labels(values);
        if labels.is_empty() {
            return self.encoder.encode_counter::<NoLabelSet, u64, f64>(&value, None);
        }
        let mut encoder = self.encoder.encode_family(&labels)?;
        encoder.encode_counter::<NoLabelSet, u64, f64>(&value, None)
    }

    /// Writes one of a gauge.
    pub(super) fn gauge(&mut self, values: &[&str], value: f64) -> fmt::Result {
        let labels = self.labels(values);
        if labels.is_empty() {
            return self.encoder.encode_gauge(&value);
        }
        self.encoder.encode_family(&labels)?.encode_gauge(&value)
    }

    /// Writes one of what only has labels.
    pub(super) fn info(&mut self, values: &[&str]) -> fmt::Result {
        let labels = self.labels(values);
        self.encoder.encode_info(&labels)
    }
}
