//! Prefixes in the main table, four of five IPv4 and one IPv6, that lead to routers and to pairs of
//! them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use anyhow::{Context as _, Result, ensure};
use fabric_common::{
    reason::Reason,
    schema::{
        ports,
        routes::{KIND_GROUP, split_target},
    },
};
use fabric_user::kernel::maps::Maps;
use serde_json::Value;

use super::{Load, Words, forwarded};
use crate::{
    daemon::Room,
    leaf::index,
    netlink::Requests,
    prefixes::{Chance, Prefix, masked, table},
    race::{Contender, End, Race, Way},
    report::Bar,
    routes,
    spine::{self, Spine},
    tool,
    traffic::{Offer, Traffic},
};

/// How many.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Name of the entry.
    pub name: &'static str,
    /// Prefixes of both families.
    pub prefixes: u32,
}

/// Routers on the link.
const ROUTERS: u32 = 32;
/// Nexthop objects of a family: each router, and each with the next one.
const OBJECTS: u32 = 2 * ROUTERS;
/// Where IPv6 has its IDs.
const OBJECTS6: u32 = 1_000;
/// Addresses that packets are sent to.
const DESTINATIONS: u32 = 1 << 16;
/// What covers them all.
const COVER: Prefix = Prefix { bits: 10 << 120, length: 8, target: 1 };
/// What the kernel does not forward (RFC 1122 §3.2.1.3), and the spine's own links.
const RESERVED: [(Ipv4Addr, u8); 2] =
    [(Ipv4Addr::new(127, 0, 0, 0), 8), (Ipv4Addr::new(172, 30, 0, 0), 15)];

/// A spine with many routes.
pub struct Prefixes {
    size: Size,
    spine: Spine,
    routes: routes::Routes,
    list: Vec<Route>,
    /// Addresses that no prefix covers.
    outside: Vec<IpAddr>,
}

/// A route and what it says at the moment.
struct Route {
    prefix: (IpAddr, u8),
    /// An address that no longer prefix covers; none if they cover all of them.
    inside: Option<IpAddr>,
    /// Which of the family's [`OBJECTS`] it leads to.
    to: u32,
}

/// How the maps name views and groups.
pub struct Names {
    view: u16,
    /// The nexthop object that each group stands for. A group without routes is not in the maps.
    objects: HashMap<u32, u32>,
}

const fn object(v6: bool, number: u32) -> u32 {
    1 + number + if v6 { OBJECTS6 } else { 0 }
}

fn router(v6: bool, number: u32) -> IpAddr {
    match v6 {
        false => Ipv4Addr::new(172, 30, 0, 1 + number as u8).into(),
        true => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, 1 + number as u16).into(),
    }
}

/// The routers of one of a family's objects.
fn routers(v6: bool, number: u32) -> BTreeSet<IpAddr> {
    let first = number % ROUTERS;
    let all = [first, (first + 1) % ROUTERS];
    let count = if number < ROUTERS { 1 } else { 2 };
    all[..count].iter().map(|number| router(v6, *number)).collect()
}

impl Prefixes {
    /// Builds the spine in the present network namespace.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn build(size: Size) -> Result<Self> {
        println!("{}: building a spine with {} prefixes", size.name, size.prefixes);
        let spine = Spine::build(0, spine::Routes::Prefixes)?;
        // Nothing leads to a port whose other end takes no frames from XDP programs.
        tool::output("ethtool", &["-K", "next0", "gro", "on"])?;
        tool::batch("ip", &routers_and_objects())?;
        let mut chance = Chance::new(7);
        let six = size.prefixes / 5;
        let mut four = table::<Ipv4Addr>(size.prefixes - six, &mut chance);
        four.retain(|prefix| !is_reserved(prefix) && *prefix != COVER);
        four.push(COVER);
        four.sort_unstable();
        let six = table::<Ipv6Addr>(six, &mut chance);
        let v4 = |bits: u128| IpAddr::from(Ipv4Addr::from((bits >> 96) as u32));
        let v6 = |bits: u128| IpAddr::from(Ipv6Addr::from(bits));
        let list = routes_of(&four, v4).chain(routes_of(&six, v6)).collect();
        let free = |address: &IpAddr| match address {
            IpAddr::V4(v4) => !RESERVED.iter().any(|(net, length)| covers(*net, *length, *v4)),
            IpAddr::V6(_) => true,
        };
        let outside = gaps(&four, 32).map(v4).chain(gaps(&six, 128).map(v6)).filter(free).collect();
        Ok(Self { size, spine, routes: routes::Routes::open()?, list, outside })
    }
}

fn covers(net: Ipv4Addr, length: u8, address: Ipv4Addr) -> bool {
    (net.to_bits() ^ address.to_bits()) >> (32 - length) == 0
}

