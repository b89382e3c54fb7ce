//! Making the things of a lab in the kernel: namespaces, links, addresses, sysctls.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::error::LabError;
use super::netns::Netns;
use super::render::{self, Configuration};
use super::tools;
use super::topology::{End, Host, Topology};
use crate::kernel::interface;

/// Sysctls that only a lab wants, set in every namespace before it has interfaces.
const LAB_SYSCTLS: [(&str, &str); 2] = [
    // Nobody else is on these links: without probing, link-local addresses work at once.
    ("net.ipv6.conf.all.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
];

/// Indexes of ports begin here, and no two ports of a lab have the same. The kernel tells at once that
/// a veth has lost its carrier if its index is not that of its peer, and otherwise up to a second
/// later (`linkwatch_urgent_event` in `net/core/link_watch.c`).
pub(super) const FIRST_INDEX: u32 = 11;

/// One device to make.
pub(super) struct Device<'a> {
    /// Its namespace.
    pub namespace: Netns,
    /// Its interfaces that are ends of links.
    pub ports: Vec<&'a End>,
    /// What it is configured with.
    pub configuration: Configuration,
}

/// All devices of a topology: switches, then hosts.
pub(super) fn devices<'a>(
    topology: &'a Topology,
    name: impl Fn(&str) -> String,
) -> Vec<Device<'a>> {
    let switches = topology.switches.iter().map(|switch| Device {
        namespace: Netns::named(name(&switch.name)),
        ports: topology.ports_of(&switch.name).collect(),
        configuration: render::switch(topology, switch),
    });
    let hosts = topology.hosts.iter().map(|host| Device {
        namespace: Netns::named(name(&host.name)),
        ports: topology.ports_of(&host.name).collect(),
        configuration: render::host(topology, host),
    });
    switches.chain(hosts).collect()
}

/// Makes the namespaces. None of them may exist.
pub(super) fn make_namespaces(devices: &[Device<'_>], stop: &AtomicBool) -> Result<(), LabError> {
    let lines: Vec<String> =
        devices.iter().map(|device| format!("netns add {}", device.namespace.name())).collect();
    tools::batch("ip", &lines, None, stop)
}

/// Sets what must be set before interfaces exist, because they copy it when they are made.
pub(super) fn prepare(device: &Device<'_>) -> Result<(), LabError> {
    device.namespace.enter(|| {
        for (key, value) in LAB_SYSCTLS {
            write_sysctl(key, value)?;
        }
        device
            .configuration
            .sysctls_before
            .iter()
            .try_for_each(|(key, value)| write_sysctl(key, value))
    })?
}

/// Number of cables that [`lay_cables`] lays.
pub(super) fn cables(topology: &Topology) -> u32 {
    u32::try_from(topology.cables().count()).unwrap_or(u32::MAX / 4)
}

/// Lays the cables: veth pairs made directly in the namespaces of their two ends.
pub(super) fn lay_cables(
    topology: &Topology,
    name: impl Fn(&str) -> String,
    stop: &AtomicBool,
) -> Result<(), LabError> {
    let links = topology.links.iter().map(|link| (&link.a, &link.b, topology.mtu_of(link)));
    let host_mtu = topology.fabric.host_mtu;
    let members = topology.members.iter().map(|it| (&it.switch, &it.end, host_mtu));
    let hosts = topology.hosts.iter().flat_map(Host::cables);
    let hosts = hosts.map(|[own, switch]| (switch, own, host_mtu));
    let lines: Vec<String> = links
        .chain(members)
        .chain(hosts)
        .zip((FIRST_INDEX..).step_by(2))
        .map(|((a, b, mtu), index)| {
            let names = [&a.node, &b.node].map(|node| name(node));
            cable_line([a, b], names.each_ref().map(String::as_str), mtu, index)
        })
        .collect();
    tools::batch("ip", &lines, None, stop)
}

/// The `ip` line that makes a veth pair between two namespaces. The ports get `index` and the number
/// behind it.
pub(super) fn cable_line(ends: [&End; 2], namespaces: [&str; 2], mtu: u32, index: u32) -> String {
    let [own, peer] = [0, 1].map(|side| {
        let (End { port, mac, .. }, index) = (ends[side], index + side as u32);
        format!("name {port} index {index} address {mac} mtu {mtu} netns {}", namespaces[side])
    });
    format!("link add {own} type veth peer {peer}")
}

/// Sets the offloads of a device's ports. It has to be done on all devices before any port is up:
/// a veth that comes up before its peer has GRO does not accept redirected frames
/// (`veth_set_xdp_features` in `drivers/net/veth.c`).
pub(super) fn set_offloads(device: &Device<'_>) -> Result<(), LabError> {
    device.namespace.enter(|| device.ports.iter().try_for_each(|end| wirelike(&end.port)))?
}

/// Configures a device whose ports exist.
pub(super) fn configure(device: &Device<'_>, stop: &AtomicBool) -> Result<(), LabError> {
    let Configuration { ip, bridge, sysctls_after, .. } = &device.configuration;
    tools::batch("ip", ip, Some(&device.namespace), stop)?;
    tools::batch("bridge", bridge, Some(&device.namespace), stop)?;
    device
        .namespace
        .enter(|| sysctls_after.iter().try_for_each(|(key, value)| write_sysctl(key, value)))?
}

/// Sets the offloads of a port in the current namespace.
pub(super) fn wirelike(port: &str) -> Result<(), LabError> {
    interface::make_wirelike(port).map_err(LabError::file("set the offloads of interface", port))
}

/// Sets a sysctl of the current namespace. One that the kernel does not have is left out. The key
/// is written with dots, or with slashes where an interface's name may hold a dot.
pub(super) fn write_sysctl(key: &str, value: &str) -> Result<(), LabError> {
    let file = if key.contains('/') { key.to_owned() } else { key.replace('.', "/") };
    let path = Path::new("/proc/sys").join(file);
    match fs::write(&path, value) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // bridge-nf-call-* are absent on a kernel without br_netfilter, and then not needed.
            Ok(())
        }
        result => result.map_err(LabError::file("write", path)),
    }
}

/// Does `work` for all items on a few threads. The first error ends the rest, and so does
/// `cancelled`.
pub(super) fn in_parallel<T: Sync>(
    items: &[T],
    cancelled: &AtomicBool,
    work: impl Fn(&T) -> Result<(), LabError> + Sync,
) -> Result<(), LabError> {
    let threads = std::thread::available_parallelism().map_or(2, |count| count.get() * 2);
    let (next, error) = (AtomicUsize::new(0), Mutex::new(None));
    let record = |failure| {
        if let Ok(mut slot) = error.lock() {
            slot.get_or_insert(failure);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = if cancelled.load(Ordering::Relaxed) {
                        Err(LabError::Interrupted)
                    } else {
                        work(item)
                    };
                    if let Err(failure) = result {
                        record(failure);
                        // Past the end: the other threads stop after their current item.
                        next.store(items.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    match error.into_inner() {
        Ok(Some(failure)) => Err(failure),
        _ => Ok(()),
    }
}
