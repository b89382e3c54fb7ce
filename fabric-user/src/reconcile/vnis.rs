//! VNIs of tunnels.

use std::collections::HashSet;

use fabric_common::schema::vnis;

use super::{domains::Domains, pass::Pass};
use crate::model;

/// Says which domain a tunnel's packets belong to.
pub(super) fn write(pass: &mut Pass<'_>, domains: &Domains) {
    let (maps, table) = (pass.maps, pass.maps.vnis.table());
    for (key, domain) in &pass.structure.domains {
        let (Some(vni), Some(index)) = (key_of(domain), domains.get(key)) else { continue };
        if table.get(vni) == Some(index) {
            continue;
        }
        match table.insert(vni, index) {
            true => pass.changed(true),
            false => pass.full("vnis", maps.vnis.len() as usize * 4, ""),
        }
    }
}

/// Forgets tunnels that are gone.
pub(super) fn remove(pass: &mut Pass<'_>, domains: &Domains) {
    let wanted = pass.structure.domains.iter();
    let wanted: HashSet<(u64, u32)> =
        wanted.filter_map(|(key, domain)| Some((key_of(domain)?, domains.get(key)?))).collect();
    let table = pass.maps.vnis.table();
    for (key, value, _) in table.iter() {
        if !wanted.contains(&(key, value)) {
            tracing::debug!(domain = value, "VNI removed");
            pass.changed(table.remove(key));
        }
    }
}

fn key_of(domain: &model::Domain) -> Option<u64> {
    (!domain.only_sends).then_some(())?;
    Some(vnis::key(domain.udp_port.to_be(), domain.vni?, domain.local.is_ipv6()))
}
