//! Which VTEPs' packets are taken out of their tunnels at which port.
//!
//! What a port may not take any more is written before VTEPs come, what it may take in addition after
//! VTEPs are gone: at no moment it takes what neither the old nor the new state allows.

use std::collections::BTreeSet;

use fabric_common::schema::{
    ports::{DECAPSULATES_ALL, DECAPSULATES_NONE},
    reverse_paths::{self, ReversePath},
};

use super::{
    indexes::Indexes,
    pass::Pass,
    ports::Ports,
    rest::{Freed, Resting},
    vteps::Vteps,
};
use crate::{
    kernel::maps::Maps,
    model::{Arrivals, Port, Structure, VtepKey},
};

/// The numbers in `reverse_paths` of the ports that accept the packets of some VTEPs only.
pub(super) struct Numbers {
    indexes: Indexes<u32>,
}

impl Numbers {
    /// Takes over the numbers that an earlier daemon gave to ports.
    pub(super) fn recover(maps: &Maps, resting: &mut Resting) -> Self {
        let ports = maps.ports.iter().filter(|(_, port)| port.ifindex != 0);
        let numbered = ports.filter(|(_, port)| is_number(port.decapsulates));
        let mut numbered: Vec<(u8, u32)> =
            numbered.map(|(_, port)| (port.decapsulates, port.ifindex)).collect();
        numbered.sort_unstable();
        numbered.dedup_by_key(|(number, _)| *number);
        let mut indexes = Indexes::new(u32::from(reverse_paths::PORTS) + 1);
        for (number, ifindex) in numbered {
            indexes.adopt(ifindex, number.into());
        }
        resting.add_all(indexes.gaps(), Freed::Number);
        Self { indexes }
    }

    /// Ends what is not allowed any more, and numbers the ports that do not take all.
    pub(super) fn restrict(&mut self, pass: &mut Pass<'_>, ports: &Ports, vteps: &Vteps) {
        let structure = pass.structure;
        for (ifindex, port) in &structure.ports {
            if matches!(port.arrivals, Arrivals::AllBut(_))
                && self.indexes.allocate(ifindex).is_none()
            {
                pass.left_out(format!(
                    "port {} accepts the packets of some VTEPs only, and {} other ports do: what \
                     arrives in tunnels there is left to the kernel",
                    port.name,
                    reverse_paths::PORTS
                ));
            }
        }
        let checked = self.checked(structure);
        for (key, index) in vteps.iter().filter(|(key, _)| structure.vteps.contains_key(key)) {
            pass.changed(pass.maps.reverse_paths.set(index, &checked.accept(key)));
        }
        self.write(pass, ports, |number| number != DECAPSULATES_ALL);
    }

    /// Begins what is allowed from now on.
    pub(super) fn allow(&mut self, pass: &mut Pass<'_>, ports: &Ports) {
        self.write(pass, ports, |_| true);
        let structure = pass.structure;
        let all_but = |ifindex: &u32| {
            let port = structure.ports.get(ifindex);
            port.is_some_and(|port| matches!(port.arrivals, Arrivals::AllBut(_)))
        };
        pass.rest_all(self.indexes.retain(all_but), Freed::Number);
        pass.rest_all(self.indexes.take_superseded(), Freed::Number);
    }

    /// The ports that have a number.
    pub(super) fn checked<'a>(&self, structure: &'a Structure) -> CheckedPorts<'a> {
        let numbered = |(ifindex, port): (&u32, &'a Port)| match &port.arrivals {
            Arrivals::AllBut(refused) => {
                Some((reverse_paths::bit(self.indexes.get(ifindex)? as u8), refused))
            }
            Arrivals::Nothing | Arrivals::All => None,
        };
        CheckedPorts(structure.ports.iter().filter_map(numbered).collect())
    }

    fn write(&self, pass: &mut Pass<'_>, ports: &Ports, wanted: impl Fn(u8) -> bool) {
        for (ifindex, port) in &pass.structure.ports {
            let Some(slot) = ports.slot(*ifindex) else { continue };
            let number = match &port.arrivals {
                Arrivals::Nothing => DECAPSULATES_NONE,
                Arrivals::All => DECAPSULATES_ALL,
                Arrivals::AllBut(_) => {
                    self.indexes.get(ifindex).map_or(DECAPSULATES_NONE, |number| number as u8)
                }
            };
            if wanted(number) {
                pass.changed(pass.maps.ports.update(slot, |entry| entry.decapsulates = number));
            }
        }
    }

    /// Frees a number that has rested.
    pub(super) fn give_back(&mut self, number: u32) {
        self.indexes.give_back(number);
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

#[cfg(test)]
impl Numbers {
    pub(super) fn allocate(&mut self, ifindex: u32) -> Option<(u32, bool)> {
        self.indexes.allocate(&ifindex)
    }
}
