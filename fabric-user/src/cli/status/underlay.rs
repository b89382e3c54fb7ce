//! The underlay: how many routes, groups and next hops there are, and how many of these are dead.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use serde::Serialize;

use crate::{
    cli::{format::count, routes, view::View},
    daemon::Liveness,
    kernel::maps::Maps,
};

/// Numbers of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Underlay {
    views: usize,
    hosts: usize,
    ranges: usize,
    groups: usize,
    nexthops: usize,
    dead_nexthops: usize,
}

impl Underlay {
    pub(super) fn of(view: &View, maps: &Maps) -> Self {
        let mut underlay = Self::without_routes(view);
        let mut views = BTreeSet::new();
        let Ok(()) = routes::each(maps, |route| {
            views.insert(route.view);
            if route.exact {
                underlay.hosts += 1;
            } else {
                underlay.ranges += 1;
            }
            Ok::<(), Infallible>(())
        });
        Self { views: views.len(), ..underlay }
    }

    fn without_routes(view: &View) -> Self {
        let nexthops = view.contents.nexthops.values();
        Self {
            groups: view.contents.groups.len(),
            nexthops: nexthops.len(),
            dead_nexthops: nexthops.filter(|nexthop| !view.death(nexthop).is_empty()).count(),
            ..Self::default()
        }
    }

    /// One line.
    pub(super) fn text(&self) -> String {
        let routes = format!("{} and {}", count(self.hosts, "host"), count(self.ranges, "range"));
        let views = match self.views {
            0 | 1 => String::new(),
            views => format!(" in {}", count(views, "view")),
        };
        let dead = match self.dead_nexthops {
            0 => String::new(),
            dead => format!(", {dead} of them dead"),
        };
        let (groups, nexthops) = (count(self.groups, "group"), count(self.nexthops, "nexthop"));
        format!("routing    {routes}{views}; {groups}, {nexthops}{dead}\n")
    }
}

/// What the daemon did about ports that lost their carrier: a line, or nothing if none did.
pub(super) fn failover(view: &View, liveness: &Liveness) -> String {
    if liveness.losses == 0 {
        return String::new();
    }
    let losses = match liveness.losses {
        1 => "1 port lost its carrier or was switched off".into(),
        losses => format!("{losses} times a port lost its carrier or was switched off"),
    };
    let stores = count(liveness.last_stores as usize, "store");
    let after = Duration::from_nanos(liveness.last_latency_ns);
    let port = view.interfaces.name(liveness.last_ifindex);
    format!("failover   {losses}; the last, {port}, took {stores}, {after:.0?} after the event\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::view::tests::leaf;

    #[test]
    fn the_underlay_is_one_line_that_names_the_dead() {
        let mut view = leaf();
        let whole = Underlay { views: 2, hosts: 1, ranges: 7, ..Underlay::without_routes(&view) };
        let expected = "routing    1 host and 7 ranges in 2 views; 1 group, 2 nexthops\n";
        assert_eq!(whole.text(), expected);
        view.contents.ports.get_mut(&1).unwrap().down = 1;
        let broken = Underlay::without_routes(&view);
        assert!(broken.text().ends_with("2 nexthops, 1 of them dead\n"), "{}", broken.text());
    }

    #[test]
    fn carrier_losses_are_told_with_the_last_one_and_not_at_all_before_the_first() {
        let mut liveness = Liveness::default();
        assert_eq!(failover(&leaf(), &liveness), "");
        liveness.losses = 3;
        (liveness.last_ifindex, liveness.last_stores, liveness.last_latency_ns) = (12, 1, 41_700);
        let expected = "failover   3 times a port lost its carrier or was switched off; \
                        the last, swp2, took 1 store, 42µs after the event\n";
        assert_eq!(failover(&leaf(), &liveness), expected);
    }
}
