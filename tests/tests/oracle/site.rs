//! The two leafs of the oracle.
//!
//! ```text
//!   HOST_A --- acc0 \                                      the wire is
//!                    br100 - vx100 (VNI 10100) ~~~ up0 --- where SPINE1 is
//!   HOST_B --- acc1 /                                      and, behind it, HOST_R on LEAF2
//! ```

use std::{collections::BTreeMap, net::IpAddr, sync::OnceLock};

use anyhow::Result;
use fabric_common::{
    reason::Reason,
    schema::{
        domains::{
            Domain, FLAG_DF, FLAG_DF_INHERIT, FLAG_IPV6, FLAG_LABEL_INHERIT, FLAG_TOS_INHERIT,
            FLAG_TTL_INHERIT, FLAG_ZERO_CHECKSUM_RX, FLAG_ZERO_CHECKSUM_TX,
        },
        ports::{ROLE_ACCESS, ROLE_UNDERLAY},
    },
};
use fabric_tests::{
    addresses::{
        HOST_A, HOST_B, HOST_R, LEAF1_VTEP, LEAF1_VTEP6, LEAF2_VTEP, LEAF2_VTEP6, Mac, SPINE1_MAC,
        VNI, VXLAN_PORT,
    },
    device::{self, address_text, mac_text},
    packet::{Vxlan, Vxlan6},
    twins::{Fabric, Marker, Twins},
    world::{CircuitId, DomainId, VtepId, World, tunnel},
};

pub(crate) const PORTS: [&str; 3] = ["acc0", "acc1", "up0"];
const ACC0_MAC: Mac = [2, 0, 0, 0xac, 0, 0];
const ACC1_MAC: Mac = [2, 0, 0, 0xac, 0, 1];
const UP0_MAC: Mac = [2, 0, 0, 0x0b, 0, 0];
/// MAC address of the bridge, which is the box's own.
pub(crate) const BRIDGE_MAC: Mac = [2, 0, 0, 0xb0, 0, 0];
const VXLAN_MAC: Mac = [2, 0, 0, 0xb0, 0, 1];
/// The wires carry more than the ports, so that too long frames can be offered.
const WIRE_MTU: u32 = 2_000;

/// The settings of the vxlan device, in the words of `ip link`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) ttl: &'static str,
    pub(crate) tos: &'static str,
    pub(crate) df: &'static str,
    pub(crate) mtu: u32,
    /// Set for an IPv6 underlay.
    pub(crate) ipv6: Option<Ipv6>,
}

/// The settings that matter over IPv6 alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv6 {
    /// Whether UDP checksums are sent.
    pub(crate) sends_checksum: bool,
    /// Whether packets without one are refused.
    pub(crate) wants_checksum: bool,
    /// Flow label as `ip link` takes it.
    pub(crate) label: &'static str,
}

pub(crate) const DEFAULT: Settings =
    Settings { ttl: "auto", tos: "0", df: "unset", mtu: 1_500, ipv6: None };

/// The kernel's own settings over IPv6.
pub(crate) const OVER_IPV6: Settings = Settings {
    ipv6: Some(Ipv6 { sends_checksum: true, wants_checksum: true, label: "0" }),
    ..DEFAULT
};

/// The addresses of the two VTEPs as `ip` takes them.
fn vteps(ipv6: bool) -> [String; 2] {
    match ipv6 {
        true => [LEAF1_VTEP6, LEAF2_VTEP6].map(|a| std::net::Ipv6Addr::from(a).to_string()),
        false => [LEAF1_VTEP, LEAF2_VTEP].map(address_text),
    }
}

impl Settings {
    /// The same settings in a domain. With `ttl auto` the kernel takes `ip_default_ttl`, 64.
    fn domain(&self, domain: &mut Domain) {
        domain.flags &= !(FLAG_TTL_INHERIT | FLAG_TOS_INHERIT | FLAG_DF | FLAG_DF_INHERIT);
        domain.ttl = self.ttl.parse().unwrap_or(64);
        domain.tos = self.tos.strip_prefix("0x").map_or(0, |tos| {
            u8::from_str_radix(tos, 16).expect("a TOS is one byte in hexadecimal digits")
        });
        if self.ttl == "inherit" {
            domain.flags |= FLAG_TTL_INHERIT;
        }
        if self.tos == "inherit" {
            domain.flags |= FLAG_TOS_INHERIT;
        }
        domain.flags |= match self.df {
            "set" => FLAG_DF,
            "inherit" => FLAG_DF_INHERIT,
            _ => 0,
        };
        domain.max_frame = self.mtu + 14;
        domain.flags &= !(FLAG_ZERO_CHECKSUM_TX | FLAG_ZERO_CHECKSUM_RX | FLAG_LABEL_INHERIT);
        if let Some(ipv6) = self.ipv6 {
            domain.flags |= FLAG_IPV6;
            for (set, flag) in [
                (!ipv6.sends_checksum, FLAG_ZERO_CHECKSUM_TX),
                (!ipv6.wants_checksum, FLAG_ZERO_CHECKSUM_RX),
                (ipv6.label == "inherit", FLAG_LABEL_INHERIT),
            ] {
                domain.flags |= if set { flag } else { 0 };
            }
        }
    }

