//! Which VTEPs' packets are taken out of their tunnels at which port.
//!
//! What a port may not take any more is written before VTEPs come, what it may take in addition after
//! VTEPs are gone: at no moment it takes what neither the old nor the new state allows.

use std::collections::BTreeSet;

use fabric_common::schema::{
    ports::{DECAPSULATES_ALL, DECAPSULATES_NONE},
    reverse_paths::{self, ReversePath},
};

use super::{Outcome, Reconciler, rest::Freed};
use crate::model::{Arrivals, Port, Structure, VtepKey};

impl Reconciler {
    /// Takes over the numbers that an earlier daemon gave to ports.
    pub(super) fn recover_arrivals(&mut self) {
        let ports = self.maps.ports.iter().filter(|(_, port)| port.ifindex != 0);
        let numbered = ports.filter(|(_, port)| is_number(port.decapsulates));
        let mut numbered: Vec<(u8, u32)> =
            numbered.map(|(_, port)| (port.decapsulates, port.ifindex)).collect();
        numbered.sort_unstable();
        numbered.dedup_by_key(|(number, _)| *number);
        for (number, ifindex) in numbered {
            self.checked.adopt(ifindex, number.into());
        }
    }

    /// Ends what is not allowed any more, and numbers the ports that do not take all.
    pub(super) fn restrict_arrivals(&mut self, structure: &Structure, outcome: &mut Outcome) {
        for (ifindex, port) in &structure.ports {
            if matches!(port.arrivals, Arrivals::AllBut(_))
                && self.checked.allocate(ifindex).is_none()
            {
                outcome.full.insert(format!(
                    "port {} accepts the packets of some VTEPs only, and {} other ports do: what \
                     arrives in tunnels there is left to the kernel",
                    port.name,
                    reverse_paths::PORTS
                ));
            }
        }
        let checked = self.checked_ports(structure);
        for (key, index) in self.vteps.iter().filter(|(key, _)| structure.vteps.contains_key(key)) {
            let path = checked.accept(key);
            outcome.changes += usize::from(self.maps.reverse_paths.set(index, &path));
        }
        self.write_arrivals(structure, outcome, |number| number != DECAPSULATES_ALL);
    }

    /// Begins what is allowed from now on.
    pub(super) fn allow_arrivals(&mut self, structure: &Structure, outcome: &mut Outcome) {
        self.write_arrivals(structure, outcome, |_| true);
        let all_but = |ifindex: &u32| {
            let port = structure.ports.get(ifindex);
            port.is_some_and(|port| matches!(port.arrivals, Arrivals::AllBut(_)))
        };
        for number in self.checked.retain(all_but) {
            self.resting.add(Freed::Number(number));
        }
    }

    /// The ports that have a number.
    pub(super) fn checked_ports<'a>(&self, structure: &'a Structure) -> CheckedPorts<'a> {
        let numbered = |(ifindex, port): (&u32, &'a Port)| match &port.arrivals {
            Arrivals::AllBut(refused) => {
                Some((reverse_paths::bit(self.checked.get(ifindex)? as u8), refused))
            }
            Arrivals::Nothing | Arrivals::All => None,
        };
        CheckedPorts(structure.ports.iter().filter_map(numbered).collect())
    }

    fn write_arrivals(
        &self,
        structure: &Structure,
        outcome: &mut Outcome,
        wanted: impl Fn(u8) -> bool,
    ) {
        for (ifindex, port) in &structure.ports {
            let Some(slot) = self.ports.get(ifindex) else { continue };
            let number = match &port.arrivals {
                Arrivals::Nothing => DECAPSULATES_NONE,
                Arrivals::All => DECAPSULATES_ALL,
                Arrivals::AllBut(_) => {
                    self.checked.get(ifindex).map_or(DECAPSULATES_NONE, |number| number as u8)
                }
            };
            if wanted(number) {
                let changed = self.maps.ports.update(*slot, |entry| entry.decapsulates = number);
                outcome.changes += usize::from(changed);
            }
        }
    }
}

/// The bits of ports that do not accept all VTEPs' packets, and whose they refuse.
pub(super) struct CheckedPorts<'a>(Vec<(u64, &'a BTreeSet<VtepKey>)>);

impl CheckedPorts<'_> {
    /// Those that accept a VTEP's packets.
    pub(super) fn accept(&self, key: &VtepKey) -> ReversePath {
        let accepting = self.0.iter().filter(|(_, refused)| !refused.contains(key));
        ReversePath { ports: accepting.fold(0, |bits, (bit, _)| bits | bit) }
    }
}

const fn is_number(decapsulates: u8) -> bool {
    !matches!(decapsulates, DECAPSULATES_NONE | DECAPSULATES_ALL)
}
