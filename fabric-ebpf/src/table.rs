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
/// of values.
#[inline(always)]
pub fn after<T>(at: *mut T, loaded: u64) -> *mut T {
    at.wrapping_byte_add(zero(loaded) as usize)
}

/// 0, which cannot be known before `loaded` is, see [`after`]; no more than that on processors that keep
/// loads in order. The compiler knows nothing about the instruction, and to the verifier it is 0.
#[inline(always)]
pub fn zero(loaded: u64) -> u64 {
    if !OVERTAKES {
        return 0;
    }
    let mut zero = loaded;
    // SAFETY: one register.
    unsafe { asm!("{0} &= 0", inout(reg) zero, options(nomem, nostack)) };
    zero
}

/// Why a search has found nothing.
pub enum Miss {
    /// There is no such key. What is read [`after`] this number is newer than all that decided so.
    Absent(u64),
    /// It was there and had gone before its target was known.
    Gone,
}

/// `loaded`, where it matters.
#[inline(always)]
const fn noted(loaded: u64) -> u64 {
    if OVERTAKES { loaded } else { 0 }
}

/// The entry of `key`, or `None`. `mask` is the number of buckets less one.
///
/// A key that the filter of its first bucket does not know is not looked for.
///
/// The key is read again after the target: the daemon clears it before it reuses a slot. Why that is
/// enough on every processor is in [`fabric_common::table`].
#[inline(always)]
pub fn find<B: Bucket<Rest = ()>, const N: usize>(
    table: &'static Block<B, N>,
    mask: u32,
    key: u64,
) -> Option<Found> {
    search(table, mask, key, (), true).ok()
}

/// As [`find`], for keys with a rest, and for who has to know more about a miss.
#[inline(always)]
pub fn find_or_miss<B: Bucket, const N: usize>(
    table: &'static Block<B, N>,
    mask: u32,
    key: u64,
    rest: B::Rest,
) -> Result<Found, Miss> {
    search(table, mask, key, rest, true)
}

/// As [`find`], for who can bear the target of a key that has just taken the place of this one.
#[inline(always)]
pub fn find_relaxed<B: Bucket<Rest = ()>, const N: usize>(
    table: &'static Block<B, N>,
    mask: u32,
    key: u64,
) -> Option<Found> {
    search(table, mask, key, (), false).ok()
}

#[inline(always)]
fn search<B: Bucket, const N: usize>(
    table: &'static Block<B, N>,
    mask: u32,
    key: u64,
    rest: B::Rest,
    twice: bool,
) -> Result<Found, Miss> {
    let buckets = table.masked(0, mask);
    let hash = Hash::of(key);
    let (bucket, slot) = (hash.home() & mask, hash.first::<B>());
    // SAFETY: the mask keeps the bucket inside the table, and the slot is one of the bucket's.
    unsafe {
        // The pointer first: behind the comparison the compiler may take the key for what was loaded.
        let seen = read_key(buckets, bucket, slot);
        let behind = after(buckets, seen);
        if seen == key {
            return entry(behind, bucket, slot, key, rest, twice);
        }
        let filter = read_filter(buckets, bucket);
        if filter & hash.mark() == 0 {
            return Err(Miss::Absent(noted(filter.into())));
        }
        let next = if slot + 1 == B::SLOTS { 0 } else { slot + 1 };
        let seen = read_key(buckets, bucket, next);
        let behind = after(buckets, seen);
        if seen == key {
            return entry(behind, bucket, next, key, rest, twice);
        }
        cold_path();
        let place = elsewhere(buckets, mask, key);
        if place & NOWHERE != 0 {
            return Err(Miss::Absent(place));
        }
        let place = place as u32;
        // No others than they were, but the verifier has to see that.
        let (bucket, slot) = (place / PLACES & mask, (place % PLACES).min(B::SLOTS - 1));
        // What the subprogram has loaded is not there any more.
        let seen = if OVERTAKES { read_key(buckets, bucket, slot) } else { key };
        let behind = after(buckets, seen);
        if seen != key {
            return Err(Miss::Gone);
        }
        entry(behind, bucket, slot, key, rest, twice)
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
    rest: B::Rest,
    twice: bool,
) -> Result<Found, Miss> {
    // SAFETY: the caller's promise.
    unsafe {
        let word = read_target(buckets, bucket, slot);
        let of = after(buckets, word.into()).add(bucket as usize);
        let (target, seen) = B::read_rest(of, slot, word);
        let loaded = B::number_of(seen) | u64::from(word);
        let behind = after(buckets, loaded);
        if seen != rest {
            // Of another key with this fingerprint, which stays as long as that one does.
            return Err(Miss::Absent(noted(loaded)));
        }
        if twice && read_key(behind, bucket, slot) != key {
            return Err(Miss::Gone);
        }
        Ok(Found { bucket, slot, target })
    }
}

/// The bit of what is no place; the others depend on what was loaded.
const NOWHERE: u64 = 1 << 63;

/// The place of a key that is not where readers look first, or [`NOWHERE`] and what was loaded.
///
/// A subprogram that gets little and begins anew: what it needed otherwise, every lookup would keep for
/// it on the stack.
#[inline(never)]
fn elsewhere<B: Bucket>(buckets: *mut B, mask: u32, key: u64) -> u64 {
    let hash = Hash::of(key);
    let place = place_in(buckets, hash.home() & mask, key, 0);
    if place & NOWHERE == 0 {
        return place;
    }
    // SAFETY: as in `find`.
    let filter = unsafe { read_filter(buckets, hash.home() & mask) };
    let loaded = place | noted(filter.into());
    if filter & AWAY == 0 {
        return loaded;
    }
    place_in(buckets, hash.other() & mask, key, loaded)
}

/// The place of a key in a bucket, or [`NOWHERE`] and what was loaded, also before.
#[inline(always)]
fn place_in<B: Bucket>(buckets: *mut B, bucket: u32, key: u64, before: u64) -> u64 {
    let mut loaded = before;
    for slot in 0..B::SLOTS {
        // SAFETY: as in `find`.
        let seen = unsafe { read_key(buckets, bucket, slot) };
        if seen == key {
            return (bucket * PLACES + slot).into();
        }
        loaded |= noted(seen);
    }
    loaded | NOWHERE
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
