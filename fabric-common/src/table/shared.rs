//! Buckets in memory that the packet path reads while the daemon writes.

use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::{Bucket, Long, Narrow, Rest, Wide};

/// A bucket in memory that the packet path reads at the same time.
pub trait Shared: 'static {
    /// The same as plain data.
    type Plain: Bucket;
    /// The keys.
    fn keys(&self) -> &[AtomicU64];
    /// The filter.
    fn filter(&self) -> &AtomicU32;
    /// The target of a slot.
    fn target(&self, slot: usize) -> u32;
    /// Changes the target of a slot.
    fn set_target(&self, slot: usize, target: u32);
    /// The rest of the key in a slot.
    fn rest(&self, slot: usize) -> <Self::Plain as Bucket>::Rest;
    /// Changes it.
    fn set_rest(&self, slot: usize, rest: <Self::Plain as Bucket>::Rest);
}

/// A plain bucket that can be shared.
pub trait Share: Bucket {
    /// The same, made of atomics.
    type Shared: Shared<Plain = Self>;
}

macro_rules! shared {
    ($shared:ident of $plain:ident, $slots:literal of $target:ty as $atomic:ty) => {
        #[doc = concat!("A [`", stringify!($plain), "`] that is read meanwhile.")]
        #[repr(C, align(64))]
        #[derive(Debug, Default)]
        pub struct $shared {
            keys: [AtomicU64; $slots],
            targets: [$atomic; $slots],
            filter: AtomicU32,
        }

        impl Share for $plain {
            type Shared = $shared;
        }

        impl Shared for $shared {
            type Plain = $plain;

            fn keys(&self) -> &[AtomicU64] {
                &self.keys
            }

            fn filter(&self) -> &AtomicU32 {
                &self.filter
            }

            fn target(&self, slot: usize) -> u32 {
                self.targets[slot].load(Ordering::Acquire).into()
            }

            fn set_target(&self, slot: usize, target: u32) {
                debug_assert!(target <= <$target>::MAX.into(), "target {target:#x}");
                self.targets[slot].store(target as $target, Ordering::Release);
            }

            fn rest(&self, _: usize) {}

            fn set_rest(&self, _: usize, (): ()) {}
        }

        const _: () = assert!(size_of::<$shared>() == size_of::<$plain>());
    };
}

shared!(SharedNarrow of Narrow, 6 of u16 as AtomicU16);
shared!(SharedWide of Wide, 5 of u32 as AtomicU32);

/// A [`Long`] that is read meanwhile.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct SharedLong {
    keys: [AtomicU64; 3],
    words: [AtomicU64; 3],
    targets: [AtomicU32; 3],
    filter: AtomicU32,
}

const _: () = assert!(size_of::<SharedLong>() == size_of::<Long>());

impl Share for Long {
    type Shared = SharedLong;
}

impl SharedLong {
    /// Target and tag of a slot.
    fn halves(&self, slot: usize) -> (u32, u32) {
        Long::split_word(self.targets[slot].load(Ordering::Acquire))
    }

    fn set_halves(&self, slot: usize, target: u32, tag: u32) {
        self.targets[slot].store(Long::word(target, tag), Ordering::Release);
    }
}

impl Shared for SharedLong {
    type Plain = Long;

    fn keys(&self) -> &[AtomicU64] {
        &self.keys
    }

    fn filter(&self) -> &AtomicU32 {
        &self.filter
    }

    fn target(&self, slot: usize) -> u32 {
        self.halves(slot).0
    }

    fn set_target(&self, slot: usize, target: u32) {
        self.set_halves(slot, target, self.halves(slot).1);
    }

    fn rest(&self, slot: usize) -> Rest {
        Rest { word: self.words[slot].load(Ordering::Acquire), tag: self.halves(slot).1 }
    }

    fn set_rest(&self, slot: usize, rest: Rest) {
        self.words[slot].store(rest.word, Ordering::Release);
        self.set_halves(slot, self.halves(slot).0, rest.tag);
    }
}
