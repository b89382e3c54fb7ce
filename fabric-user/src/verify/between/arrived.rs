//! Whatever arrives at a port has a reason: between two readings of a box the programs count what the driver receives.
//!
//! Both are counted at their own times: drivers count at the end of a turn, which is some dozens of packets for each queue, and
//! not all of them count what a program takes. So what the driver has more is said, and not what it has less. The
//! kernel's own way to run programs (generic XDP) sees packets that GRO has joined, and is not compared.

use std::collections::BTreeMap;

use super::Compared;
use crate::{
    facts::{Arrived, Fabric, Facts},
    verify::difference::Kind,
};

/// The most packets that a queue of a driver gives to programs before it counts them (`NAPI_POLL_WEIGHT`).
const TURN: u64 = 64;

pub(super) fn compare(readings: &BTreeMap<String, Vec<&Facts>>, found: &mut Compared) {
    for (name, readings) in readings {
        let fabrics: Vec<&Fabric> =
            readings.iter().filter_map(|facts| facts.fabric.as_ref()).collect();
        let [first, .., last] = &fabrics[..] else { continue };
        for (port, Reasons { received, counted, under_way }) in reasons(first, last) {
            let missing = received.saturating_sub(counted + under_way);
            if missing > 0 {
                found.add(
                    Kind::Port,
                    format!("{port} of {name}: {missing} packets or more have no reason"),
                    [(
                        name,
                        format!(
                            "the driver received {received}, and the programs counted {counted}"
                        ),
                    )],
                    "the program there is not fabric-xdpd's, or does not count all that it takes",
                    format!("fabricctl status; bpftool net show dev {port}"),
                );
            }
        }
    }
}

/// What a port has received between two readings of its box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reasons {
    /// Packets, as its driver counts them: so many at least.
    pub(crate) received: u64,
    /// Those that have a reason, as the programs count them.
    pub(crate) counted: u64,
    /// So many of either may be counted later than the others.
    pub(crate) under_way: u64,
}

/// By port, where both can be told.
pub(crate) fn reasons<'a>(
    first: &'a Fabric,
    last: &'a Fabric,
) -> impl Iterator<Item = (&'a str, Reasons)> {
    last.arrived.iter().filter_map(move |(port, end)| {
        let received = received(first.arrived.get(port)?, end)?;
        let counted = counted(first, last, port)?;
        let under_way = TURN * u64::from(end.after.queues.max(1));
        Some((port.as_str(), Reasons { received, counted, under_way }))
    })
}

/// So many packets arrived at least; none if the driver has begun anew.
fn received(start: &Arrived, end: &Arrived) -> Option<u64> {
    let packets = end.before.packets.checked_sub(start.after.packets)?;
    let dropped = end.after.dropped.checked_sub(start.before.dropped)?;
    Some(packets.saturating_sub(dropped))
}

/// So many packets have reasons; none if the counters have begun anew.
fn counted(first: &Fabric, last: &Fabric, port: &str) -> Option<u64> {
    let sum = |fabric: &Fabric| {
        let count = fabric.counted.ports.get(port)?;
        Some(count.received.values().map(|count| count.packets).sum::<u64>())
    };
    sum(last)?.checked_sub(sum(first)?)
}
