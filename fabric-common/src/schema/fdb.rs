//! `fdb`: a [`crate::table`] from (domain, MAC) to where the MAC is.

use crate::table::{Narrow, PLACES, buckets_for};

/// Buckets if the settings do not say otherwise: room for 131,072 MACs, 2 MiB.
pub const BUCKETS: u32 = buckets_for::<Narrow>(131_072);

/// When the owners of a bucket's keys were last shown to the kernel, in jiffies (low 32 bits). A map of
/// its own, `fdb_times`, with as many entries: only frames' sources need it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// For each place; there are more than slots.
    pub shown: [u32; PLACES as usize],
}

super::map_value!(Times, 32);

/// The MAC is behind a circuit; the index is the circuit's.
pub const KIND_LOCAL: u32 = 1;
/// The MAC is behind a remote VTEP; the index is the VTEP's.
pub const KIND_REMOTE: u32 = 2;
/// The MAC is this box's own, so the kernel gets the frame.
pub const KIND_OWN: u32 = 3;

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
    kind << 14 | index & 0x3fff
}

/// Kind and index of a slot's target.
#[inline(always)]
#[must_use]
pub const fn split_target(target: u32) -> (u32, u32) {
    (target >> 14, target & 0x3fff)
}
