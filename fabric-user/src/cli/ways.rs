//! What a route leads to, in words.

use std::{collections::HashMap, net::IpAddr};

use fabric_common::schema::{
    groups::Choice,
    nexthops::Nexthop,
    routes::{
        KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_KERNEL, KIND_LOCAL, KIND_NEXTHOP,
        KIND_UNREACHABLE, KIND_VIEW, split_target,
    },
};
use serde::Serialize;

use super::{row::Said, view::View};

/// Members of a group that stand in one cell.
const MEMBERS: usize = 4;

/// The name of a kind of target.
pub(super) const fn kind(target: u32) -> &'static str {
    match split_target(target).0 {
        KIND_GROUP => "group",
        KIND_NEXTHOP => "nexthop",
        KIND_LOCAL => "local",
        KIND_KERNEL => "kernel",
        KIND_BLACKHOLE => "blackhole",
        KIND_UNREACHABLE => "unreachable",
        KIND_CONNECTED => "connected",
        KIND_VIEW => "view",
        _ => "none",
    }
}

/// Index of the group, nexthop or view of a target.
pub(super) fn index(target: u32) -> Option<u32> {
    let (kind, index) = split_target(target);
    matches!(kind, KIND_GROUP | KIND_NEXTHOP | KIND_VIEW).then_some(index)
}

/// A next hop of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Member {
    port: String,
    gateway: IpAddr,
    alive: bool,
}

/// The next hops of a route; null for what has none.
pub(super) type Way = Said<Option<Vec<Member>>>;

/// The ways of many routes, of which few are different.
pub(super) struct Ways<'a> {
    view: &'a View,
    known: HashMap<u32, Way>,
}

impl<'a> Ways<'a> {
    pub(super) fn new(view: &'a View) -> Self {
        Self { view, known: HashMap::new() }
    }

    /// Ports and gateways of a target, or what happens instead.
    pub(super) fn of(&mut self, target: u32) -> Way {
        self.known.entry(target).or_insert_with(|| way(self.view, target)).clone()
    }
}

fn way(view: &View, target: u32) -> Way {
    let (kind, index) = split_target(target);
    let text = match kind {
        KIND_GROUP => match view.contents.groups.get(&index) {
            Some(group) if group.choice == Choice::Blackhole => "dropped",
            Some(group) => return members(view, group.shares.keys().copied()),
            None => return Said::new("no nexthop: left to the kernel", Some(Vec::new())),
        },
        KIND_NEXTHOP => return members(view, [index]),
        KIND_LOCAL => "this box",
        KIND_KERNEL => "left to the kernel",
        KIND_BLACKHOLE => "dropped",
        KIND_UNREACHABLE => "the kernel answers that it is unreachable",
        KIND_CONNECTED => "on link, resolved by the kernel",
        KIND_VIEW => return Said::new(into(view, index), None),
        _ => "-",
    };
    Said::new(text, None)
}

/// Another view, with the VRF of its ports.
fn into(view: &View, index: u32) -> String {
    let ports = u16::try_from(index).map(|index| view.ports_of(index)).unwrap_or_default();
    let vrf = ports.iter().find_map(|slot| view.vrf(*slot));
    let vrf = vrf.map(|vrf| format!(" (VRF {vrf})")).unwrap_or_default();
    format!("what view {index}{vrf} says")
}

/// Next hops as `swp1 192.0.2.1`, with a word if nothing is sent there.
fn members(view: &View, indexes: impl IntoIterator<Item = u32>) -> Way {
    let (mut texts, mut members) = (Vec::new(), Vec::new());
    for index in indexes {
        let Some(nexthop) = view.contents.nexthops.get(&index) else {
            texts.push("nothing".to_owned());
            continue;
        };
        let (port, gateway) = (view.port(nexthop.port.into()), view.contents.gateway(index));
        let alive = view.death(nexthop).is_empty();
        texts.push(format!("{port} {gateway}{}", if alive { "" } else { " (dead)" }));
        members.push(Member { port, gateway, alive });
    }
    if let Some(more) = texts.len().checked_sub(MEMBERS).filter(|more| *more > 0) {
        texts.truncate(MEMBERS);
        texts.push(format!("{more} more"));
    }
    Said::new(texts.join(", "), Some(members))
}

/// `yes`, or why nothing is sent to a next hop.
pub(super) fn alive(view: &View, nexthop: &Nexthop) -> Said<bool> {
    match &view.death(nexthop)[..] {
        [] => Said::new("yes", true),
        death => Said::new(format!("no: {}", death.join(", ")), false),
    }
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::routes::target;

    use super::*;
    use crate::cli::{row::Shown as _, view::tests::leaf};

    #[test]
    fn a_way_names_ports_and_gateways_and_the_dead() {
        let mut view = leaf();
        view.contents.ports.get_mut(&2).unwrap().down = 1;
        let mut ways = Ways::new(&view);
        let group = ways.of(target(KIND_GROUP, 1));
        assert_eq!(group.shown(), "swp1 192.0.2.1, swp2 fe80::1 (dead)");
        assert!(group.value.is_some_and(|members| members[0].alive && !members[1].alive));
        assert_eq!(ways.of(target(KIND_NEXTHOP, 1)).shown(), "swp1 192.0.2.1");
        assert_eq!(ways.of(target(KIND_LOCAL, 0)).shown(), "this box");
        assert_eq!(ways.of(target(KIND_VIEW, 7)).shown(), "what view 7 says");
    }

    #[test]
    fn a_large_group_is_cut_short_and_says_how_many_are_left_out() {
        let mut view = leaf();
        let one = view.contents.nexthops[&1];
        view.contents.nexthops = (1..=9).map(|index| (index, one)).collect();
        let shares = (1..=9).map(|index| (index, 28)).collect();
        view.contents.groups.get_mut(&1).unwrap().shares = shares;
        let group = Ways::new(&view).of(target(KIND_GROUP, 1));
        assert!(group.shown().ends_with(", 5 more"), "{}", group.shown());
        assert_eq!(group.value.map(|members| members.len()), Some(9));
    }
}
