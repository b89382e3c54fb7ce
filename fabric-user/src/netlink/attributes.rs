//! Netlink attributes without copies and without panics (`linux/netlink.h`).
//!
//! Numbers are in host order unless the name says `_be`.

use crate::mac::Mac;

/// `USER_HZ`: clock ticks per second in messages to user space, the same on every machine.
pub const USER_HZ: u64 = 100;

/// Attributes in a byte string, as pairs of type (without flag bits) and payload. Ends at the first
/// attribute whose length makes no sense, as the kernel's own `nla_for_each_attr` does.
#[derive(Clone, Copy)]
pub struct Attributes<'a>(pub &'a [u8]);

/// `NLA_TYPE_MASK`: without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const TYPE_MASK: u16 = 0x3fff;

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk::<2>()?;
        let (kind, _) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_ne_bytes(*length));
        let payload = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes(*kind) & TYPE_MASK, payload))
    }
}

/// Splits a message into its fixed header of `SIZE` bytes and its attributes.
pub fn header<const SIZE: usize>(message: &[u8]) -> Option<(&[u8; SIZE], Attributes<'_>)> {
    message.split_first_chunk().map(|(header, rest)| (header, Attributes(rest)))
}

/// A byte.
pub fn u8_(payload: &[u8]) -> Option<u8> {
    payload.first().copied()
}

/// Two bytes.
pub fn u16_(payload: &[u8]) -> Option<u16> {
    payload.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

/// Two bytes in network order.
pub fn u16_be(payload: &[u8]) -> Option<u16> {
    payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// Four bytes.
pub fn u32_(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// Four bytes in network order.
pub fn u32_be(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Eight bytes.
pub fn u64_(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
}

/// An Ethernet address; other lengths are other link layers.
pub fn mac_bytes(payload: &[u8]) -> Option<Mac> {
    payload.try_into().ok().map(Mac)
}

/// A string up to its terminating zero.
pub fn text(payload: &[u8]) -> String {
    let end = payload.iter().position(|byte| *byte == 0).unwrap_or(payload.len());
    String::from_utf8_lossy(&payload[..end]).into_owned()
}
