//! `[[reasons]]`: what should not happen to packets.

use std::collections::BTreeMap;

use fabric_common::reason::Reason;

use super::{
    Kind,
    fast::{growth, received},
};
use crate::check::{
    case::Draft,
    finding::{Finding, Judged, list, not_asked},
    inventory::Inventory,
    look::Look,
    names::Names,
    shape::{Shape, shape},
    span::Span,
};

shape! {
    /// While packets were counted, no more than so many have ended for the reasons that are named.
    pub(crate) struct Reasons: "reasons", "[[reasons]]\nnone_of = [\"vxlan_input_unknown_vtep\", \"vxlan_output_too_big\"]\nwindow = \"10s\"" {
        /// The nodes with fabric-xdpd.
        on: Names = Or("\"*\""),
        /// The reasons, as `fabricctl counters reasons` calls them.
        none_of: Vec<String> = Required,
        /// The most packets of each, per node.
        max: u64 = Or("0"),
        /// How long packets are counted.
        window: Span = Or("\"5s\""),
        /// As a control so many packets have been looked at meanwhile, whatever became of them; without traffic, or with the
        /// bypass on, nothing can end for any reason.
        packets: u64 = Or("1"),
    }
}

impl Kind for Reasons {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        for name in &self.none_of {
            if !Reason::ALL.iter().any(|it| it.name() == name) {
                let near = Reason::ALL
                    .iter()
                    .min_by_key(|it| strsim::damerau_levenshtein(it.name(), name));
                let near =
                    near.map(|it| format!("; did you mean {}?", it.name())).unwrap_or_default();
                return Err(format!("no reason is called {name}{near}"));
            }
        }
        let draft = |node: &crate::lab::topology::Switch| {
            let (name, table) = (node.name.clone(), self.clone());
            Draft::of(&node.name, name.clone(), move |look| table.judge(&name, look))
                .over(self.window.0)
        };
        Ok(inventory.boxes(&self.on)?.into_iter().map(draft).collect())
    }
}

/// Packets that were looked at, and not handed to the kernel whatever they were.
fn looked_at(grown: &BTreeMap<String, u64>) -> u64 {
    let unseen = [Reason::PortInputBypassed, Reason::PortInputHeartbeatExpired].map(Reason::name);
    grown.iter().filter(|(name, _)| !unseen.contains(&name.as_str())).map(|(_, count)| count).sum()
}

impl Reasons {
    fn judge(&self, node: &str, look: &Look<'_>) -> Judged {
        let sight = look.sight(node)?;
        sight.fabric()?;
        let before = received(look.before(node)?, |_| true);
        let mut grown = growth(&before, &received(sight.facts, |_| true));
        let all = looked_at(&grown);
        if all < self.packets {
            return Err(not_asked(format!(
                "{node}: Fabric has looked at {all} packets in {}, so that none of a reason prove nothing",
                self.window
            )));
        }
        grown.retain(|name, count| self.none_of.contains(name) && *count > self.max);
        if grown.is_empty() {
            return Ok(format!("none of {all} packets in {}", self.window));
        }
        let likely =
            grown.keys().next().and_then(|name| Reason::ALL.iter().find(|it| it.name() == name));
        Err(Finding::new(
            format!("{} packets at most for {} in {}", self.max, list(&self.none_of), self.window),
            list(grown.iter().map(|(name, count)| format!("{name} {count}"))),
            likely.map_or("", |it| it.describe().trim().trim_end_matches('.')),
            format!("on {node}: fabricctl counters reasons -v"),
        )
        .into())
    }
}
