//! `maps ports`.

use fabric_common::schema::ports::{
    DECAPSULATES_ALL, DECAPSULATES_NONE, FLAG_ROUTE4, FLAG_ROUTE6, ROLE_ACCESS, ROLE_ROUTED,
    ROLE_UNDERLAY,
};
use serde_json::json;

use super::yes;
use crate::{
    cli::{
        sheet::{Cell, Column, Sheet},
        view::View,
    },
    observe::Mac,
};

const COLUMNS: &[Column] = &[
    Column::text("port", "PORT"),
    Column::text("role", "ROLE"),
    Column::number("mtu", "MTU"),
    Column::text("mac", "MAC"),
    Column::text("untagged_bridge", "UNTAGGED TO"),
    Column::number("tagged_vlans", "TAGGED VLANS"),
    Column::text("routes", "ROUTES"),
    Column::text("decapsulates", "TUNNELS END"),
    Column::number("view", "VIEW"),
    Column::text("down", "DOWN"),
    Column::number("slot", "SLOT").detail(),
    Column::number("ifindex", "IFINDEX").detail(),
    Column::number("untagged_circuit", "CIRCUIT").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no port is accelerated");
    for (slot, port) in &view.contents.ports {
        let circuit = u32::from(port.untagged_circuit);
        let untagged = view.contents.circuits.get(&circuit);
        let tagged = view.contents.vlans.range((*slot, 0)..=(*slot, u16::MAX)).count();
        let [a, b, c, d, e, f, ..] = port.mac_and_view.to_le_bytes();
        sheet.row([
            view.port(*slot).into(),
            role(port.role).into(),
            port.mtu.into(),
            Mac([a, b, c, d, e, f]).to_string().into(),
            untagged.map_or_else(Cell::none, |circuit| view.bridge(circuit.domain.into())),
            Some(tagged).filter(|tagged| *tagged > 0).into(),
            families(port.flags),
            decapsulates(port.decapsulates),
            Some(u32::from(fabric_common::schema::ports::view(port.mac_and_view)))
                .filter(|view| *view != 0)
                .into(),
            yes(port.down != 0),
            (*slot).into(),
            port.ifindex.into(),
            Some(circuit).filter(|circuit| *circuit != 0).into(),
        ]);
    }
    sheet
}

/// The families of packets that are routed when they arrive on a port with these flags.
pub(in crate::cli) fn families(flags: u8) -> Cell {
    let all = [(FLAG_ROUTE4, "IPv4"), (FLAG_ROUTE6, "IPv6")];
    let routed: Vec<&str> =
        all.into_iter().filter_map(|(flag, name)| (flags & flag != 0).then_some(name)).collect();
    let text = if routed.is_empty() { "-".into() } else { routed.join(", ") };
    Cell::new(text, json!(routed))
}

/// Of which VTEPs tunnels end at a port.
fn decapsulates(number: u8) -> Cell {
    let text = match number {
        DECAPSULATES_NONE => "-",
        DECAPSULATES_ALL => "all",
        _ => "some",
    };
    Cell::new(text, json!(text))
}

/// A `ROLE_` constant by name.
pub(in crate::cli) const fn role(role: u8) -> &'static str {
    match role {
        ROLE_ACCESS => "access",
        ROLE_ROUTED => "routed",
        ROLE_UNDERLAY => "underlay",
        _ => "none",
    }
}
