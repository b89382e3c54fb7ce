//! Routes.

use std::net::IpAddr;

use fabric_common::schema::{
    ports::{FLAG_ROUTE4, FLAG_ROUTE6},
    routes::{
        KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_LOCAL, KIND_NEXTHOP, KIND_NONE,
        KIND_UNREACHABLE, KIND_VIEW, split_target, target,
    },
};
use fabric_user::{
    model::{GroupKey, Macs, RoutePlace, View, Way},
    observe,
};

use super::{NexthopId, Port, World};

/// An address and how many of its bits count.
pub(super) type Prefix = (IpAddr, u8);

impl World {
    /// Lets a port route by a view, from 1 on, in the families of these `FLAG_ROUTE` flags.
    pub fn route_on(&mut self, port: &Port, view: u16, flags: u8) {
        self.have_views(view);
        self.change_port(port, |port| {
            port.view = Some(view - 1);
            (port.route4, port.route6) = (flags & FLAG_ROUTE4 != 0, flags & FLAG_ROUTE6 != 0);
        });
    }

    /// Has views up to this one, from 1 on.
    pub fn have_views(&mut self, view: u16) {
        for table in self.desired.views.len() as u32..view.into() {
            self.desired.views.push(View { v4: vec![table], v6: vec![table] });
        }
        self.apply();
    }

    /// Adds a route by the target that it has in the maps; one to nothing is removed.
    pub fn route(&mut self, view: u16, prefix: Prefix, target: u32) {
        self.routes.insert((view, prefix), target);
        let (address, length) = prefix;
        let place = RoutePlace { view: view - 1, prefix: observe::Prefix { address, length } };
        let way = self.way(target);
        self.apply_entries(vec![(place, way)], Macs::Some(Vec::new()));
    }

    fn way(&self, target: u32) -> Option<Way> {
        let (kind, index) = split_target(target);
        Some(match kind {
            KIND_NONE => return None,
            KIND_GROUP => Way::Group(GroupKey::Object(index)),
            KIND_NEXTHOP => {
                let key = self.nexthop_key(NexthopId(index as u16));
                Way::Nexthop { key, nexthop: self.desired.nexthops[&key] }
            }
            KIND_LOCAL => Way::Local,
            KIND_BLACKHOLE => Way::Blackhole,
            KIND_UNREACHABLE => Way::Unreachable,
            KIND_CONNECTED => Way::Connected,
            KIND_VIEW => Way::View(index as u16 - 1),
            _ => Way::Kernel,
        })
    }

    /// Makes an address one of the box's own, in a view.
    pub fn own(&mut self, view: u16, address: IpAddr) {
        let length = if address.is_ipv4() { 32 } else { 128 };
        self.route(view, (address, length), target(KIND_LOCAL, 0));
        self.desired.own.insert(address);
        self.apply();
    }

    /// Whether an address is one of the box's own, in any view.
    #[must_use]
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.desired.own.contains(&address)
    }

    /// The target of the longest prefix of a view that an address is in, looked for one after the other; 0
    /// for none.
    #[must_use]
    pub fn longest_match(&self, view: u16, address: IpAddr) -> u32 {
        let inside = |(of, prefix): &(u16, Prefix)| *of == view && contains(*prefix, address);
        let routes = self.routes.iter().filter(|(route, target)| inside(route) && **target != 0);
        routes.max_by_key(|((_, (_, length)), _)| *length).map_or(0, |(_, target)| *target)
    }
}

fn contains(prefix: Prefix, address: IpAddr) -> bool {
    match (prefix, address) {
        ((IpAddr::V4(network), length), IpAddr::V4(address)) => {
            (network.to_bits() ^ address.to_bits()).leading_zeros() >= length.into()
        }
        ((IpAddr::V6(network), length), IpAddr::V6(address)) => {
            (network.to_bits() ^ address.to_bits()).leading_zeros() >= length.into()
        }
        _ => false,
    }
}
