//! A lab for one test.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fabric_user::{
    frr::facts,
    kernel::{maps::Maps, pins::Instance},
    lab::{
        Lab, Mac, Netns, Options, Topology,
        daemons::{self, Frr},
        topology::Bfd,
    },
};

use super::{PATIENCE, agreement, daemon, until};
use crate::mapped::Mapped;

/// What the labs of tests are called: this, the process and a number.
const PREFIX: &str = "test";
/// Timers of [`Fabric::underlay_with_calm_bfd`].
const CALM_BFD: Bfd = Bfd { transmit_ms: 300, receive_ms: 300, multiplier: 3 };
/// Timers of [`Fabric::underlay_alone`].
const QUICK_BFD: Bfd = Bfd { transmit_ms: 50, receive_ms: 50, multiplier: 3 };

static NUMBER: AtomicU32 = AtomicU32::new(0);
/// Tests that measure losses and outages run alone in their binary.
static MACHINE: RwLock<()> = RwLock::new(());

/// A share of the machine; who has it alone measures times.
#[derive(Debug)]
enum Share {
    Some { _lock: RwLockReadGuard<'static, ()> },
    All { _lock: RwLockWriteGuard<'static, ()> },
}

/// A fabric that is up, has converged, and whose maps agree with the kernel.
#[derive(Debug)]
pub struct Fabric {
    // Taken down before the machine is given to the next test.
    lab: Lab,
    /// What it was made of, which its files do not say where a test has changed timers.
    drawn: Topology,
    mapped: Mapped,
    _share: Share,
}

impl Fabric {
    /// Two leafs with three hosts each and two spines: `topologies/pair`.
    #[must_use]
    pub fn pair() -> Self {
        Self::up(&load("pair"), share())
    }

    /// As [`Self::pair`], with a BFD that takes no neighbour for dead because a busy machine lets it wait.
    #[must_use]
    pub fn pair_with_bfd() -> Self {
        let mut topology = load("pair");
        topology.fabric.bfd = Some(CALM_BFD);
        Self::up(&topology, share())
    }

    /// As [`Self::pair`], for a test that measures: no other one of the binary runs meanwhile.
    #[must_use]
    pub fn pair_alone() -> Self {
        Self::up(&load("pair"), alone())
    }

    /// The demo's fabric, `topologies/two-sites`.
    #[must_use]
    pub fn two_sites() -> Self {
        Self::up(&load("two-sites"), share())
    }

    /// As [`Self::two_sites`], for a test that measures: no other one of the binary runs meanwhile.
    #[must_use]
    pub fn two_sites_alone() -> Self {
        Self::up(&load("two-sites"), alone())
    }

    /// Two leafs and four spines with BFD, IPv6 and routed ports: `topologies/underlay`.
    #[must_use]
    pub fn underlay() -> Self {
        Self::up(&load("underlay"), share())
    }

    /// As [`Self::underlay`], for a test that measures: no other one of the binary runs meanwhile,
    /// and BFD notices a silent neighbour within [`Self::DETECTION`].
    #[must_use]
    pub fn underlay_alone() -> Self {
        let mut topology = load("underlay");
        topology.fabric.bfd = Some(QUICK_BFD);
        Self::up(&topology, alone())
    }

    /// As [`Self::underlay_alone`], with a BFD that takes no neighbour for dead because a busy machine
    /// lets it wait, and a dead one for dead long before the sessions' hold time of 9 s.
    #[must_use]
    pub fn underlay_with_calm_bfd() -> Self {
        let mut topology = load("underlay");
        topology.fabric.bfd = Some(CALM_BFD);
        Self::up(&topology, alone())
    }

    /// The longest time for which BFD waits before it takes a neighbour for dead.
    pub const DETECTION: Duration =
        Duration::from_millis((QUICK_BFD.receive_ms * QUICK_BFD.multiplier as u32) as u64);

    /// Two sites with servers that announce the same addresses: `topologies/anycast`.
    #[must_use]
    pub fn anycast() -> Self {
        Self::up(&load("anycast"), share())
    }

    /// Servers with VTEPs and virtual machines, two leafs and two spines: `topologies/evpn-on-host`.
    #[must_use]
    pub fn evpn_on_host() -> Self {
        Self::up(&load("evpn-on-host"), share())
    }

    /// As [`Self::evpn_on_host`], for a test that measures: no other one of the binary runs meanwhile.
    #[must_use]
    pub fn evpn_on_host_alone() -> Self {
        Self::up(&load("evpn-on-host"), alone())
    }

    /// Two sites with front servers and exits of both in one network, and providers outside: `topologies/exits`. No
    /// other test of the binary runs meanwhile.
    #[must_use]
    pub fn exits() -> Self {
        Self::up(&load("exits"), alone())
    }

    /// A fabric whose routes, flood lists and MACs were written by `ip` and `bridge`:
    /// `topologies/static`.
    #[must_use]
    pub fn without_control_plane() -> Self {
        Self::up(&load("static"), share())
    }

    /// Three tenants, of which two have the same addresses, on a leaf with plain bridges and one with a
    /// VLAN-aware one, which has a single vxlan device where FRR takes that: `topologies/tenants`. Needs a kernel
    /// with VRF, VLAN and macvlan devices. The spine is the kernel's: its programs take an emulated processor seconds.
    #[must_use]
    pub fn tenants() -> Self {
        let Topology { name, picture_text, inventory_text, .. } = load("tenants");
        let frr = Frr::find().and_then(|frr| frr.major_version()).expect("FRR says its version");
        let spine = "[nodes.spine01]\n";
        let mut inventory = inventory_text.replace(spine, &format!("{spine}fabric_xdpd = false\n"));
        // FRR 8.4 takes an L3VNI with that bit for a label of MPLS where a route has a gateway address
        // (`bgp_is_valid_label()`).
        inventory = inventory.replace("vni = 54002", "vni = 54004");
        if frr >= 9 {
            inventory = inventory.replace("\"vlan-aware\"", "\"single-vxlan\"");
        }
        let topology = Topology::parse(&name, &picture_text, &inventory);
        let topology = topology.expect("the topology of the tests is valid");
        let this = Self::made(&topology, share());
        let left = this.lab.wait_ready(PATIENCE, &mut |_| {}).expect("the lab gets ready");
        assert!(left.is_empty(), "all ports are accelerated: {left:?}");
        this
    }

    /// A fabric of the test's own topology.
    #[must_use]
    pub fn of(topology: &Topology) -> Self {
        Self::up(topology, share())
    }

    fn up(topology: &Topology, share: Share) -> Self {
        let this = Self::made(topology, share);
        for leaf in this.leafs() {
            until(PATIENCE, "fabric-xdpd is in sync", || this.state(&leaf).synced);
        }
        this.wait_converged();
        this
    }

    /// A fabric that may not have converged.
    fn made(topology: &Topology, share: Share) -> Self {
        remove_leftovers();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let options = Options {
            name: Some(format!("{PREFIX}-{}-{number}", std::process::id())),
            fabric_xdpd: Some(daemon::fabric_xdpd()),
            ..Options::default()
        };
        let lab = Lab::up(topology, &options, &mut |_| {}).expect("the lab comes up");
        Self { lab, drawn: topology.clone(), mapped: Mapped::default(), _share: share }
    }

    /// Waits until BGP has converged and the maps of all leafs agree with the kernel.
    pub fn wait_converged(&self) {
        self.lab.wait_converged(PATIENCE).expect("the lab converges");
        self.assert_agreement();
    }

    /// Asserts that the maps of every leaf say what its kernel says.
    ///
    /// # Panics
    /// With the differences.
    pub fn assert_agreement(&self) {
        for leaf in self.leafs() {
            agreement::assert_agreement(self, &leaf);
        }
    }

    /// The lab.
    #[must_use]
    pub const fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Switches with fabric-xdpd.
    #[must_use]
    pub fn leafs(&self) -> Vec<String> {
        let switches = self.lab.topology().switches.iter();
        switches.filter(|s| s.fabric_xdpd).map(|s| s.name.clone()).collect()
    }

    /// The namespace of a node.
    #[must_use]
    pub fn netns(&self, node: &str) -> Netns {
        self.lab.node(node).expect("the node is in the topology").netns().clone()
    }

    /// Starts FRR of a node, which has ended, as the lab has started it.
    pub fn start_frr(&self, node: &str) {
        let switch = self.drawn.switch(node).expect("it is in the topology");
        let frr = Frr::find().expect("FRR is installed");
        frr.start(&self.drawn, switch, &self.netns(node)).expect("FRR starts");
    }

    /// The address of a host.
    #[must_use]
    pub fn address(&self, host: &str) -> Ipv4Addr {
        self.host(host).address
    }

    /// The MAC address of a host.
    #[must_use]
    pub fn mac(&self, host: &str) -> Mac {
        self.host(host).end.mac
    }

    /// The VTEP address of a leaf.
    #[must_use]
    pub fn vtep(&self, leaf: &str) -> Ipv4Addr {
        self.lab.topology().switch(leaf).expect("the leaf is in the topology").loopback
    }

    fn host(&self, name: &str) -> &fabric_user::lab::topology::Host {
        self.lab.topology().host(name).expect("the host is in the topology")
    }

    /// fabric-xdpd's instance on a leaf.
    #[must_use]
    pub fn instance(&self, leaf: &str) -> Instance {
        Instance::new(&self.lab.instance(leaf)).expect("names of labs can name instances")
    }

    /// The maps of a leaf, to look at and change.
    #[must_use]
    pub fn maps(&self, leaf: &str) -> Arc<Maps> {
        self.mapped.of(&self.instance(leaf))
    }

    /// What FRR of a node says that it knows.
    #[must_use]
    pub fn frr(&self, node: &str) -> facts::Frr {
        let socket = daemons::vty_socket(self.netns(node).name(), "zebra");
        let folder = socket.parent().expect("sockets lie in a folder");
        let frr = facts::collect(folder, PATIENCE).expect("FRR can be read");
        frr.expect("zebra runs")
    }

    /// Hands all traffic of a leaf to the kernel, or back to the fast path.
    pub fn bypass(&self, leaf: &str, on: bool) {
        self.maps(leaf).settings.update(0, |settings| settings.bypass = on.into());
    }

    /// Runs a program in a node; its standard output.
    pub fn run(&self, node: &str, program: &str, arguments: &str) -> String {
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace());
        self.lab.exec(node, &mut command).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs one line of `ip` in a node.
    pub fn ip(&self, node: &str, line: &str) -> String {
        self.run(node, "ip", line)
    }

    /// Gives FRR of a node commands, one after the other; what it says.
    pub fn vtysh(&self, node: &str, commands: &[&str]) -> String {
        let mut vtysh = Command::new("vtysh");
        vtysh.args(["-N", self.netns(node).name()]);
        vtysh.args(commands.iter().flat_map(|command| ["-c", *command]));
        self.lab.exec(node, &mut vtysh).unwrap_or_else(|error| panic!("{commands:?}: {error}"))
    }

    /// Index of an interface of a node.
    #[must_use]
    pub fn ifindex(&self, node: &str, interface: &str) -> u32 {
        let link = super::kernel::links(self, node).into_iter().find(|l| l.name() == interface);
        link.unwrap_or_else(|| panic!("{node} has no interface {interface}")).index()
    }

    /// As [`Self::greet`], and waits until every leaf of the hosts' network has both MACs in its
    /// maps: from then on their frames go by XDP.
    pub fn acquaint(&self, a: &str, b: &str) {
        self.greet(a, b);
        for host in [a, b] {
            let (topology, host) = (self.lab.topology(), self.host(host));
            let network = host.network().and_then(|it| topology.network(it));
            let network = network.expect("the host is in a network");
            let leaf = topology.switch(&host.switch.node).expect("the leaf is in the topology");
            self.wait_known(host.end.mac, &leaf.bridge(network.vlan));
        }
        self.assert_agreement();
    }

    /// Waits until FRR of a leaf takes an interface for a port of a bridge, or not for one. FRR 10 reads links and MACs in
    /// two threads, and ignores for good the MAC of a port that it does not know yet
    /// (`netlink_macfdb_change`): a new port's host has to be silent until then.
    pub fn wait_bridge_port(&self, leaf: &str, port: &str, is_one: bool) {
        let shows = format!("show interface {port}");
        until(PATIENCE, &format!("FRR of {leaf} takes {port} for a bridge port: {is_one}"), || {
            self.vtysh(leaf, &[&shows]).contains("Interface Slave Type Bridge") == is_one
        });
    }

    /// Waits until the maps of every leaf that has a bridge have a MAC in it.
    pub fn wait_known(&self, mac: Mac, bridge: &str) {
        let (domain, known) = (format!(" is {bridge} at "), format!("{mac} in {bridge} is at "));
        until(PATIENCE, &format!("every leaf has {mac} in {bridge}"), || {
            self.leafs().iter().all(|leaf| {
                let facts = super::map_facts(self, leaf);
                !facts.iter().any(|fact| fact.contains(&domain))
                    || facts.iter().any(|fact| fact.starts_with(&known))
            })
        });
    }

    /// Sends a ping from one host to another and waits for the answer.
    pub fn greet(&self, from: &str, to: &str) {
        let address = self.address(to);
        let answered = || {
            let mut ping = Command::new("ping");
            ping.args(["-n", "-c1", "-W1", &address.to_string()]);
            self.lab.exec(from, &mut ping).is_ok()
        };
        until(PATIENCE, &format!("{to} answers {from}"), answered);
    }

    /// A file of this test, in the lab's own folder, which goes with the lab.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.lab.folder().join(name)
    }
}

fn load(name: &str) -> Topology {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies").join(name);
    Topology::load(&path).expect("the topology of the tests is valid")
}

fn share() -> Share {
    Share::Some { _lock: MACHINE.read().unwrap_or_else(PoisonError::into_inner) }
}

fn alone() -> Share {
    Share::All { _lock: MACHINE.write().unwrap_or_else(PoisonError::into_inner) }
}

/// Takes down labs of test runs that were killed.
fn remove_leftovers() {
    for name in Lab::names() {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        if process.is_some_and(|p| p.parse::<u32>().is_ok() && !Path::new("/proc").join(p).exists())
        {
            // Another test process may be at it too; the names of ours are new in any case.
            let _gone = Lab::take_down(&name, &mut |_| {});
        }
    }
}
