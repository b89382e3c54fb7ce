//! Ports: what they received and what became of it, what they sent, and whether they are accelerated.

use std::{collections::BTreeSet, fmt};

use fabric_common::reason::Verdict;
use prometheus_client::encoding::DescriptorEncoder;

use super::{Cap, Scrape};
use crate::{
    cli::sight::Port,
    metrics::metric::{Kind::*, Metric},
};

/// Received packets by reason.
pub const PACKETS: Metric = Metric::new(
    Counter,
    "port_packets",
    &["device", "verdict", "reason"],
    "Received packets by what became of them and why",
);
/// Received bytes by reason.
pub const BYTES: Metric = Metric::new(
    Counter,
    "port_bytes",
    &["device", "verdict", "reason"],
    "Received bytes by what became of them and why",
);
/// Sent packets.
pub const SENT_PACKETS: Metric = Metric::new(
    Counter,
    "port_transmit_packets",
    &["device"],
    "Packets that Fabric gave to the port to send",
);
/// Sent bytes.
pub const SENT_BYTES: Metric = Metric::new(
    Counter,
    "port_transmit_bytes",
    &["device"],
    "Bytes that Fabric gave to the port to send",
);
/// What a port is.
pub const INFO: Metric = Metric::new(
    Info,
    "port",
    &["device", "role", "mode", "refusal"],
    "A port, how XDP runs on it, and why not everything of it is accelerated",
);
/// Whether it is accelerated.
pub const ACCELERATED: Metric = Metric::new(
    Gauge,
    "port_accelerated",
    &["device"],
    "1 if frames that arrive and frames that leave are forwarded by Fabric",
);
/// Whether it should be and is not.
pub const FAULT: Metric = Metric::new(
    Gauge,
    "port_fault",
    &["device"],
    "1 if the port is up and should be accelerated, and is not, or only in part",
);
/// Whether it has a carrier.
pub const UP: Metric =
    Metric::new(Gauge, "port_up", &["device"], "1 if the port is up and has a carrier");

pub(in crate::metrics) const ALL: &[&Metric] =
    &[&PACKETS, &BYTES, &SENT_PACKETS, &SENT_BYTES, &INFO, &ACCELERATED, &FAULT, &UP];

/// The longest refusal in characters: a label is no place for more.
const LONGEST: usize = 200;

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Redirect => "redirect",
        Verdict::Pass => "pass",
        Verdict::Drop => "drop",
        Verdict::Reply => "reply",
    }
}

pub(in crate::metrics) fn encode(
    scrape: &Scrape<'_>,
    encoder: &mut DescriptorEncoder<'_>,
    cap: &mut Cap,
) -> fmt::Result {
    let Some(sight) = scrape.sight else { return Ok(()) };
    let received = sight.received.keys().map(|(device, _)| device);
    let devices: BTreeSet<&String> =
        sight.ports.keys().chain(sight.sent.keys()).chain(received).collect();
    let devices: BTreeSet<&String> = cap.keep("port", devices);
    let kept = |device: &String| devices.contains(device);

    let received = || sight.received.iter().filter(|((device, _), _)| kept(device));
    let mut series = PACKETS.begin(encoder)?;
    for ((device, reason), counter) in received() {
        series.count(&[device, verdict(reason.verdict()), reason.name()], counter.packets)?;
    }
    let mut series = BYTES.begin(encoder)?;
    for ((device, reason), counter) in received() {
        series.count(&[device, verdict(reason.verdict()), reason.name()], counter.bytes)?;
    }

    let sent = || sight.sent.iter().filter(|(device, _)| kept(device));
    let mut series = SENT_PACKETS.begin(encoder)?;
    for (device, counter) in sent() {
        series.count(&[device], counter.packets)?;
    }
    let mut series = SENT_BYTES.begin(encoder)?;
    for (device, counter) in sent() {
        series.count(&[device], counter.bytes)?;
    }

    let ports = || sight.ports.iter().filter(|(device, _)| kept(device));
    let mut series = INFO.begin(encoder)?;
    for (device, port) in ports() {
        let refusal: String =
            port.refusal.as_deref().unwrap_or_default().chars().take(LONGEST).collect();
        series.info(&[device, port.role, port.mode, &refusal])?;
    }
    for (metric, value) in [
        (&ACCELERATED, (|port| port.is_accelerated) as fn(&Port) -> bool),
        (&FAULT, |port| port.is_at_fault),
        (&UP, |port| port.is_up),
    ] {
        let mut series = metric.begin(encoder)?;
        for (device, port) in ports() {
            series.gauge(&[device], f64::from(u8::from(value(port))))?;
        }
    }
    Ok(())
}
