//! A lab that is up: building it, finding it again, taking it down.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::bonds;
use super::build;
use super::daemons::{self, Frr};
use super::error::LabError;
use super::fault;
use super::needs;
use super::netns::Netns;
use super::process::{self, Process};
use super::state::{self, Place, State, StateFolder};
use super::tools::{self, Setting};
use super::topology::{ControlPlane, Function, Topology};
use crate::kernel::pins;

/// How a lab is built.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Name of the lab; default: the topology's.
    pub name: Option<String>,
    /// The fabric-xdpd to run where the inventory wants it; `None` runs none.
    pub fabric_xdpd: Option<PathBuf>,
    /// Set by a signal handler to stop `up` and waiting in the middle; an `up` that is stopped
    /// takes down what it made.
    pub cancel: Arc<AtomicBool>,
}

/// A lab that is up. Dropping one that [`Lab::up`] returned takes it down, unless it was kept.
#[derive(Debug)]
pub struct Lab {
    name: String,
    topology: Topology,
    folder: PathBuf,
    namespaces: BTreeMap<String, String>,
    cancel: Arc<AtomicBool>,
    take_down: bool,
}

/// A node of a lab.
#[derive(Debug, Clone)]
pub struct Node {
    name: String,
    netns: Netns,
}

impl Node {
    /// Its name in the topology.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }
}

