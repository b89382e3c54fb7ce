//! Where packets to an address go, read from the maps as the packet path reads them, and what next hops are called.

use std::net::IpAddr;

use fabric_common::{
    halves,
    schema::{hosts, hosts6},
    trie::{lookup4, lookup6},
};

use super::maps::Maps;

impl Maps {
    /// The target of an address in a view: that of its host, or of the longest prefix.
    #[must_use]
    pub fn target(&self, view: u16, address: IpAddr) -> Option<u32> {
        self.host(view, address).or_else(|| self.by_prefix(view, address))
    }

    /// What the tables of hosts say of an address.
    #[must_use]
    pub fn host(&self, view: u16, address: IpAddr) -> Option<u32> {
        match address {
            IpAddr::V4(v4) => {
                let address_be = u32::from_ne_bytes(v4.octets());
                self.hosts_table().get(hosts::key(view, address_be))
            }
            IpAddr::V6(v6) => {
                let (key, rest) =
                    (hosts6::key(view, halves::of(v6)), hosts6::rest(view, halves::of(v6)));
                self.hosts6_table().get_long(key, rest)
            }
        }
    }

    /// The address of a next hop.
    #[must_use]
    pub fn gateway(&self, nexthop: u32) -> IpAddr {
        self.nexthop_addresses.get(nexthop).address()
    }

    /// What the trie says of an address.
    #[must_use]
    pub fn by_prefix(&self, view: u16, address: IpAddr) -> Option<u32> {
        let view = u32::from(view);
        let roots = (view < self.views.len()).then(|| self.views.get(view))?;
        match address {
            IpAddr::V4(v4) => lookup4(&self.trie, roots.root4, v4.to_bits()),
            IpAddr::V6(v6) => lookup6(&self.trie, roots.root6, halves::of(v6).map(u64::from_be)),
        }
    }
}
