//! `[[link]]`: cables are as they are drawn.

use super::Kind;
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
        sight::Sight,
        span::Span,
    },
    facts::Facts,
    lab::topology::{ControlPlane, End},
    mac::Mac,
};

shape! {
    /// Both ends of each link are up and have the MTU that the topology says. Where BGP speaks on the link without
    /// addresses, its other end is the node that is drawn there.
    pub(crate) struct Link: "link", "[[link]]\non = \"leaf*\"" {
        /// The nodes whose links are looked at.
        on: Names = Or("\"*\""),
        /// Ports of these nodes, in place of the cables of the topology; then `mtu` is needed.
        ports: Option<Vec<String>> = None,
        /// Bytes of the longest IP packet; what the topology says.
        mtu: Option<u32> = None,
        /// Also the cables of hosts, at the end of the node; those of a bond have to be active in it.
        hosts: bool = Or("false"),
        /// The most times that an end may lose its carrier while it is watched: what flaps is up whenever somebody looks.
        flaps: Option<u32> = None,
        /// How long these are counted.
        window: Span = Or("\"10s\""),
    }
}

/// How often an end may lose its carrier, and in what time.
#[derive(Clone, Copy, Debug)]
struct Flaps {
    most: u32,
    window: Span,
}

/// One end of a cable.
#[derive(Clone, Debug)]
struct Expected {
    end: End,
    /// The node at the other end; none if nobody knows.
    peer: Option<String>,
    mtu: u32,
    /// It is known by BGP.
    speaks: bool,
    /// The port is one of a bond.
    bonded: bool,
}

impl Kind for Link {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let topology = &inventory.topology;
        let nodes = inventory.nodes(&self.on)?;
        if let Some(ports) = &self.ports {
            let mtu = self.mtu.ok_or("the topology has no MTU for `ports`; say it by `mtu`")?;
            let pairs = nodes.iter().flat_map(|node| ports.iter().map(move |port| (node, port)));
            let drafts = pairs.map(|(node, port)| {
                let end = End { node: node.name.clone(), port: port.clone(), mac: Mac::ZERO };
                self.draft(vec![Expected { end, peer: None, mtu, speaks: false, bonded: false }])
            });
            return Ok(drafts.collect());
        }
        let is_meant = |name: &str| nodes.iter().any(|it| it.name == name);
        let speaks = topology.fabric.control_plane == ControlPlane::Bgp;
        let links =
            topology.links.iter().filter(|link| is_meant(&link.a.node) || is_meant(&link.b.node));
        let between = links.map(|link| {
            let mtu = self.mtu.unwrap_or_else(|| topology.mtu_of(link));
            let end = |own: &End, peer: &End| Expected {
                end: own.clone(),
                peer: Some(peer.node.clone()),
                mtu,
                speaks,
                bonded: false,
            };
            self.draft([end(&link.a, &link.b), end(&link.b, &link.a)].into())
        });
        let hosts = topology.hosts.iter().filter(|host| self.hosts && is_meant(&host.switch.node));
        let of_hosts = hosts.flat_map(|host| host.cables().map(move |ends| (host, ends)));
        let access = of_hosts.map(|(host, [own, switch])| {
            self.draft(vec![Expected {
                end: switch.clone(),
                peer: Some(own.node.clone()),
                mtu: self.mtu.unwrap_or(topology.fabric.host_mtu),
                speaks: false,
                bonded: !host.members.is_empty(),
            }])
        });
        Ok(between.chain(access).collect())
    }
}

impl Link {
    fn draft(&self, ends: Vec<Expected>) -> Draft {
        let first = &ends[0];
        let name = |end: &End| format!("{}:{}", end.node, end.port);
        let subject = match (ends.get(1), &first.peer) {
            (Some(second), _) => format!("{}–{}", name(&first.end), name(&second.end)),
            (None, Some(peer)) => format!("{}–{peer}", name(&first.end)),
            (None, None) => name(&first.end),
        };
        let needs: Vec<String> = ends.iter().map(|it| it.end.node.clone()).collect();
        let device = first.end.node.clone();
        let flaps = self.flaps.map(|most| Flaps { most, window: self.window });
        let draft =
            Draft::of(&device, subject, move |look| judge(&ends, flaps, look)).needing(needs);
        if flaps.is_some() { draft.over(self.window.0) } else { draft }
    }
}

