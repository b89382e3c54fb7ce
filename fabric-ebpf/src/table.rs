//! Lookup in a [`fabric_common::table`].

use core::{arch::asm, hint::cold_path};

use fabric_common::table::{AWAY, Bucket, FILTER, Hash, PLACES};

use crate::block::Block;

/// An entry that was found.
#[derive(Clone, Copy)]
pub struct Found {
    /// The bucket that it stands in.
    pub bucket: u32,
    /// Its slot there. Not one number with the bucket: Linux 6.1 knows nothing of a disjunction.
    pub slot: u32,
    /// What its key leads to.
    pub target: u32,
}

/// Whether a processor may let a later load overtake an earlier one of another address. Not so x86
/// (Intel SDM volume 3, §9.2.2), which therefore pays nothing.
const OVERTAKES: bool = !cfg!(bpf_target_arch = "x86_64") || cfg!(feature = "ordered-loads");

/// `at`, which cannot be known before `loaded` is: whatever is loaded from there is loaded later.
///
/// BPF programs become plain loads, and kernels before 6.15 have no load that acquires. But no
/// processor that Linux runs on loads from an address before it has that address (the kernel's
/// `Documentation/memory-barriers.txt` calls this an address dependency, arm64's architecture an address
/// dependency as well), and a number that is always 0 counts: the dependency is one of registers, not
/// of values. The compiler knows nothing about the instruction, and to the verifier the sum is `at`.
#[inline(always)]
fn after<T>(at: *mut T, loaded: u64) -> *mut T {
    if !OVERTAKES {
        return at;
    }
    let mut zero = loaded;
    // SAFETY: one register.
    unsafe { asm!("{0} &= 0", inout(reg) zero, options(nomem, nostack)) };
    at.wrapping_byte_add(zero as usize)
}

/// The entry of `key`, or `None`. `mask` is the number of buckets less one.
///
/// A key that the filter of its first bucket does not know is not looked for.
///
/// The key is read again after the target: the daemon clears it before it reuses a slot. Why that is
/// enough on every processor is in [`fabric_common::table`].
#[inline(always)]
pub fn find<B: Bucket, const N: usize>(
    table: &'static Block<B, N>,
    mask: u32,
    key: u64,
) -> Option<Found> {
    search(table, mask, key, true)
}

/// As [`find`], for who can bear the target of a key that has just taken the place of this one.
#[inline(always)]
pub fn find_relaxed<B: Bucket, const N: usize>(
    table: &'static Block<B, N>,
    mask: u32,
    key: u64,
) -> Option<Found> {
    search(table, mask, key, false)
}

#[inline(always)]
fn search<B: Bucket, const N: usize>(
    table: &'static Block<B, N>,
    mask: u32,
    key: u64,
    twice: bool,
) -> Option<Found> {
    let buckets = table.masked(0, mask);
    let hash = Hash::of(key);
    let (bucket, slot) = (hash.home() & mask, hash.first::<B>());
    // SAFETY: the mask keeps the bucket inside the table, and the slot is one of the bucket's.
    unsafe {
        let seen = read_key(buckets, bucket, slot);
        if seen == key {
            return entry(after(buckets, seen), bucket, slot, key, twice);
        }
        if read_filter(buckets, bucket) & hash.mark() == 0 {
            return None;
        }
        let next = if slot + 1 == B::SLOTS { 0 } else { slot + 1 };
        let seen = read_key(buckets, bucket, next);
        if seen == key {
            return entry(after(buckets, seen), bucket, next, key, twice);
        }
        cold_path();
        let place = elsewhere(buckets, mask, key);
        if place == NOWHERE {
            return None;
        }
        // No others than they were, but the verifier has to see that.
        let (bucket, slot) = (place / PLACES & mask, (place % PLACES).min(B::SLOTS - 1));
        // What the subprogram has loaded is not there any more.
        let seen = if OVERTAKES { read_key(buckets, bucket, slot) } else { key };
        if seen != key {
            return None;
        }
        entry(after(buckets, seen), bucket, slot, key, twice)
    }
}

/// # Safety
/// As [`read_key`].
#[inline(always)]
unsafe fn entry<B: Bucket>(
    buckets: *mut B,
    bucket: u32,
    slot: u32,
    key: u64,
    twice: bool,
) -> Option<Found> {
    // SAFETY: the caller's promise.
    let (target, is_same) = unsafe {
        let target = read_target(buckets, bucket, slot);
        let buckets = after(buckets, target.into());
        (target, !twice || read_key(buckets, bucket, slot) == key)
    };
    is_same.then_some(Found { bucket, slot, target })
}

/// The place of no key.
const NOWHERE: u32 = u32::MAX;

/// The place of a key that is not where readers look first, or [`NOWHERE`].
///
/// A subprogram that gets little and begins anew: what it needed otherwise, every lookup would keep for
/// it on the stack.
#[inline(never)]
fn elsewhere<B: Bucket>(buckets: *mut B, mask: u32, key: u64) -> u32 {
    let hash = Hash::of(key);
    let place = place_in(buckets, hash.home() & mask, key);
    // SAFETY: as in `find`.
    if place != NOWHERE || unsafe { read_filter(buckets, hash.home() & mask) } & AWAY == 0 {
        return place;
    }
    place_in(buckets, hash.other() & mask, key)
}

/// The place of a key in a bucket, or [`NOWHERE`].
#[inline(always)]
fn place_in<B: Bucket>(buckets: *mut B, bucket: u32, key: u64) -> u32 {
    for slot in 0..B::SLOTS {
        // SAFETY: as in `find`.
        if unsafe { read_key(buckets, bucket, slot) } == key {
            return bucket * PLACES + slot;
        }
    }
    NOWHERE
}

/// # Safety
/// The bucket must be in the table.
#[inline(always)]
unsafe fn read_filter<B: Bucket>(buckets: *mut B, bucket: u32) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { buckets.add(bucket as usize).cast::<u8>().add(FILTER).cast::<u32>().read_volatile() }
}

/// # Safety
/// The bucket must be in the table, and the slot in the bucket.
#[inline(always)]
unsafe fn read_key<B: Bucket>(buckets: *mut B, bucket: u32, slot: u32) -> u64 {
    // SAFETY: the caller's promise; keys stand foremost and are stored whole.
    unsafe { buckets.add(bucket as usize).cast::<u64>().add(slot as usize).read_volatile() }
}

/// # Safety
/// As [`read_key`].
#[inline(always)]
unsafe fn read_target<B: Bucket>(buckets: *mut B, bucket: u32, slot: u32) -> u32 {
    // SAFETY: as above.
    unsafe {
        let targets = buckets.add(bucket as usize).cast::<u8>().add(B::TARGETS);
        targets.cast::<B::Target>().add(slot as usize).read_volatile().into()
    }
}
