//! Ports: which program runs how, or why none does.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cli::{
        instance::Chosen,
        interfaces::Interface,
        maps::{families, role},
        row::{Said, rows},
        view::View,
    },
    daemon::state::State,
    kernel::programs::{ACCESS, ROUTED},
};
use aya::{
    maps::MapInfo,
    programs::{ProgramInfo, loaded_programs},
};
use fabric_common::schema::ports::{
    FLAG_MEMBER, FLAG_NOT_A_TARGET, FLAG_ROUTE4, FLAG_ROUTE6, Port, ROLE_GATEWAY, ROLE_ROUTED,
    ROLE_UNDERLAY, is_routed, is_tunnel,
};

rows! {
    /// A port that is accelerated, or could be.
    pub(super) struct PortRow, "no port of a bridge with a VNI, and no routed port, is here" {
        /// Name of the interface.
        "PORT" port: String,
        /// `access`, `routed`, `underlay` or `gateway`; null if it is no port.
        "ROLE" role: Option<&'static str>,
        /// `up`, `down` or `no carrier`.
        "LINK" link: Option<&'static str>,
        /// How XDP is attached: `native`, `generic`, `offloaded` or `several`.
        "MODE" mode: Option<&'static str>,
        /// Families whose packets are routed: `IPv4`, `IPv6`.
        "ROUTES" routes: Vec<&'static str>,
        /// Frames that arrive and frames that leave are forwarded.
        "ACCELERATED" [wrapped] accelerated: Said<bool>,
        /// Why not all of them are.
        "" [hidden] why_not: Option<String>,
        /// Interface index.
        "IFINDEX" [detail] ifindex: Option<u32>,
        /// The kernel's number of the program.
        "PROGRAM" [detail] program: Option<u32>,
    }
}

/// What there is to know of ports beside the maps that are in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// Names of this instance's programs by ID.
    pub(super) programs: &'a BTreeMap<u32, String>,
    /// Interface indexes of the redirect targets by slot.
    pub(super) targets: &'a BTreeMap<u32, u32>,
    pub(super) state: Option<&'a State>,
    /// Why no port forwards at all, if that is so.
    pub(super) idle: Option<&'a str>,
}

/// How far a port is accelerated.
enum Extent {
    /// Frames that arrive and frames that leave.
    Whole,
    /// Some of them; text says which, and why not the others.
    Part(String),
    /// None, with the reason, which is nothing to mend.
    Idle(String),
    /// None, with the reason.
    Nothing(String),
}

/// Names of the programs that run for an instance, by ID.
pub(super) fn fabric_programs(chosen: &Chosen) -> BTreeMap<u32, String> {
    let map = MapInfo::from_pin(chosen.instance.map("ports")).map(|info| info.id());
    let uses = |program: &ProgramInfo| match (program.map_ids(), &map) {
        (Ok(Some(used)), Ok(map)) => used.contains(map),
        // Not known.
        _ => true,
    };
    let ours = loaded_programs().filter_map(Result::ok).filter_map(|program| {
        let name = program.name_as_str()?.to_owned();
        let known = [ACCESS, ROUTED].iter().any(|known| is_name(&name, known));
        (known && uses(&program)).then(|| (program.id(), name))
    });
    ours.collect()
}

/// Whether the kernel calls a program so: it cuts names off after 15 characters.
fn is_name(name: &str, whole: &str) -> bool {
    !name.is_empty() && whole.starts_with(name)
}

