//! `hosts6`: a [`crate::table`] from (view, IPv6 address) to a route's target ([`super::routes`]), as
//! [`super::hosts`] is one.
//!
//! A table's keys have 64 bits, so the key is a fingerprint. With the view and the first half of the address,
//! which are the rest of the key, it gives the second half, so nothing is left open: what has the same
//! fingerprint and rest is the same address. Two addresses with one fingerprint are found by the writer, which
//! puts the second into the trie, as it does with the one of 2^64 that has none.

use crate::{flow_hash::mix, table::Rest};

/// As [`super::hosts::BUCKETS`].
pub const BUCKETS: u32 = crate::table::buckets_for::<crate::table::Long>(65_536);

const _: () = assert!(super::fits(super::views::MAX, crate::table::Long::TAG_BITS));

/// Odd, so that multiplying by it can be undone.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Fingerprint of an address, whose halves are as they stand in a packet, in a view; 0 if it has none.
#[inline(always)]
#[must_use]
pub const fn key(view: u16, address: [u64; 2]) -> u64 {
    // The table mixes again.
    (mix(address[0] ^ view as u64) ^ address[1]).wrapping_mul(FACTOR)
}

/// What the fingerprint leaves open.
#[inline(always)]
#[must_use]
pub const fn rest(view: u16, address: [u64; 2]) -> Rest {
    Rest { word: address[0], tag: view as u32 }
}

/// View and address of a key with its rest.
#[must_use]
pub const fn split_key(key: u64, rest: Rest) -> (u16, [u64; 2]) {
    let view = rest.tag as u16;
    let second = key.wrapping_mul(inverse(FACTOR)) ^ mix(rest.word ^ view as u64);
    (view, [rest.word, second])
}

/// What a product with an odd number is to be multiplied by to undo that, by Newton's iteration: each step
/// doubles the number of right bits, of which an odd number has three as its own inverse.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut right_bits = 3;
    while right_bits < u64::BITS {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        right_bits *= 2;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_its_rest_are_all_of_an_address() {
        for i in 1..1_000_u64 {
            let address = [i.wrapping_mul(0x2001_0db8_0000_0001), mix(i)];
            let view = (i * 61) as u16;
            let (key, rest) = (key(view, address), rest(view, address));
            assert_eq!(split_key(key, rest), (view, address));
        }
    }
}
