//! Where a router's maps send packets, in words.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use fabric_common::schema::{
    groups::Choice,
    ports,
    routes::{
        KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_KERNEL, KIND_LOCAL, KIND_NEXTHOP,
        KIND_UNREACHABLE, KIND_VIEW, split_target,
    },
};
use fabric_user::kernel::maps::Maps;

use super::{Router, SOON};

impl Router {
    /// The target of a packet to `address` that arrives on swp1, found as the packet path finds it.
    #[must_use]
    pub fn target(&self, maps: &Maps, address: &str) -> Option<u32> {
        let view = ports::view(maps.ports.get(self.slot(maps, "swp1")).mac_and_view);
        Self::target_in(maps, view, address)
    }

    fn target_in(maps: &Maps, view: u16, address: &str) -> Option<u32> {
        maps.target(view, address.parse().expect("an address"))
    }

    /// Where packets to `address` go: what kind of thing, or the members of a group with their
    /// weights, such as `10.1.1.2 and 10.1.2.2*3`, or the neighbour after `host`.
    #[must_use]
    pub fn way(&self, address: &str) -> String {
        self.ways([address]).concat()
    }

    /// As [`Self::way`] for many addresses.
    #[must_use]
    pub fn ways<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let maps = self.maps();
        let view = ports::view(maps.ports.get(self.slot(&maps, "swp1")).mac_and_view);
        let way = |address| match Self::target_in(&maps, view, address).map(split_target) {
            None => "none".into(),
            Some((KIND_GROUP, index)) => members(&maps, index),
            Some((KIND_NEXTHOP, index)) => format!("host {}", gateway(&maps, index)),
            Some((KIND_LOCAL, _)) => "local".into(),
            Some((KIND_KERNEL, _)) => "kernel".into(),
            Some((KIND_BLACKHOLE, _)) => "blackhole".into(),
            Some((KIND_UNREACHABLE, _)) => "unreachable".into(),
            Some((KIND_CONNECTED, _)) => "connected".into(),
            Some((KIND_VIEW, _)) => "another VRF".into(),
            Some(other) => format!("{other:?}"),
        };
        addresses.into_iter().map(way).collect()
    }

    /// Index of the group that packets to `address` go to.
    #[must_use]
    pub fn group(&self, address: &str) -> u32 {
        let target = self.target(&self.maps(), address).expect("there is a way");
        let (kind, index) = split_target(target);
        assert_eq!(kind, KIND_GROUP, "{address} goes {}", self.way(address));
        index
    }

    /// Waits until packets to `address` go a way.
    pub fn wait_way(&self, address: &str, way: &str) {
        let start = Instant::now();
        loop {
            let now = self.way(address);
            if now == way {
                return;
            }
            assert!(start.elapsed() < SOON, "{address} goes {now:?} and not {way:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The buckets of the group that packets to `address` go to.
    #[must_use]
    pub fn buckets(&self, address: &str) -> Vec<u32> {
        let maps = self.maps();
        match maps.groups.get(self.group(address)).choice() {
            Choice::Spread { chunk, count, .. } => {
                (0..count).map(|at| maps.bucket(chunk, at)).collect()
            }
            other => panic!("the group of {address} is {other:?}"),
        }
    }
}

fn gateway(maps: &Maps, nexthop: u32) -> String {
    let entry = maps.nexthops.get(nexthop);
    let address = maps.gateway(nexthop);
    // Link-local addresses need their link.
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let slot = if link_local { format!("%{}", entry.port) } else { String::new() };
    format!("{address}{slot}")
}

/// What a group does, and the weights of its members by their shares of the buckets.
fn members(maps: &Maps, group: u32) -> String {
    let group = maps.groups.get(group);
    match group.choice() {
        Choice::Nothing => return "nothing".into(),
        Choice::Blackhole => return "blackhole".into(),
        Choice::Single { .. } | Choice::Spread { .. } => {}
    }
    let shares = maps.shares(group);
    let weights = weights(&shares.values().copied().collect::<Vec<_>>());
    let text = |(nexthop, weight): (&u32, u32)| match weight {
        1 => gateway(maps, *nexthop),
        weight => format!("{}*{weight}", gateway(maps, *nexthop)),
    };
    let all: BTreeSet<String> = shares.keys().zip(weights).map(text).collect();
    all.into_iter().collect::<Vec<_>>().join(" and ")
}

/// The smallest numbers that stand to each other as these shares do, to within what rounding to
/// whole buckets makes of them.
fn weights(shares: &[u32]) -> Vec<u32> {
    let least = f64::from(shares.iter().copied().min().unwrap_or(1).max(1));
    let scaled = |n: u32| shares.iter().map(move |s| f64::from(*s) * f64::from(n) / least);
    let is_whole = |n: &u32| scaled(*n).all(|w| (w - w.round()).abs() < 0.1);
    let n = (1..12).find(is_whole).unwrap_or(12);
    scaled(n).map(|weight| weight.round() as u32).collect()
}
