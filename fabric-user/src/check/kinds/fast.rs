//! `[[fast]]`: Fabric forwards, and not the kernel.

use std::collections::BTreeMap;

use fabric_common::reason::{Reason, Verdict};
use glob::Pattern;

use super::{Kind, gateway::ping};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, list, not_asked},
        inventory::Inventory,
        look::Look,
        names::Names,
        probe::Probe,
        shape::{Shape, shape},
        share::Percent,
        span::Span,
    },
    facts::{Facts, counted::Count},
};

/// What is for the box itself, as BGP and BFD are, or for everybody on a link, and which nobody forwards.
const OWN: [Reason; 13] = [
    Reason::FrameGuardMulticast,
    Reason::FrameGuardArp,
    Reason::FrameGuardNeighbourDiscovery,
    Reason::FrameGuardControlProtocol,
    Reason::InnerGuardMulticast,
    Reason::InnerGuardArp,
    Reason::InnerGuardNeighbourDiscovery,
    Reason::InnerGuardControlProtocol,
    Reason::TransitInputTtl,
    Reason::TransitInputMartian,
    Reason::TransitInputNeighbourDiscovery,
    Reason::TransitInputOtherHost,
    Reason::TransitRouteLocal,
];

shape! {
    /// Of the packets that ports have received while they were watched, Fabric has forwarded or answered such a share,
    /// and it has refused no port. What is for the box itself or for everybody on a link does not count, so there has to
    /// be traffic: what is there, or pings between hosts that are named.
    pub(crate) struct Fast: "fast", "[[fast]]\non = [\"leaf01\", \"leaf04\"]\nfrom = \"app01\"\nto = \"app06\"\nshare = \"90%\"" {
        /// The nodes with fabric-xdpd.
        on: Names = Or("\"*\""),
        /// Ports that are counted, as a glob.
        ports: String = Or("\"*\""),
        /// The smallest share.
        share: Percent = Or("\"99%\""),
        /// How long packets are counted, at least.
        window: Span = Or("\"5s\""),
        /// Fewer packets than that prove nothing.
        packets: u64 = Or("100"),
        /// The host that pings meanwhile.
        from: Option<String> = None,
        /// The host that answers.
        to: Option<String> = None,
        /// So many pings, 2 ms apart.
        count: u32 = Or("1000"),
    }
}

impl Kind for Fast {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let pattern = Pattern::new(&self.ports)
            .map_err(|error| format!("\"{}\" is no glob: {}", self.ports, error.msg))?;
        let host = |name: &String| {
            inventory.topology.host(name).ok_or_else(|| format!("\"{name}\" is no host"))
        };
        let traffic: Vec<Probe> = match (&self.from, &self.to) {
            (None, None) => Vec::new(),
            (Some(from), Some(to)) => {
                let (from, to) = (host(from)?, host(to)?);
                let interval = Span(std::time::Duration::from_millis(2));
                vec![ping(&from.name, to.address.into(), self.count.max(1), interval)]
            }
            _ => return Err("from and to belong together".into()),
        };
        let draft = |node: &crate::lab::topology::Switch| {
            let (name, table, pattern) = (node.name.clone(), self.clone(), pattern.clone());
            let mut draft =
                Draft::of(&node.name, name.clone(), move |look| table.judge(&name, &pattern, look));
            draft.probes.clone_from(&traffic);
            draft.over(self.window.0)
        };
        Ok(inventory.boxes(&self.on)?.into_iter().map(draft).collect())
    }
}

/// Packets that all of these ports have received, by reason.
pub(super) fn received(facts: &Facts, is_meant: impl Fn(&str) -> bool) -> BTreeMap<String, Count> {
    let mut all: BTreeMap<String, Count> = BTreeMap::new();
    let ports = facts.fabric.iter().flat_map(|it| &it.counted.ports);
    for (_, count) in ports.filter(|(port, _)| is_meant(port)) {
        for (reason, count) in &count.received {
            *all.entry(reason.clone()).or_default() += *count;
        }
    }
    all
}

/// By how much each has grown. Counters that began anew count from there.
pub(super) fn growth(
    before: &BTreeMap<String, Count>,
    now: &BTreeMap<String, Count>,
) -> BTreeMap<String, u64> {
    let grown = |(reason, count): (&String, &Count)| {
        let then = before.get(reason).map_or(0, |it| it.packets);
        let grown = count.packets.checked_sub(then).unwrap_or(count.packets);
        (grown > 0).then(|| (reason.clone(), grown))
    };
    now.iter().filter_map(grown).collect()
}

impl Fast {
    fn judge(&self, node: &str, pattern: &Pattern, look: &Look<'_>) -> Judged {
        let sight = look.sight(node)?;
        let fabric = sight.fabric()?;
        let is_meant = |port: &str| pattern.matches(port);
        if let Some(state) = &fabric.state {
            let refused = state
                .declined
                .iter()
                .filter(|(port, _)| is_meant(port) && !state.chosen.contains(*port));
            let refused: Vec<String> =
                refused.map(|(port, why)| format!("{port} ({why})")).collect();
            if !refused.is_empty() {
                return Err(Finding::new(
                    "every port is accelerated",
                    format!("refused: {}", list(refused)),
                    "the device or its driver cannot do it, or another program is there",
                    format!("on {node}: fabricctl status"),
                )
                .into());
            }
        }
        let before = received(look.before(node)?, is_meant);
        let mut grown = growth(&before, &received(sight.facts, is_meant));
        grown.retain(|name, _| !OWN.iter().any(|it| it.name() == name));
        let all: u64 = grown.values().sum();
        if all < self.packets {
            return Err(not_asked(format!(
                "{node}: {all} packets in {} prove nothing; there has to be traffic, as by `from` and `to`",
                self.window
            )));
        }
        let is_fast = |name: &str| {
            let reason = Reason::ALL.iter().find(|it| it.name() == name);
            reason.is_some_and(|it| matches!(it.verdict(), Verdict::Redirect | Verdict::Reply))
        };
        let fast: u64 =
            grown.iter().filter(|(name, _)| is_fast(name)).map(|(_, count)| count).sum();
        let share = Percent(fast as f64 / all as f64);
        if share >= self.share {
            return Ok(format!("{share} of {all} packets"));
        }
        let mut slow: Vec<(&String, &u64)> =
            grown.iter().filter(|(name, _)| !is_fast(name)).collect();
        slow.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let slow = list(slow.iter().take(3).map(|(name, count)| format!("{name} {count}")));
        Err(Finding::new(
            format!("{} of the packets", self.share),
            format!("{share} of {all}; the kernel got {slow}"),
            "what the reasons say",
            format!("on {node}: fabricctl counters reasons -v"),
        )
        .into())
    }
}
