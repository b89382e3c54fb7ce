//! Daemons of a lab: FRR on every switch and server, and fabric-xdpd where it should run.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use super::error::LabError;
use super::interrupt::NEVER;
use super::netns::Netns;
use super::process::Process;
use super::render;
use super::tools::{self, Setting};
use super::topology::{ControlPlane, Switch, Topology};
use crate::daemon::state::State;
use crate::kernel::pins::Instance;

/// Where FRR keeps configurations and sockets; `-N NAME` adds a folder of that name to both.
const FRR_CONFIGURATION: &str = "/etc/frr";
const FRR_RUNTIME: &str = "/var/run/frr";
/// Where fabric-xdpd keeps its lock, its socket and its state.
const RUNTIME: &str = "/run/fabric";

/// FRR's programs, found once.
#[derive(Debug, Clone)]
pub struct Frr {
    /// In the order of their start. `mgmtd` is there since FRR 9.
    daemons: Vec<PathBuf>,
    /// Started only where BFD is wanted.
    bfdd: Option<PathBuf>,
    vtysh: PathBuf,
}

impl Frr {
    /// Finds FRR, or says which package has it.
    pub fn find() -> Result<Self, LabError> {
        let mut daemons: Vec<PathBuf> = tools::find("mgmtd").into_iter().collect();
        daemons.push(tools::require("zebra", "frr")?);
        daemons.push(tools::require("bgpd", "frr")?);
        Ok(Self { daemons, bfdd: tools::find("bfdd"), vtysh: tools::require("vtysh", "frr")? })
    }

    /// The first number of its version, as in 10.3.
    pub fn major_version(&self) -> Result<u32, LabError> {
        let mut zebra = Command::new(tools::require("zebra", "frr")?);
        let text = tools::run(zebra.arg("--version"), Setting::within(None, &NEVER))?;
        // `zebra version 10.3`
        let version =
            text.split_whitespace().nth(2).and_then(|it| it.split('.').next()?.parse().ok());
        version.ok_or_else(|| LabError::Command {
            command: "`zebra --version`".to_owned(),
            place: "the root namespace".to_owned(),
            message: format!("its answer names no version: {text}"),
        })
    }

    /// Starts FRR for a switch, in its namespace and under its name, with its rendered
    /// configuration. Returns when the daemons have read it.
    pub fn start(
        &self,
        topology: &Topology,
        node: &Switch,
        namespace: &Netns,
    ) -> Result<(), LabError> {
        self.start_unless(&NEVER, topology, node, namespace)
    }

    /// As [`Self::start`], and ends early when `stop` is set.
    pub(super) fn start_unless(
        &self,
        stop: &AtomicBool,
        topology: &Topology,
        node: &Switch,
        namespace: &Netns,
    ) -> Result<(), LabError> {
        let setting = Setting::within(Some(namespace), stop);
        make_runtime_folder()?;
        let folder = Path::new(FRR_CONFIGURATION).join(namespace.name());
        fs::create_dir_all(&folder).map_err(LabError::file("create", &folder))?;
        for (file, text) in [
            ("frr.conf", render::frr_conf(topology, node)),
            ("vtysh.conf", "service integrated-vtysh-config\n".to_owned()),
        ] {
            let path = folder.join(file);
            fs::write(&path, text).map_err(LabError::file("write", &path))?;
        }
        let mut daemons = self.daemons.clone();
        if topology.fabric.bfd.is_some() {
            let missing = || LabError::Missing { program: "bfdd".to_owned(), package: "frr" };
            daemons.push(self.bfdd.clone().ok_or_else(missing)?);
        }
        for daemon in &daemons {
            let name = daemon.file_name().unwrap_or_default().to_string_lossy();
            let log = format!("file:{}", frr_log(namespace.name(), &name).display());
            // `-d` returns once the daemon is ready. Without `-P 0` it would listen on TCP.
            let mut command = Command::new(daemon);
            command.args(["-N", namespace.name(), "-d", "-P", "0", "--log", &log]);
            tools::run(&mut command, Setting { hostname: Some(&node.name), ..setting })?;
        }
        let mut vtysh = Command::new(&self.vtysh);
        vtysh.args(["-N", namespace.name(), "-b"]);
        tools::run(&mut vtysh, setting)?;
        Ok(())
    }
}

/// Makes the folder of FRR's sockets, which FRR's own service makes where it runs: since FRR 10 its
/// daemons do not. It belongs to the user that they run as, as the configuration does.
fn make_runtime_folder() -> Result<(), LabError> {
    let folder = Path::new(FRR_RUNTIME);
    if folder.exists() {
        return Ok(());
    }
    let owner =
        fs::metadata(FRR_CONFIGURATION).map_err(LabError::file("look at", FRR_CONFIGURATION))?;
    fs::create_dir_all(folder).map_err(LabError::file("create", folder))?;
    std::os::unix::fs::chown(folder, Some(owner.uid()), Some(owner.gid()))
        .map_err(LabError::file("give away", folder))
}

