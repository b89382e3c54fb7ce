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
    (
        $shared:ident of $plain:ident, $slots:literal of $target:ty as $atomic:ty
        $(, $words:ident: $word:ty, $tags:ident: $tag:ty, $unused:ident: $padding:ty)?
    ) => {
        #[doc = concat!("A [`", stringify!($plain), "`] that is read meanwhile.")]
        #[repr(C, align(64))]
        #[derive(Debug, Default)]
        pub struct $shared {
            keys: [AtomicU64; $slots],
            targets: [$atomic; $slots],
            filter: AtomicU32,
            $($words: [$word; $slots], $tags: [$tag; $slots], $unused: $padding,)?
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

            shared!(rest $($words $tags)?);
        }

        const _: () = assert!(size_of::<$shared>() == size_of::<$plain>());
    };
    (rest) => {
        fn rest(&self, _: usize) {}

        fn set_rest(&self, _: usize, (): ()) {}
    };
    (rest $words:ident $tags:ident) => {
        fn rest(&self, slot: usize) -> Rest {
            Rest {
                word: self.$words[slot].load(Ordering::Acquire),
                tag: self.$tags[slot].load(Ordering::Acquire),
            }
        }

        fn set_rest(&self, slot: usize, rest: Rest) {
            self.$words[slot].store(rest.word, Ordering::Release);
            self.$tags[slot].store(rest.tag, Ordering::Release);
        }
    };
}

shared!(SharedNarrow of Narrow, 6 of u16 as AtomicU16);
shared!(SharedWide of Wide, 5 of u32 as AtomicU32);
shared!(SharedLong of Long, 5 of u32 as AtomicU32, words: AtomicU64, tags: AtomicU32, unused: AtomicU32);
