//! The underlay: how many routes, groups and next hops there are, and how many of these are dead.

use std::{collections::BTreeSet, convert::Infallible};

use serde_json::{Value, json};

use crate::{
    cli::{
        format::count,
        routes::{self, Part},
        view::View,
    },
    kernel::maps::Maps,
};

/// Numbers of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Underlay {
    views: usize,
    hosts: usize,
    prefixes: usize,
    groups: usize,
    nexthops: usize,
    dead: usize,
}

impl Underlay {
    pub(super) fn of(view: &View, maps: &Maps) -> Self {
        let mut underlay = Self::without_routes(view);
        let mut views = BTreeSet::new();
        let Ok(()) = routes::each(maps, Part::All, |route| {
            views.insert(route.view);
            if route.exact {
                underlay.hosts += 1;
            } else {
                underlay.prefixes += 1;
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
            dead: nexthops.filter(|nexthop| !view.death(nexthop).is_empty()).count(),
            ..Self::default()
        }
    }

    /// One line.
    pub(super) fn text(&self) -> String {
        let prefixes = if self.prefixes == 1 { "prefix" } else { "prefixes" };
        let routes = format!("{} and {} {prefixes}", count(self.hosts, "host"), self.prefixes);
        let views = match self.views {
            0 | 1 => String::new(),
            views => format!(" in {}", count(views, "view")),
        };
        let dead = match self.dead {
            0 => String::new(),
            dead => format!(", {dead} of them dead"),
        };
        let (groups, nexthops) = (count(self.groups, "group"), count(self.nexthops, "nexthop"));
        format!("routing    {routes}{views}; {groups}, {nexthops}{dead}\n")
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "views": self.views,
            "hosts": self.hosts,
            "prefixes": self.prefixes,
            "groups": self.groups,
            "nexthops": self.nexthops,
            "dead_nexthops": self.dead,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::view::tests::leaf;

    #[test]
    fn the_underlay_is_one_line_that_names_the_dead() {
        let mut view = leaf();
        let whole = Underlay { views: 2, hosts: 1, prefixes: 7, ..Underlay::without_routes(&view) };
        let expected = "routing    1 host and 7 prefixes in 2 views; 1 group, 2 nexthops\n";
        assert_eq!(whole.text(), expected);
        view.contents.ports.get_mut(&1).unwrap().down = 1;
        let broken = Underlay::without_routes(&view);
        assert!(broken.text().ends_with("2 nexthops, 1 of them dead\n"), "{}", broken.text());
    }
}
