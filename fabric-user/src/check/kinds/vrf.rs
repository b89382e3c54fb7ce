//! `[[vrf]]`: tenants reach each other's leafs.

use std::net::IpAddr;

use super::Kind;
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, list},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
    },
    lab::topology::Tenant,
};

shape! {
    /// At each node with networks of a tenant, its VRF has the L3VNI of the topology, which is up, and the interface of
    /// that is in the VRF; and the node knows the router MAC of each other such node as that node has it itself.
    pub(crate) struct Vrf: "vrf", "[[vrf]]\ntenant = \"red\"" {
        /// The tenants.
        tenant: Names = Or("\"*\""),
        /// Whether routers of other nodes are looked at.
        routers: bool = Or("true"),
    }
}

/// What is expected at a node.
#[derive(Clone, Debug)]
struct Expected {
    node: String,
    tenant: Tenant,
    others: Vec<(String, IpAddr)>,
}

impl Kind for Vrf {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let mut drafts = Vec::new();
        for tenant in inventory.tenants(&self.tenant)? {
            let all = inventory.vteps_in(tenant);
            for node in &all {
                let others = all.iter().filter(|it| it.name != node.name && self.routers);
                let others: Vec<(String, IpAddr)> =
                    others.map(|it| (it.name.clone(), it.loopback.into())).collect();
                let needs: Vec<String> = others.iter().map(|it| it.0.clone()).collect();
                let expected = Expected { node: node.name.clone(), tenant: tenant.clone(), others };
                let subject = format!("{} {}", tenant.name, node.name);
                drafts.push(
                    Draft::of(&node.name, subject, move |look| expected.judge(look)).needing(needs),
                );
            }
        }
        Ok(drafts)
    }
}

impl Expected {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let Self { node, tenant: Tenant { name, vni, .. }, .. } = self;
        let sight = look.sight(node)?;
        let frr = sight.frr(&["zebra"])?;
        let should = format!("VRF {name} with L3VNI {vni}, and a router MAC of each other leaf");
        let fail = |actual: String, likely: &str, next: String| {
            Err(Finding::new(&should, actual, likely, format!("on {node}: {next}")).into())
        };
        let Some(vrf) = frr.vrfs.get(name) else {
            return fail(
                "FRR has no L3VNI for it".into(),
                "`vni` is missing below `vrf` in FRR",
                "vtysh -c 'show vrf vni'".into(),
            );
        };
        if vrf.l3vni != *vni {
            return fail(
                format!("L3VNI {}", vrf.l3vni),
                "the VRF was given the VNI of another one",
                "vtysh -c 'show vrf vni'".into(),
            );
        }
        let svi = sight.kernel.tunnels.get(vni).and_then(|tunnel| tunnel.svi);
        let Some(svi) = svi else {
            return fail(
                "the kernel has no interface for the L3VNI".into(),
                "the vxlan device or its bridge is missing",
                "ip -d link show type vxlan".into(),
            );
        };
        let inside = sight.kernel.vrf_of(svi).map_or("default", |vrf| vrf.name.as_str());
        if inside != name {
            return fail(
                format!("{} is in VRF {inside}", svi.name),
                "the interface is in the wrong VRF",
                format!("ip link set {} vrf {name}", svi.name),
            );
        }
        if !vrf.up {
            return fail(
                "the L3VNI is down".into(),
                "its vxlan device, bridge or VRF is switched off",
                format!("vtysh -c 'show evpn vni {vni}'"),
            );
        }
        for (other, vtep) in &self.others {
            let theirs =
                look.sight(other)?.frr(&["zebra"])?.vrfs.get(name).and_then(|it| it.router_mac);
            let Some(theirs) = theirs else {
                return fail(
                    format!("{other} has no router MAC"),
                    "the VRF does not work there",
                    format!("vtysh -c 'show evpn next-hops vni {vni}'"),
                );
            };
            let known = frr.routers.iter().filter(|it| it.l3vni == *vni && it.vtep == *vtep);
            let known: Vec<_> = known.map(|it| it.mac).collect();
            if !known.contains(&theirs) {
                let actual =
                    format!("{other} ({vtep}) has {theirs}, and is known with {}", list(&known));
                return fail(
                    actual,
                    "no route of that leaf has come, or another VTEP tells of its address",
                    format!("vtysh -c 'show evpn next-hops vni {vni}'"),
                );
            }
        }
        Ok(format!("L3VNI {vni}, {} other routers", self.others.len()))
    }
}
