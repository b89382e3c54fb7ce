//! Moving a virtual machine to another leaf or server, with its MAC and addresses.
//!
//! The new link is made, configured and switched on while the machine still uses the old one; what
//! remains for the moment of the move is to take the old one's routes. Then the machine is
//! announced as a hypervisor does. Whatever is lost is therefore the network's doing.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::announce;
use super::ask::patience;
use super::build;
use super::error::LabError;
use super::interrupt::NEVER;
use super::netns::Netns;
use super::render::{self, AccessPort};
use super::running::Lab;
use super::state::{Place, State, StateFolder};
use super::tools::{self, Setting};
use super::topology::{ControlPlane, End, Function, Gateway, Host, Network, Switch};
use crate::kernel::{interface, packet_socket::PacketSocket};
use crate::mac::Mac;

/// The new interface's name until the old one is gone.
const ARRIVING: &str = "arriving";
/// The default route over the new interface waits behind the old one's.
const WAITING_METRIC: u32 = 1000;
/// Carrier comes within milliseconds, and on a busy machine within seconds.
const CARRIER_PATIENCE: Duration = Duration::from_secs(60);
/// The bridge follows the carrier within a second, unless the machine is busy.
const FORWARDING_PATIENCE: Duration = Duration::from_secs(10);
const CARRIER_POLL: Duration = Duration::from_micros(200);
/// What `bridge` says when an entry is not there.
const NO_ENTRY: &str = "No such file or directory";
/// What `ip` says of an interface that cannot be renamed while it is on.
const BUSY: &str = "Device or resource busy";
/// How often somebody who sleeps looks whether to stop.
const PAUSE: Duration = Duration::from_millis(20);

/// What a move did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Migration {
    /// Where the host was.
    pub from: Place,
    /// Where it is now.
    pub to: Place,
    /// Time in which the machine changed from one link to the other, in microseconds: the longest
    /// that it can have been without either.
    pub link_down_us: u64,
    /// Time from the beginning of that change to the first announcement, in microseconds.
    pub announced_us: u64,
}

/// The parts of a move.
struct Move<'a> {
    host: &'a Host,
    network: &'a Network,
    gateway: Gateway,
    netns: Netns,
    old_interface: String,
    /// The switch to which it moves.
    leaf: &'a Switch,
    target: Netns,
    target_port: String,
}

impl Lab {
    /// Moves a host to another switch where its network lives, announces it, and returns when the
    /// last announcement has been sent, about a second after the move. Interrupted before the move
    /// itself, it leaves the host where it was; after it, it leaves out what remains to be announced.
    pub fn migrate(&self, host: &str, target: &str) -> Result<Migration, LabError> {
        let folder = StateFolder::open(self.name())?;
        let mut state = folder.load()?;
        let (host, network, leaf) = self.movable(host, target)?;
        let Some(gateway) = network.gateway else {
            return Err(refused(host, target, "its network has no gateway"));
        };
        let from = self.place(&host.name)?;
        if from.switch == target {
            return Err(refused(host, target, "it is there already"));
        }
        let to = Place {
            switch: target.to_owned(),
            port: self.free_port(&state, host, target),
            interface: host.end.port.clone(),
        };
        let parts = Move {
            host,
            network,
            gateway,
            netns: self.node(&host.name)?.netns().clone(),
            old_interface: from.interface.clone(),
            leaf,
            target: self.node(target)?.netns().clone(),
            target_port: to.port.clone(),
        };
        let index = self.free_index(&state, [&host.name, target])?;
        // Also after a failure: a number is not used twice.
        state.next_index = index + 2;
        folder.save(&state)?;
        self.lay_new_link(&parts, index)?;
        let ready = self.prepare(&parts).and_then(|()| self.await_zebra(&parts));
        let ready = ready.and_then(|()| parts.connect(self.cancel()));
        let ready = ready.and_then(|sender| self.go_on().map(|()| sender));
        let moved = ready.and_then(|sender| parts.switch_over(&sender));
        let (link_down, announced) = match moved {
            Ok(times) => times,
            Err(failure) => {
                parts.remove_new_link();
                return Err(failure);
            }
        };
        state.places.insert(host.name.clone(), to.clone());
        let saved = folder.save(&state);
        let entries = self.move_entries(host, network, &from, &to);
        // Whatever failed so far: the host is at its new place, and whole there.
        parts.finish()?;
        saved?;
        // The interface may have been off meanwhile, which ends what was opened before.
        let sender = parts.sender(&host.end.port)?;
        for pause in announce::PAUSES {
            if !self.pause(pause) {
                break;
            }
            parts.send(&sender, &announce::reverse_arp(host.end.mac))?;
        }
        entries?;
        Ok(Migration { from, to, link_down_us: micros(link_down), announced_us: micros(announced) })
    }

