//! `[[mtu]]`: the longest packet.

use std::collections::BTreeSet;

use super::{
    Kind,
    gateway::{can_fail, can_have, doubled, ping},
};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, list},
        inventory::Inventory,
        look::Look,
        names::Names,
        probe::Probe,
        shape::{Shape, shape},
        span::Span,
    },
    lab::topology::{End, Host},
};

/// What a tunnel puts around an IP packet: an Ethernet header inside, and outside those of VXLAN, UDP and IPv4 (RFC 7348).
const TUNNEL: u32 = 14 + 8 + 8 + 20;

shape! {
    /// A packet of so many bytes that may not be fragmented arrives and is answered, and one of a byte more is refused
    /// with an error and not lost in silence; and because a flow takes one way only, every link on every shortest way
    /// between the two nodes has room for the packet in its tunnel, which is 50 bytes more.
    pub(crate) struct Mtu: "mtu", "[[mtu]]\nfrom = \"app01\"\nto = \"app06\"\nsize = 1500" {
        /// The hosts that send.
        from: Names = Required,
        /// The hosts that answer.
        to: Names = Required,
        /// Bytes of the longest IP packet; the MTU of hosts in the topology.
        size: Option<u32> = None,
        /// So many packets of each size are sent.
        count: u32 = Or("2"),
    }
}

/// Two hosts, and what lies between them.
struct Expected {
    from: String,
    bytes: u32,
    fits: Probe,
    exceeds: Probe,
    /// Both ends of each link on the shortest ways through the underlay: node and port.
    links: BTreeSet<(String, String)>,
}

impl Kind for Mtu {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let bytes = self.size.unwrap_or(inventory.topology.fabric.host_mtu);
        can_have(bytes, false)?;
        can_have(bytes.saturating_add(1), false)?;
        can_fail(self.count, 0)?;
        let (from, to) = (inventory.hosts(&self.from)?, inventory.hosts(&self.to)?);
        let pairs = from.iter().flat_map(|one| to.iter().map(move |other| (one, other)));
        let draft = |(one, other): (&&Host, &&Host)| {
            let of = |bytes: u32| {
                let interval = Span(std::time::Duration::from_millis(200));
                let mut probe = ping(&one.name, other.address.into(), self.count, interval);
                if let Probe::Ping { size, whole, .. } = &mut probe {
                    (*size, *whole) = (Some(bytes), true);
                }
                probe
            };
            let expected = Expected {
                from: one.name.clone(),
                bytes,
                fits: of(bytes),
                exceeds: of(bytes + 1),
                links: between(inventory, &one.switch.node, &other.switch.node),
            };
            let subject = format!("{}→{} ({bytes} bytes)", one.name, other.name);
            let probes = vec![expected.fits.clone(), expected.exceeds.clone()];
            let nodes: Vec<String> = expected.links.iter().map(|it| it.0.clone()).collect();
            Draft::asking(&one.name, subject, probes, move |look| expected.judge(look))
                .needing(nodes)
        };
        Ok(pairs.filter(|(one, other)| one.name != other.name).map(draft).collect())
    }
}

/// Both ends of each link on a shortest way from node to node.
fn between(inventory: &Inventory, from: &str, to: &str) -> BTreeSet<(String, String)> {
    let topology = &inventory.topology;
    let end = |it: &End| (it.node.clone(), it.port.clone());
    let (mut links, mut front) = (BTreeSet::new(), BTreeSet::from([from.to_owned()]));
    // Each step is nearer.
    while !front.is_empty() {
        let mut next = BTreeSet::new();
        for node in front.iter().filter(|it| *it != to) {
            for (own, peer) in topology.shortest_ways(node, &[to]) {
                links.extend([end(own), end(peer)]);
                next.insert(peer.node.clone());
            }
        }
        front = next;
    }
    links
}

impl Expected {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let Self { from, bytes, fits, exceeds, .. } = self;
        let should = format!("{bytes} bytes arrive, and {} are refused with an error", bytes + 1);
        let (short, long) = (look.pinged(fits)?, look.pinged(exceeds)?);
        let next = format!("on {from}: {}", fits.command().join(" "));
        let fail =
            |actual: String, likely: &str| Err(Finding::new(&should, actual, likely, &next).into());
        if let Some(said) = &short.too_long {
            let actual = format!("{bytes} bytes are refused: {said}");
            return fail(actual, "a link on the way, or the host's own, has a smaller MTU");
        }
        if short.lost() > 0 {
            let actual = format!(
                "{} of {} packets of {bytes} bytes are not answered",
                short.lost(),
                short.sent
            );
            return fail(
                actual,
                "the underlay's MTU leaves no room for the tunnel's headers, on one of its ways if some arrive, or there is no way at all",
            );
        }
        doubled(&short, &should, next.clone())?;
        self.room(look)?;
        let next = format!("on {from}: {}", exceeds.command().join(" "));
        let fail =
            |actual: String, likely: &str| Err(Finding::new(&should, actual, likely, &next).into());
        match (long.received, long.too_long) {
            // It says nothing of the ways, where all links have room.
            (0, Some(said)) => Ok(format!("{bytes} bytes arrive; of {}: {said}", bytes + 1)),
            (0, None) => fail(
                format!("{} bytes are lost without a word", bytes + 1),
                "an error message is filtered, or a bridge drops what is too long",
            ),
            (_, _) => fail(
                format!("{} bytes arrive as well", bytes + 1),
                "the MTU is larger than it was planned",
            ),
        }
    }

    /// Every link on the ways has room for the packet in its tunnel.
    fn room(&self, look: &Look<'_>) -> Judged {
        let least = self.bytes + TUNNEL;
        let mut small = Vec::new();
        for (node, port) in &self.links {
            if let Some(link) = look.sight(node)?.link(port).filter(|it| it.mtu < least) {
                small.push(format!("{node} {port}: MTU {}", link.mtu));
            }
        }
        match small.is_empty() {
            false => Err(Finding::new(
                format!("room for {least} bytes on all links between the two nodes"),
                list(small),
                "a link has a smaller MTU than the others, and packets that take it are lost",
                format!("on the node that is named: ip link set PORT mtu {least}, or more"),
            )
            .into()),
            true => Ok(format!("{least} bytes everywhere")),
        }
    }
}
