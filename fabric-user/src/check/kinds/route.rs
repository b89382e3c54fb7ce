//! `[[route]]`: a way that is there.

use super::{Kind, blame, ways::Toward};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
        sides::Sides,
        sight::parse_prefix,
    },
    lab::topology::{ControlPlane, Switch},
    observe::Prefix,
};

shape! {
    /// FRR has chosen a route for exactly this prefix, the kernel has it, the maps lead the same way, and the next hops
    /// are those that are named.
    pub(crate) struct Route: "route", "[[route]]\non = \"leaf01\"\nprefix = \"10.0.2.12/32\"\nvia = [\"spine01\", \"spine02\"]" {
        /// The nodes that have it.
        on: Names = Required,
        /// The prefix, as 10.0.2.12/32.
        prefix: String = Required,
        /// The VRF; the default one.
        vrf: Option<String> = None,
        /// All next hops: nodes of the topology, or addresses or ports where those are none; whatever FRR says.
        via: Option<Vec<String>> = None,
        /// How many next hops there are; any number.
        paths: Option<usize> = None,
    }
}

/// The prefix of a text.
///
/// # Errors
/// If it is none: a sentence.
pub(super) fn prefix(text: &str) -> Result<Prefix, String> {
    parse_prefix(text)
        .ok_or_else(|| format!("\"{text}\" is no prefix; write it as 10.0.2.12/32 or fd00:1::/64"))
}

/// A case of a prefix for each node, which `judge` decides by the node, whether FRR says its routes, and what they lead to.
///
/// # Errors
/// If a name stands for nothing.
pub(super) fn drafts(
    inventory: &Inventory,
    on: &Names,
    prefix: Prefix,
    vrf: Option<&str>,
    judge: impl Fn(&str, bool, &Toward, &Look<'_>) -> Judged + Clone + Send + Sync + 'static,
) -> Result<Vec<Draft>, String> {
    let by_frr = inventory.topology.fabric.control_plane == ControlPlane::Bgp;
    let vrf = vrf.map(|vrf| format!(" in {vrf}")).unwrap_or_default();
    let draft = |node: &Switch| {
        let toward = Toward::from(inventory, node);
        let (name, judge) = (node.name.clone(), judge.clone());
        Draft::of(&node.name, format!("{name} {prefix}{vrf}"), move |look| {
            judge(&name, by_frr, &toward, look)
        })
    };
    Ok(inventory.nodes(on)?.into_iter().map(draft).collect())
}

impl Kind for Route {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let prefix = prefix(&self.prefix)?;
        if self.via.as_ref().zip(self.paths).is_some_and(|(via, paths)| via.len() > paths) {
            return Err("via names more next hops than paths says".into());
        }
        let (asked, vrf) = (self.clone(), self.vrf.as_deref());
        drafts(inventory, &self.on, prefix, vrf, move |node, by_frr, toward, look| {
            asked.judge(node, prefix, by_frr, toward, look)
        })
    }
}

impl Route {
    fn judge(
        &self,
        node: &str,
        prefix: Prefix,
        by_frr: bool,
        toward: &Toward,
        look: &Look<'_>,
    ) -> Judged {
        let sight = look.sight(node)?;
        let vrf = self.vrf.as_deref();
        let known = sight.kernel_route(vrf, prefix);
        let route = if by_frr { sight.route(vrf, prefix)? } else { None };
        let frr = by_frr.then(|| route.map(|it| toward.frr(&it.hops)).unwrap_or_default());
        let kernel = known.as_ref().map(|hops| toward.kernel(hops)).unwrap_or_default();
        let maps = toward.maps(sight.held_route(vrf, prefix));
        // Somebody says where it leads to: the first of those who have it.
        let whatever = frr.clone().filter(|it| !it.is_empty()).unwrap_or_else(|| kernel.clone());
        let expected = self.via.clone().unwrap_or(whatever);
        if expected.is_empty() {
            let table = vrf.map(|vrf| format!(" vrf {vrf}")).unwrap_or_default();
            let family = if prefix.address.is_ipv4() { "ipv4" } else { "ipv6" };
            let longest = sight.longest(vrf, prefix);
            let actual = longest.map_or_else(
                || "no route, and none for a prefix around it".into(),
                |it| {
                    format!(
                        "no route; the longest prefix around it is {} ({})",
                        it.prefix, it.protocol
                    )
                },
            );
            return Err(Finding::new(
                format!("a route for {prefix}"),
                actual,
                "nobody announces it, a filter takes it away, or its sessions are down",
                format!("on {node}: vtysh -c 'show bgp{table} {family} unicast {prefix}'"),
            )
            .into());
        }
        // What is left to the kernel goes the kernel's way.
        let sides =
            Sides::expecting(expected).and("FRR", frr).with("kernel", kernel).and("maps", maps);
        let passed = blame::judge(&sides, node, || {
            (
                "a session or link to one of them is down, or it does not announce the prefix"
                    .into(),
                format!("on {node}: vtysh -c 'show ip route {prefix}'"),
            )
        })?;
        let paths = known.map_or(0, |hops| hops.len());
        match self.paths {
            Some(wanted) if wanted != paths => Err(Finding::new(
                format!("{wanted} next hops"),
                format!("{paths}: {passed}"),
                "a link or session is down, or a path is longer than the others",
                format!("on {node}: vtysh -c 'show ip route {prefix}'"),
            )
            .into()),
            _ => Ok(passed),
        }
    }
}
