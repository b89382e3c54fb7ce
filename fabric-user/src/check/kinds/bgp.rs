//! `[[bgp]]`: sessions.

use std::collections::BTreeSet;

use super::Kind;
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, list},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
        span::Span,
    },
    frr::facts::Session,
    lab::{
        Topology,
        topology::{ControlPlane, Function, Switch},
    },
};

/// Families as FRR calls them.
const IPV4: &str = "ipv4Unicast";
const IPV6: &str = "ipv6Unicast";
const EVPN: &str = "l2VpnEvpn";

shape! {
    /// Each session of the topology is established, carries its families, and there is no other one. Sessions are
    /// those of links without addresses, of loopbacks between spines of different sites, and inside networks.
    pub(crate) struct Bgp: "bgp", "[[bgp]]\non = \"*\"\nage = \"1m\"\nwithin = \"30s\"" {
        /// The nodes whose sessions are looked at.
        on: Names = Or("\"*\""),
        /// Neighbours as FRR names them, by port or address; those of the topology.
        peers: Option<Vec<String>> = None,
        /// The VRF in which these neighbours are; the default one.
        vrf: Option<String> = None,
        /// Families that each session carries, of ipv4, ipv6 and evpn; what the topology says.
        families: Option<Vec<Family>> = None,
        /// A session has to be established for so long.
        age: Span = Or("\"0s\""),
        /// Whether there may be other sessions, in any VRF.
        others: bool = Or("false"),
    }
}

/// A family as a suite calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Family {
    /// IPv4 unicast.
    Ipv4,
    /// IPv6 unicast.
    Ipv6,
    /// EVPN.
    Evpn,
}

impl Family {
    /// As FRR calls it.
    pub(crate) const fn of_frr(self) -> &'static str {
        match self {
            Self::Ipv4 => IPV4,
            Self::Ipv6 => IPV6,
            Self::Evpn => EVPN,
        }
    }
}

/// What the default VRF may be called in a suite.
const DEFAULT: &str = "default";

/// A session by VRF and peer.
type Key = (Option<String>, String);

/// A session that should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The VRF; none is the default one, where all sessions of topologies are.
    pub(crate) vrf: Option<String>,
    /// As FRR names the neighbour.
    pub(crate) peer: String,
    /// The node there; none if only the peer is known.
    pub(crate) neighbour: Option<String>,
    /// What it carries.
    pub(crate) families: Vec<&'static str>,
}

/// The sessions that a node has by the topology.
pub(crate) fn expected(topology: &Topology, node: &Switch) -> Vec<Expected> {
    if topology.fabric.control_plane == ControlPlane::Static {
        return Vec::new();
    }
    let unicast = || {
        let mut families = vec![IPV4];
        families.extend(topology.has_ipv6().then_some(IPV6));
        families
    };
    let carries_evpn = |node: &Switch| match node.function.is_way() {
        true => !topology.networks.is_empty(),
        false => !node.networks.is_empty(),
    };
    let links = topology.links_of(&node.name).filter_map(|(own, peer)| {
        let peer = topology.switch(&peer.node)?;
        let is_server = [node, peer].iter().any(|it| it.function == Function::Server);
        let within = peer.site == node.site || is_server || !topology.fabric.evpn_between_spines;
        let both = carries_evpn(node) && carries_evpn(peer);
        let mut families = unicast();
        families.extend((within && both).then_some(EVPN));
        Some(Expected {
            vrf: None,
            peer: own.port.clone(),
            neighbour: Some(peer.name.clone()),
            families,
        })
    });
    let overlay = topology.evpn_peers(node).map(|peer| Expected {
        vrf: None,
        peer: peer.loopback.to_string(),
        neighbour: Some(peer.name.clone()),
        families: vec![EVPN],
    });
    let inside = topology.sessions_inside(node).into_iter().map(|it| Expected {
        vrf: None,
        peer: it.address.to_string(),
        neighbour: Some(it.peer.name.clone()),
        families: vec![if it.address.is_ipv4() { IPV4 } else { IPV6 }],
    });
    links.chain(overlay).chain(inside).collect()
}

