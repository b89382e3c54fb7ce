//! What goes through tunnels: the same four counters of each VNI and of each VTEP.

use std::fmt;

use fabric_common::schema::counters::Traffic;
use prometheus_client::encoding::DescriptorEncoder;

use crate::metrics::metric::Metric;

/// Declares the counters of objects that are named by the label `$of`, whose frames come `$from` somewhere and go `$to`
/// somewhere.
macro_rules! counters {
    ($of:literal, $from:literal, $to:literal) => {{
        use $crate::metrics::metric::{Kind::Counter, Metric};
        [
            Metric::new(
                Counter,
                concat!($of, "_receive_packets"),
                &[$of],
                concat!("Inner frames ", $from),
            ),
            Metric::new(
                Counter,
                concat!($of, "_receive_bytes"),
                &[$of],
                concat!("Inner bytes ", $from),
            ),
            Metric::new(
                Counter,
                concat!($of, "_transmit_packets"),
                &[$of],
                concat!("Inner frames ", $to),
            ),
            Metric::new(
                Counter,
                concat!($of, "_transmit_bytes"),
                &[$of],
                concat!("Inner bytes ", $to),
            ),
        ]
    }};
}
pub(super) use counters;

/// Writes them, in the order of their declaration.
pub(super) fn encode<'a, I: Iterator<Item = (&'a str, Traffic)>>(
    encoder: &mut DescriptorEncoder<'_>,
    counters: &'static [Metric; 4],
    all: &dyn Fn() -> I,
) -> fmt::Result {
    let values: [fn(Traffic) -> u64; 4] = [
        |traffic| traffic.decapsulated.packets,
        |traffic| traffic.decapsulated.bytes,
        |traffic| traffic.encapsulated.packets,
        |traffic| traffic.encapsulated.bytes,
    ];
    for (metric, value) in counters.iter().zip(values) {
        let mut series = metric.begin(encoder)?;
        for (label, traffic) in all() {
            series.count(&[label], value(traffic))?;
        }
    }
    Ok(())
}
