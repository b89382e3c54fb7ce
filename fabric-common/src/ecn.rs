//! ECN across a tunnel, exactly as Linux does it (`include/net/inet_ecn.h`).
//!
//! Encapsulation differs from RFC 6040 §4.1 normal mode in one point: an inner CE becomes an outer
//! ECT(0), not CE. Decapsulation is RFC 6040 §4.2, figure 4.

/// The two ECN bits of a TOS or traffic class byte (RFC 3168 §5).
pub const MASK: u8 = 0b11;
/// Not ECN-capable transport.
pub const NOT_ECT: u8 = 0b00;
/// ECN-capable transport, codepoint 1.
pub const ECT_1: u8 = 0b01;
/// ECN-capable transport, codepoint 0.
pub const ECT_0: u8 = 0b10;
/// Congestion experienced.
pub const CE: u8 = 0b11;

/// The outer TOS byte for a tunnel whose own TOS is `outer`, around a packet with TOS `inner`
/// (`INET_ECN_encapsulate`).
#[inline(always)]
#[must_use]
pub const fn encapsulate(outer: u8, inner: u8) -> u8 {
    let ecn = if inner & MASK == CE { ECT_0 } else { inner & MASK };
    (outer & !MASK) | ecn
}

/// The inner ECN bits after decapsulation, or `None` when the packet must be dropped
/// (`__INET_ECN_decapsulate`, `INET_ECN_decapsulate`; RFC 6040 §4.2).
///
/// Both arguments are whole TOS bytes; only their ECN bits are looked at.
#[inline(always)]
#[must_use]
pub const fn decapsulate(outer: u8, inner: u8) -> Option<u8> {
    match (inner & MASK, outer & MASK) {
        (NOT_ECT, CE) => None,
        (NOT_ECT, _) => Some(NOT_ECT),
        (_, CE) => Some(CE),
        (ECT_0, ECT_1) => Some(ECT_1),
        (inner, _) => Some(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6040 figure 4: rows inner, columns outer in the order not-ECT, ECT(0), ECT(1), CE.
    #[test]
    fn decapsulation_follows_figure_4_of_rfc_6040() {
        let outers = [NOT_ECT, ECT_0, ECT_1, CE];
        let rows = [
            (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
            (ECT_0, [Some(ECT_0), Some(ECT_0), Some(ECT_1), Some(CE)]),
            (ECT_1, [Some(ECT_1), Some(ECT_1), Some(ECT_1), Some(CE)]),
            (CE, [Some(CE), Some(CE), Some(CE), Some(CE)]),
        ];
        for (inner, expected) in rows {
            for (outer, expected) in outers.into_iter().zip(expected) {
                assert_eq!(
                    decapsulate(outer, inner),
                    expected,
                    "inner {inner:02b} outer {outer:02b}"
                );
                assert_eq!(
                    decapsulate(outer | 0xfc, inner | 0xb8),
                    expected,
                    "DSCP must not matter"
                );
            }
        }
    }

    #[test]
    fn encapsulation_copies_the_inner_bits_and_turns_ce_into_ect_0() {
        assert_eq!(encapsulate(0, NOT_ECT), NOT_ECT);
        assert_eq!(encapsulate(0, ECT_0), ECT_0);
        assert_eq!(encapsulate(0, ECT_1), ECT_1);
        assert_eq!(encapsulate(0, CE), ECT_0);
        assert_eq!(encapsulate(0xb8 | CE, 0x20 | ECT_1), 0xb8 | ECT_1);
    }
}
