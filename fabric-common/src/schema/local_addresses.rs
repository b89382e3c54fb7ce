//! `local_addresses`: a Bloom filter of the box's own addresses.
//!
//! The kernel does not forward packets that claim to come from itself (`fib_validate_source` in
//! `net/ipv4/fib_frontend.c`). A hit in the filter sends the packet to the kernel, which knows.

use bytemuck::{Pod, Zeroable};

/// Words of the filter; 4,096 bits.
pub const WORDS: usize = 64;

/// The filter.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub struct LocalAddresses {
    /// Bit `b` of the filter is bit `b % 64` of word `b / 64`.
    pub words: [u64; WORDS],
}

impl Default for LocalAddresses {
    fn default() -> Self {
        Self { words: [0; WORDS] }
    }
}

super::map_value!(LocalAddresses, 512);

impl core::fmt::Debug for LocalAddresses {
    /// How full it is, which says how many strangers are taken for the box itself.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let set: u32 = self.words.iter().map(|word| word.count_ones()).sum();
        write!(f, "{set} of {} bits set", 64 * WORDS)
    }
}

impl LocalAddresses {
    /// Whether the box may have an address, given as [`place`] takes it. If not, it has not.
    #[inline(always)]
    #[must_use]
    pub const fn may_have(&self, address: u64) -> bool {
        let (word, bit) = place(address);
        self.words[word % WORDS] >> bit & 1 != 0
    }
}

/// Word and bit of an address, given as it stands in a packet: an IPv4 address widened, or both
/// halves of an IPv6 address joined by exclusive or.
#[inline(always)]
#[must_use]
pub const fn place(address: u64) -> (usize, u32) {
    let h = address.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((h >> 58) as usize, (h >> 52) as u32 & 63)
}
