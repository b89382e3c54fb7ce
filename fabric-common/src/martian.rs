//! Addresses from and to which no router forwards, in the kernel's reading of RFC 1812 §5.3.7.

/// This network, loopback, multicast and limited broadcast; the address is as it stands in a packet. The
/// rest of class E is forwarded, as the kernel does.
#[inline(always)]
#[must_use]
pub const fn is_martian4(address: u32) -> bool {
    let [first, ..] = address.to_ne_bytes();
    matches!(first, 0 | 127 | 224..=239) || address == u32::MAX
}

/// By the upper half of an address as it stands in a packet: `::/64` has the unspecified address,
/// loopback and the IPv4-mapped ones; link-local addresses (RFC 4291 §2.5.6) and multicast stay on
/// their link or have a protocol of their own.
#[inline(always)]
#[must_use]
pub const fn is_martian6(upper_half: u64) -> bool {
    let [first, second, ..] = upper_half.to_ne_bytes();
    upper_half == 0 || first == 0xff || (first == 0xfe && second & 0xc0 == 0x80)
}