    /// Does by `bridge` what BGP would do: every leaf of the network has the host at its new place. Tries all
    /// of them before it reports the first that failed.
    fn move_entries(
        &self,
        host: &Host,
        network: &Network,
        from: &Place,
        to: &Place,
    ) -> Result<(), LabError> {
        let topology = self.topology();
        let leafs = [&from.switch, &to.switch].map(|name| topology.switch(name));
        let (ControlPlane::Static, [Some(before), Some(after)]) =
            (topology.fabric.control_plane, leafs)
        else {
            return Ok(());
        };
        let mac = host.end.mac;
        let bridge = |leaf: &str, line: String| {
            tools::batch("bridge", &[line], Some(self.node(leaf)?.netns()), &NEVER)
        };
        let [here, elsewhere] = render::arrived(after, network, mac, before, &to.port);
        let arrived = self.wait_for_forwarding(&after.name, &to.port);
        let mut results = vec![arrived.and_then(|()| bridge(&after.name, here))];
        results.push(match bridge(&after.name, elsewhere) {
            // Somebody has deleted it before.
            Err(LabError::Command { message, .. }) if message.contains(NO_ENTRY) => Ok(()),
            result => result,
        });
        // The old interface may still speak, if only to answer ARP, and a bridge takes any entry of another port's for what
        // it learns (`br_fdb_update` of `net/bridge/br_fdb.c`), to forget it when the port goes.
        results.push(self.switch_off(from));
        let others = topology.other_vteps(&after.name, &network.name);
        results.extend(
            others.map(|leaf| bridge(&leaf.name, render::behind(leaf, network, mac, after))),
        );
        results.into_iter().collect()
    }

    /// Switches a port off that a host has left, if somebody has not deleted it.
    fn switch_off(&self, place: &Place) -> Result<(), LabError> {
        if self.interfaces(&place.switch)?.get(&place.port).is_none() {
            return Ok(());
        }
        let line = format!("link set {} down", place.port);
        tools::batch("ip", &[line], Some(self.node(&place.switch)?.netns()), &NEVER)
    }

