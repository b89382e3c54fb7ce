//! Networks and tenants.

use super::{
    is_by_frr,
    writer::{Table, Writer},
};
use crate::check::sight::Sight;

pub(super) fn write(writer: &mut Writer<'_>, boxes: &[Sight<'_>]) {
    let topology = &writer.inventory.topology;
    let is_by_frr = is_by_frr(writer.inventory);
    let networks: Vec<String> = topology.networks.iter().map(|it| it.name.clone()).collect();
    let tenants: Vec<String> = topology.tenants.iter().map(|it| it.name.clone()).collect();
    let has_networks = |name: &str| topology.switch(name).is_some_and(|it| !it.networks.is_empty());
    let homes: Vec<String> =
        boxes.iter().map(|it| it.name.to_owned()).filter(|it| has_networks(it)).collect();
    let within = || vec![("within", "\"10s\"".to_owned())];
    let all = |comment, kind, key, of: &Vec<String>, fields| Table {
        comment,
        kind,
        key,
        of: of.clone(),
        about: of.clone(),
        fields,
    };
    let here = "Networks are on the boxes of the inventory and on no other one of these.";
    writer.add(&all(here, "vni", "network", &networks, Vec::new()));
    let flood = "Broadcasts reach all VTEPs of a network, and nobody else.";
    writer.add(&all(flood, "vteps", "network", &networks, within()));
    if !is_by_frr {
        return;
    }
    let routed = "Tenants have their VNI, and know the routers of other boxes.";
    writer.add(&all(routed, "vrf", "tenant", &tenants, within()));
    writer.add(&all("Nobody is at two places.", "no_duplicates", "on", &homes, Vec::new()));
}
