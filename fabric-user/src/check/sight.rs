//! What the facts of one box say, by names.

use std::{collections::BTreeSet, net::IpAddr};

use super::finding::{Stop, list, not_asked};
use crate::{
    cli::routes::Span,
    facts::{Fabric, Facts, held::Way},
    frr::facts::{Frr, RouteEntry, Vni},
    observe::{Event, Link, Prefix},
    verify::kernel::{Hop, Kernel},
};

/// The view of what is in no VRF, as maps name it.
const DEFAULT: &str = "default";

/// The facts of a box.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    /// Its name in the topology.
    pub(crate) name: &'a str,
    /// As they are.
    pub(crate) facts: &'a Facts,
    /// What the kernel says.
    pub(crate) kernel: Kernel<'a>,
}

impl<'a> Sight<'a> {
    pub(crate) fn of(name: &'a str, facts: &'a Facts) -> Self {
        Self { name, facts, kernel: Kernel::of(&facts.network) }
    }

    /// What FRR says, if those of its daemons do that are named.
    ///
    /// # Errors
    /// If it or one of them cannot be asked.
    pub(crate) fn frr(&self, daemons: &[&str]) -> Result<&'a Frr, Stop> {
        let Some(frr) = &self.facts.frr else {
            let why =
                self.facts.missing.iter().find(|it| it.contains("zebra") || it.contains("FRR"));
            let why = why.cloned().unwrap_or_else(|| "FRR does not run there".into());
            return Err(not_asked(format!("{}: {why}", self.name)));
        };
        for (daemon, why) in &frr.missing {
            if daemons.iter().any(|it| it == daemon) {
                return Err(not_asked(format!("{}: {why}", self.name)));
            }
        }
        Ok(frr)
    }

    /// What Fabric says.
    ///
    /// # Errors
    /// If it is not there.
    pub(crate) fn fabric(&self) -> Result<&'a Fabric, Stop> {
        self.facts.fabric.as_ref().ok_or_else(|| {
            let why = list(&self.facts.missing);
            not_asked(format!("{}: Fabric has no maps there ({why})", self.name))
        })
    }

    /// An interface.
    pub(crate) fn link(&self, name: &str) -> Option<&'a Link> {
        self.kernel.named(name)
    }

    /// All interfaces.
    pub(crate) fn links(&self) -> impl Iterator<Item = &'a Link> {
        self.facts.network.iter().filter_map(|event| match event {
            Event::Link(link) => Some(link),
            _ => None,
        })
    }

    /// A VNI as FRR has it.
    pub(crate) fn vni(&self, vni: u32) -> Result<Option<&'a Vni>, Stop> {
        Ok(self.frr(&["zebra"])?.vnis.get(&vni))
    }

    /// FRR's chosen route for a prefix.
    pub(crate) fn route(
        &self,
        vrf: Option<&str>,
        prefix: Prefix,
    ) -> Result<Option<&'a RouteEntry>, Stop> {
        let frr = self.frr(&["zebra"])?;
        let mut routes = frr.routes.iter();
        Ok(routes.find(|it| it.vrf.as_deref() == named(vrf) && it.prefix == prefix))
    }

    /// Routes that FRR has chosen in a VRF.
    pub(crate) fn routes(
        &self,
        vrf: Option<&str>,
    ) -> Result<impl Iterator<Item = &'a RouteEntry>, Stop> {
        let routes = self.frr(&["zebra"])?.routes.iter();
        Ok(routes.filter(move |it| it.vrf.as_deref() == named(vrf)))
    }

    /// The next hops that the kernel has for a prefix; none if it has no route.
    pub(crate) fn kernel_route(&self, vrf: Option<&str>, prefix: Prefix) -> Option<BTreeSet<Hop>> {
        self.kernel.route(self.kernel.table(named(vrf))?, prefix)
    }

    /// Where the kernel routes an address to, by the longest prefix that has it.
    pub(crate) fn kernel_lookup(
        &self,
        vrf: Option<&str>,
        address: IpAddr,
    ) -> Option<BTreeSet<Hop>> {
        let table = self.kernel.table(named(vrf))?;
        let length = if address.is_ipv4() { 32 } else { 128 };
        let single = Prefix { address, length };
        let around = self.kernel.prefixes(table).filter(|it| contains(*it, single));
        self.kernel.route(table, around.max_by_key(|it| it.length)?)
    }

    /// The way that the maps have for a prefix: for an address of it that no longer one has. None where there are no
    /// maps, or nothing is routed by them in that VRF; and of an inner none if they have no way.
    pub(crate) fn held_route(&self, vrf: Option<&str>, prefix: Prefix) -> Option<Option<&'a Way>> {
        let held = &self.facts.fabric.as_ref()?.held;
        let view = named(vrf).unwrap_or(DEFAULT);
        // Of several views of a VRF each has its first port behind that.
        let is_view =
            |it: &str| it == view || it.strip_prefix(view).is_some_and(|it| it.starts_with(" ("));
        let address = self.own_address(vrf, prefix)?;
        if !held.routes.keys().any(|key| is_view(&key.view)) {
            return None;
        }
        let routes = held.routes.iter().filter(|(key, _)| is_view(&key.view));
        let around = routes.filter_map(|(key, way)| {
            let span: Span = key.addresses.parse().ok()?;
            span.holds(&Span::of(address)).then_some((span, way))
        });
        // What is inside of another one goes before it.
        let narrowest = around.reduce(|one, other| if one.0.holds(&other.0) { other } else { one });
        Some(narrowest.map(|(_, way)| way))
    }

    /// An address of a prefix that is in no longer one; none if there is none.
    pub(crate) fn own_address(&self, vrf: Option<&str>, prefix: Prefix) -> Option<IpAddr> {
        let inner: Vec<Span> = self.kernel.table(named(vrf)).map_or_else(Vec::new, |table| {
            let inside = self.kernel.prefixes(table);
            let inside = inside.filter(|it| *it != prefix && contains(prefix, *it));
            inside.filter_map(span).collect()
        });
        let whole = span(prefix)?;
        let beside = inner.iter().flat_map(|it| [before(it.first), after(it.last)]).flatten();
        let mut candidates = [whole.first, whole.last].into_iter().chain(beside);
        candidates.find(|address| {
            let address = Span::of(*address);
            whole.holds(&address) && !inner.iter().any(|it| it.holds(&address))
        })
    }

    /// The longest prefix of FRR that has another one in it.
    pub(crate) fn longest(&self, vrf: Option<&str>, prefix: Prefix) -> Option<&'a RouteEntry> {
        let routes = self.facts.frr.as_ref()?.routes.iter();
        let around =
            routes.filter(|it| it.vrf.as_deref() == named(vrf) && contains(it.prefix, prefix));
        around.max_by_key(|it| it.prefix.length)
    }

    /// Whether an address is one of this box.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.kernel.is_own(address)
    }
}

