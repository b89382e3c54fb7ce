//! VRFs: which ports and gateways route together, and the L3VNIs between them and other leafs.

use std::collections::{BTreeMap, BTreeSet};

use fabric_common::schema::ports::{self, ROLE_GATEWAY};

use crate::cli::{
    row::{Said, rows},
    view::View,
};

use super::routers::RouterRow;

rows! {
    /// A VRF with ports that route.
    pub(super) struct VrfRow, "no port routes packets" {
        /// Its name; null for the default one.
        "VRF" vrf: Said<Option<String>>,
        /// Indexes of its routing views.
        "VIEWS" views: Vec<u16>,
        /// Its routed ports, those of the underlay among them.
        "PORTS" ports: Vec<String>,
        /// Its gateways.
        "GATEWAYS" [wrapped] gateways: Vec<String>,
        /// VNIs of those gateways that have no addresses: what is routed by way of other leafs goes through their
        /// tunnels.
        "L3VNIS" l3vnis: Vec<u32>,
        /// Number of router MAC addresses of VTEPs that its routes lead to.
        "ROUTERS" routers: usize,
    }
}

/// What is in a VRF.
#[derive(Default)]
struct Members {
    views: BTreeSet<u16>,
    ports: Vec<String>,
    gateways: Vec<String>,
    l3vnis: BTreeSet<u32>,
}

/// The default VRF first; nothing where there are neither VRFs nor gateways.
pub(super) fn rows(view: &View, routers: &[RouterRow]) -> Vec<VrfRow> {
    let mut found: BTreeMap<Option<String>, Members> = BTreeMap::new();
    for (slot, port) in &view.contents.ports {
        let routing = ports::view(port.mac_and_view);
        if routing == 0 {
            continue;
        }
        let members = found.entry(view.interfaces.vrf(port.ifindex)).or_default();
        members.views.insert(routing);
        if port.role != ROLE_GATEWAY {
            members.ports.push(view.port(*slot));
            continue;
        }
        members.gateways.push(view.port(*slot));
        if view.interfaces.addresses(port.ifindex).next().is_none() {
            members.l3vnis.extend(view.vni(port.untagged_domain.into()));
        }
    }
    if !found.iter().any(|(vrf, members)| vrf.is_some() || !members.gateways.is_empty()) {
        return Vec::new();
    }
    let row = |(vrf, members): (Option<String>, Members)| VrfRow {
        routers: routers.iter().filter(|router| router.vrf == vrf).count(),
        vrf: Said::new(vrf.clone().unwrap_or_else(|| "default".into()), vrf),
        views: members.views.into_iter().collect(),
        ports: members.ports,
        gateways: members.gateways,
        l3vnis: members.l3vnis.into_iter().collect(),
    };
    found.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{
        status::routers,
        table::{Look, Table},
        view::tests::{leaf, tenants},
    };

    #[test]
    fn a_vrf_is_shown_with_its_gateways_l3vnis_and_routers() {
        let mut view = tenants();
        view.contents.ports.get_mut(&1).unwrap().mac_and_view = ports::mac_and_view(0, 1);
        let routers = routers::rows(&view, &routers::Leads::new());
        let text = Table::of(rows(&view, &routers)).text(Look::default());
        let expected = "\
VRF      VIEWS  PORTS  GATEWAYS    L3VNIS  ROUTERS
default  1      swp1   -           -             0
red      2      -      br200, br7  104007        1
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_box_that_only_routes_between_ports_has_no_table_of_vrfs() {
        let mut view = leaf();
        view.contents.ports.get_mut(&1).unwrap().mac_and_view = ports::mac_and_view(0, 1);
        assert!(rows(&view, &[]).is_empty());
    }
}