fn is_reserved(prefix: &Prefix) -> bool {
    let address = Ipv4Addr::from((prefix.bits >> 96) as u32);
    RESERVED.iter().any(|(net, length)| covers(*net, (*length).min(prefix.length), address))
}

fn last(prefix: &Prefix) -> u128 {
    prefix.bits | u128::MAX.checked_shr(prefix.length.into()).unwrap_or(0)
}

/// The routes of sorted prefixes.
fn routes_of(
    table: &[Prefix],
    address: impl Fn(u128) -> IpAddr + Copy,
) -> impl Iterator<Item = Route> {
    table.iter().enumerate().map(move |(number, prefix)| Route {
        prefix: (address(prefix.bits), prefix.length),
        inside: uncovered(prefix, &table[number + 1..]).map(address),
        to: prefix.target % OBJECTS,
    })
}

/// The first address of a prefix that none of the `later` ones covers, which are sorted.
fn uncovered(prefix: &Prefix, later: &[Prefix]) -> Option<u128> {
    let mut free = prefix.bits;
    for other in later.iter().take_while(|other| other.bits <= last(prefix)) {
        if other.bits > free {
            break;
        }
        free = free.max(last(other).checked_add(1)?);
    }
    (free <= last(prefix)).then_some(free)
}

/// The first address behind each block of prefixes, which are sorted, of `bits` bits.
fn gaps(table: &[Prefix], bits: u8) -> impl Iterator<Item = u128> {
    let mut end = 0;
    table.iter().filter_map(move |prefix| {
        let gap = (end != 0 && prefix.bits > end).then(|| masked(end, bits));
        end = end.max(last(prefix).saturating_add(1));
        gap
    })
}

fn routers_and_objects() -> String {
    let mut commands = String::from("addr add 172.30.0.254/24 dev out0\n");
    for v6 in [false, true] {
        for number in 0..ROUTERS {
            let (address, id) = (router(v6, number), object(v6, number));
            let _ = writeln!(
                commands,
                "neigh replace {address} lladdr 52:54:04:00:00:{number:02x} dev out0 nud permanent\n\
                 nexthop add id {id} via {address} dev out0 proto zebra"
            );
        }
        for number in 0..ROUTERS {
            let [a, b] = [number, (number + 1) % ROUTERS].map(|number| object(v6, number));
            let id = object(v6, ROUTERS + number);
            let _ = writeln!(commands, "nexthop add id {id} group {a}/{b} proto zebra");
        }
    }
    commands
}

impl Load for Prefixes {
    type Names = Names;
    const WORDS: Words = Words {
        object: "prefix",
        objects: "prefixes",
        change: "one replacement",
        changes: "replacements",
    };