    /// The flow label that is set, 0 for none.
    fn label(&self) -> u32 {
        let label = self.ipv6.and_then(|ipv6| ipv6.label.strip_prefix("0x"));
        label.map_or(0, |label| u32::from_str_radix(label, 16).expect("a hexadecimal label"))
    }

    /// Makes the vxlan device, anew if there is one.
    fn vxlan(&self) -> Result<()> {
        let Self { ttl, tos, df, mtu, ipv6 } = self;
        let _none_yet = device::ip("link del vx100");
        let [local, remote] = vteps(ipv6.is_some());
        let family = match ipv6 {
            None => format!("noudpcsum df {df}"),
            Some(Ipv6 { sends_checksum, wants_checksum, label }) => format!(
                "{}udp6zerocsumtx {}udp6zerocsumrx flowlabel {label}",
                if *sends_checksum { "no" } else { "" },
                if *wants_checksum { "no" } else { "" },
            ),
        };
        let (mac, host_r) = (mac_text(VXLAN_MAC), mac_text(HOST_R.mac));
        device::ip(&format!(
            "link add vx100 address {mac} mtu {mtu} type vxlan id {VNI} local {local} \
             dstport {VXLAN_PORT} nolearning ttl {ttl} tos {tos} {family}\n\
             link set vx100 master br100\nlink set vx100 up\n"
        ))?;
        device::bridge(&format!(
            "link set dev vx100 learning off\n\
             fdb add 00:00:00:00:00:00 dev vx100 dst {remote} self permanent\n\
             fdb add {host_r} dev vx100 dst {remote} self static\n\
             fdb add {host_r} dev vx100 master static\n"
        ))
    }
}

/// Makes the devices of a leaf in this thread's namespace.
fn build(underlay_mtu: u32, settings: Settings) -> Result<()> {
    let is_ipv6 = settings.ipv6.is_some();
    let [local, remote] = vteps(is_ipv6);
    let (length, link, spine_address) = match is_ipv6 {
        true => (128, "2001:db8:fe::/127", "2001:db8:fe::1"),
        false => (32, "203.0.113.0/31", "203.0.113.1"),
    };
    let [acc0, acc1, up0, bridge, spine] =
        [ACC0_MAC, ACC1_MAC, UP0_MAC, BRIDGE_MAC, SPINE1_MAC].map(mac_text);
    let wire = |port| format!("type veth peer name {port}p mtu {WIRE_MTU}");
    let [wire_acc0, wire_acc1, wire_up0] = PORTS.map(wire);
    let up: String = PORTS.map(|p| format!("link set {p} up\nlink set {p}p up arp off\n")).concat();
    device::ip(&format!(
        "link set lo up\n\
         link add br100 address {bridge} type bridge mcast_snooping 0\n\
         link add acc0 address {acc0} mtu 1500 {wire_acc0}\n\
         link add acc1 address {acc1} mtu 1500 {wire_acc1}\n\
         link add up0 address {up0} mtu {underlay_mtu} {wire_up0}\n\
         link set acc0 master br100\nlink set acc1 master br100\n\
         {up}\
         link set br100 up\n"
    ))?;
    if is_ipv6 {
        // On these alone: the others send nothing of their own then.
        for (name, value) in [
            ("lo/disable_ipv6", "0"),
            ("up0/accept_dad", "0"),
            ("up0/router_solicitations", "0"),
            ("up0/disable_ipv6", "0"),
        ] {
            std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}"), value)?;
        }
    }
    device::ip(&format!(
        "addr add {local}/{length} dev lo\n\
         addr add {link} dev up0\n\
         route add {remote}/{length} via {spine_address} dev up0\n\
         neigh add {spine_address} lladdr {spine} dev up0 nud permanent\n"
    ))?;
    if is_ipv6 {
        // A veth device leaves checksums to its peer, where nobody computes them.
        device::run("ethtool", "-K up0 tx off")?;
    }
    for port in PORTS {
        // What our programs redirect is received by NAPI, which needs GRO.
        device::run("ethtool", &format!("-K {port}p gro on"))?;
    }
    let (host_a, host_b) = (mac_text(HOST_A.mac), mac_text(HOST_B.mac));
    device::bridge(&format!(
        "fdb add {host_a} dev acc0 master static\nfdb add {host_b} dev acc1 master static\n"
    ))?;
    settings.vxlan()
}