impl Lab {
    /// Builds a lab: namespaces, links, FRR, fabric-xdpd. Calls `progress` with one sentence per
    /// step. Returns before BGP has converged; see [`Lab::wait_converged`]. When a step fails,
    /// everything made so far is removed again. Where the kernel makes no bonds, `progress` is told, and hosts
    /// use their first cable.
    pub fn up(
        topology: &Topology,
        options: &Options,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, LabError> {
        require_root()?;
        let frr = match topology.fabric.control_plane {
            ControlPlane::Bgp => Some(Frr::find()?),
            ControlPlane::Static => None,
        };
        tools::require("ip", "iproute2")?;
        tools::require("bridge", "iproute2")?;
        needs::check(topology, frr.as_ref(), &options.cancel)?;
        let has_bonds = topology.bonded().next().is_some();
        let no_bonds = if has_bonds { bonds::refusal(&options.cancel)? } else { None };
        let possible = no_bonds.as_ref().map(|why| topology.clone().without_bonds(why));
        if let Some(note) = possible.as_ref().and_then(|it| it.notes.last()) {
            progress(note);
        }
        let topology = possible.as_ref().unwrap_or(topology);
        let name = options.name.clone().unwrap_or_else(|| topology.name.clone());
        let folder = StateFolder::create(&name)?;
        let state = State { no_bonds, ..plan(topology, options, &name) };
        if let Err(taken) = check_free(&state) {
            folder.remove()?;
            return Err(taken);
        }
        let built = build(topology, options, &folder, state, frr.as_ref(), progress);
        if let Err(failure) = built {
            progress("taking down what was made");
            let state = folder.load();
            match state.and_then(|state| tear_down(folder, &state, &mut |_| {})) {
                Ok(()) => return Err(failure),
                // The first failure explains more; the second is still worth knowing.
                Err(second) => {
                    progress(&format!(
                        "could not take everything down: {}; `fabricctl lab down --name {name}` tries again",
                        second.with_causes()
                    ));
                    return Err(failure);
                }
            }
        }
        drop(folder);
        let mut lab = Self::open(&name)?;
        lab.take_down = true;
        lab.cancel = Arc::clone(&options.cancel);
        Ok(lab)
    }

    /// Finds a lab that is up. Dropping it leaves the lab alone.
    pub fn open(name: &str) -> Result<Self, LabError> {
        let folder = StateFolder::read_only(name)?;
        let state = folder.load()?;
        Ok(Self {
            name: name.to_owned(),
            topology: folder.load_topology(&state)?,
            folder: folder.path().to_owned(),
            namespaces: state.namespaces,
            cancel: Arc::default(),
            take_down: false,
        })
    }

    /// Has this value stop waiting and asking, with [`LabError::Interrupted`], once the flag is set.
    #[must_use]
    pub fn heeding(mut self, cancel: Arc<AtomicBool>) -> Self {
        self.cancel = cancel;
        self
    }

    /// The flag that stops what this value does.
    pub(super) fn cancel(&self) -> &AtomicBool {
        &self.cancel
    }

    /// An error when somebody set the flag of [`Options::cancel`] or [`Self::heeding`].
    pub fn go_on(&self) -> Result<(), LabError> {
        if self.cancel.load(Ordering::Relaxed) { Err(LabError::Interrupted) } else { Ok(()) }
    }

    /// Names of all labs that are up or were left behind by a crash.
    pub fn names() -> Vec<String> {
        state::labs()
    }

    /// Leaves the lab running when this value is dropped.
    pub fn keep(&mut self) {
        self.take_down = false;
    }

    /// Takes the lab down.
    pub fn down(mut self, progress: &mut dyn FnMut(&str)) -> Result<(), LabError> {
        self.take_down = false;
        Self::take_down(&self.name, progress).map(|_| ())
    }

    /// Takes a lab down by name, also one whose `up` crashed. False when there was none.
    pub fn take_down(name: &str, progress: &mut dyn FnMut(&str)) -> Result<bool, LabError> {
        let folder = match StateFolder::open(name) {
            Ok(folder) => folder,
            Err(LabError::NotUp(_)) => return Ok(false),
            Err(other) => return Err(other),
        };
        require_root()?;
        let state = folder.load()?;
        tear_down(folder, &state, progress)?;
        Ok(true)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was built from.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The topology with every host where it is plugged in now.
    pub fn current_topology(&self) -> Result<Topology, LabError> {
        let places = self.state()?.places;
        let mut topology = self.topology.clone();
        for host in &mut topology.hosts {
            if let Some(place) = places.get(&host.name) {
                host.switch.node.clone_from(&place.switch);
                host.switch.port.clone_from(&place.port);
            }
        }
        Ok(topology)
    }

    /// Where its records and logs are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Result<Node, LabError> {
        match self.namespaces.get(name) {
            Some(netns) => Ok(Node { name: name.to_owned(), netns: Netns::named(netns) }),
            None => Err(LabError::UnknownNode {
                lab: self.name.clone(),
                node: name.to_owned(),
                known: self.topology.node_names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Name of the fabric-xdpd instance of a node.
    pub fn instance(&self, node: &str) -> String {
        instance_name(&self.name, node)
    }

    /// The file to which fabric-xdpd of a node writes.
    pub fn log_of(&self, node: &str) -> PathBuf {
        log_of(&self.folder, node)
    }

    /// Runs a program in a node and waits for it; its standard output. A failing program is an
    /// error.
    pub fn exec(&self, node: &str, command: &mut Command) -> Result<String, LabError> {
        let node = self.node(node)?;
        // What a caller runs takes as long as it takes.
        let setting = Setting { limit: None, ..Setting::within(Some(node.netns()), &self.cancel) };
        tools::run(command, setting)
    }

    /// Starts a program in a node; the caller waits for it.
    pub fn spawn(
        &self,
        node: &str,
        command: &mut Command,
    ) -> Result<std::process::Child, LabError> {
        let node = self.node(node)?;
        let program = PathBuf::from(OsString::from(command.get_program()));
        node.netns()
            .enter_as(node.name(), || command.spawn())?
            .map_err(LabError::file("start", program))
    }

    /// Where a host is plugged in now.
    pub fn place(&self, host: &str) -> Result<Place, LabError> {
        let places = self.state()?.places;
        places.get(host).cloned().ok_or_else(|| LabError::UnknownNode {
            lab: self.name.clone(),
            node: host.to_owned(),
            known: places.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    /// An error as soon as a daemon that nobody starts again has ended: waiting for what it should do would
    /// last to the end.
    pub(super) fn check_daemons(&self, state: &State) -> Result<(), LabError> {
        if let Some(node) = ended(state) {
            return Err(daemons::has_ended(node, &self.log_of(node)));
        }
        let topology = &self.topology;
        let mut nodes = topology.switches.iter().map(|switch| &switch.name);
        let ended = nodes
            .find_map(|node| daemons::frr_has_ended(topology, node, self.namespaces.get(node)?));
        ended.map_or(Ok(()), Err)
    }

    /// The record as it is now.
    pub fn state(&self) -> Result<State, LabError> {
        StateFolder::read_only(&self.name)?.load()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.take_down
            && let Err(error) = Self::take_down(&self.name, &mut |_| {})
        {
            let error = error.with_causes();
            tracing::error!(lab = self.name, error, "the lab could not be taken down");
        }
    }
}

fn require_root() -> Result<(), LabError> {
    if rustix::process::geteuid().is_root() { Ok(()) } else { Err(LabError::NotRoot) }
}

fn namespace_name(lab: &str, node: &str) -> String {
    format!("fab-{lab}-{node}")
}

fn instance_name(lab: &str, node: &str) -> String {
    format!("{lab}-{node}")
}

fn log_of(folder: &Path, node: &str) -> PathBuf {
    folder.join(format!("{node}.fabric-xdpd.log"))
}

/// A node whose fabric-xdpd was started and has ended.
fn ended(state: &State) -> Option<&str> {
    let mut all = state.fabric_xdpd.iter();
    all.find(|(_, process)| !process.is_alive()).map(|(node, _)| node.as_str())
}

/// Everything that will be made, recorded before the first thing is.
fn plan(topology: &Topology, options: &Options, lab: &str) -> State {
    let namespaces =
        topology.node_names().map(|node| (node.to_owned(), namespace_name(lab, node))).collect();
    let with_fabric_xdpd = topology
        .switches
        .iter()
        .filter(|switch| switch.fabric_xdpd && options.fabric_xdpd.is_some());
    let places = topology.hosts.iter().map(|host| {
        let place = Place {
            switch: host.switch.node.clone(),
            port: host.switch.port.clone(),
            interface: host.end.port.clone(),
        };
        (host.name.clone(), place)
    });
    State {
        topology: topology.name.clone(),
        complete: false,
        namespaces,
        instances: with_fabric_xdpd
            .map(|switch| (switch.name.clone(), instance_name(lab, &switch.name)))
            .collect(),
        fabric_xdpd: BTreeMap::new(),
        places: places.collect(),
        next_index: build::FIRST_INDEX + 2 * build::cables(topology),
        no_bonds: None,
    }
}

/// What is there already under one of our names is not ours, and taking the lab down must not
/// remove it.
fn check_free(state: &State) -> Result<(), LabError> {
    for name in state.namespaces.values() {
        if Netns::named(name).exists() {
            return Err(LabError::Taken { what: format!("network namespace {name}") });
        }
        if let Some(path) = daemons::frr_folder_of(name) {
            return Err(LabError::Taken { what: format!("FRR's folder {}", path.display()) });
        }
    }
    Ok(())
}

fn build(
    topology: &Topology,
    options: &Options,
    folder: &StateFolder,
    mut state: State,
    frr: Option<&Frr>,
    progress: &mut dyn FnMut(&str),
) -> Result<(), LabError> {
    let go_on = || {
        if options.cancel.load(Ordering::Relaxed) { Err(LabError::Interrupted) } else { Ok(()) }
    };
    folder.save_topology(topology)?;
    folder.save(&state)?;
    let name = |node: &str| namespace_name(folder.lab(), node);
    let devices = build::devices(topology, name);
    go_on()?;
    progress(&what_is_made(topology));
    let stop: &AtomicBool = &options.cancel;
    build::make_namespaces(&devices, stop)?;
    build::in_parallel(&devices, stop, build::prepare)?;
    build::lay_cables(topology, name, stop)?;
    build::in_parallel(&devices, stop, build::set_offloads)?;
    build::in_parallel(&devices, stop, |device| build::configure(device, stop))?;
    if let Some(frr) = frr {
        progress("starting FRR on every node that speaks BGP");
        build::in_parallel(&topology.switches, stop, |switch| {
            frr.start_unless(stop, topology, switch, &Netns::named(name(&switch.name)))
        })?;
    }
    go_on()?;
    if let Some(program) = &options.fabric_xdpd {
        if pins::mount_bpf_fs()? {
            progress("mounted the BPF file system at /sys/fs/bpf");
        }
        progress(&format!("starting fabric-xdpd on {} nodes", state.instances.len()));
        for (node, instance) in state.instances.clone() {
            go_on()?;
            let log = log_of(folder.path(), &node);
            let netns = Netns::named(name(&node));
            let process = daemons::start_fabric_xdpd(program, &instance, &netns, &log)?;
            state.fabric_xdpd.insert(node, process);
            folder.save(&state)?;
        }
        if let Some(node) = ended(&state) {
            return Err(daemons::has_ended(node, &log_of(folder.path(), node)));
        }
    }
    go_on()?;
    state.complete = true;
    folder.save(&state)
}

fn what_is_made(topology: &Topology) -> String {
    let count = |wanted| topology.switches.iter().filter(|it| it.function == wanted).count();
    let (servers, providers) = (count(Function::Server), count(Function::Provider));
    let mut things = vec![format!("{} switches", topology.switches.len() - servers - providers)];
    for (number, name) in [(servers, "servers"), (providers, "providers")] {
        if number > 0 {
            things.push(format!("{number} {name}"));
        }
    }
    let links = build::cables(topology);
    format!("making {}, {} hosts and {links} links", things.join(", "), topology.hosts.len())
}

/// Removes everything that a record names. Things that are not there (any more) are no error, so
/// this also works half-way through `up` and after a crash. What cannot be removed keeps nothing else from
/// going, but the record stays, so that the lab can be taken down again.
fn tear_down(
    folder: StateFolder,
    state: &State,
    progress: &mut dyn FnMut(&str),
) -> Result<(), LabError> {
    let namespaces: Vec<Netns> =
        state.namespaces.values().map(Netns::named).filter(Netns::exists).collect();
    let identities: Vec<(u64, u64)> = namespaces.iter().filter_map(Netns::identity).collect();
    progress("ending what runs in it");
    // Whatever any of them would still do is undone below: FRR need not withdraw its routes one by
    // one, and fabric-xdpd, which may be busy, need not be asked.
    process::end_all(|| {
        let mut alive: Vec<Process> =
            state.fabric_xdpd.values().filter(|it| it.is_alive()).cloned().collect();
        alive.extend(process::inside(&identities));
        alive.extend(state.namespaces.values().flat_map(|name| daemons::frr_processes(name)));
        alive
    })?;
    state.fabric_xdpd.values().for_each(Process::reap);
    progress(&format!("removing {} network namespaces", namespaces.len()));
    let mut results: Vec<Result<(), LabError>> = Vec::new();
    results.extend(state.instances.values().map(|name| daemons::detach_instance(name)));
    results.push(fault::forget(folder.lab()));
    results.extend(
        namespaces.iter().map(|namespace| {
            namespace.delete().map_err(LabError::file("remove", namespace.path()))
        }),
    );
    results.extend(state.namespaces.values().map(|name| daemons::remove_frr_folders(name)));
    results.into_iter().collect::<Result<(), LabError>>()?;
    folder.remove()
}