/// Underlay ports, other routed ports, gateways, access ports, then what is not accelerated. Beside it what is
/// not as it should be.
pub(super) fn rows(view: &View, known: Known<'_>) -> (Vec<PortRow>, Vec<String>) {
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    let ports = view.contents.ports.iter().filter(|(_, port)| !is_tunnel(port.ifindex));
    let mut ports: Vec<_> = ports.collect();
    ports.sort_by_key(|(_, port)| (order(port.role), port.ifindex));
    let mut shown = BTreeSet::new();
    for (slot, port) in ports {
        shown.insert(port.ifindex);
        let interface = view.interfaces.get(port.ifindex);
        let name = view.interfaces.name(port.ifindex);
        let extent = match interface {
            Some(interface) => extent(*slot, port, interface, known),
            None => Extent::Nothing("the interface has gone".into()),
        };
        let extent = match (extent, known.idle) {
            (Extent::Whole | Extent::Part(_), Some(idle)) => Extent::Idle(idle.into()),
            (extent, _) => extent,
        };
        if let Extent::Part(why) | Extent::Nothing(why) = &extent {
            faults.push(format!("port {name}: {why}"));
        }
        rows.push(row(name, Some(role(port.role)), families(port.flags), interface, extent));
    }
    let mut declined = known.state.map(|state| state.declined.clone()).unwrap_or_default();
    for interface in view.interfaces.stretched_bridge_ports() {
        let unknown = || "no program is attached".to_owned();
        declined.entry(interface.link.name.clone()).or_insert_with(unknown);
    }
    for (name, why) in declined {
        let Some(interface) = view.interfaces.named(&name) else { continue };
        if shown.contains(&interface.link.ifindex) {
            continue;
        }
        // Said by the column already.
        let prefix = format!("port {name} is left to the kernel: ");
        let why = why.strip_prefix(&prefix).unwrap_or(&why).to_owned();
        let chosen = known.state.is_some_and(|state| state.chosen.contains(&name));
        let extent = if chosen || link(interface) != UP {
            Extent::Idle(why)
        } else {
            faults.push(format!("port {name}: {why}"));
            Extent::Nothing(why)
        };
        rows.push(row(name, None, Vec::new(), Some(interface), extent));
    }
    (rows, faults)
}

/// The place of a role among the others.
const fn order(role: u8) -> u8 {
    match role {
        ROLE_UNDERLAY => 0,
        ROLE_ROUTED => 1,
        ROLE_GATEWAY => 2,
        _ => 3,
    }
}

fn row(
    port: String,
    role: Option<&'static str>,
    routes: Vec<&'static str>,
    interface: Option<&Interface>,
    extent: Extent,
) -> PortRow {
    let xdp = interface.and_then(|interface| interface.xdp);
    let (accelerated, why_not) = match extent {
        Extent::Whole => (Said::new("yes", true), None),
        Extent::Part(why) => (Said::new(why.clone(), false), Some(why)),
        Extent::Idle(why) | Extent::Nothing(why) => {
            (Said::new(format!("no: {why}"), false), Some(why))
        }
    };
    PortRow {
        port,
        role,
        link: interface.map(link),
        mode: xdp.map(|xdp| xdp.mode.name()),
        routes,
        accelerated,
        why_not,
        ifindex: interface.map(|interface| interface.link.ifindex),
        program: xdp.map(|xdp| xdp.program),
    }
}

/// What [`link`] says of one that carries frames.
pub(super) const UP: &str = "up";

const fn link(interface: &Interface) -> &'static str {
    match (interface.link.up, interface.link.carrier) {
        (false, _) => "down",
        (true, false) => "no carrier",
        (true, true) => UP,
    }
}

