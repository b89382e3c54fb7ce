//! What the maps should hold by the kernel's tables: what a daemon would write into empty ones.

use anyhow::Context as _;

use crate::{
    cli::{contents::Contents, interfaces::Interfaces, view::View},
    daemon::premises::Premises,
    facts::{Facts, held::Held},
    model::{Network, compile},
    reconcile::imagine,
};

/// What maps would hold that a daemon with these premises fills now. `hz` is the kernel's timer frequency.
///
/// # Errors
/// If there is not enough memory for such maps.
pub(super) fn wanted(facts: &Facts, premises: &Premises, hz: u32) -> anyhow::Result<Held> {
    let mut network = Network::new();
    for event in &facts.network {
        network.apply(event.clone());
    }
    network.set_strayed(premises.strayed.clone());
    let desired = compile(&network, &premises.policy);
    let (maps, _) = imagine(desired, &premises.settings, hz)
        .context("there is no room for the maps to compare with")?;
    let view = View::new(Contents::read(&maps), Interfaces::of(network.links()));
    Ok(Held::read(&view, &maps))
}
