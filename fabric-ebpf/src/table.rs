//! Lookup in a [`fabric_common::table`].

use aya_ebpf::btf_maps::Array;
use fabric_common::table::{Bucket, SLOTS, Slot, nth_slot, places};

/// The slot of `key` and its target, or `None`.
///
/// The key is read again after the target: the daemon clears it before it reuses a slot.
#[inline(always)]
pub fn find<const N: usize, const F: usize>(
    map: &'static Array<Bucket, N, F>,
    mask: u32,
    key: u64,
) -> Option<(*mut Slot, u32)> {
    let ([home, other], first) = places(key, mask);
    in_bucket(map, home, first, key).or_else(|| in_bucket(map, other, first, key))
}

#[inline(always)]
fn in_bucket<const N: usize, const F: usize>(
    map: &'static Array<Bucket, N, F>,
    index: u32,
    first: usize,
    key: u64,
) -> Option<(*mut Slot, u32)> {
    let bucket = map.get_ptr_mut(index)?;
    for n in 0..SLOTS {
        // SAFETY: the pointer comes from a map lookup, and the slot is inside the bucket.
        unsafe {
            let slot = &raw mut (*bucket).slots[nth_slot(first, n)];
            if (&raw const (*slot).key).read_volatile() == key {
                let target = (&raw const (*slot).target).read_volatile();
                if (&raw const (*slot).key).read_volatile() == key {
                    return Some((slot, target));
                }
            }
        }
    }
    None
}
