//! `settings`: one entry that every packet reads.

use bytemuck::{Pod, Zeroable};

use super::vteps::Vtep;
use crate::flow_hash;

/// The flow label of IPv6 packets counts as well (RFC 6438 §3).
pub const HASH_FLOW_LABEL: u32 = 1 << 0;
/// VXLAN packets on their way through, on the ports of [`Settings::vxlan_ports_be`] and on
/// [`VXLAN_PORT`], are told apart by their inner headers.
pub const HASH_INNER: u32 = 1 << 1;
/// Both directions of a connection have one hash.
pub const HASH_SYMMETRIC: u32 = 1 << 2;

/// Routed IPv6 packets are told apart by their flow label, because the kernel's policy has it so.
pub const HASH_ROUTED_LABEL: u32 = 1 << 3;
/// Where the `OMIT_` bits for routed IPv4 packets are: the fields that the kernel's
/// `net.ipv4.fib_multipath_hash_policy` leaves out.
pub const HASH_OMIT4: u32 = 8;
/// The same for IPv6 (`net.ipv6.fib_multipath_hash_policy`).
pub const HASH_OMIT6: u32 = 16;
/// Routed IPv4 packets that carry another IP packet, by itself or in GRE, are told apart by the inner
/// addresses (policy 2).
pub const HASH_ENCAPSULATED4: u32 = 1 << 24;
/// The same for IPv6.
pub const HASH_ENCAPSULATED6: u32 = 1 << 25;
/// Tunnels over IPv4 choose a next hop by their two addresses alone: the kernel's policy does not count
/// the UDP source port, which is all that tells the flows of a tunnel apart.
pub const HASH_TUNNEL4: u32 = 1 << 26;
/// The same over IPv6.
pub const HASH_TUNNEL6: u32 = 1 << 27;
/// What counts for frames of hosts. The rest is about routed packets and about the ways of tunnels.
pub const HASH_OF_FRAMES: u32 = HASH_FLOW_LABEL | HASH_SYMMETRIC;
/// What counts for routed packets.
pub const HASH_OF_ROUTED: u32 = !(HASH_TUNNEL4 | HASH_TUNNEL6);

/// Both addresses count if neither of these is set.
pub const OMIT_SOURCE: u32 = 1 << 0;
/// See [`OMIT_SOURCE`].
pub const OMIT_DESTINATION: u32 = 1 << 1;
/// The IP protocol (next header) does not count.
pub const OMIT_PROTOCOL: u32 = 1 << 2;
/// The source port does not count.
pub const OMIT_SOURCE_PORT: u32 = 1 << 3;
/// The destination port does not count.
pub const OMIT_DESTINATION_PORT: u32 = 1 << 4;
/// All `OMIT_` bits.
pub const OMIT_ALL: u32 = 0x1f;

/// What counts of a packet inside another one where [`HASH_ENCAPSULATED4`] or [`HASH_ENCAPSULATED6`]
/// says so (policy 2 of `fib_multipath_hash` and `rt6_multipath_hash` in the kernel).
pub const HASH_ADDRESSES: u32 = {
    let ports = OMIT_SOURCE_PORT | OMIT_DESTINATION_PORT;
    (OMIT_PROTOCOL | ports) << HASH_OMIT4 | ports << HASH_OMIT6 | HASH_FLOW_LABEL
};

/// The UDP port that IANA assigned to VXLAN (RFC 7348 §8).
pub const VXLAN_PORT: u16 = 4789;

/// What holds for the whole instance.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Settings {
    /// Kernel time in jiffies after which nothing is forwarded any more. Written by the heartbeat
    /// program, which adds `timeout_jiffies` to the present.
    pub deadline: u64,
    /// Not 0: hand all traffic to the kernel. A word of its own, because others than the daemon
    /// write it.
    pub bypass: u64,
    /// How long the maps may be used without a sign of life from the daemon, in jiffies.
    pub timeout_jiffies: u32,
    /// Seed of the flow hash: differs per box, stays over restarts.
    pub seed: u32,
    /// The kernel's timer frequency (CONFIG_HZ), to turn jiffies into time.
    pub hz: u32,
    /// What the flow hash takes into account: `HASH_` constants. 0 is the 5-tuple everywhere.
    pub hash_flags: u32,
    /// UDP destination ports of the vxlan devices, 0 where there are fewer than four.
    pub vxlan_ports_be: [u16; 4],
    /// Number of buckets of `fdb` that are in use, less one: a power of two less one.
    pub fdb_mask: u32,
    /// The same of `hosts`.
    pub hosts_mask: u32,
    /// Not 0: a circuit's port may be down, so that a look at the port is worth its cache line. Set by the
    /// daemon's thread that watches links, cleared by the main one when no circuit leads to such a port;
    /// a word of its own.
    pub lost_ports: u64,
    /// Number of buckets of `hosts6` that are in use, less one.
    pub hosts6_mask: u32,
    /// Grows when hosts are about to leave their old places in `hosts` or `hosts6`, or the trie for one of
    /// them: who has missed one meanwhile does not know that there is none. See [`crate::table`].
    pub moves: u32,
    /// The number of the network namespace (`SO_NETNS_COOKIE`) to whose interfaces everything here
    /// refers.
    pub network: u64,
    /// Not 0: an ICMP message came by which the kernel may have learned something about the way to a VTEP.
    /// Written by the packet path, cleared by the daemon, a word of its own.
    pub path_news: u64,
    /// Always 0. What the packet path reads of every packet is in the first cache line.
    pub unused: [u64; 6],
}

super::map_value!(Settings, 128);

impl Settings {
    /// Whether a vxlan device of this box receives on this UDP port (network byte order).
    #[inline(always)]
    #[must_use]
    pub const fn has_vxlan_port(&self, port_be: u16) -> bool {
        const ONES: u64 = 0x0001_0001_0001_0001;
        let [a, b, c, d] = self.vxlan_ports_be;
        let ports = a as u64 | (b as u64) << 16 | (c as u64) << 32 | (d as u64) << 48;
        // Four comparisons at once: a part that is zero borrows from its upper bit.
        let difference = ports ^ ONES.wrapping_mul(port_be as u64);
        port_be != 0 && difference.wrapping_sub(ONES) & !difference & ONES << 15 != 0
    }

    /// What chooses a bucket towards `vtep` for a frame whose flow has this hash.
    #[inline(always)]
    #[must_use]
    pub fn tunnel_bucket(&self, vtep: &Vtep, flow: u64) -> u32 {
        let policy = if vtep.is_ipv6() { HASH_TUNNEL6 } else { HASH_TUNNEL4 };
        match self.hash_flags & policy {
            0 => flow_hash::bucket(flow),
            _ => flow_hash::tunnel(self.seed, vtep.peer()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_known_in_any_place_and_none_that_is_only_like_it() {
        for vxlan_ports_be in [[0; 4], [1, 0, 0, 0], [4789, 8472, 0, 0], [7, 0x8000, 0xffff, 1]] {
            let settings = Settings { vxlan_ports_be, ..Settings::default() };
            for port in 0..=u16::MAX {
                let known = port != 0 && vxlan_ports_be.contains(&port);
                assert_eq!(settings.has_vxlan_port(port), known, "{port} in {vxlan_ports_be:?}");
            }
        }
    }
}