/// The socket on which a daemon of FRR takes commands.
pub fn vty_socket(namespace: &str, daemon: &str) -> PathBuf {
    Path::new(FRR_RUNTIME).join(namespace).join(format!("{daemon}.vty"))
}

/// Names of FRR's daemons that run on every switch and server of a topology; none without BGP.
pub(super) fn frr_daemons(topology: &Topology) -> Vec<&'static str> {
    if topology.fabric.control_plane == ControlPlane::Static {
        return Vec::new();
    }
    let mgmtd = tools::find("mgmtd").map(|_| "mgmtd");
    let bfdd = topology.fabric.bfd.map(|_| "bfdd");
    mgmtd.into_iter().chain(["zebra", "bgpd"]).chain(bfdd).collect()
}

/// A daemon of FRR that should run in a namespace and does not, as an error that names its node.
pub(super) fn frr_has_ended(topology: &Topology, node: &str, namespace: &str) -> Option<LabError> {
    let mut names = frr_daemons(topology).into_iter();
    let daemon = names.find(|name| frr_process(namespace, name).is_none())?;
    let log = frr_log(namespace, daemon);
    Some(LabError::Daemon { daemon, node: node.to_owned(), log: last_words(&log) })
}

/// The file to which a daemon of FRR writes.
fn frr_log(namespace: &str, daemon: &str) -> PathBuf {
    Path::new(FRR_RUNTIME).join(namespace).join(format!("{daemon}.log"))
}

/// The living process of a daemon of FRR.
pub(super) fn frr_process(namespace: &str, daemon: &str) -> Option<Process> {
    let file = Path::new(FRR_RUNTIME).join(namespace).join(format!("{daemon}.pid"));
    let process = Process::of(fs::read_to_string(file).ok()?.trim().parse().ok()?)?;
    process.has_argument(namespace).then_some(process)
}

/// FRR's living daemons of a namespace, found by their pid files: they outlive a namespace that
/// somebody deleted under them.
pub fn frr_processes(namespace: &str) -> Vec<Process> {
    let Ok(folder) = fs::read_dir(Path::new(FRR_RUNTIME).join(namespace)) else {
        return Vec::new();
    };
    folder
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pid"))
        .filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok())
        .filter_map(Process::of)
        // A pid file may be old, and its number somebody else's by now.
        .filter(|process| process.has_argument(namespace))
        .collect()
}

/// Removes FRR's folders of a namespace. The daemons must have ended.
pub fn remove_frr_folders(namespace: &str) -> Result<(), LabError> {
    for parent in [FRR_CONFIGURATION, FRR_RUNTIME] {
        remove_folder(&Path::new(parent).join(namespace))?;
    }
    Ok(())
}

/// Whether FRR's folders of that name are there.
pub fn frr_folder_of(namespace: &str) -> Option<PathBuf> {
    [FRR_CONFIGURATION, FRR_RUNTIME]
        .iter()
        .map(|parent| Path::new(parent).join(namespace))
        .find(|path| path.exists())
}

/// What a living fabric-xdpd says of itself; nothing before its first word.
pub fn state_of(instance: &str, fabric_xdpd: &Process) -> Option<State> {
    let state = Path::new(RUNTIME).join(format!("{instance}.json"));
    // One that cannot be read has not been written by it yet.
    let state = State::read(&state).ok().flatten();
    state.filter(|state| state.pid == fabric_xdpd.pid.cast_unsigned() && fabric_xdpd.is_alive())
}

/// Starts fabric-xdpd in a namespace. It goes on when this process ends; its log is a file.
pub fn start_fabric_xdpd(
    program: &Path,
    instance: &str,
    namespace: &Netns,
    log: &Path,
) -> Result<Process, LabError> {
    let output = File::create(log).map_err(LabError::file("write", log))?;
    let errors = output.try_clone().map_err(LabError::file("write", log))?;
    let mut command = Command::new(program);
    command
        .args(["--instance", instance])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        // A group of its own: Ctrl-C at the terminal is for fabricctl, not for the daemon.
        .process_group(0);
    let child = namespace.enter(|| command.spawn())?.map_err(LabError::file("start", program))?;
    Process::of(child.id().cast_signed()).ok_or_else(|| has_ended(namespace.name(), log))
}

/// That a fabric-xdpd, which nobody starts again, has ended.
pub(super) fn has_ended(node: &str, log: &Path) -> LabError {
    LabError::Daemon { daemon: "fabric-xdpd", node: node.to_owned(), log: last_words(log) }
}

/// The last line that a daemon wrote, for an error message.
pub fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    match text.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("its last words: {}", line.trim()),
        None => "it wrote nothing".to_owned(),
    }
}

/// Takes a fabric-xdpd's programs off the ports and removes its maps: what pins keep alive after the
/// daemon has ended. The daemon of that instance must have ended.
pub fn detach_instance(instance: &str) -> Result<(), LabError> {
    Instance::new(instance)?.remove()?;
    for extension in ["json", "premises.json", "sock", "lock"] {
        let path = Path::new(RUNTIME).join(format!("{instance}.{extension}"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LabError::file("remove", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn remove_folder(path: &Path) -> Result<(), LabError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}