    /// Waits until the bridge of a switch forwards at a port: before, it takes no MACs that are there.
    fn wait_for_forwarding(&self, switch: &str, port: &str) -> Result<(), LabError> {
        let netns = self.node(switch)?.netns().clone();
        let deadline = Instant::now() + FORWARDING_PATIENCE;
        loop {
            let mut command = Command::new(tools::require("bridge", "iproute2")?);
            command.args(["-j", "link", "show", "dev", port]);
            let ports: Vec<BridgePort> =
                tools::json(&mut command, Setting::within(Some(&netns), &NEVER))?;
            if ports.iter().any(|it| it.state == "forwarding") || Instant::now() > deadline {
                // What is still wrong after that, the bridge itself says.
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Sleeps; false when it is time to stop.
    fn pause(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while self.go_on().is_ok() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(PAUSE));
        }
        false
    }

    fn movable(&self, host: &str, target: &str) -> Result<(&Host, &Network, &Switch), LabError> {
        let topology = self.topology();
        let unknown = |node: &str, known: &[&str]| LabError::UnknownNode {
            lab: self.name().to_owned(),
            node: node.to_owned(),
            known: known.join(", "),
        };
        let Some(host) = topology.host(host) else {
            let hosts: Vec<&str> = topology.hosts.iter().map(|host| host.name.as_str()).collect();
            return Err(unknown(host, &hosts));
        };
        let Some(network) = host.network().and_then(|name| topology.network(name)) else {
            return Err(refused(
                host,
                target,
                "its port is routed, and its subnet exists on one switch only; only hosts in a network move",
            ));
        };
        if !host.members.is_empty() {
            let reason = format!(
                "its {} cables are a bond, and a machine that moves leaves its cables behind; only hosts with one cable move",
                host.members.len()
            );
            return Err(refused(host, target, &reason));
        }
        let places: Vec<&str> = topology
            .switches
            .iter()
            .filter(|switch| switch.networks.contains(&network.name))
            .map(|switch| switch.name.as_str())
            .collect();
        let Some(switch) = topology.switch(target) else {
            return Err(unknown(target, &places));
        };
        if !switch.networks.contains(&network.name) {
            return Err(refused(
                host,
                target,
                &format!(
                    "its network {} does not live there; it lives on {}",
                    network.name,
                    places.join(", ")
                ),
            ));
        }
        Ok((host, network, switch))
    }

    /// A port of the target that nothing is plugged into: the host's own when it comes home.
    fn free_port(&self, state: &State, host: &Host, target: &str) -> String {
        let topology = self.topology();
        let places = state.places.values().filter(|place| place.switch == target);
        let used: Vec<&str> = places.map(|place| place.port.as_str()).collect();
        if host.switch.node == target && !used.contains(&host.switch.port.as_str()) {
            return host.switch.port.clone();
        }
        // A drawn port of a host that has left stays free for its return.
        let reserved: Vec<&str> = topology.ports_of(target).map(|it| it.port.as_str()).collect();
        let taken = |port: &str| used.contains(&port) || reserved.contains(&port);
        // On a server a machine's port is called as libvirt calls it.
        let is_server = topology.switch(target).is_some_and(|it| it.function == Function::Server);
        let kind = if is_server { "vnet" } else { "swp" };
        (1_u32..).map(|number| format!("{kind}{number}")).find(|it| !taken(it)).unwrap_or_default()
    }

    /// The index of the next port, beyond all that these nodes have: a leaf's bridges, tunnels and gateways may have
    /// come up to it.
    fn free_index(&self, state: &State, nodes: [&str; 2]) -> Result<u32, LabError> {
        nodes.into_iter().try_fold(state.next_index, |index, node| {
            Ok(index.max(self.interfaces(node)?.highest_index() + 1))
        })
    }

    /// Makes the new link.
    fn lay_new_link(&self, parts: &Move<'_>, index: u32) -> Result<(), LabError> {
        let Move { host, netns, target, target_port, .. } = parts;
        if self.interfaces(&host.name)?.get(ARRIVING).is_some() {
            let reason = format!(
                "it has an interface {ARRIVING}, left by a move that failed; if it also has {}, remove the other by `fabricctl lab exec {} -- ip link delete {ARRIVING}`",
                host.end.port, host.name
            );
            return Err(refused(host, &parts.leaf.name, &reason));
        }
        let switch_end = End {
            node: String::new(),
            port: target_port.clone(),
            mac: Mac::derived_from(&format!("{}:{target_port}", target.name())),
        };
        let host_end = End { port: ARRIVING.to_owned(), ..host.end.clone() };
        let mtu = self.topology().fabric.host_mtu;
        let cable =
            build::cable_line([&switch_end, &host_end], [target.name(), netns.name()], mtu, index);
        // An interruption could not say whether it was made.
        tools::batch("ip", &[cable], None, &NEVER)
    }

    /// Makes the new link ready but without carrier. The machine notices nothing.
    fn prepare(&self, parts: &Move<'_>) -> Result<(), LabError> {
        let topology = self.topology();
        let Move { network, netns, leaf, target, target_port, .. } = parts;
        let stop = self.cancel();
        target.enter(|| build::wirelike(target_port))??;
        netns.enter(|| build::wirelike(ARRIVING))??;
        // As a port of the bridge, but down: without carrier at both ends.
        let AccessPort { ip, bridge } = render::access_port(topology, leaf, target_port, network);
        let down = ip.strip_suffix(" up").unwrap_or(&ip).to_owned();
        tools::batch("ip", &[down], Some(target), stop)?;
        tools::batch("bridge", bridge.as_slice(), Some(target), stop)?;
        // No IPv6 link-local address yet: probing for it would announce the machine too early.
        let mut waiting = vec![format!("link set {ARRIVING} addrgenmode none")];
        waiting.extend(parts.addresses(ARRIVING));
        waiting.extend([
            format!("link set {ARRIVING} up"),
            format!(
                "route add default via {} dev {ARRIVING} metric {WAITING_METRIC}",
                parts.gateway.address
            ),
        ]);
        tools::batch("ip", &waiting, Some(netns), stop)?;
        let known = parts.known_neighbours(&parts.old_interface, ARRIVING, stop)?;
        tools::batch("ip", &known, Some(netns), stop)
    }

    /// Waits until zebra knows the new port as one of the bridge. What the bridge learns on a port before that is
    /// nothing to zebra, which nobody tells again (`netlink_macfdb_change` of `zebra/rt_netlink.c`); the machine would
    /// be announced nowhere. Where zebra does not answer nothing is announced in any case.
    fn await_zebra(&self, parts: &Move<'_>) -> Result<(), LabError> {
        if self.topology().fabric.control_plane == ControlPlane::Static {
            return Ok(());
        }
        let (end, port) = (patience(), parts.target_port.as_str());
        let command = format!("show interface {port} json");
        loop {
            let known = self.ask(&parts.leaf.name, "zebra", &command, end);
            let known: HashMap<String, ZebraPort> = match known {
                Ok(known) => known,
                Err(LabError::Interrupted) => return Err(LabError::Interrupted),
                Err(_) => return Ok(()),
            };
            let is_port = known.get(port).is_some_and(|it| it.slave_type == "Bridge");
            if is_port || Instant::now() >= end {
                return Ok(());
            }
            if !self.pause(PAUSE) {
                return Err(LabError::Interrupted);
            }
        }
    }
}

/// An interface, of zebra's `show interface NAME json`.
#[derive(Debug, serde::Deserialize)]
struct ZebraPort {
    #[serde(default, rename = "interfaceSlaveType")]
    slave_type: String,
}

/// A port of a bridge, of `bridge -j link show`.
#[derive(Debug, serde::Deserialize)]
struct BridgePort {
    #[serde(default)]
    state: String,
}

#[derive(Debug, serde::Deserialize)]
struct Neighbour {
    dst: Ipv4Addr,
    lladdr: Option<Mac>,
}

impl Move<'_> {
    /// Lines for `ip` that give an interface the machine's addresses.
    fn addresses(&self, interface: &str) -> Vec<String> {
        let addresses = self.network.host_addresses(self.host).into_iter();
        addresses.map(|it| format!("address replace {it} dev {interface}")).collect()
    }

