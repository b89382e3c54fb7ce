//! What a topology needs of this machine's kernel and FRR, looked at before anything is built.

use std::sync::atomic::AtomicBool;

use super::daemons::Frr;
use super::error::LabError;
use super::tools;
use super::topology::{Bridges, Gateways, Topology};
use crate::kernel::netns::{Own, enter_new};

/// What a kernel says of a kind of devices that it does not make.
const UNKNOWN: &str = "Unknown device type";
/// The first FRR that takes a single vxlan device for many tunnels.
const SINGLE_VXLAN_SINCE: u32 = 9;

/// Devices that not every kernel makes.
struct Devices {
    /// What they are, as in a sentence.
    what: &'static str,
    /// Why they are needed, as the end of a sentence.
    why: String,
    /// The kernel's module.
    module: &'static str,
    /// Lines for `ip` that make one.
    lines: &'static [&'static str],
}

/// Refuses a topology whose VRFs, VLAN-aware bridges, virtual routers or single vxlan devices this machine does not
/// have.
///
/// # Errors
/// If it lacks one, with what to do, or if `ip` does not run.
pub(super) fn check(
    topology: &Topology,
    frr: Option<&Frr>,
    stop: &AtomicBool,
) -> Result<(), LabError> {
    for Devices { what, why, module, lines } in devices(topology) {
        if let Some(said) = refusal(lines, stop)? {
            return Err(LabError::Kernel { what, said, why, module });
        }
    }
    let single = topology
        .switches
        .iter()
        .find(|it| it.bridges == Bridges::SingleVxlan && !it.networks.is_empty());
    match (single, frr) {
        (Some(node), Some(frr)) if frr.major_version()? < SINGLE_VXLAN_SINCE => {
            Err(LabError::OldFrr { node: node.name.clone(), since: SINGLE_VXLAN_SINCE })
        }
        _ => Ok(()),
    }
}

fn devices(topology: &Topology) -> Vec<Devices> {
    let mut devices = Vec::new();
    if let Some(tenant) = topology.tenants.first() {
        devices.push(Devices {
            what: "VRF devices",
            why: format!("tenant {} needs one on each of its leafs", tenant.name),
            module: "vrf",
            lines: &["link add vrf1 type vrf table 10001"],
        });
    }
    let with_networks = || topology.switches.iter().filter(|it| !it.networks.is_empty());
    if let Some(node) = with_networks().find(|it| it.bridges != Bridges::Plain) {
        devices.push(Devices {
            what: "VLAN devices",
            why: format!("{} routes by them for its VLAN-aware bridge", node.name),
            module: "8021q",
            lines: &[
                "link add br0 type bridge vlan_filtering 1",
                "link add link br0 name vlan1 type vlan id 1",
            ],
        });
    }
    if let Some(node) = with_networks().find(|it| it.gateways == Gateways::Vrr) {
        devices.push(Devices {
            what: "macvlan devices",
            why: format!("{} has its gateways on them", node.name),
            module: "macvlan",
            lines: &[
                "link add br1 type bridge",
                "link add link br1 name br1-v0 type macvlan mode private",
            ],
        });
    }
    devices
}

/// Why the kernel does not know the kind of devices that lines for `ip` make, in its own words; none if it makes
/// them. Tried in a namespace of its own, which goes at once.
pub(super) fn refusal(lines: &[&str], stop: &AtomicBool) -> Result<Option<String>, LabError> {
    let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
    let attempt = || {
        enter_new(Own::Network).map_err(LabError::file("make", "a network namespace"))?;
        tools::batch("ip", &lines, None, stop)
    };
    let result = std::thread::scope(|scope| scope.spawn(attempt).join());
    match result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
        Ok(()) => Ok(None),
        Err(LabError::Command { message, .. }) if message.contains(UNKNOWN) => {
            Ok(Some(UNKNOWN.to_owned()))
        }
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::interrupt::NEVER;

    #[test]
    fn a_kernel_that_does_not_know_a_kind_of_devices_says_so() {
        let refused = |line: &str| refusal(&[line], &NEVER);
        let unknown = refused("link add x0 type nonsense").expect("the tests need root");
        assert_eq!(unknown.as_deref(), Some(UNKNOWN));
        assert_eq!(refused("link add x0 type veth").expect("every kernel makes them"), None);
    }

    #[test]
    fn what_ip_refuses_for_another_reason_than_the_kind_is_a_failure_with_its_words() {
        let error = refusal(&["link add lo type veth"], &NEVER).expect_err("there is one");
        let said = error.to_string();
        assert!(said.contains("link add lo type veth") && said.contains("File exists"), "{said}");
    }

    /// What a topology of these nodes and tables of the inventory is refused for, on a kernel without the module.
    fn said(node: &str, tables: &str) -> String {
        let picture =
            "graph t { leaf01 [function=leaf]; vm1 [function=host]; leaf01:swp1 -- vm1:eth0 }";
        let inventory = format!(
            "[nodes.leaf01]\nsite = \"a\"\nas = 65101\nloopback = \"10.0.0.1\"\n{node}\n\
             [networks.web]\nvlan = 10\nvni = 10\ngateway = \"10.1.0.1/24\"\n\
             gateway_mac = \"02:00:00:00:00:01\"\nsites = [\"a\"]\n{tables}\n\
             [hosts.vm1]\nnetwork = \"web\"\naddress = \"10.1.0.2\"\n"
        );
        let topology = Topology::parse("t", picture, &inventory).expect("valid");
        let mut devices = devices(&topology).into_iter();
        let Some(Devices { what, why, module, .. }) = devices.next() else { return String::new() };
        LabError::Kernel { what, said: UNKNOWN.to_owned(), why, module }.to_string()
    }

    #[test]
    fn what_the_kernel_lacks_is_said_in_one_sentence_with_what_brings_it() {
        assert_eq!(said("", ""), "");
        assert_eq!(
            said("", "tenant = \"red\"\n[tenants.red]\nvlan = 99\nvni = 99\n"),
            "this kernel makes no VRF devices (Unknown device type), and tenant red needs one on each of its leafs; `modprobe vrf`, or a kernel with that module, brings them"
        );
        assert_eq!(
            said("bridges = \"vlan-aware\"", ""),
            "this kernel makes no VLAN devices (Unknown device type), and leaf01 routes by them for its VLAN-aware bridge; `modprobe 8021q`, or a kernel with that module, brings them"
        );
        assert_eq!(
            said("gateways = \"vrr\"", "[networks.web.addresses]\nleaf01 = [\"10.1.0.9/24\"]\n"),
            "this kernel makes no macvlan devices (Unknown device type), and leaf01 has its gateways on them; `modprobe macvlan`, or a kernel with that module, brings them"
        );
    }
}
