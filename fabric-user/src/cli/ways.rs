//! What a route leads to, in words.

use std::{collections::HashMap, net::IpAddr};

use fabric_common::schema::{
    groups::Choice,
    nexthops::Nexthop,
    routes::{
        KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_KERNEL, KIND_LOCAL, KIND_NEXTHOP,
        KIND_UNREACHABLE, split_target,
    },
};
use serde_json::{Value, json};

use super::{
    sheet::Cell,
    view::{View, gateway},
};

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
        _ => "none",
    }
}

/// Index of the group or nexthop of a target.
pub(super) fn index(target: u32) -> Option<u32> {
    let (kind, index) = split_target(target);
    matches!(kind, KIND_GROUP | KIND_NEXTHOP).then_some(index)
}

/// The ways of many routes, of which few are different.
pub(super) struct Ways<'a> {
    view: &'a View,
    known: HashMap<u32, Cell>,
}

impl<'a> Ways<'a> {
    pub(super) fn new(view: &'a View) -> Self {
        Self { view, known: HashMap::new() }
    }

    /// Ports and gateways of a target, or what happens instead.
    pub(super) fn cell(&mut self, target: u32) -> Cell {
        self.known.entry(target).or_insert_with(|| way(self.view, target)).clone()
    }
}

fn way(view: &View, target: u32) -> Cell {
    let (kind, index) = split_target(target);
    match kind {
        KIND_GROUP => {
            let Some(group) = view.contents.groups.get(&index) else {
                return Cell::new("no nexthop: left to the kernel", json!([]));
            };
            if group.choice == Choice::Blackhole {
                return Cell::new("dropped", Value::Null);
            }
            let members: Vec<Cell> = group.shares.keys().map(|n| member(view, *n)).collect();
            let mut text: Vec<&str> = members.iter().take(MEMBERS).map(Cell::text).collect();
            let more = format!("{} more", members.len().saturating_sub(MEMBERS));
            if members.len() > MEMBERS {
                text.push(&more);
            }
            let values: Value = members.iter().map(|member| member.value().clone()).collect();
            Cell::new(text.join(", "), values)
        }
        KIND_NEXTHOP => {
            let member = member(view, index);
            Cell::new(member.text(), json!([member.value()]))
        }
        KIND_LOCAL => Cell::new("this box", Value::Null),
        KIND_KERNEL => Cell::new("left to the kernel", Value::Null),
        KIND_BLACKHOLE => Cell::new("dropped", Value::Null),
        KIND_UNREACHABLE => Cell::new("the kernel answers that it is unreachable", Value::Null),
        KIND_CONNECTED => Cell::new("on link, resolved by the kernel", Value::Null),
        _ => Cell::none(),
    }
}

/// A next hop as `swp1 192.0.2.1`, with the reason if nothing is sent there.
fn member(view: &View, index: u32) -> Cell {
    let Some(nexthop) = view.contents.nexthops.get(&index) else {
        return Cell::new("nothing", Value::Null);
    };
    let port = view.port(nexthop.port.into());
    let gateway = gateway(nexthop);
    let death = view.death(nexthop);
    let dead = if death.is_empty() { "" } else { " (dead)" };
    let value = json!({ "port": port, "gateway": gateway.to_string(), "alive": death.is_empty() });
    Cell::new(format!("{port} {gateway}{dead}"), value)
}

/// `yes`, or why nothing is sent to a next hop.
pub(super) fn alive(view: &View, nexthop: &Nexthop) -> Cell {
    let death = view.death(nexthop);
    match death[..] {
        [] => Cell::new("yes", json!(true)),
        _ => Cell::new(format!("no: {}", death.join(", ")), json!(false)),
    }
}

/// Why nothing is sent to a next hop, for programs.
pub(super) fn why_not(view: &View, nexthop: &Nexthop) -> Cell {
    Cell::new("", json!(view.death(nexthop)))
}

/// An address with its length, as `10.0.0.0/24`.
pub(super) fn prefix(address: IpAddr, length: u8) -> String {
    format!("{address}/{length}")
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::routes::target;

    use super::*;
    use crate::cli::view::tests::leaf;

    #[test]
    fn a_way_names_ports_and_gateways_and_the_dead() {
        let mut view = leaf();
        view.contents.ports.get_mut(&2).unwrap().down = 1;
        let mut ways = Ways::new(&view);
        let group = ways.cell(target(KIND_GROUP, 1));
        assert_eq!(group.text(), "swp1 192.0.2.1, swp2 fe80::1 (dead)");
        assert_eq!(group.value()[1]["alive"], json!(false));
        assert_eq!(ways.cell(target(KIND_NEXTHOP, 1)).text(), "swp1 192.0.2.1");
        assert_eq!(ways.cell(target(KIND_LOCAL, 0)).text(), "this box");
    }

    #[test]
    fn a_large_group_is_cut_short_and_says_how_many_are_left_out() {
        let mut view = leaf();
        let one = view.contents.nexthops[&1];
        view.contents.nexthops = (1..=9).map(|index| (index, one)).collect();
        let shares = (1..=9).map(|index| (index, 28)).collect();
        view.contents.groups.get_mut(&1).unwrap().shares = shares;
        let group = Ways::new(&view).cell(target(KIND_GROUP, 1));
        assert!(group.text().ends_with(", 5 more"), "{}", group.text());
        assert_eq!(group.value().as_array().map(Vec::len), Some(9));
    }
}
