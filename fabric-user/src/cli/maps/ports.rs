//! `maps ports`.

use fabric_common::schema::ports::{
    DECAPSULATES_ALL, DECAPSULATES_NONE, FLAG_ROUTE4, FLAG_ROUTE6, ROLE_ACCESS, ROLE_GATEWAY,
    ROLE_ROUTED, ROLE_UNDERLAY, view as view_of,
};

use crate::{
    cli::{row::rows, view::View},
    observe::Mac,
};

rows! {
    /// A port with a program, or a gateway.
    pub(super) struct PortRow, "no port is accelerated" {
        /// Name of the interface; of a tunnel that next hops choose, the vxlan device and the VNI.
        "PORT" port: String,
        /// `access`, `routed`, `underlay`, `gateway` or `none`.
        "ROLE" role: &'static str,
        /// The longest packet that it takes, in bytes.
        "MTU" mtu: u32,
        /// Its address.
        "MAC" mac: Mac,
        /// The bridge of untagged frames, or whose gateway it is, with the VLAN if it is VLAN-aware.
        "UNTAGGED TO" untagged_bridge: Option<String>,
        /// Number of VLANs whose tagged frames are bridged.
        "TAGGED VLANS" tagged_vlans: Option<usize>,
        /// Families whose packets are routed: `IPv4`, `IPv6`.
        "ROUTES" routes: Vec<&'static str>,
        /// Of which VTEPs tunnels end here: `all`, `some` or null.
        "TUNNELS END" decapsulates: Option<&'static str>,
        /// Index of the routing view.
        "VIEW" view: Option<u16>,
        /// It is taken for dead.
        "DOWN" down: bool,
        /// Its place in the map.
        "SLOT" [detail] slot: u32,
        /// Interface index.
        "IFINDEX" [detail] ifindex: u32,
        /// Index of the circuit of untagged frames.
        "CIRCUIT" [detail] untagged_circuit: Option<u32>,
    }
}

pub(super) fn rows(view: &View) -> impl Iterator<Item = PortRow> {
    view.contents.ports.iter().map(|(slot, port)| {
        let circuit = u32::from(port.untagged_circuit);
        let untagged = view.contents.circuits.get(&circuit);
        let tagged = view.contents.vlans.range((*slot, 0)..=(*slot, u16::MAX)).count();
        let [a, b, c, d, e, f, ..] = port.mac_and_view.to_le_bytes();
        PortRow {
            port: view.port(*slot),
            role: role(port.role),
            mtu: port.mtu,
            mac: Mac([a, b, c, d, e, f]),
            untagged_bridge: match port.role {
                ROLE_GATEWAY => view.bridge(port.untagged_domain.into()),
                _ => untagged.and_then(|circuit| view.bridge(circuit.domain.into())),
            },
            tagged_vlans: Some(tagged).filter(|tagged| *tagged > 0),
            routes: families(port.flags),
            decapsulates: match port.decapsulates {
                DECAPSULATES_NONE => None,
                DECAPSULATES_ALL => Some("all"),
                _ => Some("some"),
            },
            view: Some(view_of(port.mac_and_view)).filter(|view| *view != 0),
            down: port.down != 0,
            slot: *slot,
            ifindex: port.ifindex,
            untagged_circuit: Some(circuit).filter(|circuit| *circuit != 0),
        }
    })
}

/// The families of packets that are routed when they arrive on a port with these flags.
pub(crate) fn families(flags: u8) -> Vec<&'static str> {
    let all = [(FLAG_ROUTE4, "IPv4"), (FLAG_ROUTE6, "IPv6")];
    all.into_iter().filter_map(|(flag, name)| (flags & flag != 0).then_some(name)).collect()
}

/// A `ROLE_` constant by name.
pub(crate) const fn role(role: u8) -> &'static str {
    match role {
        ROLE_ACCESS => "access",
        ROLE_ROUTED => "routed",
        ROLE_UNDERLAY => "underlay",
        ROLE_GATEWAY => "gateway",
        _ => "none",
    }
}
