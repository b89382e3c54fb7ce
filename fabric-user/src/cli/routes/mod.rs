//! The routes that the maps hold: exact hosts, and the prefixes that the trie stands for.
//!
//! The trie is made of leaves, not of routes: a prefix inside another one that leads to the same
//! place has left no trace. What is listed is the shortest list of prefixes that gives every
//! address the same answer, with longest match.

mod hosts;
mod shortest;
mod walk;

use std::{cmp::Ordering, net::IpAddr};

use fabric_common::schema::views::View;

use crate::{kernel::maps::Maps, observe::Prefix};
pub(super) use hosts::{Host, address6, hosts4, hosts6};
pub(super) use shortest::{Entry, shortest};
pub(super) use walk::{Width, words_used};

/// A route of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// Index of the view.
    pub(super) view: u32,
    /// All bits of the address for a host.
    pub(super) prefix: Prefix,
    /// It stands among the hosts and not in the trie.
    pub(super) exact: bool,
    /// See `fabric_common::schema::routes`.
    pub(super) target: u32,
}

/// Which parts of the tables are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Prefixes,
    All,
}

/// Calls `each` for the routes of all views, in the order of view, family and address; hosts come
/// before prefixes that begin with the same address.
///
/// # Errors
/// What `each` says; it is called no more then.
pub(super) fn each<E>(
    maps: &Maps,
    part: Part,
    mut each: impl FnMut(Route) -> Result<(), E>,
) -> Result<(), E> {
    let (mut all4, mut all6) = match part {
        Part::Prefixes => (Vec::new(), Vec::new()),
        Part::All => (hosts4(maps), hosts6(maps)),
    };
    let order = |a: &Host, b: &Host| (a.view, a.address).cmp(&(b.view, b.address));
    all4.sort_by(order);
    all6.sort_by(order);
    let mut views: Vec<(u32, View)> =
        maps.views.iter().filter(|(_, view)| view.root4 != 0 || view.root6 != 0).collect();
    for view in all4.iter().chain(&all6).map(|host| host.view) {
        if !views.iter().any(|(index, _)| *index == view) {
            views.push((view, View::default()));
        }
    }
    views.sort_by_key(|(index, _)| *index);
    for (view, roots) in views {
        for (width, root, hosts) in
            [(Width::V4, roots.root4, &all4), (Width::V6, roots.root6, &all6)]
        {
            let start = hosts.partition_point(|host| host.view < view);
            let end = hosts.partition_point(|host| host.view <= view);
            let mut hosts = hosts.get(start..end).unwrap_or_default().iter().peekable();
            let exact = |host: &Host| Route {
                view,
                prefix: Prefix { address: host.address, length: width.bits() as u8 },
                exact: true,
                target: host.target,
            };
            shortest(&maps.trie, root, width, |entry: Entry| {
                let prefix = entry.prefix(width);
                while let Some(host) =
                    hosts.next_if(|host| host.address.cmp(&prefix.address) != Ordering::Greater)
                {
                    each(exact(host))?;
                }
                each(Route { view, prefix, exact: false, target: entry.target })
            })?;
            for host in hosts {
                each(exact(host))?;
            }
        }
    }
    Ok(())
}

/// The entry of the list of prefixes that an address has its answer from.
pub(super) fn around(maps: &Maps, view: u16, address: IpAddr) -> Option<Prefix> {
    let roots = maps.views.get(view.into());
    let (width, root) = match address {
        IpAddr::V4(_) => (Width::V4, roots.root4),
        IpAddr::V6(_) => (Width::V6, roots.root6),
    };
    let mut last = None;
    let _behind = shortest(&maps.trie, root, width, |entry| {
        let prefix = entry.prefix(width);
        if prefix.address > address {
            return Err(());
        }
        if holds(prefix, address) {
            last = Some(prefix);
        }
        Ok(())
    });
    last
}

/// True if `prefix` holds the address.
pub(super) fn holds(prefix: Prefix, address: IpAddr) -> bool {
    let mask = |bits: u32, length: u8| u128::MAX.checked_shl(bits - u32::from(length)).unwrap_or(0);
    match (prefix.address, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let difference = u128::from(network.to_bits() ^ address.to_bits());
            difference & mask(32, prefix.length.min(32)) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (network.to_bits() ^ address.to_bits()) & mask(128, prefix.length.min(128)) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_addresses_of_its_family_that_share_its_bits() {
        let prefix = |address: &str, length| Prefix { address: address.parse().unwrap(), length };
        let holds = |p: Prefix, address: &str| holds(p, address.parse().unwrap());
        assert!(holds(prefix("10.1.0.0", 16), "10.1.255.255"));
        assert!(!holds(prefix("10.1.0.0", 16), "10.2.0.0"));
        assert!(holds(prefix("0.0.0.0", 0), "255.0.0.1"));
        assert!(holds(prefix("::", 0), "2001:db8::1"));
        assert!(!holds(prefix("::", 0), "10.0.0.1"));
        assert!(holds(prefix("10.0.0.1", 32), "10.0.0.1"));
        assert!(!holds(prefix("2001:db8::1", 128), "2001:db8::2"));
    }
}
