//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).

/// Folds a sum of 16-bit words into 16 bits with end-around carry.
///
/// Works on words in either byte order, as long as all words of the sum share it (RFC 1071 §2 B).
#[inline(always)]
#[must_use]
pub const fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// As [`fold`], of words of 32 bits, of which no more than 1,024 may be summed.
#[inline(always)]
#[must_use]
pub const fn fold_words<const N: usize>(words: [u32; N]) -> u16 {
    const { assert!(N <= 1_024) };
    let mut sum = 0_u64;
    let mut i = 0;
    while i < N {
        sum += words[i] as u64;
        i += 1;
    }
    fold((sum >> 16) as u32 + (sum & 0xffff) as u32)
}

/// The header checksum of an IPv4 header without options, as it stands in memory.
///
/// `words` are the ten 16-bit words of the header in memory order; the checksum word must be zero
/// to compute it, and with it in place a valid header gives 0.
#[inline(always)]
#[must_use]
pub fn ipv4_header(words: &[u16; 10]) -> u16 {
    let mut sum = 0_u32;
    let mut i = 0;
    while i < 10 {
        sum += words[i] as u32;
        i += 1;
    }
    !fold(sum)
}

/// As [`ipv4_header`], of a header read in five words, which takes half the loads.
#[inline(always)]
#[must_use]
pub const fn ipv4_words(words: &[u32; 5]) -> u16 {
    let [a, b, c, d, e] = *words;
    let sum = a as u64 + b as u64 + c as u64 + d as u64 + e as u64;
    // 16 bits of carries and two halves: no more than 18 bits.
    !fold((sum >> 32) as u32 + (sum as u32 >> 16) + (sum as u32 & 0xffff))
}

/// The header checksum after the TTL was decremented, exactly as the kernel computes it
/// (`ip_decrease_ttl` in `include/net/ip.h`). Never 0xffff, which a full computation does not
/// give either.
#[inline(always)]
#[must_use]
pub const fn decrement_ttl(checksum: u16) -> u16 {
    let sum = checksum as u32 + 0x0100_u16.to_be() as u32;
    (sum + (sum >= 0xffff) as u32) as u16
}

/// RFC 1624 equation 3: the checksum after one 16-bit word changed from `old` to `new`.
///
/// All three values are in the byte order of the packet's memory.
#[inline(always)]
#[must_use]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    !fold(!checksum as u32 + !old as u32 + new as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of RFC 1624 §4, whose naive update would give 0xffff.
    #[test]
    fn the_incremental_update_matches_the_example_of_rfc_1624() {
        assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    #[test]
    fn five_words_have_the_sum_of_ten_halves() {
        for word in [0, 1, 0xffff, 0x1_0000, 0x1234_5678, u32::MAX] {
            let words = [0x1c00_0045, word, 0x1140, u32::MAX, word.rotate_left(16)];
            let halves = words.map(|w| [w as u16, (w >> 16) as u16]);
            let mut ten = [0; 10];
            ten.copy_from_slice(halves.as_flattened());
            assert_eq!(ipv4_words(&words), ipv4_header(&ten));
        }
        assert_eq!(ipv4_words(&[u32::MAX; 5]), 0);
    }

    #[test]
    fn a_decremented_ttl_leaves_the_header_valid() {
        let mut words = [0x0045_u16, 0x5400, 0x3412, 0x0040, 0, 0, 0x00c0, 0x0102, 0x00c0, 0x0202];
        for identification in 0..=u16::MAX {
            words[2] = identification;
            words[4] = u16::from_ne_bytes([64, 17]);
            words[5] = 0;
            words[5] = ipv4_header(&words);
            words[4] = u16::from_ne_bytes([63, 17]);
            words[5] = decrement_ttl(words[5]);
            assert_eq!(ipv4_header(&words), 0, "identification {identification:#x}");
            assert_ne!(words[5], 0xffff);
        }
    }

    #[test]
    fn an_incremental_update_equals_a_full_computation() {
        let mut words = [0x4500, 0x0054, 0x1234, 0x4000, 0x4011, 0, 0xc000, 0x0201, 0xc000, 0x0202];
        words[5] = ipv4_header(&words);
        assert_eq!(ipv4_header(&words), 0, "a header with its checksum in place sums to zero");
        for tos in 0..=255_u16 {
            let mut changed = words;
            changed[0] = 0x4500 | tos;
            changed[5] = 0;
            assert_eq!(update(words[5], words[0], 0x4500 | tos), ipv4_header(&changed));
        }
    }
}
