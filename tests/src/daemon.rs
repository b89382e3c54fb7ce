//! fabric-xdpd in a network namespace of a test's own, beside none of a lab's.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use fabric_common::reason::Reason;
use fabric_user::{
    daemon::state::State,
    kernel::{maps::Maps, pins::Instance},
    lab::netns::Netns,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    fabric::{PATIENCE, fabric_xdpd, fabricctl, until},
    mapped::Mapped,
};

/// Name of the settings' file.
const SETTINGS: &str = "fabric-xdpd.toml";

/// Sizes of maps that suffice for a leaf with a few hosts and ports.
const SMALL: &str =
    "fdb_entries = 1024\nhost_entries = 1024\nprefix_entries = 1024\nport_entries = 64\n";

/// One instance of fabric-xdpd with its folder. It, its pins and the folder go with this value.
#[derive(Debug)]
pub struct Daemon {
    instance: Instance,
    folder: PathBuf,
    flags: Vec<String>,
    settings: String,
    is_verbose: bool,
    audits: bool,
    child: Option<Child>,
    mapped: Mapped,
    /// Length of the log at the last start.
    said_before: usize,
}

impl Daemon {
    /// An instance of this name that does not run yet. Audits are far away: what they would repair has to
    /// be right without them.
    #[must_use]
    pub fn new(name: &str, flags: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder can be made");
        Self {
            instance: Instance::new(name).expect("the name can name an instance"),
            folder,
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            settings: String::new(),
            is_verbose: false,
            audits: false,
            child: None,
            mapped: Mapped::default(),
            said_before: 0,
        }
    }

    /// The same, for a leaf with a few hosts and ports: small maps are made and read faster, on emulated processors
    /// above all.
    #[must_use]
    pub fn small(mut self) -> Self {
        self.set(SMALL);
        self
    }

    /// The same, and it says all that it does.
    #[must_use]
    pub fn verbose(mut self) -> Self {
        self.is_verbose = true;
        self
    }

    /// The same, with audits as its settings have them.
    #[must_use]
    pub fn auditing(mut self) -> Self {
        self.audits = true;
        self
    }

    /// Changes the settings of the next start, in their file's syntax.
    pub fn set(&mut self, settings: &str) {
        settings.clone_into(&mut self.settings);
    }

    /// Writes settings into the file that fabric-xdpd has read.
    pub fn write_settings(&self, settings: &str) {
        fs::write(self.folder.join(SETTINGS), settings).expect("the folder can be written");
    }

    /// Starts fabric-xdpd and waits until it is in sync.
    pub fn start(&mut self, netns: &Netns) {
        self.start_by(netns, &[]);
    }

    /// As [`Self::start`] by a command that runs what follows it, and becomes it.
    pub fn start_by(&mut self, netns: &Netns, by: &[String]) {
        self.said_before = self.whole_log().len();
        self.write_settings(&self.settings);
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let mut words = by.iter().map(OsString::from).chain([fabric_xdpd().into()]);
        let mut command = Command::new(words.next().expect("fabric-xdpd is one"));
        command.args(words).args(["--instance", self.instance.name()]).args(&self.flags);
        if !self.audits {
            command.args(["--audit-interval-s", "100000"]);
        }
        command.arg("--settings").arg(self.folder.join(SETTINGS));
        command.arg("--run-folder").arg(&self.folder);
        if self.is_verbose {
            command.env("RUST_LOG", "debug");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(log.expect("the folder can be written"));
        let child = netns.enter(|| command.spawn()).expect("the namespace exists");
        let pid = self.child.insert(child.expect("fabric-xdpd can be started")).id();
        until(PATIENCE, "fabric-xdpd is in sync", || {
            self.assert_runs();
            let state = self.state();
            state.pid == pid && state.synced
        });
    }

    /// Ends fabric-xdpd with a signal, if it runs, and waits until it is gone.
    pub fn end(&mut self, signal: Signal) {
        let Some(mut child) = self.child.take() else { return };
        // One that has ended is what is wanted.
        let _ended = kill_process(Pid::from_child(&child), signal);
        let _reaped = child.wait();
    }

    /// Sends fabric-xdpd a signal, if it runs.
    pub fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let _ended = kill_process(Pid::from_child(child), signal);
        }
    }

    /// Asserts that the fabric-xdpd that was started still runs.
    pub fn assert_runs(&mut self) {
        if let Some(child) = &mut self.child {
            let ended = child.try_wait().expect("it is our child");
            assert_eq!(ended, None, "fabric-xdpd ended by itself:\n{}", self.log());
        }
    }

    /// What fabric-xdpd wrote to standard error since it was started.
    #[must_use]
    pub fn log(&self) -> String {
        self.whole_log().split_off(self.said_before)
    }

    /// What every fabric-xdpd of this instance wrote to standard error.
    #[must_use]
    pub fn whole_log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// fabric-xdpd's state file.
    #[must_use]
    pub fn state(&self) -> State {
        State::read(&self.run_file("json")).expect("the state file can be read").unwrap_or_default()
    }

    /// The maps, to look at and change.
    #[must_use]
    pub fn maps(&self) -> Arc<Maps> {
        self.mapped.of(&self.instance)
    }

    /// How many packets met a reason, on all ports.
    #[must_use]
    pub fn met(&self, reason: Reason) -> u64 {
        self.maps().ended_anywhere(reason)
    }

    /// Whether a sentence of `fabricctl status` says all of this.
    #[must_use]
    pub fn names(&self, words: &[&str]) -> bool {
        let problems = self.state().problems;
        problems.iter().any(|problem| words.iter().all(|word| problem.contains(word)))
    }

    /// The process of fabric-xdpd.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("fabric-xdpd was started"))
    }

    /// Whether fabric-xdpd runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.child.as_ref().is_some_and(|child| {
            let path = format!("/proc/{}/stat", child.id());
            // A zombie has ended.
            fs::read_to_string(path).is_ok_and(|stat| !stat.contains(") Z "))
        })
    }

    /// A file of fabric-xdpd in its run folder.
    #[must_use]
    pub fn run_file(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.instance.name()))
    }

    /// Runs fabricctl for this instance; its exit status, and what it prints.
    #[must_use]
    pub fn fabricctl(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(fabricctl());
        command.args(arguments).args(["--instance", self.instance.name(), "--run-folder"]);
        let output = command.arg(&self.folder).output().expect("fabricctl can be run");
        let text = [output.stdout, output.stderr].concat();
        let code = output.status.code().expect("fabricctl ends by itself");
        (code, String::from_utf8_lossy(&text).into_owned())
    }

    /// The instance.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Hands all traffic to the kernel, or not.
    pub fn bypass(&self, on: bool) {
        self.maps().settings.update(0, |settings| settings.bypass = on.into());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end(Signal::KILL);
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(200)..].join("\n"));
        }
        let _gone = self.instance.remove();
        let _gone = fs::remove_dir_all(&self.folder);
    }
}
