//! `fdb`: a [`crate::table`] from (domain, MAC) to where the MAC is.

use bytemuck::{Pod, Zeroable};

use super::{circuits, domains, fits, vteps};
use crate::table::{Narrow, PLACES, buckets_for};

/// Buckets if the settings do not say otherwise: room for 131,072 MACs, 2 MiB.
pub const BUCKETS: u32 = buckets_for::<Narrow>(131_072);

/// When the owners of a bucket's keys were last shown to the kernel, in jiffies (low 32 bits). A map of
/// its own, `fdb_times`, with as many entries: only frames' sources need it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Times {
    /// For each place; there are more than slots.
    pub shown: [u32; PLACES as usize],
}

super::map_value!(Times, 32);

/// The MAC is behind an Ethernet segment; the index is the segment's.
pub const KIND_SEGMENT: u32 = 0;
/// The MAC is behind a circuit; the index is the circuit's.
pub const KIND_LOCAL: u32 = 1;
/// The MAC is behind a remote VTEP; the index is the VTEP's.
pub const KIND_REMOTE: u32 = 2;
/// The MAC is this box's own by the bridge's FDB (`BR_FDB_LOCAL`), so the kernel gets the frame, and its bridge learns
/// nothing from one that comes from there; or a gateway routes it whose port is in the slot of
/// the index, if that is not 0.
pub const KIND_OWN: u32 = 3;

/// Bits of the index in a target of 16 bits; the kind stands above it.
pub(super) const INDEX_BITS: u32 = 14;
/// Number of indexes that a target can have.
pub const INDEXES: u32 = 1 << INDEX_BITS;

const _: () = {
    assert!(fits(circuits::MAX, INDEX_BITS) && fits(vteps::MAX, INDEX_BITS));
    assert!(fits(KIND_OWN + 1, u16::BITS - INDEX_BITS));
    // Of the domain in a key.
    assert!(fits(domains::MAX, u16::BITS));
};

/// Key of a MAC address in a domain (index above 0, so that no key is 0).
///
/// `mac` holds the six bytes of the address as the low 48 bits of a little-endian number, as an
/// eight-byte load from a packet has them; the two bytes above do not matter.
#[inline(always)]
#[must_use]
pub const fn key(domain: u16, mac: u64) -> u64 {
    mac << 16 | domain as u64
}

/// The domain and MAC address of a key.
#[must_use]
pub const fn split_key(key: u64) -> (u16, [u8; 6]) {
    let [a, b, c, d, e, f, ..] = (key >> 16).to_le_bytes();
    (key as u16, [a, b, c, d, e, f])
}

/// MAC address bytes as the number that [`key`] takes.
#[inline(always)]
#[must_use]
pub const fn mac_number(mac: [u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = mac;
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// Packs kind and index into a slot's target.
#[inline(always)]
#[must_use]
pub const fn target(kind: u32, index: u32) -> u32 {
    debug_assert!(index >> INDEX_BITS == 0);
    kind << INDEX_BITS | index
}

/// Kind and index of a slot's target.
#[inline(always)]
#[must_use]
pub const fn split_target(target: u32) -> (u32, u32) {
    (target >> INDEX_BITS, target & ((1 << INDEX_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_circuit_and_vtep_survives_packing_with_every_kind() {
        for kind in [KIND_SEGMENT, KIND_LOCAL, KIND_REMOTE, KIND_OWN] {
            for index in 0..circuits::MAX.max(vteps::MAX) {
                let packed = u16::try_from(target(kind, index)).expect("a target has 16 bits");
                assert_eq!(split_target(packed.into()), (kind, index));
            }
        }
    }

    #[test]
    fn a_key_tells_the_last_domain_from_all_others() {
        let mac = [0xff; 6];
        let key = key(domains::MAX as u16 - 1, mac_number(mac));
        assert_eq!(split_key(key), (domains::MAX as u16 - 1, mac));
    }
}
