//! `hosts`: a [`crate::table`] from (view, IPv4 address) to a route's target
//! ([`super::routes`]). Host routes and neighbours stand here and not in the trie.

/// Buckets if the settings do not say otherwise: room for 65,536 addresses, 2 MiB. Those in use are fewer
/// as long as fewer suffice.
pub const BUCKETS: u32 = crate::table::buckets_for::<crate::table::Wide>(65_536);

const _: () = assert!(super::fits(super::views::MAX, u16::BITS));

/// Key of an address, as it stands in a packet, in a view (above 0, so that no key is 0).
#[inline(always)]
#[must_use]
pub const fn key(view: u16, address_be: u32) -> u64 {
    (view as u64) << 32 | address_be as u64
}

/// View and address of a key.
#[must_use]
pub const fn split_key(key: u64) -> (u16, u32) {
    ((key >> 32) as u16, key as u32)
}
