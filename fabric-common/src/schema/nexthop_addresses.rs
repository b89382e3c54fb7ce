//! `nexthop_addresses`: the address of each next hop, under its index in [`super::nexthops`]. Programs do not read
//! it, so that what they read of many next hops takes fewer cache lines.

use core::net::IpAddr;

use bytemuck::{Pod, Zeroable};

/// The address of a next hop, which is there before anything refers to the next hop and does not change.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct NexthopAddress {
    /// The first 4 or all 16 bytes, in network byte order.
    pub bytes: [u8; 16],
    /// 4 or 6: whose address it is. An IPv6 next hop may have one that stands for an IPv4 address.
    pub family: u64,
}

super::map_value!(NexthopAddress, 24);

impl NexthopAddress {
    /// The address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        let [a, b, c, d, ..] = self.bytes;
        match self.family {
            4 => IpAddr::from([a, b, c, d]),
            _ => IpAddr::from(self.bytes),
        }
    }
}

impl From<IpAddr> for NexthopAddress {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&v4.octets());
                Self { bytes, family: 4 }
            }
            IpAddr::V6(v6) => Self { bytes: v6.octets(), family: 6 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_family() {
        for text in ["192.0.2.1", "fe80::1", "::ffff:192.0.2.1", "::192.0.2.1"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(NexthopAddress::from(address).address(), address);
        }
    }
}
