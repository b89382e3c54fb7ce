//! Buckets in memory that the packet path reads while the daemon writes.

use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::{Bucket, Narrow, Wide};

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
        }

        const _: () = assert!(size_of::<$shared>() == size_of::<$plain>());
    };
}

shared!(SharedNarrow of Narrow, 6 of u16 as AtomicU16);
shared!(SharedWide of Wide, 5 of u32 as AtomicU32);