    /// The line for `ip` by which the machine's IPv6 packets leave by an interface, whatever they left by before.
    fn default6(&self, interface: &str) -> Option<String> {
        let gateway = self.host.address6.and(self.gateway.address6)?.address;
        Some(format!("route replace default via {gateway} dev {interface}"))
    }

    /// Lines for `ip` that give one interface the ARP cache of another. A machine that
    /// moves keeps its memory: without this it would first have to ask for its gateway, and a
    /// question lost before the link has carrier is repeated only a second later.
    fn known_neighbours(
        &self,
        from: &str,
        to: &str,
        stop: &AtomicBool,
    ) -> Result<Vec<String>, LabError> {
        let mut command = Command::new(tools::require("ip", "iproute2")?);
        command.args(["-j", "-4", "neigh", "show", "dev", from]);
        let neighbours: Vec<Neighbour> =
            tools::json(&mut command, Setting::within(Some(&self.netns), stop))?;
        let known = neighbours.iter().filter_map(|neighbour| {
            let (address, mac) = (neighbour.dst, neighbour.lladdr?);
            Some(format!("neigh replace {address} lladdr {mac} dev {to} nud stale"))
        });
        Ok(known.collect())
    }

    /// Switches the new link on; a sender over it.
    fn connect(&self, stop: &AtomicBool) -> Result<PacketSocket, LabError> {
        let sender = self.sender(ARRIVING)?;
        self.target
            .enter(|| interface::set_up(&self.target_port, true))?
            .map_err(self.cannot_switch_over(&self.target_port))?;
        self.wait_for_carrier(ARRIVING, stop)?;
        Ok(sender)
    }

    /// A sender over an interface of the machine.
    fn sender(&self, interface: &str) -> Result<PacketSocket, LabError> {
        let opened = self.netns.enter(|| PacketSocket::sender(interface))?;
        opened.map_err(self.cannot_switch_over(interface))
    }