/// Loads our programs and fills their maps with what [`build`] made.
fn accelerate(underlay_mtu: u32, settings: Settings) -> Result<(Fabric, Site)> {
    let mut world = World::new()?;
    let mut ports = BTreeMap::new();
    let macs = [(ACC0_MAC, ROLE_ACCESS), (ACC1_MAC, ROLE_ACCESS), (UP0_MAC, ROLE_UNDERLAY)];
    for (name, (mac, role)) in PORTS.into_iter().zip(macs) {
        let mtu = if role == ROLE_UNDERLAY { underlay_mtu } else { 1_500 };
        ports.insert(name, world.enter(name, role, mac, mtu)?);
    }
    let [local, remote] = match settings.ipv6 {
        None => [LEAF1_VTEP, LEAF2_VTEP].map(IpAddr::from),
        Some(_) => [LEAF1_VTEP6, LEAF2_VTEP6].map(IpAddr::from),
    };
    let domain = world.domain(0, tunnel(VNI, local));
    let acc0 = world.circuit(&ports["acc0"], domain, 0);
    let acc1 = world.circuit(&ports["acc1"], domain, 0);
    let nexthop = world.nexthop(&ports["up0"], SPINE1_MAC, underlay_mtu);
    let vtep = world.vtep(local, remote, &[nexthop]);
    world.settle(acc0, &HOST_A);
    world.settle(acc1, &HOST_B);
    world.learn_remote(domain, HOST_R.mac, vtep);
    world.learn_own(domain, BRIDGE_MAC);
    set_domain(&mut world, domain, settings);
    Ok((Fabric { world, ports }, Site { domain, acc0, acc1, vtep }))
}

/// Indexes of the maps' entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) domain: DomainId,
    pub(crate) acc0: CircuitId,
    pub(crate) acc1: CircuitId,
    pub(crate) vtep: VtepId,
}

/// Runs a test on two fresh leafs whose underlay ports have this MTU.
pub(crate) fn twins(underlay_mtu: u32, test: impl FnOnce(&mut Twins, Site) + Send) {
    twins_with(underlay_mtu, DEFAULT, test);
}

/// As [`twins`], whose vxlan devices have these settings; the family stays that of their underlay.
pub(crate) fn twins_with(
    underlay_mtu: u32,
    settings: Settings,
    test: impl FnOnce(&mut Twins, Site) + Send,
) {
    let site = OnceLock::new();
    Twins::run(
        &PORTS,
        markers(settings.ipv6.is_some()),
        || build(underlay_mtu, settings),
        || {
            let (fabric, parts) = accelerate(underlay_mtu, settings)?;
            site.get_or_init(|| parts);
            Ok(fabric)
        },
        |twins| test(twins, *site.get().expect("set with the maps")),
    );
}

/// One from each side: the kernel floods them to all ports but the one that they came from.
fn markers(ipv6: bool) -> Vec<Marker> {
    vec![
        Marker {
            into: "acc0",
            wrap: |frame| frame,
            out_of: vec!["acc1", "up0"],
            reason: Reason::FrameGuardMulticast,
        },
        Marker {
            into: "up0",
            wrap: match ipv6 {
                true => |frame| from_leaf2_over_ipv6().around(&frame),
                false => |frame| from_leaf2().around(&frame),
            },
            out_of: vec!["acc0", "acc1"],
            reason: Reason::InnerGuardMulticast,
        },
    ]
}

/// A VXLAN packet of the other leaf as it arrives on the underlay port.
pub(crate) fn from_leaf2() -> Vxlan {
    Vxlan {
        destination_mac: UP0_MAC,
        source_mac: SPINE1_MAC,
        ttl: 62,
        id: 0x4242,
        ..Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, VNI)
    }
}

/// The same over IPv6, with a right UDP checksum.
pub(crate) fn from_leaf2_over_ipv6() -> Vxlan6 {
    Vxlan6 {
        destination_mac: UP0_MAC,
        source_mac: SPINE1_MAC,
        hop_limit: 62,
        ..Vxlan6::new(LEAF2_VTEP6, LEAF1_VTEP6, VNI)
    }
}

/// Gives both leafs other settings of the vxlan device.
pub(crate) fn configure(twins: &mut Twins, site: Site, settings: Settings) {
    twins.change(|| settings.vxlan()).unwrap_or_else(|error| panic!("{settings:?}: {error:#}"));
    set_domain(&mut twins.fabric().world, site.domain, settings);
}

fn set_domain(world: &mut World, domain: DomainId, settings: Settings) {
    world.change_domain(domain, |domain| settings.domain(domain));
    let label_be = settings.label().to_be();
    world.maps.domains6.update(domain.0.into(), |entry| entry.label_be = label_be);
}