impl Kind for Bgp {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let topology = &inventory.topology;
        if self.vrf.is_some() && self.peers.is_none() {
            return Err(
                "vrf is of `peers`, and sessions of the topology are in the default VRF".into()
            );
        }
        let vrf = self.vrf.clone().filter(|it| it != DEFAULT);
        let of_node = |node: &Switch| match &self.peers {
            Some(peers) => peers
                .iter()
                .map(|peer| Expected {
                    vrf: vrf.clone(),
                    peer: peer.clone(),
                    neighbour: None,
                    families: Vec::new(),
                })
                .collect(),
            None => expected(topology, node),
        };
        let nodes =
            inventory.nodes_that(&self.on, "node that speaks BGP", |it| !of_node(it).is_empty())?;
        let mut drafts = Vec::new();
        for node in nodes {
            let sessions = of_node(node);
            let known: BTreeSet<Key> =
                sessions.iter().map(|it| (it.vrf.clone(), it.peer.clone())).collect();
            for mut session in sessions {
                if let Some(families) = &self.families {
                    session.families = families.iter().map(|it| it.of_frr()).collect();
                }
                drafts.push(self.session(&node.name, session));
            }
            if !self.others {
                let name = node.name.clone();
                drafts.push(Draft::of(
                    &node.name,
                    format!("{name} no other session"),
                    move |look| no_other(&name, &known, look),
                ));
            }
        }
        Ok(drafts)
    }
}

impl Bgp {
    fn session(&self, node: &str, session: Expected) -> Draft {
        let subject = match (&session.neighbour, &session.vrf) {
            (Some(neighbour), _) => format!("{node}→{neighbour} ({})", session.peer),
            (None, Some(vrf)) => format!("{node}→{} in {vrf}", session.peer),
            (None, None) => format!("{node}→{}", session.peer),
        };
        let (name, age) = (node.to_owned(), self.age);
        Draft::of(node, subject, move |look| judge(&name, &session, age, look))
    }
}

fn judge(node: &str, expected: &Expected, age: Span, look: &Look<'_>) -> Judged {
    let sight = look.sight(node)?;
    let frr = sight.frr(&["bgpd"])?;
    let families = list(expected.families.iter().map(|it| short(it)));
    let should = match (expected.families.is_empty(), age.0.is_zero()) {
        (true, true) => "Established".to_owned(),
        (false, true) => format!("Established, with {families}"),
        (_, false) => format!("Established for {age}, with {families}"),
    };
    let vrf = expected.vrf.as_ref().map(|it| format!("vrf {it} ")).unwrap_or_default();
    let next = format!("on {node}: vtysh -c 'show bgp {vrf}neighbors {}'", expected.peer);
    let fail =
        |actual: String, likely: String| Err(Finding::new(&should, actual, likely, &next).into());
    let Some(session) = frr.session(expected.vrf.as_deref(), &expected.peer) else {
        return fail(
            "bgpd has no such neighbour".into(),
            "it is not configured, or under another name".into(),
        );
    };
    if !session.is_established() {
        let likely = match sight.link(&session.peer) {
            Some(link) if !link.up => format!("{} is switched off", link.name),
            Some(link) if !link.carrier => format!("{} has no carrier", link.name),
            _ => "the other end does not speak BGP here, expects another AS or address, or one does not hear the other"
                .into(),
        };
        return fail(session.state.clone(), likely);
    }
    let lacks = expected.families.iter().filter(|family| !session.families.contains_key(**family));
    let lacks = list(lacks.map(|family| short(family)));
    if lacks != "nothing" {
        return fail(
            format!("Established, without {lacks}"),
            "the family is not activated at both ends".into(),
        );
    }
    let uptime = session.uptime.unwrap_or_default();
    if uptime < age.0.as_secs() {
        return fail(format!("Established for {uptime} s"), "the session was reset".into());
    }
    if let (Some(neighbour), Some(name)) = (&expected.neighbour, &session.name)
        && neighbour != name
    {
        return fail(
            format!("Established with {name}"),
            "the cable is in another port than the picture says".into(),
        );
    }
    Ok(format!("Established for {uptime} s"))
}

fn no_other(node: &str, known: &BTreeSet<Key>, look: &Look<'_>) -> Judged {
    let frr = look.sight(node)?.frr(&["bgpd"])?;
    let is_known = |it: &&Session| known.contains(&(it.vrf.clone(), it.peer.clone()));
    let others: Vec<&Session> = frr.sessions.iter().filter(|it| !is_known(it)).collect();
    if others.is_empty() {
        return Ok(format!("{} sessions", known.len()));
    }
    let names = list(others.iter().map(|it| {
        let name = it.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let vrf = it.vrf.as_ref().map(|vrf| format!(" in VRF {vrf}")).unwrap_or_default();
        format!("{}{name}{vrf}", it.peer)
    }));
    Err(Finding::new(
        "no session that the topology does not have",
        names,
        "the topology lacks a link, or somebody has configured a neighbour",
        format!("on {node}: vtysh -c 'show bgp vrf all summary'"),
    )
    .into())
}

/// A family in a sentence.
fn short(family: &str) -> &str {
    match family {
        IPV4 => "IPv4",
        IPV6 => "IPv6",
        EVPN => "EVPN",
        other => other,
    }
}
