//! `frr.conf`: BGP unnumbered on every link, IPv4 unicast for the loopbacks, EVPN over the same
//! sessions, and between spines of different sites over their loopbacks.

use std::fmt::Write as _;

use crate::lab::topology::{Switch, Topology};

/// Peer group of the links.
const LINKS: &str = "FABRIC";
/// Peer group of the spines of other sites.
const SITES: &str = "SITES";

/// Renders the integrated configuration of a switch for FRR 8.4 and newer.
pub fn frr_conf(topology: &Topology, node: &Switch) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, topology, node);
    text
}

fn write(text: &mut String, topology: &Topology, node: &Switch) -> std::fmt::Result {
    let peers: Vec<_> = topology.evpn_peers(node).collect();
    write!(
        text,
        "\
frr version 8.4
frr defaults datacenter
hostname {name}
log syslog informational
service integrated-vtysh-config
!
router bgp {asn}
 bgp router-id {loopback}
 no bgp default ipv4-unicast
 bgp bestpath as-path multipath-relax
 coalesce-time 0
 neighbor {LINKS} peer-group
 neighbor {LINKS} remote-as external
 neighbor {LINKS} advertisement-interval 0
 neighbor {LINKS} timers 3 9
 neighbor {LINKS} timers connect 1
",
        name = node.name,
        asn = node.asn,
        loopback = node.loopback,
    )?;
    for (own, _) in topology.links_of(&node.name) {
        writeln!(text, " neighbor {} interface peer-group {LINKS}", own.port)?;
    }
    if !peers.is_empty() {
        write!(
            text,
            " neighbor {SITES} peer-group
 neighbor {SITES} remote-as external
 neighbor {SITES} ebgp-multihop 8
 neighbor {SITES} update-source {loopback}
 neighbor {SITES} advertisement-interval 0
 neighbor {SITES} timers 3 9
 neighbor {SITES} timers connect 1
",
            loopback = node.loopback,
        )?;
    }
    for peer in &peers {
        writeln!(text, " neighbor {} peer-group {SITES}", peer.loopback)?;
    }
    write!(
        text,
        " !
 address-family ipv4 unicast
  network {}/32
  neighbor {LINKS} activate
{}  maximum-paths 64
 exit-address-family
 !
 address-family l2vpn evpn
",
        node.loopback,
        shared_as(topology, node),
    )?;
    writeln!(text, "  neighbor {LINKS} activate")?;
    text.push_str(&shared_as(topology, node));
    if !peers.is_empty() {
        writeln!(text, "  neighbor {SITES} activate")?;
    }
    if !node.networks.is_empty() {
        writeln!(text, "  advertise-all-vni")?;
    }
    for network in node.networks.iter().filter_map(|name| topology.network(name)) {
        // The automatic route target is AS:VNI, and every rack has another AS.
        write!(
            text,
            "  vni {vni}\n   route-target import {rt}:{vni}\n   route-target export {rt}:{vni}\n  exit-vni\n",
            vni = network.vni,
            rt = topology.fabric.route_target_as,
        )?;
    }
    text.push_str(" exit-address-family\nexit\n!\n");
    Ok(())
}

/// Switches of one rack may share an AS; they must accept each other's routes, which come back
/// with their own AS in the path.
fn shared_as(topology: &Topology, node: &Switch) -> String {
    let shared = !node.networks.is_empty()
        && topology
            .switches
            .iter()
            .any(|other| other.name != node.name && other.asn == node.asn);
    if shared { format!("  neighbor {LINKS} allowas-in origin\n") } else { String::new() }
}