    fn name(&self) -> &'static str {
        self.size.name
    }

    fn count(&self) -> u32 {
        self.list.len() as u32
    }

    fn room(&self) -> Room {
        Room { prefixes: self.size.prefixes, ..Room::default() }
    }

    fn settings(&self) -> Vec<(&'static str, Value)> {
        let six = self.list.iter().filter(|route| route.prefix.0.is_ipv6()).count();
        vec![
            ("prefixes", self.count().into()),
            ("of_these_ipv6", six.into()),
            ("nexthop_objects", (2 * OBJECTS).into()),
        ]
    }

    fn bars(&self) -> Vec<Bar> {
        // More than zebra writes: it was seen to install 20,000 to 70,000 routes a second.
        vec![
            Bar::at_least("replacements, prefixes/s", 100_000.0),
            Bar::at_least("withdrawals and advertisements, prefixes/s", 100_000.0),
            Bar::at_most("one replacement, request to map, median, us", 1_000.0),
            Bar::at_most("one replacement, request to map, p99, us", 5_000.0),
        ]
    }

    fn teach(&mut self) -> Result<()> {
        for Route { prefix, to, .. } in &self.list {
            self.routes.replace(*prefix, object(prefix.0.is_ipv6(), *to))?;
        }
        self.routes.requests.flush()
    }

    fn change(&mut self, number: u32) -> Result<()> {
        let Route { prefix, to, .. } = &mut self.list[number as usize];
        *to = (*to + 1) % OBJECTS;
        self.routes.replace(*prefix, object(prefix.0.is_ipv6(), *to))
    }

    fn withdraw(&mut self, number: u32) -> Result<()> {
        self.routes.remove(self.list[number as usize].prefix)
    }

    fn requests(&mut self) -> &mut Requests {
        &mut self.routes.requests
    }

    fn held(&mut self) -> Result<usize> {
        crate::routes::Routes::count()
    }

    fn names(&self, maps: &Maps) -> Result<Names> {
        let slot = maps.ports.iter().find(|(_, port)| port.ifindex == self.spine.inward);
        let (_, port) = slot.context("the port towards the client is not in the maps")?;
        let view = ports::view(port.mac_and_view);
        let families = [false, true].into_iter();
        let known: BTreeMap<_, _> = families
            .flat_map(|v6| (0..OBJECTS).map(move |n| (routers(v6, n), object(v6, n))))
            .collect();
        let mut objects = HashMap::new();
        for (index, group) in maps.groups.iter() {
            let gateways =
                maps.shares(group).into_keys().map(|nexthop| maps.gateway(nexthop)).collect();
            if let Some(id) = known.get(&gateways) {
                objects.insert(index, *id);
            }
        }
        Ok(Names { view, objects })
    }

    fn is_in(&self, maps: &Maps, names: &Names, number: u32) -> bool {
        let Route { prefix, inside, to } = &self.list[number as usize];
        let Some(address) = inside else { return true };
        let found = maps.target(names.view, *address).map(split_target);
        found.is_some_and(|(kind, group)| {
            let wanted = object(prefix.0.is_ipv6(), *to);
            kind == KIND_GROUP && names.objects.get(&group) == Some(&wanted)
        })
    }

    fn is_out(&self, maps: &Maps, names: &Names, number: u32) -> bool {
        let address = self.list[number as usize].inside;
        address.is_none_or(|address| maps.target(names.view, address).is_none())
    }

    fn check(&self, maps: &Maps, when: &str) -> Result<()> {
        let names = self.names(maps)?;
        let hidden = self.list.iter().filter(|route| route.inside.is_none()).count();
        ensure!(hidden * 100 <= self.list.len(), "{hidden} prefixes have no address of their own");
        for number in 0..self.count() {
            if !self.is_in(maps, &names, number) {
                let Route { prefix: (net, length), inside, to } = &self.list[number as usize];
                let found = inside.and_then(|address| maps.target(names.view, address));
                let wanted = object(net.is_ipv6(), *to);
                anyhow::bail!(
                    "{when} {net}/{length} leads to {:?} instead of nexthop object {wanted}",
                    found.map(split_target)
                );
            }
        }
        for address in &self.outside {
            let found = maps.target(names.view, *address);
            ensure!(found.is_none(), "{when} there is a way to {address}, which no prefix covers");
        }
        Ok(())
    }

    /// Packets from the client leave towards the routers by XDP.
    fn check_forwarding(&self, maps: &Maps) -> Result<()> {
        let Spine { outward, sink, .. } = self.spine;
        let way = Way { ingress: outward, egress: index("client0")?, sink, end: End::Driver };
        let mut race = Race::along(way)?;
        race.traffic = Traffic::of(Offer::Routed4);
        race.await_quiet()?;
        let frames = 2 * DESTINATIONS;
        let program = race.baseline("redirect")?;
        let contender = Contender { name: "fabric-xdpd".into(), program, frames, grows: Some(0) };
        let count = forwarded(&mut race, &contender, DESTINATIONS, maps, Reason::Routed)?;
        ensure!(count == u64::from(frames), "Fabric routed {count} of {frames} packets");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefixes::Reference;

    #[test]
    fn the_address_that_stands_for_a_prefix_is_in_no_longer_one() {
        let mut chance = Chance::new(3);
        let mut table = table::<Ipv4Addr>(20_000, &mut chance);
        table.push(COVER);
        table.sort_unstable();
        table.dedup_by_key(|prefix| (prefix.bits, prefix.length));
        for (number, prefix) in (1..).zip(&mut table) {
            prefix.target = number;
        }
        let reference = Reference::new(&table);
        let inside = |number: usize| uncovered(&table[number], &table[number + 1..]);
        let mut found = 0;
        for (number, prefix) in table.iter().enumerate() {
            if let Some(address) = inside(number) {
                assert_eq!(reference.lookup(address), prefix.target);
                found += 1;
            }
        }
        assert!(found * 100 >= table.len() * 99, "{found} of {}", table.len());
        for address in gaps(&table, 32) {
            assert_eq!(reference.lookup(address), 0);
        }
    }

    #[test]
    fn a_prefix_that_is_covered_by_halves_has_no_address_of_its_own() {
        let prefix = |bits: u128, length| Prefix { bits: bits << 120, length, target: 1 };
        let later = [prefix(0, 2), prefix(0x40, 2), prefix(0x80, 1)];
        assert_eq!(uncovered(&prefix(0, 1), &later), None);
        assert_eq!(uncovered(&prefix(0, 1), &later[1..]), Some(0));
        assert_eq!(uncovered(&prefix(0, 1), &later[..1]), Some(0x40 << 120));
    }
}
