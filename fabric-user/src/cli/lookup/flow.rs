//! What decides which way a packet goes: the fields that the flow hash takes, and the hash.

use std::net::IpAddr;

use fabric_common::{
    flow_hash, halves,
    schema::{
        fdb::mac_number,
        settings::{
            HASH_ADDRESSES, HASH_ENCAPSULATED4, HASH_ENCAPSULATED6, HASH_FLOW_LABEL, HASH_INNER,
            HASH_OF_FRAMES, HASH_OF_ROUTED, HASH_ROUTED_LABEL, Settings, VXLAN_PORT,
        },
    },
};

use crate::mac::Mac;

pub(super) const UDP: u8 = 17;
/// Protocols that have ports where the flow hash looks for them (IANA protocol numbers).
pub const WITH_PORTS: [u8; 3] = [6, 17, 132];

/// An IP packet. Both addresses are of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// IANA protocol number; of IPv6 the next header of the fixed header.
    pub protocol: u8,
    /// Source and destination port; they do not count for protocols that have none, nor for
    /// fragments.
    pub ports: Option<[u16; 2]>,
    /// The flow label of IPv6, which counts only if the settings say so.
    pub flow_label: u32,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// An IP packet.
    Ip(Flow),
    /// Anything else.
    Other {
        /// Source of the frame.
        source: Mac,
        /// EtherType.
        ether_type: u16,
    },
}

impl Flow {
    /// The hash that the packet path computes for a routed packet, which may be told apart by what it
    /// carries; `None` if the addresses are of two families.
    #[must_use]
    pub fn hash_routed(&self, inner: Option<&Self>, settings: &Settings) -> Option<u64> {
        let options = settings.hash_flags & HASH_OF_ROUTED;
        match (inner, self.carries(settings)) {
            (Some(inner), Some(Carried::Frame)) => inner.hash_carried(settings),
            (Some(inner), Some(Carried::Packet)) => {
                inner.hash(settings.seed, HASH_ADDRESSES | options & HASH_OF_FRAMES)
            }
            _ => {
                let label = if options & HASH_ROUTED_LABEL == 0 { 0 } else { HASH_FLOW_LABEL };
                self.hash(settings.seed, options | label)
            }
        }
    }

    /// The hash of the packet in a host's frame.
    #[must_use]
    pub fn hash_carried(&self, settings: &Settings) -> Option<u64> {
        self.hash(settings.seed, settings.hash_flags & HASH_OF_FRAMES)
    }

    fn hash(&self, seed: u32, options: u32) -> Option<u64> {
        let ports = self.ports.filter(|_| WITH_PORTS.contains(&self.protocol));
        let [source, destination] = ports.unwrap_or_default().map(u16::to_be_bytes);
        let ports = u32::from_ne_bytes([source[0], source[1], destination[0], destination[1]]);
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(flow_hash::ipv4_by(
                options,
                seed,
                source.to_bits().to_be(),
                destination.to_bits().to_be(),
                self.protocol,
                ports,
            )),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(flow_hash::ipv6_by(
                options,
                seed,
                self.flow_label & 0xf_ffff,
                halves::of(source),
                halves::of(destination),
                self.protocol,
                ports,
            )),
            _ => None,
        }
    }

    /// True if a router with these settings tells such packets apart by what they carry.
    #[must_use]
    pub fn is_told_apart_by_inner(&self, settings: &Settings) -> bool {
        self.carries(settings).is_some()
    }

    /// What such packets carry by which a router with these settings tells them apart.
    fn carries(&self, settings: &Settings) -> Option<Carried> {
        let to_vxlan = self.ports.is_some_and(|[_, destination]| {
            destination == VXLAN_PORT || settings.has_vxlan_port(destination.to_be())
        });
        if settings.hash_flags & HASH_INNER != 0 && self.protocol == UDP && to_vxlan {
            return Some(Carried::Frame);
        }
        let policy = if self.source.is_ipv4() { HASH_ENCAPSULATED4 } else { HASH_ENCAPSULATED6 };
        let encapsulated = settings.hash_flags & policy != 0 && IN_IP.contains(&self.protocol);
        encapsulated.then_some(Carried::Packet)
    }
}

/// What a packet carries.
enum Carried {
    /// A frame, in VXLAN.
    Frame,
    /// An IP packet, by itself or in GRE.
    Packet,
}

/// IPv4 in IP, IPv6 in IP, GRE (IANA protocol numbers).
const IN_IP: [u8; 3] = [4, 41, 47];

impl Payload {
    /// The hash of a frame to `destination` with this payload.
    #[must_use]
    pub fn hash(&self, destination: Mac, settings: &Settings) -> Option<u64> {
        match self {
            Self::Ip(flow) => flow.hash_carried(settings),
            Self::Other { source, ether_type } => Some(flow_hash::ethernet_by(
                settings.hash_flags,
                settings.seed,
                mac_number(source.0),
                mac_number(destination.0),
                ether_type.to_be(),
            )),
        }
    }
}