/// The default VRF has no name.
fn named(vrf: Option<&str>) -> Option<&str> {
    vrf.filter(|it| *it != DEFAULT)
}

/// Whether one prefix has all addresses of another.
pub(crate) fn contains(outer: Prefix, inner: Prefix) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(it) => (u128::from(u32::from(it)) << 96, false),
        IpAddr::V6(it) => (u128::from(it), true),
    };
    let ((a, a6), (b, b6)) = (bits(outer.address), bits(inner.address));
    let differing = (a ^ b).leading_zeros();
    a6 == b6 && outer.length <= inner.length && differing >= u32::from(outer.length)
}

fn span(prefix: Prefix) -> Option<Span> {
    prefix.to_string().parse().ok()
}

fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(it) => u32::from(it).checked_sub(1).map(|it| IpAddr::V4(it.into())),
        IpAddr::V6(it) => u128::from(it).checked_sub(1).map(|it| IpAddr::V6(it.into())),
    }
}

fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(it) => u32::from(it).checked_add(1).map(|it| IpAddr::V4(it.into())),
        IpAddr::V6(it) => u128::from(it).checked_add(1).map(|it| IpAddr::V6(it.into())),
    }
}

/// A prefix of a text, `10.0.0.0/24`, or of an address alone.
pub(crate) fn parse_prefix(text: &str) -> Option<Prefix> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address.parse().ok()?, Some(length.parse::<u8>().ok()?)),
        None => (text.parse().ok()?, None),
    };
    let whole = if IpAddr::is_ipv4(&address) { 32 } else { 128 };
    let prefix = Prefix { address, length: length.unwrap_or(whole) };
    (prefix.length <= whole && span(prefix)?.first == address).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        parse_prefix(text).unwrap()
    }

    #[test]
    fn a_prefix_has_what_lies_in_it_and_nothing_of_the_other_family() {
        assert!(contains(prefix("10.0.0.0/8"), prefix("10.1.2.0/24")));
        assert!(contains(prefix("0.0.0.0/0"), prefix("10.1.2.3/32")));
        assert!(!contains(prefix("10.1.2.0/24"), prefix("10.0.0.0/8")));
        assert!(!contains(prefix("0.0.0.0/0"), prefix("::/0")));
        assert!(contains(prefix("fd00::/16"), prefix("fd00:1::/64")));
        assert_eq!(parse_prefix("10.0.0.1/24"), None, "it is an address with a length");
        assert_eq!(prefix("10.0.0.1"), prefix("10.0.0.1/32"));
    }

    fn event(text: &str, table: u32) -> Event {
        let key = crate::observe::RouteKey {
            table,
            prefix: prefix(text),
            source: None,
            tos: 0,
            priority: 0,
        };
        Event::Route(crate::observe::Route {
            key,
            kind: crate::observe::RouteKind::Unicast,
            protocol: 186,
            nexthop: None,
            hops: Vec::new(),
            mtu: None,
            hop_limit: None,
        })
    }

    #[test]
    fn maps_are_asked_for_an_address_that_no_longer_prefix_has() {
        use crate::facts::held::{Held, RouteKey};
        let network = ["10.0.0.0/8", "10.0.0.0/24", "10.255.255.0/24"].map(|it| event(it, 254));
        let ways = [
            ("10.0.0.0/24", Way::Dropped),
            ("10.0.1.0-10.255.254.255", Way::Local),
            ("0.0.0.0/0", Way::Kernel),
        ];
        let key =
            |addresses: &str| RouteKey { view: "default".into(), addresses: addresses.into() };
        let held = Held {
            routes: ways.into_iter().map(|(addresses, way)| (key(addresses), way)).collect(),
            ..Held::default()
        };
        let fabric = Some(Fabric { held, ..Fabric::default() });
        let facts = Facts { network: network.to_vec(), fabric, ..Facts::default() };
        let sight = Sight::of("leaf01", &facts);
        assert_eq!(sight.held_route(None, prefix("10.0.0.0/8")), Some(Some(&Way::Local)));
        assert_eq!(sight.held_route(None, prefix("10.0.0.0/24")), Some(Some(&Way::Dropped)));
        assert_eq!(sight.held_route(None, prefix("192.0.2.0/24")), Some(Some(&Way::Kernel)));
        assert_eq!(sight.held_route(None, prefix("fd00::/64")), Some(None));
        assert_eq!(sight.held_route(Some("red"), prefix("10.0.0.0/8")), None);
    }
}
