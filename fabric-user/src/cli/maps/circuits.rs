//! `maps circuits`.

use fabric_common::schema::circuits::{FLAG_HAIRPIN, FLAG_ISOLATED};

use crate::cli::{row::rows, view::View};

rows! {
    /// An attachment circuit: a port's membership in a bridge domain.
    pub(super) struct CircuitRow, "no port is a member of an accelerated bridge" {
        /// The port to which frames go.
        "PORT" port: String,
        /// VLAN ID on the wire; null for untagged.
        "VLAN" vlan: Option<u16>,
        /// Name of the bridge, with the VLAN if it is VLAN-aware.
        "BRIDGE" bridge: Option<String>,
        /// The bridge's VNI.
        "VNI" vni: Option<u32>,
        /// The bridge's member: the port, or a bond or VLAN device of it.
        "BRIDGE PORT" bridge_port: String,
        /// The longest frame that it takes, in bytes.
        "MAX FRAME" max_frame: u32,
        /// It is an isolated bridge port.
        "ISOLATED" isolated: bool,
        /// It is a bridge port in hairpin mode.
        "HAIRPIN" [detail] hairpin: bool,
        /// Its place in the map.
        "INDEX" [detail] index: u32,
        /// Index of the bridge domain.
        "DOMAIN" [detail] domain: u32,
    }
}

pub(super) fn rows(view: &View) -> impl Iterator<Item = CircuitRow> {
    view.contents.circuits.iter().map(|(index, circuit)| {
        let domain = u32::from(circuit.domain);
        CircuitRow {
            port: view.port(circuit.port.into()),
            vlan: Some(circuit.vlan).filter(|vlan| *vlan != 0),
            bridge: view.bridge(domain),
            vni: view.vni(domain),
            bridge_port: view.interfaces.name(circuit.bridge_port),
            max_frame: circuit.max_frame,
            isolated: circuit.flags & FLAG_ISOLATED != 0,
            hairpin: circuit.flags & FLAG_HAIRPIN != 0,
            index: *index,
            domain,
        }
    })
}
