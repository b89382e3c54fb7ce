//! Ports: which program runs how, or why none does.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use aya::programs::loaded_programs;
use fabric_common::schema::ports::{FLAG_MEMBER, FLAG_NOT_A_TARGET};
use serde_json::json;

use crate::{
    cli::{
        interfaces::Interface,
        maps::{families, role},
        sheet::{Cell, Column, Sheet},
        view::View,
    },
    daemon::state::State,
    kernel::programs::{ACCESS, ROUTED},
};

const COLUMNS: &[Column] = &[
    Column::text("port", "PORT"),
    Column::text("role", "ROLE"),
    Column::text("link", "LINK"),
    Column::text("mode", "MODE"),
    Column::text("routes", "ROUTES"),
    Column::text("accelerated", "ACCELERATED").wrapped(),
    Column::json_only("why_not"),
    Column::number("ifindex", "IFINDEX").detail(),
    Column::number("program", "PROGRAM").detail(),
];

/// Names of Fabric's programs by ID.
pub(super) fn fabric_programs() -> BTreeMap<u32, String> {
    let ours = loaded_programs().filter_map(Result::ok).filter_map(|program| {
        let name = program.name_as_str()?.to_owned();
        // The kernel cuts names off after 15 characters.
        let known = [ACCESS, ROUTED].iter().any(|known| known.starts_with(&name));
        (known && !name.is_empty()).then(|| (program.id(), name))
    });
    ours.collect()
}

/// Underlay ports, other routed ports, access ports, then what is not accelerated.
///
/// `idle` is why no port forwards at all, if that is so.
pub(super) fn sheet(
    view: &View,
    programs: &BTreeMap<u32, String>,
    state: Option<&State>,
    idle: Option<&str>,
) -> Sheet {
    let mut sheet =
        Sheet::new(COLUMNS, "no port of a bridge with a VNI, and no routed port, is here");
    let mut ports: Vec<_> = view.contents.ports.values().collect();
    ports.sort_by_key(|port| (Reverse(port.role), port.ifindex));
    let mut shown = BTreeSet::new();
    for port in ports {
        shown.insert(port.ifindex);
        let interface = view.interfaces.get(port.ifindex);
        sheet.row(row(
            view.interfaces.name(port.ifindex),
            role(port.role).into(),
            families(port.flags),
            interface,
            why_not(interface, programs)
                // The kernel shows the program of a bond at the bond only.
                .filter(|_| port.flags & FLAG_MEMBER == 0)
                .or_else(|| idle.map(str::to_owned))
                .or_else(|| sends_nothing(port.flags)),
        ));
    }
    let mut declined = state.map(|state| state.declined.clone()).unwrap_or_default();
    for interface in view.interfaces.stretched_bridge_ports() {
        let unknown = || "no program is attached".to_owned();
        declined.entry(interface.link.name.clone()).or_insert_with(unknown);
    }
    for (name, why) in declined {
        let interface = view.interfaces.named(&name);
        if interface.is_none_or(|interface| shown.contains(&interface.link.ifindex)) {
            continue;
        }
        // Said by the column already.
        let prefix = format!("port {name} is left to the kernel: ");
        let why = why.strip_prefix(&prefix).unwrap_or(&why).to_owned();
        sheet.row(row(name, Cell::none(), Cell::none(), interface, Some(why)));
    }
    sheet
}

fn row(
    name: String,
    role: Cell,
    routes: Cell,
    interface: Option<&Interface>,
    why: Option<String>,
) -> [Cell; 9] {
    let xdp = interface.and_then(|interface| interface.xdp);
    let accelerated = match &why {
        None => Cell::new("yes", json!(true)),
        Some(why) => Cell::new(format!("no: {why}"), json!(false)),
    };
    [
        name.into(),
        role,
        interface.map(link).into(),
        xdp.map(|xdp| xdp.mode.name()).into(),
        routes,
        accelerated,
        why.into(),
        interface.map(|interface| interface.link.ifindex).into(),
        xdp.map(|xdp| xdp.program).into(),
    ]
}

const fn link(interface: &Interface) -> &'static str {
    match (interface.link.up, interface.link.carrier) {
        (false, _) => "down",
        (true, false) => "no carrier",
        (true, true) => "up",
    }
}

/// Why a port that is in the map does not run Fabric's program.
fn why_not(interface: Option<&Interface>, programs: &BTreeMap<u32, String>) -> Option<String> {
    let Some(interface) = interface else {
        return Some("the interface has gone".into());
    };
    match interface.xdp {
        None => Some("no program is attached".into()),
        Some(xdp) if programs.contains_key(&xdp.program) => None,
        Some(_) => Some("another XDP program is on it".into()),
    }
}

/// Why frames are not sent out of a port on which Fabric's program runs.
fn sends_nothing(flags: u8) -> Option<String> {
    let text = "only what arrives here; its device takes no frames from XDP programs";
    (flags & FLAG_NOT_A_TARGET != 0).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::ports::{
        FLAG_ROUTE4, FLAG_ROUTE6, Port, ROLE_ACCESS, ROLE_UNDERLAY,
    };

    use super::*;
    use crate::cli::{
        contents::Contents,
        interfaces::{Interfaces, tests::interface},
        sheet::Look,
    };

    #[test]
    fn every_port_has_a_mode_or_a_reason() {
        let port = |ifindex, role| Port { ifindex, role, ..Port::default() };
        let contents = Contents {
            ports: [
                (1, port(4, ROLE_ACCESS)),
                (2, port(5, ROLE_ACCESS)),
                (4, Port { flags: FLAG_NOT_A_TARGET, ..port(7, ROLE_ACCESS) }),
                (3, Port { flags: FLAG_ROUTE4 | FLAG_ROUTE6, ..port(3, ROLE_UNDERLAY) }),
            ]
            .into(),
            ..Contents::default()
        };
        let interfaces: Interfaces = [
            interface(3, "swp1", Some(70)),
            interface(4, "h1", Some(9)),
            interface(6, "h3", None),
            interface(7, "h4", Some(70)),
        ]
        .into_iter()
        .collect();
        let view = View { contents, interfaces, now: None };
        let declined = [(
            "h3".to_owned(),
            "port h3 is left to the kernel: its driver has no native XDP".to_owned(),
        )]
        .into();
        let state = State { declined, ..State::default() };
        let programs = [(70, "fabric_routed".to_owned())].into();
        let ports = sheet(&view, &programs, Some(&state), None);
        assert_eq!(ports.json()[0]["accelerated"], json!(true));
        assert_eq!(ports.json()[4]["why_not"], json!("its driver has no native XDP"));
        let idle = sheet(&view, &programs, Some(&state), Some("bypass is on"));
        assert_eq!(idle.json()[0]["why_not"], json!("bypass is on"));
        let text = ports.text(Look::default());
        let expected = "\
PORT  ROLE      LINK  MODE    ROUTES      ACCELERATED
swp1  underlay  up    native  IPv4, IPv6  yes
h1    access    up    native  -           no: another XDP program is on it
if5   access    -     -       -           no: the interface has gone
h4    access    up    native  -           no: only what arrives here; its device takes no frames from XDP programs
h3    -         up    -       -           no: its driver has no native XDP
";
        assert_eq!(text, expected);
    }
}
