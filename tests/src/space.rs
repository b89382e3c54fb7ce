//! Network namespaces of a test's own, under names, and what tests do in them. What a namespace refuses
//! ends the test.

use std::{
    fs,
    io::Write as _,
    ops::Deref,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Result;
use fabric_user::{
    kernel::{interface::make_wirelike, pins::Instance},
    lab::netns::Netns,
};
use serde_json::Value;

use crate::{device, wire::Wire};

/// A name that begins so and that no other test has, of this run or another one. What is left under such
/// names by runs that were killed is removed.
///
/// # Panics
/// If `what` has a hyphen, behind which the number of the process is looked for.
#[must_use]
pub fn unique(what: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    assert!(!what.contains('-'), "{what} has a hyphen");
    remove_leftovers(what);
    format!("{what}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn remove_leftovers(what: &str) {
    let Ok(names) = fs::read_dir("/run/netns") else { return };
    for name in names.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let process =
            name.strip_prefix(what).and_then(|rest| rest.strip_prefix('-')?.split('-').next());
        if process
            .is_some_and(|it| it.parse::<u32>().is_ok() && !Path::new("/proc").join(it).exists())
        {
            // Somebody else may be faster.
            let _gone = Instance::new(&name).is_ok_and(|instance| instance.remove().is_ok());
            let _gone = fs::remove_dir_all(std::env::temp_dir().join(&name));
            let _gone = Netns::named(name).delete();
        }
    }
}

/// A network namespace that goes with this value.
#[derive(Debug)]
pub struct Space(Netns);

impl Space {
    /// A namespace of that name, which is still to be [made](Self::make).
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self(Netns::named(name))
    }

    /// A new namespace of that name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let this = Self::named(name);
        this.make();
        this
    }

    /// Makes it.
    pub fn make(&self) {
        device::run("ip", &format!("netns add {}", self.name())).expect("this is root");
    }

    /// Takes it away, with all interfaces in it, if it is there.
    pub fn take_away(&self) {
        let _gone = self.delete();
    }

    /// Does something inside.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.enter(work).expect("the namespace exists")
    }

    #[track_caller]
    fn done<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> T {
        self.inside(work).unwrap_or_else(|error| panic!("{}: {error:#}", self.name()))
    }

    /// Runs lines of `ip`.
    #[track_caller]
    pub fn ip(&self, lines: &str) {
        self.done(|| device::ip(lines));
    }

    /// Runs lines of `bridge`.
    #[track_caller]
    pub fn bridge(&self, lines: &str) {
        self.done(|| device::bridge(lines));
    }

    /// Runs lines of `nft`, all or none.
    #[track_caller]
    pub fn nft(&self, lines: &str) {
        self.done(|| device::nft(lines));
    }

    /// Runs a program with its arguments in one string; what it prints.
    #[track_caller]
    pub fn run(&self, program: &str, arguments: &str) -> String {
        self.done(|| device::run(program, arguments))
    }

    /// Runs lines of `ip` or `bridge`, of which the kernel may refuse any; what is printed. `flags` come
    /// first.
    #[track_caller]
    pub fn force(&self, program: &str, flags: &[&str], lines: &str) -> String {
        self.done(|| {
            let mut child = Command::new(program)
                .args(flags)
                .args(["-force", "-batch", "-"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(lines.as_bytes())?;
            }
            Ok(String::from_utf8_lossy(&child.wait_with_output()?.stdout).into_owned())
        })
    }

    /// What `ip -j` prints.
    #[track_caller]
    pub fn query(&self, arguments: &str) -> Vec<Value> {
        let text = self.run("ip", &format!("-j {arguments}"));
        match text.trim() {
            "" => Vec::new(),
            text => serde_json::from_str(text).expect("ip prints JSON"),
        }
    }

    /// Index of an interface.
    #[track_caller]
    pub fn index(&self, name: &str) -> u32 {
        self.done(|| device::index(name))
    }

    /// Writes a file below `/proc/sys/net`.
    #[track_caller]
    pub fn sysctl(&self, key: &str, value: &str) {
        self.sysctls(&[(key, value)]);
    }

    /// Writes files below `/proc/sys/net`.
    #[track_caller]
    pub fn sysctls(&self, settings: &[(&str, &str)]) {
        for (key, value) in settings {
            let set = self.inside(|| fs::write(format!("/proc/sys/net/{key}"), value));
            set.unwrap_or_else(|error| panic!("{}: {key} = {value}: {error}", self.name()));
        }
    }

    /// Has a veth device take what programs send to it, which needs GRO as NAPI receives it, and complete
    /// the checksums of what it sends, as nobody else would.
    #[track_caller]
    pub fn wirelike(&self, interface: &str) {
        self.done(|| Ok(make_wirelike(interface)?));
    }

    /// A wire at an interface.
    #[track_caller]
    pub fn wire(&self, interface: &str) -> Wire {
        self.done(|| Wire::open(interface))
    }

    /// How many of `count` pings are answered. Options of `ping` may stand before the address.
    #[track_caller]
    pub fn ping(&self, count: u32, to: &str) -> u32 {
        let mut command = Command::new("ping");
        command.args(["-c", &count.to_string(), "-i", "0.02", "-W", "1", "-q"]).args(to.split(' '));
        let output = self.inside(|| command.output()).expect("ping can be run");
        let text = String::from_utf8_lossy(&output.stdout);
        let before = text.split_once(" received").map(|(before, _)| before);
        let count = before.and_then(|before| before.rsplit(' ').next()?.parse().ok());
        count.unwrap_or_else(|| panic!("ping says {text:?}"))
    }
}

impl Deref for Space {
    type Target = Netns;

    fn deref(&self) -> &Netns {
        &self.0
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.take_away();
    }
}
