//! What the maps have counted, by names.

use std::collections::BTreeMap;

use fabric_common::schema::counters::{Counter, Traffic};
use serde::{Deserialize, Serialize};

use crate::cli::{counters::sums::Sums, view::View};

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Milliseconds since 1970 right before and right after the counters were read.
    #[serde(default)]
    pub read_ms: [u64; 2],
    /// By port.
    pub ports: BTreeMap<String, PortCount>,
    /// Through tunnels, by VNI.
    pub vnis: BTreeMap<u32, Both>,
    /// To and from VTEPs, by address.
    pub vteps: BTreeMap<String, Both>,
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a port has received and sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCount {
    /// Received, by what became of it: names of reasons.
    pub received: BTreeMap<String, Count>,
    /// Sent by the programs.
    pub sent: Count,
}

/// Both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Both {
    /// Received.
    pub received: Count,
    /// Sent.
    pub sent: Count,
}

impl From<Counter> for Count {
    fn from(Counter { packets, bytes }: Counter) -> Self {
        Self { packets, bytes }
    }
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl Both {
    fn add(&mut self, traffic: &Traffic) {
        self.received += Count::from(traffic.decapsulated);
        self.sent += Count::from(traffic.encapsulated);
    }
}

impl Counted {
    /// Puts names to counters.
    pub(crate) fn of(view: &View, sums: &Sums) -> Self {
        let mut counted = Self::default();
        for (slot, port) in &view.contents.ports {
            let count = counted.ports.entry(view.port(*slot)).or_default();
            let from = (port.row, fabric_common::reason::Reason::ALL[0]);
            let of_row = sums.reasons.range(from..).take_while(|((row, _), _)| *row == port.row);
            for ((_, reason), counter) in of_row {
                *count.received.entry(reason.name().into()).or_default() += (*counter).into();
            }
            count.sent += sums.sent.get(slot).copied().unwrap_or_default().into();
        }
        for (domain, traffic) in &sums.domains {
            if let Some(vni) = view.vni(*domain) {
                counted.vnis.entry(vni).or_default().add(traffic);
            }
        }
        for (vtep, traffic) in &sums.vteps {
            if let Some(address) = view.vtep(*vtep) {
                counted.vteps.entry(address.to_string()).or_default().add(traffic);
            }
        }
        counted
    }
}
