//! What the two kinds of leaf have in common: three ports, an underlay port, and the way to LEAF2.

use anyhow::{Result, anyhow};
use fabric_common::{
    reason::Reason,
    schema::ports::{ROLE_ACCESS, ROLE_UNDERLAY},
};
use fabric_tests::{
    addresses::{LEAF1_VTEP, LEAF2_VTEP, Mac, SPINE1_MAC, VLAN, VNI, VXLAN_PORT},
    device::{self, address_text, mac_text},
    packet::Vxlan,
    twins::{Fabric, Marker},
    world::{VtepId, World},
};

pub(crate) const PORTS: [&str; 4] = ["acc0", "trunk0", "trunk1", "up0"];
const MACS: [Mac; 4] =
    [[2, 0, 0, 0xac, 0, 0], [2, 0, 0, 0xac, 0, 1], [2, 0, 0, 0xac, 0, 2], [2, 0, 0, 0x0b, 0, 0]];
const ACCESS_MTU: u32 = 1_500;
const UNDERLAY_MTU: u32 = 1_600;

/// The ports and the way to LEAF2, in this thread's namespace.
pub(crate) fn build_ports() -> Result<()> {
    let mut commands = format!("link set lo up\naddr add {}/32 dev lo\n", address_text(LEAF1_VTEP));
    for (port, mac) in PORTS.into_iter().zip(MACS) {
        let mtu = if port == "up0" { UNDERLAY_MTU } else { ACCESS_MTU };
        commands += &format!(
            "link add {port} address {} mtu {mtu} type veth peer name {port}p mtu {UNDERLAY_MTU}\n\
             link set {port} up\nlink set {port}p up arp off\n",
            mac_text(mac)
        );
    }
    device::ip(&format!(
        "{commands}\
         addr add 203.0.113.0/31 dev up0\n\
         route add {}/32 via 203.0.113.1 dev up0\n\
         neigh add 203.0.113.1 lladdr {} dev up0 nud permanent\n",
        address_text(LEAF2_VTEP),
        mac_text(SPINE1_MAC)
    ))?;
    for port in PORTS {
        // What our programs redirect is received by NAPI, which needs GRO.
        device::run("ethtool", &format!("-K {port}p gro on"))?;
    }
    Ok(())
}

/// A vxlan device in the bridge `br0`, with a default entry towards LEAF2 and one for `station`.
pub(crate) fn build_vxlan(name: &str, vni: u32, station: Mac) -> Result<()> {
    device::ip(&format!(
        "link add {name} mtu 1500 type vxlan id {vni} local {} dstport {VXLAN_PORT} \
         nolearning noudpcsum\n\
         link set {name} master br0\nlink set {name} up\n",
        address_text(LEAF1_VTEP)
    ))?;
    let remote = address_text(LEAF2_VTEP);
    device::bridge(&format!(
        "link set dev {name} learning off\n\
         fdb add 00:00:00:00:00:00 dev {name} dst {remote} self permanent\n\
         fdb add {} dev {name} dst {remote} self static\n",
        mac_text(station)
    ))
}

/// Our programs on the ports, and LEAF2 behind the underlay port.
pub(crate) fn accelerate_ports() -> Result<(Fabric, VtepId)> {
    let mut world = World::new()?;
    let mut ports = std::collections::BTreeMap::new();
    for (name, mac) in PORTS.into_iter().zip(MACS) {
        let underlay = name == "up0";
        let role = if underlay { ROLE_UNDERLAY } else { ROLE_ACCESS };
        let mtu = if underlay { UNDERLAY_MTU } else { ACCESS_MTU };
        ports.insert(name, world.enter(name, role, mac, mtu)?);
    }
    let nexthop = world.nexthop(&ports["up0"], SPINE1_MAC, UNDERLAY_MTU);
    let vtep = world.vtep(LEAF1_VTEP, LEAF2_VTEP, &[nexthop]);
    Ok((Fabric { world, ports }, vtep))
}

/// A VXLAN packet of LEAF2 as it arrives on the underlay port.
pub(crate) fn from_leaf2(vni: u32) -> Vxlan {
    Vxlan {
        destination_mac: MACS[3],
        source_mac: SPINE1_MAC,
        ..Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, vni)
    }
}

/// Broadcasts of VLAN 100 from either side.
pub(crate) fn markers() -> Vec<Marker> {
    let tagged = |mut frame: Vec<u8>| {
        let [high, low] = VLAN.to_be_bytes();
        frame.splice(12..12, [0x81, 0x00, high, low]);
        frame
    };
    vec![
        Marker {
            into: "trunk0",
            wrap: tagged,
            out_of: vec!["acc0", "trunk1", "up0"],
            reason: Reason::FrameGuardMulticast,
        },
        Marker {
            into: "up0",
            wrap: |frame| from_leaf2(VNI).around(&frame),
            out_of: vec!["acc0", "trunk0", "trunk1"],
            reason: Reason::InnerGuardMulticast,
        },
    ]
}

/// Makes the bridge `br0`, VLAN-aware or not.
pub(crate) fn build_bridge(vlan_filtering: bool) -> Result<()> {
    let filtering = if vlan_filtering { "vlan_filtering 1 vlan_default_pvid 0" } else { "" };
    let commands = format!(
        "link add br0 address 02:00:00:b0:00:00 type bridge mcast_snooping 0 {filtering}\n\
         link set br0 up\n"
    );
    device::ip(&commands).map_err(|_| {
        anyhow!("this kernel's bridge has no VLAN filtering; run these tests by `cargo xtask vm`")
    })
}
