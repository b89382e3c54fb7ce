//! Gateways: where hosts of bridges are routed (integrated routing and bridging, RFC 9135).

use std::collections::BTreeMap;

use fabric_common::schema::ports;

use crate::{
    cli::{
        interfaces::Interface,
        row::{Said, rows},
        view::View,
    },
    daemon::state::State,
    observe::{LinkKind, Mac},
};

use super::ports::PortRow;

rows! {
    /// An interface that routes for the hosts of a bridge, or could.
    pub(super) struct GatewayRow, "no bridge has a gateway" {
        /// Name of the interface.
        "GATEWAY" gateway: String,
        /// `bridge`, `VLAN device` or `macvlan`.
        "FORM" form: &'static str,
        /// Its MAC address.
        "MAC" mac: Option<Mac>,
        /// Its addresses with their networks, without link-local ones; none of an L3VNI.
        "ADDRESSES" addresses: Vec<String>,
        /// The bridge whose hosts it routes for, with the VLAN if it is VLAN-aware; null of one that the kernel
        /// routes for.
        "BRIDGE" bridge: Option<String>,
        /// The bridge's VNI.
        "VNI" vni: Option<u32>,
        /// The VRF that it is in; null for the default one.
        "VRF" vrf: Option<String>,
        /// Packets from and to it are forwarded.
        "ACCELERATED" [wrapped] accelerated: Said<bool>,
        /// Why not all of them are.
        "" [hidden] why_not: Option<String>,
        /// Index of the routing view.
        "VIEW" [detail] view: Option<u16>,
        /// Interface index.
        "IFINDEX" [detail] ifindex: u32,
    }
}

/// Sorted by VRF, bridge and name. What is said of ports is said of those that are gateways here; of those that the kernel
/// routes for, the daemon's word is.
pub(super) fn rows(view: &View, ports: &[PortRow], state: Option<&State>) -> Vec<GatewayRow> {
    let slots: BTreeMap<u32, u32> =
        view.gateways().map(|(slot, gateway)| (gateway.ifindex, slot)).collect();
    let of_port = |port: &PortRow| {
        let interface = view.interfaces.get(port.ifindex?)?;
        let slot = slots.get(&interface.link.ifindex).copied();
        (slot.is_some() || port.role.is_none()).then_some(())?;
        row(view, interface, slot, port.accelerated.clone(), port.why_not.clone())
    };
    let mut rows: Vec<GatewayRow> = ports.iter().filter_map(of_port).collect();
    let left = state.into_iter().flat_map(|state| &state.left);
    rows.extend(left.filter_map(|(name, problems)| {
        let prefix = format!("port {name}: ");
        let why: Vec<&str> =
            problems.iter().filter_map(|text| text.strip_prefix(&prefix)).collect();
        let why = Some(why.join("; ")).filter(|why| !why.is_empty())?;
        let accelerated = Said::new(format!("no: {why}"), false);
        row(view, view.interfaces.named(name)?, None, accelerated, Some(why))
    }));
    rows.sort_by(|a, b| {
        let key = |row: &GatewayRow| (row.vrf.clone(), row.bridge.clone(), row.gateway.clone());
        key(a).cmp(&key(b))
    });
    rows
}

/// Nothing of an interface that can be no gateway; `slot` is that of one that is accelerated.
fn row(
    view: &View,
    interface: &Interface,
    slot: Option<u32>,
    accelerated: Said<bool>,
    why_not: Option<String>,
) -> Option<GatewayRow> {
    let link = &interface.link;
    let gateway = slot.and_then(|slot| view.contents.ports.get(&slot));
    let domain = gateway.map(|gateway| u32::from(gateway.untagged_domain));
    Some(GatewayRow {
        gateway: link.name.clone(),
        form: form(view, interface)?,
        mac: link.mac,
        addresses: view.interfaces.addresses(link.ifindex).map(ToString::to_string).collect(),
        bridge: domain.and_then(|domain| view.bridge(domain)),
        vni: domain.and_then(|domain| view.vni(domain)),
        vrf: view.interfaces.vrf(link.ifindex),
        accelerated,
        why_not,
        view: gateway.map(|gateway| ports::view(gateway.mac_and_view)),
        ifindex: link.ifindex,
    })
}

/// What an interface is that may be a gateway.
fn form(view: &View, interface: &Interface) -> Option<&'static str> {
    let is_bridge = |interface: &Interface| matches!(interface.link.kind, LinkKind::Bridge(_));
    let lower = |interface: &Interface| view.interfaces.get(interface.link.lower?);
    match &interface.link.kind {
        LinkKind::Bridge(_) => Some("bridge"),
        LinkKind::Vlan(_) => lower(interface).filter(|it| is_bridge(it)).map(|_| "VLAN device"),
        LinkKind::Other(kind) if kind == "macvlan" => {
            let beneath = lower(interface)?;
            let bridge = lower(beneath).filter(|it| is_bridge(it));
            (is_bridge(beneath) || bridge.is_some()).then_some("macvlan")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::{
        status::ports::{self, Known},
        table::{Look, Table},
        view::tests::{leaf, tenants},
    };

    fn shown(view: &View, state: &State) -> String {
        let (programs, targets) = (BTreeMap::new(), BTreeMap::new());
        let known =
            Known { programs: &programs, targets: &targets, state: Some(state), idle: None };
        Table::of(rows(view, &ports::rows(view, known).0, Some(state))).text(Look::default())
    }

    #[test]
    fn a_gateway_is_shown_with_its_addresses_and_its_vrf_also_if_the_kernel_routes_for_it() {
        let mut view = tenants();
        let mut state = State::default();
        let expected = "\
GATEWAY  FORM    MAC                ADDRESSES    BRIDGE     VNI  VRF  ACCELERATED
br200    bridge  02:00:00:00:01:14  10.2.0.1/24  br200    10200  red  yes
br7      bridge  02:00:00:00:01:15  -            br7     104007  red  yes
";
        assert_eq!(shown(&view, &state), expected);
        view.contents.ports.remove(&6);
        let why = "port br7: br7 has filters of `tc`; routed by the kernel";
        state.left.insert("br7".into(), vec![why.into()]);
        let expected = "\
GATEWAY  FORM    MAC                ADDRESSES    BRIDGE    VNI  VRF  ACCELERATED
br7      bridge  02:00:00:00:01:15  -            -           -  red  no: br7 has filters of `tc`; routed by the kernel
br200    bridge  02:00:00:00:01:14  10.2.0.1/24  br200   10200  red  yes
";
        assert_eq!(shown(&view, &state), expected);
    }

    #[test]
    fn without_gateways_there_is_nothing_to_show() {
        assert_eq!(shown(&leaf(), &State::default()), "no bridge has a gateway\n");
    }
}
