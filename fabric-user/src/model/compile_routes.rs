//! Where packets to each prefix go.

use std::collections::BTreeSet;

use super::{Dirty, Network, RoutePlace, Structure, Way};

/// The way of every place that has one. Costs one lookup per known route.
pub fn compile_routes<'a>(
    network: &'a Network,
    structure: &'a Structure,
) -> impl Iterator<Item = (RoutePlace, Way)> + use<'a> {
    let places = changed_places(network, structure, &Dirty::everything()).into_iter();
    places.filter_map(|place| Some((place, compile_route(network, structure, place)?)))
}

/// The way of one place; `None` if there is no entry for it, so that a shorter prefix decides.
#[must_use]
pub fn compile_route(_: &Network, structure: &Structure, place: RoutePlace) -> Option<Way> {
    let _view = structure.views.get(usize::from(place.view))?;
    None
}

/// The places that a change may affect.
pub(super) fn changed_places(_: &Network, _: &Structure, _: &Dirty) -> BTreeSet<RoutePlace> {
    BTreeSet::new()
}
