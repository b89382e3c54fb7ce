//! Which fields the kernel tells flows apart by when it chooses among next hops.

use fabric_common::schema::settings::{
    HASH_ENCAPSULATED4, HASH_ENCAPSULATED6, HASH_OMIT4, HASH_OMIT6, HASH_ROUTED_LABEL,
    HASH_TUNNEL4, HASH_TUNNEL6, OMIT_ALL, OMIT_DESTINATION, OMIT_DESTINATION_PORT, OMIT_PROTOCOL,
    OMIT_SOURCE, OMIT_SOURCE_PORT,
};
use serde::{Deserialize, Serialize};

/// `FIB_MULTIPATH_HASH_FIELD_*` of `include/net/ip_fib.h` that are about the outer packet.
const SOURCE: u32 = 1 << 0;
const DESTINATION: u32 = 1 << 1;
const PROTOCOL: u32 = 1 << 2;
const FLOW_LABEL: u32 = 1 << 3;
const SOURCE_PORT: u32 = 1 << 4;
const DESTINATION_PORT: u32 = 1 << 5;
const OUTER: u32 = SOURCE | DESTINATION | PROTOCOL | FLOW_LABEL | SOURCE_PORT | DESTINATION_PORT;

/// `fib_multipath_hash_policy` of a family, and with policy 3 `fib_multipath_hash_fields`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashPolicy {
    /// 0: both addresses; over IPv6 the flow label and the next header as well.
    Addresses,
    /// 1: addresses, protocol and ports. Also what a kernel without multipath routes counts as.
    #[default]
    Flow,
    /// 2: as 0, but of the inner packet if there is one.
    InnerAddresses,
    /// 3: these fields.
    Fields(u32),
    /// One that Fabric does not know.
    Unknown(u32),
}

impl HashPolicy {
    /// The policy of this number, with the fields that policy 3 takes.
    #[must_use]
    pub const fn of(number: u32, fields: u32) -> Self {
        match number {
            0 => Self::Addresses,
            1 => Self::Flow,
            2 => Self::InnerAddresses,
            3 => Self::Fields(fields),
            other => Self::Unknown(other),
        }
    }

    /// The fields of an outer packet that count; none if the packet path cannot do as the kernel does.
    const fn fields(self, v6: bool) -> Option<u32> {
        match self {
            Self::Addresses | Self::InnerAddresses if v6 => {
                Some(SOURCE | DESTINATION | PROTOCOL | FLOW_LABEL)
            }
            Self::Addresses | Self::InnerAddresses => Some(SOURCE | DESTINATION),
            Self::Flow => Some(OUTER & !FLOW_LABEL),
            Self::Fields(fields) if fields & !OUTER == 0 => Some(fields),
            Self::Fields(_) | Self::Unknown(_) => None,
        }
    }

    /// Whether tunnels are told apart by more than their addresses: by the UDP source port. The kernel
    /// has no inner packet at hand when it sends one of its own (`fib_multipath_hash`), so that fields of
    /// it do not matter.
    const fn spreads_tunnels(self) -> bool {
        match self {
            Self::Flow => true,
            Self::Fields(fields) => fields & SOURCE_PORT != 0,
            Self::Addresses | Self::InnerAddresses | Self::Unknown(_) => false,
        }
    }

    /// Whether all packets between two addresses take one way.
    const fn is_by_addresses(self) -> bool {
        match self {
            Self::Addresses | Self::InnerAddresses => true,
            Self::Fields(fields) => fields & (SOURCE_PORT | DESTINATION_PORT) == 0,
            Self::Flow | Self::Unknown(_) => false,
        }
    }
}

/// The policies of both families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multipath {
    /// `net.ipv4.fib_multipath_hash_policy`
    pub v4: HashPolicy,
    /// `net.ipv6.fib_multipath_hash_policy`
    pub v6: HashPolicy,
}

impl Multipath {
    /// As the packet path reads them: `HASH_` bits of [`fabric_common::schema::settings`].
    #[must_use]
    pub const fn flags(self) -> u32 {
        let Self { v4, v6 } = self;
        let tunnel4 = if v4.spreads_tunnels() { 0 } else { HASH_TUNNEL4 };
        let tunnel6 = if v6.spreads_tunnels() { 0 } else { HASH_TUNNEL6 };
        let inner4 = if matches!(v4, HashPolicy::InnerAddresses) { HASH_ENCAPSULATED4 } else { 0 };
        let inner6 = if matches!(v6, HashPolicy::InnerAddresses) { HASH_ENCAPSULATED6 } else { 0 };
        let label = match v6.fields(true) {
            Some(fields) if fields & FLOW_LABEL != 0 => HASH_ROUTED_LABEL,
            _ => 0,
        };
        let omitted =
            omitted(v4.fields(false)) << HASH_OMIT4 | omitted(v6.fields(true)) << HASH_OMIT6;
        omitted | tunnel4 | tunnel6 | inner4 | inner6 | label
    }

