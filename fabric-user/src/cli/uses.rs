//! Who uses a group or nexthop.

use std::{collections::BTreeMap, convert::Infallible};

use fabric_common::schema::routes::{KIND_GROUP, KIND_NEXTHOP, split_target};

use super::{format::count, routes, view::View};
use crate::kernel::maps::Maps;

/// Number of users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Users {
    pub(super) vteps: usize,
    /// Of nexthops only.
    pub(super) groups: usize,
    pub(super) hosts: usize,
    pub(super) ranges: usize,
}

/// The users of everything that has any.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    groups: BTreeMap<u32, Users>,
    nexthops: BTreeMap<u32, Users>,
}

impl Uses {
    /// Counts VTEPs, groups and routes: hosts, and ranges of addresses.
    pub(super) fn of(view: &View, maps: &Maps) -> Self {
        let mut uses = Self::without_routes(view);
        let Ok(()) = routes::each(maps, |route| {
            let (kind, index) = split_target(route.target);
            let users = match kind {
                KIND_GROUP => uses.groups.entry(index).or_default(),
                KIND_NEXTHOP => uses.nexthops.entry(index).or_default(),
                _ => return Ok(()),
            };
            if route.exact {
                users.hosts += 1;
            } else {
                users.ranges += 1;
            }
            Ok::<(), Infallible>(())
        });
        uses
    }

    /// Counts VTEPs and groups.
    pub(super) fn without_routes(view: &View) -> Self {
        let mut uses = Self::default();
        for vtep in view.contents.vteps.values().filter(|vtep| vtep.group != 0) {
            uses.groups.entry(vtep.group).or_default().vteps += 1;
        }
        for nexthop in view.contents.groups.values().flat_map(|group| group.shares.keys()) {
            uses.nexthops.entry(*nexthop).or_default().groups += 1;
        }
        uses
    }

    pub(super) fn group(&self, index: u32) -> Users {
        self.groups.get(&index).copied().unwrap_or_default()
    }

    pub(super) fn nexthop(&self, index: u32) -> Users {
        self.nexthops.get(&index).copied().unwrap_or_default()
    }
}

impl Users {
    /// `2 VTEPs, 1 range`; `-` for nobody.
    pub(super) fn text(self) -> String {
        let parts = [
            (self.vteps, "VTEP"),
            (self.groups, "group"),
            (self.hosts, "host"),
            (self.ranges, "range"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, noun)| count(number, noun))
            .collect();
        if parts.is_empty() { "-".into() } else { parts.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::view::tests::leaf;

    #[test]
    fn users_are_counted_by_what_they_are() {
        let uses = Uses::without_routes(&leaf());
        assert_eq!(uses.group(1).text(), "1 VTEP");
        assert_eq!(uses.nexthop(2).text(), "1 group");
        assert_eq!(uses.group(7).text(), "-");
        let users = Users { vteps: 2, hosts: 1, ranges: 3, groups: 0 };
        assert_eq!(users.text(), "2 VTEPs, 1 host, 3 ranges");
    }
}
