//! IP addresses in attributes: network byte order, the family follows from the length.

use std::net::IpAddr;

pub(super) use crate::netlink::rtnetlink::{BRIDGE, INET, INET6};

/// An address of 4 or 16 bytes.
pub(super) fn ip(payload: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(payload) {
        return Some(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(payload).ok().map(IpAddr::from)
}

/// The address that a missing one stands for.
pub(super) fn unspecified(family: u8) -> Option<IpAddr> {
    match family {
        INET => Some(IpAddr::from([0; 4])),
        INET6 => Some(IpAddr::from([0; 16])),
        _ => None,
    }
}

/// `struct rtvia`: a two-byte family, then the address.
pub(super) fn via(payload: &[u8]) -> Option<IpAddr> {
    ip(payload.get(2..)?)
}