    /// Why groups of several next hops are left to the kernel, if so: one sentence.
    #[must_use]
    pub fn why_not(self) -> Option<String> {
        [(false, self.v4), (true, self.v6)].into_iter().find_map(|(v6, policy)| {
            if policy.fields(v6).is_some() {
                return None;
            }
            let name = name(v6);
            Some(match policy {
                HashPolicy::Fields(fields) => format!(
                    "net.{name}.fib_multipath_hash_fields is {fields:#06x}, which has fields of inner \
                     packets: routes with several next hops are left to the kernel (policy 1 has them \
                     accelerated)"
                ),
                _ => format!(
                    "net.{name}.fib_multipath_hash_policy has a value that Fabric does not know: routes \
                     with several next hops are left to the kernel (policy 1 has them accelerated)"
                ),
            })
        })
    }

    /// What an operator of a fabric should know although nothing is left to the kernel.
    #[must_use]
    pub fn notes(self) -> Vec<String> {
        let one = |(v6, policy): (bool, HashPolicy)| {
            let (name, number) = (name(v6), number(policy));
            if policy.is_by_addresses() {
                Some(format!(
                    "net.{name}.fib_multipath_hash_policy is {number}: flows are spread by addresses \
                     alone, so that all of a tunnel takes one path; 1 spreads them by ports as well"
                ))
            } else if !policy.spreads_tunnels() {
                Some(format!(
                    "net.{name}.fib_multipath_hash_policy is {number}: the UDP source port does not \
                     count, so that all of a tunnel takes one path; 1 spreads flows by it"
                ))
            } else {
                None
            }
        };
        [(false, self.v4), (true, self.v6)].into_iter().filter_map(one).collect()
    }
}

const fn name(v6: bool) -> &'static str {
    if v6 { "ipv6" } else { "ipv4" }
}

const fn number(policy: HashPolicy) -> u32 {
    match policy {
        HashPolicy::Addresses => 0,
        HashPolicy::Flow => 1,
        HashPolicy::InnerAddresses => 2,
        HashPolicy::Fields(_) => 3,
        HashPolicy::Unknown(number) => number,
    }
}

/// `OMIT_` bits; nothing is hashed by fields that cannot be expressed.
const fn omitted(fields: Option<u32>) -> u32 {
    let Some(fields) = fields else { return 0 };
    let mut omitted = OMIT_ALL;
    let pairs = [
        (SOURCE, OMIT_SOURCE),
        (DESTINATION, OMIT_DESTINATION),
        (PROTOCOL, OMIT_PROTOCOL),
        (SOURCE_PORT, OMIT_SOURCE_PORT),
        (DESTINATION_PORT, OMIT_DESTINATION_PORT),
    ];
    let mut i = 0;
    while i < pairs.len() {
        if fields & pairs[i].0 != 0 {
            omitted &= !pairs[i].1;
        }
        i += 1;
    }
    omitted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(policy: HashPolicy) -> Multipath {
        Multipath { v4: policy, v6: policy }
    }

    #[test]
    fn the_5_tuple_is_what_the_packet_path_does_without_flags() {
        assert_eq!(both(HashPolicy::Flow).flags(), 0);
        let outer = HashPolicy::Fields(0x37);
        assert_eq!(both(outer).flags(), 0, "policy 3 with the fields of policy 1 is the same");
        assert!(both(HashPolicy::Flow).notes().is_empty());
    }

    #[test]
    fn addresses_alone_leave_out_ports_and_over_ipv4_the_protocol() {
        const PORTS: u32 = OMIT_SOURCE_PORT | OMIT_DESTINATION_PORT;
        let flags = both(HashPolicy::Addresses).flags();
        assert_eq!(flags >> HASH_OMIT4 & OMIT_ALL, PORTS | OMIT_PROTOCOL);
        assert_eq!(flags >> HASH_OMIT6 & OMIT_ALL, PORTS);
        assert_ne!(flags & HASH_ROUTED_LABEL, 0);
        assert_eq!(flags & (HASH_TUNNEL4 | HASH_TUNNEL6), HASH_TUNNEL4 | HASH_TUNNEL6);
        assert_eq!(both(HashPolicy::Addresses).notes().len(), 2);
        let inner = both(HashPolicy::InnerAddresses).flags();
        assert_eq!(inner & !flags, HASH_ENCAPSULATED4 | HASH_ENCAPSULATED6);
    }

    #[test]
    fn a_field_of_the_outer_packet_is_expressed_and_one_of_the_inner_packet_is_declined() {
        let one = both(HashPolicy::Fields(DESTINATION_PORT));
        assert_eq!(one.flags() >> HASH_OMIT4 & OMIT_ALL, OMIT_ALL & !OMIT_DESTINATION_PORT);
        assert_eq!(one.why_not(), None);
        assert_eq!(one.notes().len(), 2, "the source port of tunnels does not count");
        for field in [1 << 6, 1 << 11, SOURCE | 1 << 7] {
            let why = both(HashPolicy::Fields(field)).why_not().expect("it is declined");
            assert!(why.contains("fib_multipath_hash_fields"), "{why}");
        }
        let why = Multipath { v6: HashPolicy::of(4, 0), ..Multipath::default() }.why_not();
        assert!(why.expect("it is declined").contains("net.ipv6"));
    }
}
