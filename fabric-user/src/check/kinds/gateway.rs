//! `[[gateway]]`: hosts reach their gateways, and each its own leaf's.

use std::{collections::BTreeSet, net::IpAddr};

use super::Kind;
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, Stop, list},
        inventory::Inventory,
        look::Look,
        names::Names,
        probe::{Pinged, Probe, Within},
        shape::{Shape, shape},
        span::{Span, measured},
    },
    lab::topology::Host,
    mac::Mac,
};

shape! {
    /// Each host gets answers from its gateway; the MAC that has answered is the one that all leafs have; and the
    /// node where the host is plugged in has that address and that MAC itself, so that no other one has answered.
    pub(crate) struct Gateway: "gateway", "[[gateway]]\nfrom = \"*\"\ncount = 3\nloss = 0" {
        /// The hosts that ask.
        from: Names = Or("\"*\""),
        /// So many packets are sent.
        count: u32 = Or("3"),
        /// Time between two of them.
        interval: Span = Or("\"200ms\""),
        /// The most that may be lost.
        loss: u32 = Or("0"),
        /// The longest round trip; any.
        rtt: Option<Span> = None,
        /// Whether IPv6 gateways are asked as well.
        ipv6: bool = Or("true"),
    }
}

/// What is expected of a gateway.
#[derive(Clone, Debug)]
struct Expected {
    host: String,
    node: String,
    address: IpAddr,
    mac: Mac,
    loss: u32,
    rtt: Option<Span>,
    ping: Probe,
    neighbour: Probe,
}

impl Kind for Gateway {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        can_fail(self.count, self.loss)?;
        let hosts = inventory.hosts(&self.from)?;
        Ok(hosts.into_iter().flat_map(|host| self.of_host(inventory, host)).collect())
    }
}

/// A ping as most kinds send it.
pub(super) fn ping(from: &str, to: IpAddr, count: u32, interval: Span) -> Probe {
    let interval_ms = u64::try_from(interval.0.as_millis()).unwrap_or(u64::MAX);
    Probe::Ping {
        from: from.to_owned(),
        within: Within::default(),
        to,
        size: None,
        whole: false,
        count,
        interval_ms,
    }
}

/// The bytes that IP packets may have of which somebody says the size: with an IP header and one of ICMP, and as many as
/// an IP header can say.
const SIZES: [std::ops::RangeInclusive<u32>; 2] = [28..=65_535, 48..=65_535];

/// Sees to it that pings can have such a size.
///
/// # Errors
/// If they cannot: a sentence.
pub(super) fn can_have(size: u32, is_ipv6: bool) -> Result<(), String> {
    let sizes = &SIZES[usize::from(is_ipv6)];
    match sizes.contains(&size) {
        true => Ok(()),
        false => Err(format!(
            "no ping has {size} bytes with its headers; write {} to {}",
            sizes.start(),
            sizes.end()
        )),
    }
}

/// Sees to it that so many packets are not lost anyway.
///
/// # Errors
/// If nothing has to arrive: a sentence.
pub(super) fn can_fail(count: u32, loss: u32) -> Result<(), String> {
    match loss < count {
        true => Ok(()),
        false => Err(format!(
            "of {count} packets {loss} may be lost, so that none has to arrive; say a larger count or a smaller loss"
        )),
    }
}

/// What is wrong with answers that come more than once, if some do.
pub(super) fn doubled(pinged: &Pinged, should: &str, next: String) -> Result<(), Stop> {
    match pinged.duplicates {
        0 => Ok(()),
        times => Err(Finding::new(
            format!("{should}, each once"),
            format!("{times} answers came once more"),
            "packets go round in a loop or are flooded twice, or two have the address",
            next,
        )
        .into()),
    }
}

impl Gateway {
    fn of_host(&self, inventory: &Inventory, host: &Host) -> Vec<Draft> {
        // On a routed port the node's own MAC answers.
        let mac = match inventory.network_of(host) {
            Some(network) => network.gateway.map(|it| it.mac),
            None => Some(host.switch.mac),
        };
        let Some(mac) = mac else { return Vec::new() };
        let gateways = inventory.gateways_of(host).into_iter();
        let draft = |address: IpAddr| {
            let ping = ping(&host.name, address, self.count, self.interval);
            let neighbour = Probe::Neighbour { from: host.name.clone(), of: address };
            let probes = vec![ping.clone(), neighbour.clone()];
            let expected = Expected {
                host: host.name.clone(),
                node: host.switch.node.clone(),
                address,
                mac,
                loss: self.loss,
                rtt: self.rtt,
                ping,
                neighbour,
            };
            let subject = format!("{} ({address})", host.name);
            Draft::asking(&host.name, subject, probes, move |look| expected.judge(look))
                .needing([&host.switch.node])
        };
        gateways.filter(|it| it.is_ipv4() || self.ipv6).map(draft).collect()
    }
}

impl Expected {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let Self { host, node, address, mac, .. } = self;
        let pinged = look.pinged(&self.ping)?;
        let should =
            format!("answers from {address} at {mac}, {node}'s own; {} lost at most", self.loss);
        let fail = |actual: String, likely: &str, next: String| {
            Err(Finding::new(&should, actual, likely, next).into())
        };
        if pinged.lost() > self.loss {
            let error = pinged.error.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
            return fail(
                format!("{} of {} lost{error}", pinged.lost(), pinged.sent),
                "the host's cable, its VLAN, or the gateway's interface at its node",
                format!("on {node}: fabricctl status; ip -br address show"),
            );
        }
        doubled(&pinged, &should, format!("on {host}: ping {address}"))?;
        if let (Some(most), Some(slowest)) = (self.rtt, pinged.slowest)
            && slowest > most.0
        {
            return fail(
                format!("a round trip of {}", measured(slowest)),
                "the machine is busy, or packets go far",
                format!("on {host}: ping {address}"),
            );
        }
        let answered = look.neighbour(&self.neighbour)?;
        if answered != Some(*mac) {
            let actual = format!(
                "{} has answered",
                answered.map_or_else(|| "nobody".into(), |it| it.to_string())
            );
            return fail(
                actual,
                "somebody else has the gateway's address, or a leaf has another gateway MAC",
                format!("on {host}: ip neigh show {address}"),
            );
        }
        let sight = look.sight(node)?;
        if !sight.is_own(*address) {
            let actual = format!("answered, but {node} does not have {address}");
            return fail(
                actual,
                "the gateway is missing here, and another leaf has answered through the tunnel",
                format!("on {node}: ip -br address show"),
            );
        }
        let owners: BTreeSet<&str> =
            sight.links().filter(|it| it.mac == Some(*mac)).map(|it| it.name.as_str()).collect();
        if owners.is_empty() {
            let actual = format!("answered, but no interface of {node} has {mac}");
            return fail(
                actual,
                "the gateway has another MAC here, and another leaf has answered through the tunnel",
                format!("on {node}: ip -br link show"),
            );
        }
        Ok(format!("{} of {} answered by {}", pinged.received, pinged.sent, list(owners)))
    }
}
