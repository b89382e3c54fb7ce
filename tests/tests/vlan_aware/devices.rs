//! VLAN devices in a plain bridge.
//!
//! ```text
//!   acc0        untagged
//!   trunk0.100  VLAN 100 of trunk0     br0    vx100  VNI 10100
//!   trunk1.7    VLAN 7 of trunk1
//! ```

use anyhow::{Result, anyhow};
use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R, HOST_T, LEAF1_VTEP, STRANGER, VLAN, VNI},
    device::{self, mac_text},
    packet::{Frame, ether_type},
    twins::{Fabric, Twins},
    world::tunnel,
};

use crate::site::{
    PORTS, accelerate_ports, build_bridge, build_ports, build_vxlan, from_leaf2, markers,
};

const OTHER_VLAN: u16 = 7;

fn build() -> Result<()> {
    build_bridge(false)?;
    build_ports()?;
    device::ip(&format!(
        "link add link trunk0 name trunk0.100 type vlan id {VLAN}\n\
         link add link trunk1 name trunk1.7 type vlan id {OTHER_VLAN}\n"
    ))
    .map_err(|_| anyhow!("this kernel has no VLAN devices; run these tests by `cargo xtask vm`"))?;
    device::ip(
        "link set acc0 master br0\nlink set trunk0.100 master br0\nlink set trunk1.7 master br0\n\
         link set trunk0.100 up\nlink set trunk1.7 up\n",
    )?;
    build_vxlan("vx100", VNI, HOST_R.mac)?;
    let [a, b, t, r] = [HOST_A, HOST_B, HOST_T, HOST_R].map(|host| mac_text(host.mac));
    device::bridge(&format!(
        "fdb add {a} dev acc0 master static\nfdb add {t} dev trunk0.100 master static\n\
         fdb add {b} dev trunk1.7 master static\nfdb add {r} dev vx100 master static\n"
    ))
}

fn accelerate() -> Result<Fabric> {
    let (mut fabric, leaf2) = accelerate_ports()?;
    let Fabric { world, ports } = &mut fabric;
    let domain = world.domain(0, tunnel(VNI, LEAF1_VTEP));
    for (port, vlan, host) in
        [("acc0", 0, HOST_A), ("trunk0", VLAN, HOST_T), ("trunk1", OTHER_VLAN, HOST_B)]
    {
        let circuit = world.circuit(&ports[port], domain, vlan);
        world.settle(circuit, &host);
    }
    world.learn_remote(domain, HOST_R.mac, leaf2);
    Ok(fabric)
}

fn twins(test: impl FnOnce(&mut Twins) + Send) {
    Twins::run(&PORTS, markers(), build, accelerate, test);
}

#[test]
fn tags_are_added_removed_and_made_anew_with_priority_zero() {
    twins(|twins| {
        let frame = Frame::ipv4(&HOST_A, &HOST_T);
        let output = twins.same("acc0", &frame.bytes(), Reason::Bridged);
        assert_eq!(output, [("trunk0", frame.tag(VLAN).bytes())]);
        for priority in 0..16_u16 {
            let tci = priority << 12 | VLAN;
            let frame = Frame::ipv4(&HOST_T, &HOST_A);
            let output = twins.same("trunk0", &frame.clone().tag(tci).bytes(), Reason::Bridged);
            assert_eq!(output, [("acc0", frame.bytes())]);
            let frame = Frame::ipv6(&HOST_T, &HOST_B);
            let output = twins.same("trunk0", &frame.clone().tag(tci).bytes(), Reason::Bridged);
            assert_eq!(output, [("trunk1", frame.tag(OTHER_VLAN).bytes())]);
        }
    });
}

#[test]
fn tags_are_removed_into_the_tunnel_and_added_out_of_it() {
    twins(|twins| {
        for (port, host, vlan) in [("trunk0", HOST_T, VLAN), ("trunk1", HOST_B, OTHER_VLAN)] {
            for priority in 0..16_u16 {
                let tagged = Frame::ipv4(&host, &HOST_R).tag(priority << 12 | vlan).bytes();
                twins.same(port, &tagged, Reason::Encapsulated);
            }
            for tos in 0..4 {
                let mut outer = from_leaf2(VNI);
                outer.tos = tos;
                let frame = Frame::ipv4(&HOST_R, &host).tos(0b01);
                let packet = outer.around(&frame.bytes());
                let output = twins.same("up0", &packet, Reason::Decapsulated);
                assert_eq!(output[0].0, port);
            }
        }
    });
}

#[test]
fn frames_of_other_vlans_are_treated_by_the_kernel() {
    twins(|twins| {
        let frame = Frame::ipv4(&HOST_T, &HOST_A);
        for (port, frame, reason) in [
            ("trunk0", frame.clone(), Reason::VlanClassifyNotMember),
            ("trunk0", frame.clone().tag(0), Reason::VlanClassifyNotMember),
            ("trunk0", frame.clone().tag(OTHER_VLAN), Reason::VlanClassifyNotMember),
            ("acc0", frame.clone().tag(VLAN), Reason::VlanClassifyNotMember),
            ("trunk0", frame.clone().tag(VLAN).tag(9), Reason::VlanClassifyStackedTag),
            (
                "trunk0",
                frame.clone().tag_of(ether_type::SERVICE_VLAN, VLAN),
                Reason::VlanClassifyStackedTag,
            ),
            ("trunk0", frame.clone().to(STRANGER.mac).tag(VLAN), Reason::BridgeLookupUnknown),
            ("trunk0", frame.from(STRANGER.mac).tag(VLAN), Reason::SourceCheckUnknown),
        ] {
            println!("{port}: {frame:?}");
            twins.same(port, &frame.bytes(), reason);
        }
    });
}