fn judge(ends: &[Expected], flaps: Option<Flaps>, look: &Look<'_>) -> Judged {
    let mut found = String::new();
    for (expected, flaps) in ends.iter().filter_map(|end| Some((end, flaps?))) {
        calm(&expected.end, flaps, look)?;
    }
    for expected in ends {
        let sight = look.sight(&expected.end.node)?;
        found = at(expected, sight)?;
    }
    Ok(found)
}

/// An end has kept its carrier.
fn calm(end: &End, flaps: Flaps, look: &Look<'_>) -> Judged {
    let End { node, port, .. } = end;
    let lost = |facts: &Facts| facts.carrier_losses.get(port).copied().unwrap_or_default();
    let times = lost(look.sight(node)?.facts).saturating_sub(lost(look.before(node)?));
    if times <= flaps.most {
        return Ok(format!("lost {times} times"));
    }
    Err(Finding::new(
        format!("carrier lost {} times at most in {}", flaps.most, flaps.window),
        format!("{node} {port}: carrier lost {times} times in {}", flaps.window),
        "the link flaps: a bad cable or transceiver, or its other end is switched off and on",
        format!("on {node}: ip -s -s link show {port}, where transns counts"),
    )
    .into())
}

fn at(expected: &Expected, sight: &Sight<'_>) -> Judged {
    let End { node, port, .. } = &expected.end;
    let peer = expected.peer.as_ref().map(|it| format!(", {it} at the other end"));
    let should = format!("up, MTU {}{}", expected.mtu, peer.unwrap_or_default());
    let fail = |actual: String, likely: &str, next: String| {
        Err(Finding::new(&should, format!("{node} {port}: {actual}"), likely, next).into())
    };
    let show = format!("on {node}: ip -d link show {port}");
    let Some(link) = sight.link(port) else {
        return fail(
            "there is no such interface".into(),
            "it was renamed or removed",
            format!("on {node}: ip link show"),
        );
    };
    if !link.up {
        return fail(
            "switched off".into(),
            "somebody has switched it off",
            format!("on {node}: ip link set {port} up"),
        );
    }
    if !link.carrier {
        return fail("no carrier".into(), "the cable is cut, or its other end is off", show);
    }
    if link.mtu != expected.mtu {
        let set = format!("on {node}: ip link set {port} mtu {}", expected.mtu);
        return fail(format!("MTU {}", link.mtu), "it was configured otherwise", set);
    }
    if expected.bonded && link.bond.is_none_or(|it| !it.active) {
        return fail(
            "no active port of a bond".into(),
            "LACP has found no partner, or the other end is out of its bond",
            format!("on {node}: ip -d link show {port}"),
        );
    }
    if let (true, Ok(frr)) = (expected.speaks, sight.frr(&["bgpd"]))
        && let Some(session) = frr.session(None, port)
        && let Some(name) = session.name.as_ref().filter(|it| Some(*it) != expected.peer.as_ref())
    {
        return fail(
            format!("{name} is at the other end"),
            "the cable is in another port than the picture says",
            format!("on {node}: vtysh -c 'show bgp neighbors {port}'"),
        );
    }
    Ok(format!("up, MTU {}", link.mtu))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{BondMember, Event, Link as Seen};

    #[test]
    fn a_port_that_is_out_of_its_bond_is_up_and_wrong() {
        let end = End { node: "leaf01".into(), port: "swp11".into(), mac: Default::default() };
        let expected = Expected { end, peer: None, mtu: 1_500, speaks: false, bonded: true };
        let with = |bond| {
            let name = "swp11".to_owned();
            let link = Seen {
                ifindex: 1,
                name,
                up: true,
                carrier: true,
                mtu: 1_500,
                bond,
                ..Seen::default()
            };
            let facts = Facts { network: vec![Event::Link(link)], ..Facts::default() };
            at(&expected, &Sight::of("leaf01", &facts)).is_ok()
        };
        let seen =
            [None, Some(false), Some(true)].map(|it| with(it.map(|active| BondMember { active })));
        assert_eq!(seen, [false, false, true]);
    }
}
