//! `ports`: network interfaces. The index is the port's *slot*.
//!
//! The packet path looks for an interface index in up to [`PROBES`] slots. The first is `ifindex %
//! number of slots`, which costs less than a hash lookup, and where indexes that follow one another
//! stand all of them. The others are spread over all slots, so that interfaces of any indexes find one
//! as long as half of the slots are free.

use bytemuck::{Pod, Zeroable};

use super::{circuits, domains, fits, views};

/// Ports for which there is room if the settings do not say otherwise; a power of two.
pub const PORTS: u32 = 4096;
/// Slots then: twice as many.
pub const MAX: u32 = 2 * PORTS;
/// How many slots may hold an interface.
pub const PROBES: u32 = 24;

// The untagged circuit and its domain, and the view above the MAC address.
const _: () = {
    assert!(fits(circuits::MAX, u16::BITS) && fits(domains::MAX, u16::BITS));
    assert!(fits(views::MAX, u16::BITS));
};

/// Interface indexes from here on are none of the kernel's, which are positive 32-bit numbers: each stands for a tunnel
/// that next hops choose by themselves, a gateway without an interface.
pub const TUNNELS: u32 = 1 << 31;

/// Whether an interface index stands for a tunnel of next hops.
#[must_use]
pub const fn is_tunnel(ifindex: u32) -> bool {
    ifindex >= TUNNELS
}

/// The slot is free.
pub const ROLE_NONE: u8 = 0;
/// Hosts of bridges are behind this port: a bridge port, a VM's tap, a bond.
pub const ROLE_ACCESS: u8 = 1;
/// Hosts or routers are behind this port: packets that arrive may be routed.
pub const ROLE_ROUTED: u8 = 2;
/// As [`ROLE_ROUTED`], and the underlay leads over this port: only here tunnels end.
pub const ROLE_UNDERLAY: u8 = 3;
/// A gateway: the address of a bridge, or an interface on top of one. No program runs here; packets come by the
/// FDB of [`Port::untagged_domain`], and what is sent here goes by it.
pub const ROLE_GATEWAY: u8 = 4;

/// Hiding received VLAN tags from XDP was switched off and is to be switched on again at the end.
pub const FLAG_HID_TAGS: u8 = 1 << 0;
/// The kernel forwards IPv4 packets that arrive here, and the maps say whereto.
pub const FLAG_ROUTE4: u8 = 1 << 1;
/// The same for IPv6.
pub const FLAG_ROUTE6: u8 = 1 << 2;
/// The device takes no frames from XDP programs: only what arrives here is forwarded. For people; the
/// packet path finds no circuit and no next hop that leads here.
pub const FLAG_NOT_A_TARGET: u8 = 1 << 3;
/// It is a member of a bond, whose program runs here: what arrives counts as the bond's. For people.
pub const FLAG_MEMBER: u8 = 1 << 4;

/// No tunnel ends at this port.
pub const DECAPSULATES_NONE: u8 = 0;
/// Tunnels of all known VTEPs may end at this port.
pub const DECAPSULATES_ALL: u8 = 255;

/// An interface on which a program runs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Port {
    /// Interface index in the kernel; 0 marks a free slot.
    pub ifindex: u32,
    /// IP MTU in bytes.
    pub mtu: u32,
    /// Circuit of untagged frames (PVID), 0 for none.
    pub untagged_circuit: u16,
    /// One of the `ROLE_` constants.
    pub role: u8,
    /// `FLAG_` constants.
    pub flags: u8,
    /// The bridge domain of that circuit, so that the FDB need not wait for the circuit.
    pub untagged_domain: u16,
    /// Index of the port's table in `vlans`, 0 if no tagged frames are accelerated.
    pub vlans: u16,
    /// MAC address as [`super::fdb::mac_number`] gives it (48 bits): frames for another one are not
    /// for us. The 16 bits above are the view by which packets from here are routed, 0 for none;
    /// see [`mac_and_view`].
    pub mac_and_view: u64,
    /// Not 0: no carrier, or switched off; nothing is to be sent here. A word of its own, because
    /// its writer is not the writer of the others.
    pub down: u64,
    /// The [`crate::bfd::Watch`] of the neighbour's BFD packets; written by the packet path.
    pub bfd: u64,
    /// Row of `reasons` in which packets from here are counted; 0 if there was none left, where those
    /// of unknown ports are counted as well.
    pub row: u16,
    /// Whose packets are taken out of their tunnels here: [`DECAPSULATES_NONE`], [`DECAPSULATES_ALL`],
    /// or the number by which [`super::reverse_paths`] knows this port.
    pub decapsulates: u8,
    /// Always 0.
    pub reserved: u8,
    /// The slot that this one counts as where what arrives is compared with what leads back: the bond's
    /// for a member of one, else its own. 0 for a member whose bond has none: it is like no port then.
    pub as_port: u16,
    /// Always 0.
    pub reserved2: [u8; 2],
    /// Always 0: an entry is one cache line.
    pub unused: [u64; 2],
}

