//! Lookup of hosts, in tables whose misses mean something: where there is no host, a prefix decides.

use fabric_common::{schema::settings::Settings, table::Bucket};

use crate::{
    block::Block,
    maps,
    table::{self, Found, after},
};

/// Why a host was not found.
pub enum Miss {
    /// It is not in the table.
    Absent,
    /// Hosts moved meanwhile: nobody knows.
    Unsure,
}

/// The entry of `key` in a table of which `mask` has the number of buckets less one, at most `limit`.
///
/// The settings' number is loaded in front of the mask and behind a search without success. Why that is
/// enough on every processor is in [`fabric_common::table`].
#[inline(always)]
pub fn find<B: Bucket, const N: usize>(
    hosts: &'static Block<B, N>,
    mask: impl FnOnce(*mut Settings) -> *mut u32,
    limit: u32,
    key: u64,
) -> Result<Found, Miss> {
    let settings = maps::SETTINGS.get_ptr_mut(0);
    let before = moves(settings);
    // SAFETY: inside the map's value.
    let mask = unsafe { mask(after(settings, before.into())).read_volatile() } & limit;
    table::find_or_miss(hosts, mask, key).map_err(|miss| match miss {
        table::Miss::Absent(loaded) if moves(after(settings, loaded)) == before => Miss::Absent,
        table::Miss::Absent(_) | table::Miss::Gone => Miss::Unsure,
    })
}

#[inline(always)]
fn moves(settings: *mut Settings) -> u32 {
    // SAFETY: an aligned word of the map, which the daemon may store to at this moment.
    unsafe { (&raw const (*settings).moves).read_volatile() }
}
