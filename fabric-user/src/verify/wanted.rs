//! What the maps should hold by the kernel's tables: what a daemon would write into empty ones.

use std::collections::BTreeSet;

use anyhow::Context as _;

use crate::{
    cli::{contents::Contents, interfaces::Interfaces, view::View},
    daemon::premises::Premises,
    facts::{Facts, held::Held},
    model::{Network, compile},
    observe::Event,
    reconcile::imagine,
};

/// What maps would hold that a daemon with these premises fills now. `hz` is the kernel's timer frequency.
///
/// # Returns
/// With it, what would find no room there: sentences. Maps that are full hold whatever came first, so these cannot be
/// compared.
///
/// # Errors
/// If there is not enough memory for such maps.
pub(super) fn wanted(
    facts: &Facts,
    premises: &Premises,
    hz: u32,
) -> anyhow::Result<(Held, BTreeSet<String>)> {
    let mut network = Network::new();
    let events = facts.network.iter();
    // The daemon may have been let look where we are not, or the other way round.
    for event in events.filter(|event| !matches!(event, Event::VethPeer { .. })) {
        network.apply(event.clone());
    }
    for (ifindex, receives) in &premises.veth_peers {
        network.apply(Event::VethPeer { ifindex: *ifindex, receives: Some(*receives) });
    }
    network.set_strayed(premises.strayed.clone());
    let desired = compile(&network, &premises.policy);
    let (maps, outcome) = imagine(desired, &premises.settings, hz)
        .context("there is no room for the maps to compare with")?;
    let view = View::new(Contents::read(&maps), Interfaces::of(network.links()));
    Ok((Held::read(&view, &maps), outcome.full))
}
