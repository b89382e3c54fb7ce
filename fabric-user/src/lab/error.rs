//! What can go wrong with a running lab.

use std::path::PathBuf;

use super::topology::TopologyError;
use crate::kernel::pins::PinError;

/// A lab that cannot be built, found or changed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The files are wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// Not root.
    #[error("a lab needs root, because it makes network namespaces; run it with sudo")]
    NotRoot,
    /// A program is missing.
    #[error("{program} is not installed; run `cargo xtask setup` or install the package {package}")]
    Missing {
        /// The program.
        program: String,
        /// Debian's package that has it.
        package: &'static str,
    },
    /// The kernel lacks what the topology is made of.
    #[error(
        "this kernel makes no {what} ({said}), and {why}; `modprobe {module}`, or a kernel with that module, brings them"
    )]
    Kernel {
        /// Kind of devices.
        what: &'static str,
        /// What the kernel said.
        said: String,
        /// Why they are needed, as a clause.
        why: String,
        /// The kernel's module.
        module: &'static str,
    },
    /// FRR is too old for what the topology is made of.
    #[error(
        "{node} has a single vxlan device, which FRR takes for its tunnels since version {since}, and an older one is installed; write bridges = \"vlan-aware\" for it, or install a newer FRR"
    )]
    OldFrr {
        /// The node.
        node: String,
        /// The first version that serves.
        since: u32,
    },
    /// The name cannot be used.
    #[error(
        "\"{0}\" cannot name a lab; use 1 to 32 letters, digits, - and _, not beginning with -"
    )]
    Name(String),
    /// It is up.
    #[error(
        "lab {0} is up already; take it down first with `fabricctl lab down --name {0}`, or choose another --name"
    )]
    AlreadyUp(String),
    /// Another process works on it.
    #[error("another command is working on lab {0} at this moment; wait for it to end")]
    Busy(String),
    /// It is not up.
    #[error(
        "no lab {0} is up; `fabricctl lab up` starts one and `fabricctl lab status` lists those that are up"
    )]
    NotUp(String),
    /// Something of this name is there and belongs to no lab.
    #[error("{what} exists already and belongs to no lab; remove it or choose another --name")]
    Taken {
        /// The thing, with its name.
        what: String,
    },
    /// No such node.
    #[error("lab {lab} has no node {node}; it has {known}")]
    UnknownNode {
        /// The lab.
        lab: String,
        /// The name asked for.
        node: String,
        /// Names that would have worked.
        known: String,
    },
    /// No such port.
    #[error("{node} has no cable at port {port}; it has cables at {known}")]
    UnknownPort {
        /// The node.
        node: String,
        /// The name asked for.
        port: String,
        /// Names that would have worked.
        known: String,
    },
    /// The server has no part in the service.
    #[error("{server} has no part in service {service}; {known}")]
    UnknownService {
        /// The server.
        server: String,
        /// The name asked for.
        service: String,
        /// Names that would have worked, as a clause.
        known: String,
    },
    /// Nobody would notice.
    #[error(
        "nobody announces services in lab {0}, which has no control plane; change the routes of its nodes by `fabricctl lab exec NODE -- ip route`"
    )]
    NothingAnnounces(String),
    /// A host cannot go there.
    #[error("{host} cannot move to {target}: {reason}")]
    Migrate {
        /// The host.
        host: String,
        /// Where it should go.
        target: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// A namespace could not be entered.
    #[error("cannot enter the network namespace {namespace}")]
    Namespace {
        /// Its name.
        namespace: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A command failed.
    #[error("{command} failed in {place}: {message}")]
    Command {
        /// The command line.
        command: String,
        /// Namespace, or "the root namespace".
        place: String,
        /// What it printed.
        message: String,
    },
    /// A program did not end.
    #[error("{command} had not ended after {seconds} s in {place} and was ended; {said}")]
    Stuck {
        /// The command line.
        command: String,
        /// Namespace, or "the root namespace".
        place: String,
        /// The time given.
        seconds: u64,
        /// What it said, as a clause.
        said: String,
    },
    /// A process does not end by SIGKILL.
    #[error(
        "process {pid} of the lab is alive {seconds} s after SIGKILL; look at /proc/{pid}/stack, and take the lab down again"
    )]
    Immortal {
        /// Its id.
        pid: i32,
        /// The time given.
        seconds: u64,
    },
    /// A file or device could not be read or changed.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state file of a lab makes no sense.
    #[error(
        "{path} is not the state of a lab ({message}); remove it after `ip netns` shows that nothing of the lab is left"
    )]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// What keeps fabric-xdpd's programs and maps could not be mounted or removed.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// A daemon did not start.
    #[error("{daemon} on {node} has ended; {log}")]
    Daemon {
        /// The daemon.
        daemon: &'static str,
        /// The node.
        node: String,
        /// Its last words, or where they are.
        log: String,
    },
    /// A daemon answers nothing or nonsense.
    #[error("{daemon} on {node} does not answer `{command}`: {message}")]
    Vty {
        /// The daemon.
        daemon: &'static str,
        /// The node.
        node: String,
        /// The command.
        command: String,
        /// What was wrong.
        message: String,
    },
    /// The lab was not ready in time.
    #[error("lab {lab} was not ready within {seconds} s: {missing}")]
    NotReady {
        /// The lab.
        lab: String,
        /// The time given.
        seconds: u64,
        /// What was still missing at the end.
        missing: String,
    },
    /// The user pressed Ctrl-C, or somebody sent SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

impl LabError {
    /// The error with its causes on one line.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }

    /// For `map_err` on file operations.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