super::map_value!(Port, 64);

/// Whether the port runs the program for routed ports: its role is [`ROLE_ROUTED`] or
/// [`ROLE_UNDERLAY`].
#[inline(always)]
#[must_use]
pub const fn is_routed(role: u8) -> bool {
    role & ROLE_ROUTED != 0
}

/// Packs a MAC address, as [`super::fdb::mac_number`] gives it, and the index of a view.
#[must_use]
pub const fn mac_and_view(mac: u64, view: u16) -> u64 {
    (view as u64) << 48 | mac & 0xffff_ffff_ffff
}

/// The MAC address of [`mac_and_view`].
#[inline(always)]
#[must_use]
pub const fn mac(mac_and_view: u64) -> u64 {
    mac_and_view & 0xffff_ffff_ffff
}

/// The view of [`mac_and_view`].
#[inline(always)]
#[must_use]
pub const fn view(mac_and_view: u64) -> u16 {
    (mac_and_view >> 48) as u16
}

/// The slots that may hold interface `ifindex`, in the order of probing. Slot 0 is never used, so
/// that 0 can mean "no port".
#[inline(always)]
#[must_use]
pub const fn slot(ifindex: u32, probe: u32, mask: u32) -> u32 {
    // Odd, so that no slot comes twice, and another one for indexes that have the first slot in common.
    let step = ifindex.wrapping_mul(0x9e37_79b1) >> 16 | 1;
    ifindex.wrapping_add(probe.wrapping_mul(step)) & mask
}

/// The slot of an interface among `mask` and one more, if one of those that may hold it does;
/// `ifindex_at` gives the interface index of a slot.
#[must_use]
pub fn find(ifindex: u32, mask: u32, ifindex_at: impl Fn(u32) -> u32) -> Option<u32> {
    (0..PROBES).map(|probe| slot(ifindex, probe, mask)).find(|slot| ifindex_at(*slot) == ifindex)
}

/// The free slot that an interface gets which has none.
#[must_use]
pub fn place(ifindex: u32, mask: u32, is_free: impl Fn(u32) -> bool) -> Option<u32> {
    let slots = (0..PROBES).map(|probe| slot(ifindex, probe, mask));
    { slots }.find(|slot| *slot != 0 && is_free(*slot))
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate alloc;
    use alloc::{collections::BTreeSet, vec, vec::Vec};

    /// How many of these interfaces find a slot, one after the other, and how many of those the first.
    fn placed(indexes: &[u32]) -> (usize, usize) {
        let mut slots = vec![0; MAX as usize];
        let (mut all, mut first) = (0, 0);
        for ifindex in indexes {
            let Some(slot) = place(*ifindex, MAX - 1, |slot| slots[slot as usize] == 0) else {
                continue;
            };
            slots[slot as usize] = *ifindex;
            assert_eq!(find(*ifindex, MAX - 1, |slot| slots[slot as usize]), Some(slot));
            all += 1;
            first += usize::from(slot == ifindex & (MAX - 1));
        }
        (all, first)
    }

    #[test]
    fn interfaces_that_were_made_one_after_the_other_stand_in_their_first_slots() {
        for start in [1, 2, 500, 4_000, 1 << 20] {
            let indexes: Vec<u32> = (start..start + PORTS).collect();
            let (all, first) = placed(&indexes);
            assert_eq!(all, PORTS as usize);
            // Slot 0 is nobody's.
            assert!(first + 1 >= all, "from {start}: {first} of {all}");
        }
    }

    #[test]
    fn interfaces_at_any_distance_from_one_another_find_slots() {
        for distance in (1..200).chain([256, 512, 1000, 1024, 4096, 8192, 65_536, 500_000]) {
            let indexes: Vec<u32> = (1..=PORTS).map(|n| n.wrapping_mul(distance)).collect();
            let (all, _) = placed(&indexes);
            assert!(all >= 4_000, "each {distance}th: only {all} of {PORTS}");
        }
    }

    #[test]
    fn four_thousand_interfaces_of_random_indexes_find_slots() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        for turn in 0..50 {
            let mut indexes = BTreeSet::new();
            while indexes.len() < 4_000 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                // A box that has made and removed so many interfaces.
                indexes.insert(1 + (random >> 32) as u32 % (10_000 << (turn % 8)));
            }
            // In no order: each number backwards.
            let mut indexes: Vec<u32> = indexes.into_iter().collect();
            indexes.sort_unstable_by_key(|ifindex| ifindex.reverse_bits());
            assert_eq!(placed(&indexes).0, 4_000, "turn {turn}");
        }
    }

    #[test]
    fn no_slot_comes_twice() {
        for ifindex in [1, 2, 77, 4096, 123_456, u32::MAX] {
            let slots: Vec<u32> = (0..PROBES).map(|probe| slot(ifindex, probe, MAX - 1)).collect();
            for (at, slot) in slots.iter().enumerate() {
                assert!(!slots[..at].contains(slot), "{ifindex}: {slots:?}");
            }
        }
    }
}