    fn wait_for_carrier(&self, interface: &str, stop: &AtomicBool) -> Result<(), LabError> {
        let waited = self.netns.enter(|| wait_for_carrier(interface, stop))?;
        waited.map_err(self.cannot_switch_over(interface))
    }

    fn cannot_switch_over(&self, interface: &str) -> impl FnOnce(std::io::Error) -> LabError {
        LabError::file("switch over interface", format!("{interface} of {}", self.host.name))
    }

    /// The move itself: time without a link, and time until announced.
    fn switch_over(&self, sender: &PacketSocket) -> Result<(Duration, Duration), LabError> {
        // Without its routes the old link is not used any more, and nothing waits for the kernel
        // to switch an interface off, which takes many milliseconds.
        // Routes that are gone, as after its cable was cut, are no reason to stay.
        let (old, address) = (&self.old_interface, self.host.address);
        let mut lines = vec![
            format!("route flush exact default dev {old}"),
            format!("address flush dev {old} to {address}/32"),
        ];
        lines.extend(self.default6(ARRIVING));
        lines.extend(self.host.address6.map(|it| format!("address flush dev {old} to {it}/128")));
        let start = Instant::now();
        self.ip(&lines)?;
        let link_down = start.elapsed();
        self.send(sender, &announce::reverse_arp(self.host.end.mac))?;
        let announced = start.elapsed();
        self.send(sender, &announce::gratuitous_arp(self.host.end.mac, self.host.address))?;
        Ok((link_down, announced))
    }

    /// Removes the old link and gives the new interface its name.
    fn finish(&self) -> Result<(), LabError> {
        let (old, name, gateway) = (&self.old_interface, &self.host.end.port, self.gateway.address);
        self.ip(&[format!("link delete {old}")])?;
        match self.ip(&[format!("link set {ARRIVING} name {name}")]) {
            Err(LabError::Command { message, .. }) if message.contains(BUSY) => {
                self.rename_switched_off()?;
            }
            renamed => renamed?,
        }
        self.ip(&[
            format!("route replace default via {gateway} dev {name}"),
            format!("route delete default via {gateway} dev {name} metric {WAITING_METRIC}"),
        ])?;
        // Written here, unlike over netlink, the mode takes effect at once: the machine gets back
        // its IPv6 link-local address.
        let key = format!("net/ipv6/conf/{name}/addr_gen_mode");
        self.netns.enter(|| build::write_sysctl(&key, "0"))?
    }

    /// Gives the new interface its name while it is off, and what the kernel forgets with that: before Linux
    /// 6.2 none is renamed that is on (`dev_change_name` of `net/core/dev.c`).
    fn rename_switched_off(&self) -> Result<(), LabError> {
        let (name, gateway) = (&self.host.end.port, self.gateway.address);
        let known = self.known_neighbours(ARRIVING, name, &NEVER)?;
        self.ip(&[
            format!("link set {ARRIVING} down"),
            format!("link set {ARRIVING} name {name}"),
            format!("link set {name} up"),
            format!("route add default via {gateway} dev {name} metric {WAITING_METRIC}"),
        ])?;
        self.ip(&self.addresses(name))?;
        self.ip(self.default6(name).as_slice())?;
        self.ip(&known)?;
        self.wait_for_carrier(name, &NEVER)
    }

    /// Has `ip` change the machine.
    fn ip(&self, lines: &[String]) -> Result<(), LabError> {
        tools::batch("ip", lines, Some(&self.netns), &NEVER)
    }

    /// After a failed preparation.
    fn remove_new_link(&self) {
        let _ = self.ip(&[format!("link delete {ARRIVING}")]);
    }

    fn send(&self, sender: &PacketSocket, frame: &[u8]) -> Result<(), LabError> {
        sender.send(frame).map_err(LabError::file("announce", &self.host.name))
    }
}

fn wait_for_carrier(interface: &str, stop: &AtomicBool) -> std::io::Result<()> {
    let deadline = Instant::now() + CARRIER_PATIENCE;
    while !interface::has_carrier(interface)? && !stop.load(Ordering::Relaxed) {
        if Instant::now() > deadline {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(CARRIER_POLL);
    }
    Ok(())
}

fn refused(host: &Host, target: &str, reason: &str) -> LabError {
    LabError::Migrate {
        host: host.name.clone(),
        target: target.to_owned(),
        reason: reason.to_owned(),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
