//! An array map in our own memory.
//!
//! The packet path reads at the same time, so every change is a store of one aligned 64-bit word.
//! Whoever needs more than one word to change at once writes to an index that nothing refers to.

use std::{
    io,
    marker::PhantomData,
    os::fd::AsFd,
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use bytemuck::Pod;
use fabric_common::{
    schema::fdb::Times,
    table::{PLACES, Share, SharedLong, SharedNarrow, SharedWide, Table},
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// All elements of a `BPF_F_MMAPABLE` array.
#[derive(Debug)]
pub struct MappedArray<T> {
    start: NonNull<AtomicU64>,
    entries: u32,
    stores: AtomicU64,
    _elements: PhantomData<T>,
}

// SAFETY: the memory is shared with the kernel anyway and only accessed by atomic operations.
unsafe impl<T> Send for MappedArray<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for MappedArray<T> {}

/// What the memory may be looked at as.
///
/// # Safety
/// It is made of atomics, for which all bytes are a value.
pub unsafe trait Atomics {}

// SAFETY: it is one.
unsafe impl Atomics for AtomicU64 {}
// SAFETY: an array of them.
unsafe impl Atomics for [AtomicU32; PLACES as usize] {}
// SAFETY: eight words of keys and targets.
unsafe impl Atomics for SharedNarrow {}
// SAFETY: as above.
unsafe impl Atomics for SharedWide {}
// SAFETY: as above.
unsafe impl Atomics for SharedLong {}

impl<T: Pod> MappedArray<T> {
    /// 64-bit words of an element. The kernel rounds elements up to 8 bytes; ours are exact.
    const WORDS: usize = {
        assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() <= 64);
        size_of::<T>() / 8
    };

    /// Maps the map behind `fd`, which must have `entries` elements of type `T`.
    ///
    /// # Errors
    /// What `mmap` says, for instance that the map lacks `BPF_F_MMAPABLE`.
    pub fn new(fd: impl AsFd, entries: u32, writable: bool) -> io::Result<Self> {
        let protection =
            if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        let length = Self::bytes(entries);
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let start = unsafe { mmap(ptr::null_mut(), length, protection, MapFlags::SHARED, fd, 0)? };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, entries, stores: AtomicU64::new(0), _elements: PhantomData })
    }

    fn bytes(entries: u32) -> usize {
        (entries as usize * size_of::<T>()).next_multiple_of(rustix::param::page_size())
    }

    /// Number of elements.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.entries
    }

    /// True for an array without elements, which the kernel does not allow.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Number of stores that were made through this mapping.
    #[must_use]
    pub fn stores(&self) -> u64 {
        self.stores.load(Ordering::Relaxed)
    }

    fn words(&self, index: u32) -> &[AtomicU64] {
        assert!(index < self.entries, "index {index} of a map with {} entries", self.entries);
        let start = index as usize * Self::WORDS;
        &self.all::<AtomicU64>()[start..start + Self::WORDS]
    }

    /// The whole memory, as atomics of a kind.
    fn all<A: Atomics>(&self) -> &[A] {
        const { assert!(size_of::<T>().is_multiple_of(size_of::<A>()) && align_of::<A>() <= 64) };
        let length = self.entries as usize * (size_of::<T>() / size_of::<A>());
        // SAFETY: inside the mapping, which begins with a page and lives as long as `self`.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), length) }
    }

    /// True if all of an element's words are 0.
    #[must_use]
    pub fn is_zero(&self, index: u32) -> bool {
        self.words(index).iter().all(|word| word.load(Ordering::Relaxed) == 0)
    }

    /// A copy of an element, word by word.
    #[must_use]
    pub fn get(&self, index: u32) -> T {
        let mut value = T::zeroed();
        let bytes = bytemuck::bytes_of_mut(&mut value).chunks_exact_mut(8);
        for (bytes, word) in bytes.zip(self.words(index)) {
            bytes.copy_from_slice(&word.load(Ordering::Acquire).to_ne_bytes());
        }
        value
    }

    /// Stores the words of `value` that differ; false if none did.
    pub fn set(&self, index: u32, value: &T) -> bool {
        self.store(index, value, |_, now| now)
    }

    /// Stores the words of `value` that differ from those that `old` gives for their number and
    /// present content.
    fn store(&self, index: u32, value: &T, old: impl Fn(usize, u64) -> u64) -> bool {
        let mut stores = 0;
        for (i, shared) in self.words(index).iter().enumerate() {
            let new = word(value, i);
            if old(i, shared.load(Ordering::Acquire)) != new {
                shared.store(new, Ordering::Release);
                stores += 1;
                #[cfg(test)]
                watch::stored();
            }
        }
        if stores > 0 {
            self.stores.fetch_add(stores, Ordering::Relaxed);
        }
        stores > 0
    }

    /// Changes an element: stores the words that `change` makes different from what it was given,
    /// and no others, which somebody else may write meanwhile. False if there were none.
    pub fn update(&self, index: u32, change: impl FnOnce(&mut T)) -> bool {
        let old = self.get(index);
        let mut new = old;
        change(&mut new);
        self.store(index, &new, |i, _| word(&old, i))
    }

    /// All elements with their indexes.
    pub fn iter(&self) -> impl Iterator<Item = (u32, T)> + '_ {
        (0..self.entries).map(|i| (i, self.get(i)))
    }
}

/// Word `i` of a value, as it stands in memory.
fn word<T: Pod>(value: &T, i: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&bytemuck::bytes_of(value)[8 * i..][..8]);
    u64::from_ne_bytes(bytes)
}

impl<B: Pod + Share<Shared: Atomics>> MappedArray<B> {
    /// The array as the hash table that it holds.
    #[must_use]
    pub fn table(&self) -> Table<'_, B::Shared> {
        self.first_buckets(self.entries)
    }

    /// The hash table in the first `buckets` elements, a power of two.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn first_buckets(&self, buckets: u32) -> Table<'_, B::Shared> {
        assert!(buckets <= self.entries, "{buckets} of {} buckets", self.entries);
        Table::new(&self.all::<B::Shared>()[..buckets as usize]).counted(&self.stores)
    }
}

impl MappedArray<Times> {
    /// The times, to be read and written.
    #[must_use]
    pub fn times(&self) -> &[[AtomicU32; PLACES as usize]] {
        self.all()
    }
}

impl<T> Drop for MappedArray<T> {
    fn drop(&mut self) {
        let length =
            (self.entries as usize * size_of::<T>()).next_multiple_of(rustix::param::page_size());
        // SAFETY: the mapping of `new`, which nothing borrows any more.
        let _gone = unsafe { munmap(self.start.as_ptr().cast(), length) };
    }
}

#[cfg(test)]
pub(crate) use watch::after_each_store;

/// Lets a test look at what readers see between two stores.
#[cfg(test)]
mod watch {
    use std::cell::RefCell;

    thread_local! {
        static LOOK: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
    }

    /// Ends with this.
    pub(crate) struct Watch;

    impl Drop for Watch {
        fn drop(&mut self) {
            LOOK.set(None);
        }
    }

    /// Calls `look` after each store of this thread that is not one of a table.
    #[must_use]
    pub(crate) fn after_each_store(look: impl FnMut() + 'static) -> Watch {
        LOOK.set(Some(Box::new(look)));
        Watch
    }

    pub(super) fn stored() {
        LOOK.with_borrow_mut(|look| {
            if let Some(look) = look {
                look();
            }
        });
    }
}
