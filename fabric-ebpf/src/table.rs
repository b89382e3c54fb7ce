//! Lookup in a [`fabric_common::table`].

use fabric_common::table::{Bucket, Hash, SLOTS, Slot, nth_slot};

use crate::block::Block;

/// The slot of `key` and its target, or `None`. `mask` is the number of buckets less one.
///
/// The key is read again after the target: the daemon clears it before it reuses a slot.
#[inline(always)]
pub fn find<const N: usize>(
    table: &'static Block<Bucket, N>,
    mask: u32,
    key: u64,
) -> Option<(*mut Slot, u32)> {
    let hash = Hash::of(key);
    let bucket = table.masked(hash.home(), mask);
    // SAFETY: the bucket is in the map, and the slot is inside the bucket.
    unsafe {
        let mut slot = &raw mut (*bucket).slots[hash.first()];
        if read_key(slot) != key {
            slot = elsewhere(table.masked(0, mask), mask, key);
            if slot.is_null() {
                return None;
            }
        }
        let target = (&raw const (*slot).target).read_volatile();
        (read_key(slot) == key).then_some((slot, target))
    }
}

/// The slot of a key that is not where readers look first; null if there is none.
///
/// A subprogram that gets little and begins anew: what it needed otherwise, every lookup would keep for
/// it on the stack.
#[inline(never)]
fn elsewhere(buckets: *mut Bucket, mask: u32, key: u64) -> *mut Slot {
    let hash = Hash::of(key);
    let first = hash.first();
    for index in [hash.home() & mask, hash.other() & mask] {
        for n in 0..SLOTS {
            // SAFETY: the caller's buckets, and the slot is inside its bucket.
            unsafe {
                let slot = &raw mut (*buckets.add(index as usize)).slots[nth_slot(first, n)];
                if read_key(slot) == key {
                    return slot;
                }
            }
        }
    }
    core::ptr::null_mut()
}

/// # Safety
/// The slot must be in a map.
#[inline(always)]
unsafe fn read_key(slot: *mut Slot) -> u64 {
    // SAFETY: the caller's promise; the daemon stores whole words.
    unsafe { (&raw const (*slot).key).read_volatile() }
}
