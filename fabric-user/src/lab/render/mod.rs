//! What a device of the topology is configured with: `frr.conf`, interface commands and sysctls.
//! The lab applies these, and a real device takes the same text.

mod domain;
mod entries;
mod frr;
mod inside;
mod interfaces;
mod port;
mod vrf;

use std::fmt::Write as _;

pub use self::entries::{arrived, behind};
pub use self::frr::frr_conf;
pub use self::interfaces::{AccessPort, Configuration, access_port, host, service_address, switch};
pub use self::port::anew;

use super::topology::{Attachment, ControlPlane, Switch, Topology};

/// The configuration of a switch as a person reads it: commands, then `frr.conf`.
pub fn switch_text(topology: &Topology, node: &Switch) -> String {
    let speaks_bgp = topology.fabric.control_plane == ControlPlane::Bgp;
    let asn = if speaks_bgp { format!("AS {}, ", node.asn) } else { String::new() };
    let mut text = format!(
        "# {} ({}, {asn}{})\n\n# Interfaces: run as root, in this order.\n",
        node.name,
        node.function.name(),
        node.site
    );
    push_commands(&mut text, &switch(topology, node));
    if node.fabric_xdpd {
        text.push_str("\n# fabric-xdpd must see VLAN tags in the frame.\n");
        for port in topology.ports_of(&node.name) {
            let _ = writeln!(text, "ethtool -K {} rxvlan off txvlan off", port.port);
        }
    }
    if speaks_bgp {
        text.push_str("\n# /etc/frr/frr.conf\n");
        text.push_str(&frr_conf(topology, node));
    }
    text
}

/// The configuration of a host as a person reads it.
pub fn host_text(topology: &Topology, node: &super::topology::Host) -> String {
    let place = match &node.attachment {
        Attachment::Network(name) => format!("host in network {name}"),
        Attachment::Routed(_) => "host on a routed port".to_owned(),
    };
    let ports: Vec<&str> = node.cables().map(|[_, switch]| switch.port.as_str()).collect();
    let leaf = &node.switch.node;
    let mut text = format!("# {} ({place}, behind {leaf} {})\n\n", node.name, ports.join(" "));
    push_commands(&mut text, &host(topology, node));
    text
}

fn push_commands(text: &mut String, configuration: &Configuration) {
    for (key, value) in &configuration.sysctls_before {
        let _ = writeln!(text, "sysctl -w {key}={value}");
    }
    for line in &configuration.ip {
        let _ = writeln!(text, "ip {line}");
    }
    for line in &configuration.bridge {
        let _ = writeln!(text, "bridge {line}");
    }
    for (key, value) in &configuration.sysctls_after {
        let _ = writeln!(text, "sysctl -w {key}={value}");
    }
}
