//! `[[no_duplicates]]`: nobody is at two places.

use std::collections::BTreeMap;

use super::Kind;
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, list, not_asked},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
        span::Span,
    },
    frr::facts::{Frr, VniKind},
    lab::topology::ControlPlane,
};

shape! {
    /// No MAC and no address counts as duplicate, and none moves more often than said while it is watched.
    pub(crate) struct NoDuplicates: "no_duplicates", "[[no_duplicates]]\non = \"leaf*\"\nmoves = 0\nwindow = \"10s\"" {
        /// The nodes with networks that are looked at.
        on: Names = Or("\"*\""),
        /// The most moves of one MAC between VTEPs while it is watched.
        moves: Option<u32> = None,
        /// How long moves are counted.
        window: Span = Or("\"10s\""),
    }
}

impl Kind for NoDuplicates {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        if inventory.topology.fabric.control_plane == ControlPlane::Static {
            return Err("nobody looks for duplicates where FRR does not run".into());
        }
        let nodes =
            inventory.nodes_that(&self.on, "node with networks", |it| !it.networks.is_empty())?;
        let draft = |node: &crate::lab::topology::Switch| {
            let (name, table) = (node.name.clone(), self.clone());
            let draft = Draft::of(&node.name, name.clone(), move |look| table.judge(&name, look));
            if self.moves.is_some() { draft.over(self.window.0) } else { draft }
        };
        Ok(nodes.into_iter().map(draft).collect())
    }
}

impl NoDuplicates {
    fn judge(&self, node: &str, look: &Look<'_>) -> Judged {
        let frr = look.sight(node)?.frr(&["zebra"])?;
        let l2 = frr.vnis.values().any(|it| it.kind == VniKind::L2);
        if !l2 || frr.duplicates.as_ref().is_some_and(|it| !it.enabled) {
            return Err(not_asked(format!("{node}: FRR does not look for duplicates")));
        }
        let macs = frr
            .macs
            .iter()
            .filter(|it| it.duplicate)
            .map(|it| format!("{} in VNI {}", it.mac, it.vni));
        let addresses = frr.neighbours.iter().filter(|it| it.duplicate);
        let addresses = addresses.map(|it| format!("{} in VNI {}", it.address, it.vni));
        let duplicates: Vec<String> = macs.chain(addresses).collect();
        if !duplicates.is_empty() {
            return Err(Finding::new(
                "no duplicate",
                list(duplicates),
                "two hosts have the same address, or a loop makes it move",
                format!("on {node}: vtysh -c 'show evpn mac vni all duplicate'"),
            )
            .into());
        }
        let Some(most) = self.moves else { return Ok("no duplicate".into()) };
        let before = look.before(node)?;
        let before = before.frr.as_ref().filter(|it| !it.missing.contains_key("zebra"));
        let before = before.map(sequences);
        let before = before.ok_or_else(|| not_asked(format!("{node}: FRR did not run before")))?;
        let moved = sequences(frr).into_iter().filter_map(|(key, now)| {
            let times = now.saturating_sub(before.get(&key).copied().unwrap_or_default());
            (times > most).then(|| format!("{} in VNI {} {times} times", key.1, key.0))
        });
        let moved: Vec<String> = moved.collect();
        match moved.is_empty() {
            true => Ok(format!("no duplicate, and no more than {most} moves")),
            false => Err(Finding::new(
                format!("no more than {most} moves in {}", self.window),
                list(moved),
                "a loop, or two hosts with one MAC",
                format!("on {node}: vtysh -c 'show evpn mac vni all'"),
            )
            .into()),
        }
    }
}

/// How often each MAC has moved.
fn sequences(frr: &Frr) -> BTreeMap<(u32, crate::mac::Mac), u32> {
    frr.macs.iter().map(|it| ((it.vni, it.mac), it.sequence)).collect()
}
