//! VNIs of tunnels.

use std::collections::HashSet;

use fabric_common::schema::vnis;

use super::{domains::Domains, pass::Pass};
use crate::model::{self, DomainKey};

/// Says which domain a tunnel's packets belong to.
pub(super) fn write(pass: &mut Pass<'_>, domains: &Domains) {
    let (maps, table) = (pass.maps, pass.maps.vnis.table());
    for (key, domain) in &pass.structure.domains {
        let Some(index) = domains.get(key) else { continue };
        for vni in keys_of(key, domain) {
            if table.get(vni) == Some(index) {
                continue;
            }
            match table.insert(vni, index) {
                true => pass.changed(true),
                false => pass.full("vnis", maps.vnis.len() as usize * 4, ""),
            }
        }
    }
}

/// Forgets tunnels that are gone.
pub(super) fn remove(pass: &mut Pass<'_>, domains: &Domains) {
    let wanted = pass.structure.domains.iter();
    let wanted = wanted.filter_map(|(key, domain)| Some((key, domain, domains.get(key)?)));
    let wanted: HashSet<(u64, u32)> = wanted
        .flat_map(|(key, domain, index)| keys_of(key, domain).map(move |vni| (vni, index)))
        .collect();
    let table = pass.maps.vnis.table();
    for (key, value, _) in table.iter() {
        if !wanted.contains(&(key, value)) {
            tracing::debug!(domain = value, "VNI removed");
            pass.changed(table.remove(key));
        }
    }
}

/// What arrives for a domain, one key for each kind of tag that it may have.
fn keys_of(key: &DomainKey, domain: &model::Domain) -> impl Iterator<Item = u64> {
    let (port_be, ipv6) = (domain.udp_port.to_be(), domain.local.is_ipv6());
    let plain = domain.vni.filter(|_| !domain.only_sends).map(|vni| vnis::key(port_be, vni, ipv6));
    let (inside, vlan) = (domain.inside, key.vlan);
    plain.into_iter().flat_map(move |plain| {
        inside.arriving(vlan).map(move |tag| tag.map_or(plain, |vlan| vnis::tagged(plain, vlan)))
    })
}
