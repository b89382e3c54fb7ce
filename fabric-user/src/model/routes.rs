//! IPv4 routes and longest-prefix match, local table first as the kernel's rules have it.
//!
//! A match happens once per VTEP and compilation, so 33 ordered maps do.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
};

use crate::observe::{Prefix, Route, RouteKey};

/// `RT_TABLE_LOCAL`
const LOCAL: u32 = 255;

/// Routes without a TOS; those with one match only packets with that TOS and are not kept. Nor are
/// IPv6 routes, until there is an IPv6 underlay.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    /// By prefix length, then by network.
    by_length: BTreeMap<u8, BTreeMap<u32, Alternatives>>,
}

/// Routes for the same prefix by table and metric: the first one counts.
type Alternatives = BTreeMap<(Order, u32), Route>;

/// Local before main.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Local,
    Main,
}

impl Routes {
    /// Adds or replaces; returns whether anything changed.
    pub(super) fn insert(&mut self, route: Route) -> bool {
        let Some((network, order)) = place(&route.key) else {
            return false;
        };
        let entries =
            self.by_length.entry(route.key.prefix.length).or_default().entry(network).or_default();
        entries.insert(order, route.clone()).as_ref() != Some(&route)
    }

    /// Removes; returns whether it was there.
    pub(super) fn remove(&mut self, key: &RouteKey) -> bool {
        let Some((network, order)) = place(key) else {
            return false;
        };
        let Some(networks) = self.by_length.get_mut(&key.prefix.length) else {
            return false;
        };
        let Some(entries) = networks.get_mut(&network) else {
            return false;
        };
        let removed = entries.remove(&order).is_some();
        if entries.is_empty() {
            networks.remove(&network);
        }
        removed
    }

    /// Removes spelt-out next hops on an interface, and routes that have no other; returns whether
    /// there were any.
    pub(super) fn remove_hops(&mut self, ifindex: u32) -> bool {
        let mut removed = false;
        for networks in self.by_length.values_mut() {
            networks.retain(|_, entries| {
                entries.retain(|_, route| {
                    // With a nexthop object the object decides.
                    if route.nexthop.is_some() || route.hops.is_empty() {
                        return true;
                    }
                    let before = route.hops.len();
                    route.hops.retain(|hop| hop.ifindex != ifindex);
                    removed |= route.hops.len() != before;
                    !route.hops.is_empty()
                });
                !entries.is_empty()
            });
        }
        removed
    }

    /// The route that the kernel would take.
    pub(super) fn lookup(&self, address: Ipv4Addr) -> Option<&Route> {
        let of = |order: Order| {
            self.by_length.iter().rev().find_map(|(length, networks)| {
                let network = address.to_bits() & mask(*length)?;
                let mut entries = networks.get(&network)?.range((order, 0)..=(order, u32::MAX));
                entries.next().map(|(_, route)| route)
            })
        };
        of(Order::Local).or_else(|| of(Order::Main))
    }
}

/// First and last address of an IPv4 prefix.
pub(super) fn range(prefix: Prefix) -> Option<RangeInclusive<Ipv4Addr>> {
    let IpAddr::V4(address) = prefix.address else {
        return None;
    };
    let mask = mask(prefix.length)?;
    let first = address.to_bits() & mask;
    Some(Ipv4Addr::from_bits(first)..=Ipv4Addr::from_bits(first | !mask))
}

fn place(key: &RouteKey) -> Option<(u32, (Order, u32))> {
    let IpAddr::V4(address) = key.prefix.address else {
        return None;
    };
    if key.tos != 0 {
        return None;
    }
    let order = if key.table == LOCAL { Order::Local } else { Order::Main };
    Some((address.to_bits() & mask(key.prefix.length)?, (order, key.priority)))
}

fn mask(length: u8) -> Option<u32> {
    match length {
        0 => Some(0),
        1..=32 => Some(u32::MAX << (32 - length)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::RouteKind;

    fn route(table: u32, prefix: &str, length: u8, priority: u32) -> Route {
        let prefix = Prefix { address: prefix.parse().unwrap(), length };
        Route {
            key: RouteKey { table, prefix, tos: 0, priority },
            kind: RouteKind::Unicast,
            nexthop: Some(priority),
            hops: Vec::new(),
            mtu: None,
        }
    }

    fn metric(routes: &Routes, address: &str) -> Option<u32> {
        routes.lookup(address.parse().unwrap()).map(|route| route.key.priority)
    }

    #[test]
    fn longest_prefix_wins_then_lowest_metric_and_the_local_table_comes_first() {
        let mut routes = Routes::default();
        for each in [
            route(254, "0.0.0.0", 0, 1),
            route(254, "10.0.0.0", 8, 20),
            route(254, "10.0.0.0", 8, 2),
            route(254, "10.0.0.3", 32, 3),
        ] {
            assert!(routes.insert(each.clone()));
            assert!(!routes.insert(each), "the same again is no change");
        }
        assert_eq!(metric(&routes, "192.0.2.1"), Some(1));
        assert_eq!(metric(&routes, "10.9.9.9"), Some(2));
        assert_eq!(metric(&routes, "10.0.0.3"), Some(3));
        assert!(routes.insert(route(255, "10.0.0.0", 24, 7)));
        assert_eq!(metric(&routes, "10.0.0.3"), Some(7));
        assert!(routes.remove(&route(254, "10.0.0.0", 8, 2).key));
        assert_eq!(metric(&routes, "10.9.9.9"), Some(20));
        assert!(!routes.remove(&route(254, "10.0.0.0", 9, 2).key));
    }

    #[test]
    fn a_prefix_length_that_no_address_has_is_ignored() {
        let mut routes = Routes::default();
        assert!(!routes.insert(route(254, "10.0.0.0", 33, 0)));
        assert_eq!(range(Prefix { address: "10.0.0.0".parse().unwrap(), length: 40 }), None);
    }
}