/// How far a port that is in the map is accelerated.
fn extent(slot: u32, port: &Port, interface: &Interface, known: Known<'_>) -> Extent {
    let program = if is_routed(port.role) { ROUTED } else { ACCESS };
    let is_member = port.flags & FLAG_MEMBER != 0;
    match interface.xdp.map(|xdp| known.programs.get(&xdp.program)) {
        // The kernel shows the program of a bond at the bond only, and a gateway needs none.
        _ if is_member || port.role == ROLE_GATEWAY => {}
        // A routed port that is switched off has none, so that it can join a bond.
        None if !interface.link.up => return Extent::Idle("the link is down".into()),
        None => return Extent::Nothing("no program is attached".into()),
        Some(None) => return Extent::Nothing("another XDP program is on it".into()),
        Some(Some(name)) if !is_name(name, program) => {
            return Extent::Nothing("the program of another role is on it".into());
        }
        Some(Some(_)) => {}
    }
    match link(interface) {
        UP if port.down != 0 => return Extent::Nothing("it is taken for dead".into()),
        UP => {}
        other => return Extent::Idle(format!("the link is {other}").replace("is no", "has no")),
    }
    if is_member {
        // What leaves, leaves through the bond.
        return Extent::Whole;
    }
    if port.flags & FLAG_NOT_A_TARGET != 0 {
        let why = "receives only: its device takes no frames from XDP programs";
        return Extent::Part(why.into());
    }
    if port.role != ROLE_GATEWAY && known.targets.get(&slot) != Some(&port.ifindex) {
        return Extent::Part("receives only: it is no redirect target".into());
    }
    let name = &interface.link.name;
    let problems = known.state.and_then(|state| state.partly.get(name));
    let why = problems.map(|problems| {
        let prefix = format!("port {name}: ");
        let said = problems.iter().map(|text| text.strip_prefix(&prefix).unwrap_or(text));
        said.collect::<Vec<_>>().join("; ")
    });
    let families = (port.flags & FLAG_ROUTE4 != 0, port.flags & FLAG_ROUTE6 != 0);
    match (why, families, port.role) {
        (Some(why), (true, false), _) => Extent::Part(format!("IPv4 only: {why}")),
        (Some(why), (false, true), _) => Extent::Part(format!("IPv6 only: {why}")),
        (Some(why), (false, false), ROLE_UNDERLAY) => Extent::Part(format!("tunnels only: {why}")),
        (Some(why), (false, false), ROLE_ROUTED | ROLE_GATEWAY) => Extent::Nothing(why),
        (Some(why), ..) => Extent::Part(format!("in part: {why}")),
        (None, (false, false), ROLE_ROUTED | ROLE_GATEWAY) => {
            Extent::Idle("the kernel does not route what arrives here".into())
        }
        (None, ..) => Extent::Whole,
    }
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::ports::ROLE_ACCESS;

    use super::*;
    use crate::cli::{
        contents::Contents,
        interfaces::{Interfaces, tests::interface},
        table::{Look, Table},
        view::tests::{downstream, tenants},
    };

    const ACCESS_ID: u32 = 60;
    const ROUTED_ID: u32 = 70;

    struct World {
        view: View,
        state: State,
        programs: BTreeMap<u32, String>,
        targets: BTreeMap<u32, u32>,
    }

    /// Slots are interface indexes, and every port is a redirect target.
    fn world(ports: impl IntoIterator<Item = Port>, interfaces: Interfaces) -> World {
        let ports: BTreeMap<u32, Port> =
            ports.into_iter().map(|port| (port.ifindex, port)).collect();
        let targets = ports.keys().map(|slot| (*slot, *slot)).collect();
        let contents = Contents { ports, ..Contents::default() };
        let programs = [(ACCESS_ID, "fabric_access"), (ROUTED_ID, "fabric_routed")];
        World {
            view: View { contents, interfaces, now: None },
            state: State::default(),
            programs: programs.map(|(id, name)| (id, name.to_owned())).into(),
            targets,
        }
    }

    impl World {
        fn rows(&self, idle: Option<&str>) -> (Vec<PortRow>, Vec<String>) {
            let Self { view, state, programs, targets } = self;
            rows(view, Known { programs, targets, state: Some(state), idle })
        }
    }

    fn port(ifindex: u32, role: u8, flags: u8) -> Port {
        Port { ifindex, role, flags, ..Port::default() }
    }

    #[test]
    fn every_port_has_a_mode_or_a_reason() {
        let interfaces: Interfaces = [
            interface(3, "swp1", Some(ROUTED_ID)),
            interface(4, "h1", Some(9)),
            interface(6, "h3", None),
            interface(7, "h4", None),
        ]
        .into_iter()
        .collect();
        let ports = [
            port(4, ROLE_ACCESS, 0),
            port(5, ROLE_ACCESS, 0),
            port(3, ROLE_UNDERLAY, FLAG_ROUTE4 | FLAG_ROUTE6),
        ];
        let mut world = world(ports, interfaces);
        world.state.declined = [
            ("h3", "port h3 is left to the kernel: its driver has no native XDP"),
            ("h4", "port h4 is denied by the pattern `h4` in the settings"),
        ]
        .map(|(name, why)| (name.to_owned(), why.to_owned()))
        .into();
        world.state.chosen = ["h4".to_owned()].into();
        let (ports, faults) = world.rows(None);
        assert!(ports[0].accelerated.value);
        assert_eq!(ports[3].why_not.as_deref(), Some("its driver has no native XDP"));
        let (idle, _) = world.rows(Some("bypass is on"));
        assert_eq!(idle[0].why_not.as_deref(), Some("bypass is on"));
        let text = Table::of(ports).text(Look::default());
        let expected = "\
PORT  ROLE      LINK  MODE    ROUTES      ACCELERATED
swp1  underlay  up    native  IPv4, IPv6  yes
h1    access    up    native  -           no: another XDP program is on it
if5   access    -     -       -           no: the interface has gone
h3    -         up    -       -           no: its driver has no native XDP
h4    -         up    -       -           no: port h4 is denied by the pattern `h4` in the settings
";
        assert_eq!(text, expected);
        // What the operator has chosen is in order.
        let names: Vec<_> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
        assert_eq!(names, ["port h1", "port if5", "port h3"]);
    }

    #[test]
    fn what_stands_for_a_tunnel_of_next_hops_is_neither_a_port_nor_a_fault() {
        let (programs, targets) = (BTreeMap::new(), BTreeMap::new());
        let known = Known { programs: &programs, targets: &targets, state: None, idle: None };
        let shown = |view: &View| {
            let (rows, faults) = rows(view, known);
            (Table::of(rows).text(Look::default()), faults)
        };
        assert_eq!(shown(&downstream()), shown(&tenants()));
    }

    #[test]
    fn accelerated_means_both_directions_and_otherwise_says_what_is_missing() {
        let up = |index: u32| interface(index, &format!("swp{index}"), Some(ROUTED_ID));
        let mut unplugged = up(8);
        unplugged.link.carrier = false;
        let mut interfaces: Vec<_> = (1..=7).map(up).collect();
        interfaces.push(unplugged);
        interfaces.push(interface(9, "swp9", Some(ACCESS_ID)));
        interfaces.push(up(10));
        let both = FLAG_ROUTE4 | FLAG_ROUTE6;
        let mut dead = port(7, ROLE_ROUTED, both);
        dead.down = 1;
        let ports = [
            port(1, ROLE_ROUTED, both),
            port(2, ROLE_ROUTED, both),
            port(3, ROLE_ROUTED, FLAG_ROUTE6),
            port(4, ROLE_UNDERLAY, 0),
            port(5, ROLE_UNDERLAY, 0),
            port(6, ROLE_ROUTED, 0),
            dead,
            port(8, ROLE_ROUTED, both),
            port(9, ROLE_ROUTED, both),
            port(10, ROLE_ROUTED, both | FLAG_NOT_A_TARGET),
        ];
        let mut world = world(ports, interfaces.into_iter().collect());
        world.targets.insert(2, 99);
        for name in ["swp3", "swp5"] {
            let problem = format!("port {name}: rp_filter 1");
            world.state.partly.insert(name.into(), vec![problem]);
        }
        let (ports, faults) = world.rows(None);
        let said: BTreeMap<String, String> = ports
            .into_iter()
            .map(|row| (row.port, row.why_not.unwrap_or_else(|| "yes".into())))
            .collect();
        let expected = [
            ("swp1", "yes"),
            ("swp2", "receives only: it is no redirect target"),
            ("swp3", "IPv6 only: rp_filter 1"),
            ("swp4", "yes"),
            ("swp5", "tunnels only: rp_filter 1"),
            ("swp6", "the kernel does not route what arrives here"),
            ("swp7", "it is taken for dead"),
            ("swp8", "the link has no carrier"),
            ("swp9", "the program of another role is on it"),
            ("swp10", "receives only: its device takes no frames from XDP programs"),
        ];
        assert_eq!(said, expected.map(|(name, why)| (name.to_owned(), why.to_owned())).into());
        let names: Vec<_> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
        // A cable that is not plugged in is no fault of ours, and what nobody routes is none at all.
        assert_eq!(
            names,
            ["port swp5", "port swp2", "port swp3", "port swp7", "port swp9", "port swp10"]
        );
    }
}
