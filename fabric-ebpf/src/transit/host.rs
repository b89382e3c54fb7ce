//! Lookup of hosts, in tables whose misses mean something: where there is no host, a prefix decides.

use fabric_common::{schema::settings::Settings, table::Bucket};

use crate::{
    block::Block,
    maps,
    table::{self, Found, Miss, after},
};

/// When a lookup began.
#[derive(Clone, Copy)]
pub struct Moment {
    settings: *mut Settings,
    moves: u32,
}

impl Moment {
    /// Now.
    #[inline(always)]
    pub fn now() -> Self {
        let settings = maps::SETTINGS.get_ptr_mut(0);
        Self { settings, moves: moves(settings) }
    }

    /// The entry of `key` and its `rest` in a table of which `mask` has the number of buckets less one, at most
    /// `limit`.
    #[inline(always)]
    pub fn find<B: Bucket, const N: usize>(
        self,
        hosts: &'static Block<B, N>,
        mask: impl FnOnce(*mut Settings) -> *mut u32,
        limit: u32,
        key: u64,
        rest: B::Rest,
    ) -> Result<Found, Miss> {
        // SAFETY: inside the map's value.
        let mask = unsafe { mask(after(self.settings, self.moves.into())).read_volatile() } & limit;
        table::find_or_miss(hosts, mask, key, rest)
    }

    /// Whether no host has left a place, in a table or in the trie, for another one until after this was
    /// loaded: who has not met a host knows then that there is none.
    ///
    /// The settings' number was loaded in front of the mask and is loaded behind all that was looked at. Why
    /// that is enough on every processor is in [`fabric_common::table`].
    #[inline(always)]
    pub fn holds(self, loaded: u64) -> bool {
        moves(after(self.settings, loaded)) == self.moves
    }
}

#[inline(always)]
fn moves(settings: *mut Settings) -> u32 {
    // SAFETY: an aligned word of the map, which the daemon may store to at this moment.
    unsafe { (&raw const (*settings).moves).read_volatile() }
}
