//! fabric-xdpd in a network namespace of a test's own, beside none of a lab's.

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use fabric_user::{
    daemon::state::State,
    kernel::{maps::Maps, pins::Instance},
    lab::netns::Netns,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::fabric::{PATIENCE, fabric_xdpd, until};

/// One instance of fabric-xdpd with its folder. It, its pins and the folder go with this value.
#[derive(Debug)]
pub struct Daemon {
    instance: Instance,
    folder: PathBuf,
    flags: Vec<String>,
    settings: String,
    is_verbose: bool,
    child: Option<Child>,
    /// Length of the log at the last start.
    said_before: usize,
}

impl Daemon {
    /// An instance of this name that does not run yet. Audits are far away: what they would repair has to
    /// be right without them.
    ///
    /// # Panics
    /// If the name cannot name an instance, or its folder cannot be made.
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
            child: None,
            said_before: 0,
        }
    }

    /// The same, and it says all that it does.
    #[must_use]
    pub fn verbose(mut self) -> Self {
        self.is_verbose = true;
        self
    }

    /// Changes the settings of the next start, in their file's syntax.
    pub fn set(&mut self, settings: &str) {
        settings.clone_into(&mut self.settings);
    }

    /// Starts fabric-xdpd and waits until it is in sync.
    ///
    /// # Panics
    /// If it ends, or does not come into sync.
    pub fn start(&mut self, netns: &Netns) {
        self.said_before = self.whole_log().len();
        let settings = self.folder.join("fabric-xdpd.toml");
        fs::write(&settings, &self.settings).expect("the folder can be written");
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let mut command = Command::new(fabric_xdpd());
        command.args(["--instance", self.instance.name(), "--audit-interval-s", "100000"]);
        command.args(&self.flags);
        command.arg("--settings").arg(&settings).arg("--run-folder").arg(&self.folder);
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
    ///
    /// # Panics
    /// If it has ended.
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
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn state(&self) -> State {
        let path = self.folder.join(format!("{}.json", self.instance.name()));
        State::read(&path).expect("the state file can be read").unwrap_or_default()
    }

    /// The maps, to look at and change.
    ///
    /// # Panics
    /// If they are not there.
    #[must_use]
    pub fn maps(&self) -> Maps {
        Maps::open(&self.instance, true).expect("fabric-xdpd has pinned its maps")
    }

    /// The instance.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Hands all traffic to the kernel, or not.
    ///
    /// # Panics
    /// If the maps are not there.
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
