//! `[[bfd]]`: silence is noticed.

use super::{Kind, bgp::expected};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, not_asked},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
        span::Span,
    },
    frr::facts::BfdSession,
    lab::topology::Switch,
};

shape! {
    /// Each link between nodes, and each session inside a network, is watched by BFD, and both ends hear each other.
    pub(crate) struct Bfd: "bfd", "[[bfd]]\non = \"leaf*\"\ndetect = \"150ms\"" {
        /// The nodes whose sessions are looked at.
        on: Names = Or("\"*\""),
        /// Neighbours as FRR names them, by port or address; those of the topology.
        peers: Option<Vec<String>> = None,
        /// The longest time in which the node notices silence: as many intervals as the other end says, each the longer one
        /// of what that end wants to send and the node to receive (RFC 5880, section 6.8.4).
        detect: Option<Span> = None,
    }
}

impl Kind for Bfd {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let topology = &inventory.topology;
        if let Some(peers) = &self.peers {
            let nodes = inventory.nodes(&self.on)?;
            let pairs = nodes.iter().flat_map(|node| peers.iter().map(move |peer| (node, peer)));
            return Ok(pairs.map(|(node, peer)| self.draft(&node.name, None, peer)).collect());
        }
        let watched = |node: &Switch| {
            let overlay: Vec<String> =
                topology.evpn_peers(node).map(|it| it.loopback.to_string()).collect();
            let all = expected(topology, node).into_iter();
            all.filter(|it| !overlay.contains(&it.peer)).collect::<Vec<_>>()
        };
        let nodes =
            inventory.nodes_that(&self.on, "node that speaks BGP", |it| !watched(it).is_empty())?;
        let mut drafts = Vec::new();
        for node in nodes {
            for session in watched(node) {
                drafts.push(self.draft(&node.name, session.neighbour.as_deref(), &session.peer));
            }
        }
        Ok(drafts)
    }
}

impl Bfd {
    /// A session of a node with a neighbour of a name, or of none that is known.
    fn draft(&self, node: &str, neighbour: Option<&str>, peer: &str) -> Draft {
        let subject = match neighbour {
            Some(neighbour) => format!("{node}→{neighbour} ({peer})"),
            None => format!("{node}→{peer}"),
        };
        let neighbour = neighbour.unwrap_or(peer).to_owned();
        let (name, peer, detect) = (node.to_owned(), peer.to_owned(), self.detect);
        Draft::of(node, subject, move |look| judge([&name, &neighbour], &peer, detect, look))
    }
}

fn judge(
    [node, neighbour]: [&str; 2],
    peer: &str,
    detect: Option<Span>,
    look: &Look<'_>,
) -> Judged {
    let frr = look.sight(node)?.frr(&["bfdd"])?;
    // Without addresses FRR names the neighbour's link-local one and the interface to it.
    let is_it =
        |it: &&BfdSession| it.interface.as_deref() == Some(peer) || it.peer.to_string() == peer;
    let mut sessions = frr.bfd.iter().filter(|it| it.vrf.is_none());
    let should = match detect {
        Some(detect) => format!("up, silence noticed within {detect}"),
        None => "up".into(),
    };
    let next = format!("on {node}: vtysh -c 'show bfd peers'");
    let Some(session) = sessions.find(is_it) else {
        let likely = "BFD is not configured for the neighbour, or its BGP session was never up";
        return Err(Finding::new(should, "no session", likely, next).into());
    };
    if !session.up {
        let actual = format!("{} ({})", session.status, session.diagnostic);
        return Err(Finding::new(should, actual, deaf([node, neighbour], session), next).into());
    }
    let Some(within) = session.detection_ms() else {
        return match detect {
            None => Ok("up".into()),
            Some(_) => Err(not_asked(format!(
                "{node}: it is not known how often the other end of {peer} sends"
            ))),
        };
    };
    if detect.is_some_and(|detect| u128::from(within) > detect.0.as_millis()) {
        let actual = format!("up, silence noticed within {within} ms");
        return Err(Finding::new(should, actual, "the session has other timers", next).into());
    }
    Ok(format!("up, silence noticed within {within} ms"))
}

/// Who does not hear whom (RFC 5880, sections 4.1 and 6.2).
fn deaf([node, neighbour]: [&str; 2], session: &BfdSession) -> String {
    let says = |diagnostic: &str| session.diagnostic.eq_ignore_ascii_case(diagnostic);
    // An end that is in `init` hears of the other one that this hears nothing.
    match (session.status.as_str(), says(EXPIRED), says(SIGNALED)) {
        ("init", ..) => {
            format!(
                "{neighbour} hears nothing of {node}: packets from {node} to {neighbour} are lost"
            )
        }
        (_, true, _) => format!(
            "{node} hears nothing of {neighbour}: packets from {neighbour} to {node} are lost, or bfdd does not run \
             there"
        ),
        (_, _, true) => format!("{neighbour} has ended the session, as when bfdd is stopped there"),
        _ => "the link is silent, or bfdd does not run at the other end".into(),
    }
}

/// As FRR calls the diagnostics (`diag2str` of `bfdd/bfd.c`).
const EXPIRED: &str = "control detection time expired";
const SIGNALED: &str = "neighbor signaled session down";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_link_that_is_dead_in_one_direction_each_end_says_in_which() {
        let says = |status: &str, diagnostic: &str| {
            let (status, diagnostic) = (status.into(), diagnostic.into());
            deaf(["leaf01", "spine01"], &BfdSession { status, diagnostic, ..BfdSession::default() })
        };
        for diagnostic in [EXPIRED, SIGNALED] {
            assert!(says("init", diagnostic).ends_with("packets from leaf01 to spine01 are lost"));
        }
        assert!(says("down", EXPIRED).contains("packets from spine01 to leaf01 are lost"));
        assert!(says("down", SIGNALED).starts_with("spine01 has ended the session"));
        assert!(says("down", "ok").starts_with("the link is silent"));
    }
}
