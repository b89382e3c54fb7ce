//! The routes that the maps hold: exact hosts, and ranges of addresses that the trie answers alike.
//!
//! The trie is made of answers, not of routes: a prefix inside another one that leads to the same
//! place has left no trace, nor has one that others cover. So what is listed is the answer of each
//! address. Where every address has one, that of the first address (no router has a route for
//! 0.0.0.0/8, so it is the default route's) is listed once, for all that no other range holds.

mod hosts;
mod ranges;
mod span;

use std::{convert::Infallible, net::IpAddr};

use fabric_common::schema::views::View;

use crate::kernel::maps::Maps;
pub(crate) use hosts::hosts;
pub(crate) use span::{Span, Width};

/// A route of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Index of the view.
    pub(crate) view: u32,
    pub(crate) span: Span,
    /// It stands among the hosts and not in the trie.
    pub(crate) exact: bool,
    /// See `fabric_common::schema::routes`.
    pub(crate) target: u32,
}

/// Calls `each` for the routes of all views, in the order of view, family and address; hosts come
/// before ranges that begin with the same address.
///
/// # Errors
/// What `each` says; it is called no more then.
pub(crate) fn each<E>(maps: &Maps, mut each: impl FnMut(Route) -> Result<(), E>) -> Result<(), E> {
    let hosts = hosts(maps);
    let mut views: Vec<(u32, View)> =
        maps.views.iter().filter(|(_, view)| view.root4 != 0 || view.root6 != 0).collect();
    for host in &hosts {
        if !views.iter().any(|(index, _)| *index == host.view) {
            views.push((host.view, View::default()));
        }
    }
    views.sort_by_key(|(index, _)| *index);
    let mut hosts = hosts.into_iter().peekable();
    for (view, roots) in views {
        for (width, root) in [(Width::V4, roots.root4), (Width::V6, roots.root6)] {
            // Addresses of IPv4 are below all others.
            let here = |host: &Route, last: IpAddr| host.view == view && host.span.first <= last;
            listed(maps, root, width, |span, target| {
                while let Some(host) = hosts.next_if(|host| here(host, span.first)) {
                    each(host)?;
                }
                each(Route { view, span, exact: false, target })
            })?;
            let last = width.address(u128::MAX);
            while let Some(host) = hosts.next_if(|host| here(host, last)) {
                each(host)?;
            }
        }
    }
    Ok(())
}

/// As [`each`], for the routes of any address of `wanted`. That of all addresses that no other range
/// holds is left out where another route is more exact, unless `wanted` is all addresses.
///
/// # Errors
/// As [`each`].
pub(crate) fn overlapping<E>(
    maps: &Maps,
    wanted: &Span,
    mut found: impl FnMut(Route) -> Result<(), E>,
) -> Result<(), E> {
    // It comes first of its view and family.
    let mut rest: Option<Route> = None;
    each(maps, |route| {
        if !route.span.overlaps(wanted) {
            return Ok(());
        }
        if let Some(rest) = rest.take().filter(|rest| rest.view != route.view) {
            found(rest)?;
        }
        if route.span.is_all() && !wanted.is_all() {
            rest = Some(route);
            return Ok(());
        }
        found(route)
    })?;
    rest.map_or(Ok(()), found)
}

/// The ranges below a root as they are listed.
fn listed<E>(
    maps: &Maps,
    root: u32,
    width: Width,
    mut each: impl FnMut(Span, u32) -> Result<(), E>,
) -> Result<(), E> {
    let rest = rest(maps, root, width);
    if let Some(target) = rest {
        let all = Span { first: width.address(0), last: width.address(u128::MAX) };
        each(all, target)?;
    }
    ranges::ranges(&maps.trie, root, width, |span, target| match target {
        0 => Ok(()),
        target if rest == Some(target) => Ok(()),
        target => each(span, target),
    })?;
    Ok(())
}

/// The target of all addresses that no other range holds, if there is no address without an answer.
fn rest(maps: &Maps, root: u32, width: Width) -> Option<u32> {
    let mut first = None;
    let whole = ranges::ranges(&maps.trie, root, width, |_, target| {
        first.get_or_insert(target);
        if target == 0 { Err(()) } else { Ok(()) }
    });
    first.filter(|_| whole.is_ok())
}

/// The range of the trie that an address has its answer from.
pub(crate) fn around(maps: &Maps, view: u16, address: IpAddr) -> Option<Span> {
    let roots = maps.views.get(view.into());
    let (width, root) = match address {
        IpAddr::V4(_) => (Width::V4, roots.root4),
        IpAddr::V6(_) => (Width::V6, roots.root6),
    };
    let mut last = None;
    let Ok(()) = listed(maps, root, width, |span, _| {
        if span.holds(&Span::of(address)) {
            last = Some(span);
        }
        Ok::<(), Infallible>(())
    });
    last
}

/// How many words of the trie a view takes.
pub(crate) fn words_used(maps: &Maps, view: View) -> u64 {
    [(Width::V4, view.root4), (Width::V6, view.root6)]
        .into_iter()
        .map(|(width, root)| {
            let Ok(words) =
                ranges::ranges(&maps.trie, root, width, |_, _| Ok::<(), Infallible>(()));
            words
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden;

    #[test]
    fn a_prefix_finds_what_holds_it_what_is_inside_and_what_it_cuts() {
        let (maps, _) = golden::maps();
        let found = |wanted: &str| {
            let wanted: Span = wanted.parse().unwrap();
            let mut found = Vec::new();
            let Ok(()) = overlapping(&maps, &wanted, |route| {
                found.push(route.span.to_string());
                Ok::<(), Infallible>(())
            });
            found
        };
        // 10.9.0.0/16 without 10.9.1.0/24, which leads elsewhere.
        assert_eq!(found("10.9.4.0/24"), ["10.9.2.0-10.9.255.255"]);
        assert_eq!(found("10.9.0.0/16"), ["10.9.0.0/24", "10.9.1.0/24", "10.9.2.0-10.9.255.255"]);
        assert_eq!(found("10.9.1.0-10.9.2.0"), ["10.9.1.0/24", "10.9.2.0-10.9.255.255"]);
        assert_eq!(found("10.0.0.0/24"), ["10.0.0.2/32"]);
        assert_eq!(found("192.0.2.0/24"), ["0.0.0.0/0"]);
        assert_eq!(found("192.0.2.1/32"), ["0.0.0.0/0"]);
        assert_eq!(found("0.0.0.0/0").len(), 5);
        assert_eq!(found("2001:db8::/32"), ["2001:db8::7/128"]);
        assert!(found("2001:db8:1::/48").is_empty());
    }
}
