//! Where the demo plays: the lab, and what is said while it runs.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use fabric_user::{
    kernel::{maps::Maps, pins::Instance},
    lab::{Lab, Netns},
};

/// Name of the lab.
pub(crate) const NAME: &str = "demo";

/// The running lab.
pub(crate) struct Stage {
    pub(crate) lab: Lab,
    start: Instant,
    cancel: Arc<AtomicBool>,
}

impl Stage {
    pub(crate) fn new(lab: Lab, start: Instant, cancel: Arc<AtomicBool>) -> Self {
        Self { lab, start, cancel }
    }

    /// Prints a line with the time since the start.
    pub(crate) fn say(&self, line: &str) {
        say(self.start, line);
    }

    /// Lets the lab run on for a while; ends early, as an error, when the user wants to stop.
    pub(crate) fn wait(&self, time: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            if self.cancel.load(Ordering::Relaxed) {
                bail!("interrupted; the lab is taken down");
            }
            thread::sleep(Duration::from_millis(20).min(time));
        }
        Ok(())
    }

    pub(crate) fn netns(&self, node: &str) -> anyhow::Result<Netns> {
        Ok(self.lab.node(node)?.netns().clone())
    }

    /// The address of a host.
    pub(crate) fn address(&self, host: &str) -> anyhow::Result<std::net::Ipv4Addr> {
        let hosts = &self.lab.topology().hosts;
        let host =
            hosts.iter().find(|h| h.name == host).with_context(|| format!("no host {host}"))?;
        Ok(host.address)
    }

    /// Names of the nodes that run fabric-xdpd.
    pub(crate) fn leafs(&self) -> Vec<String> {
        let switches = self.lab.topology().switches.iter();
        switches.filter(|s| s.fabric_xdpd).map(|s| s.name.clone()).collect()
    }

    /// The maps of a leaf.
    pub(crate) fn maps(&self, leaf: &str, writable: bool) -> anyhow::Result<Maps> {
        let instance = Instance::new(&self.lab.instance(leaf))?;
        Ok(Maps::open(&instance, writable)?)
    }

    /// A program of this build.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        program(name)
    }

    pub(crate) fn keep(&mut self) {
        self.lab.keep();
    }

    pub(crate) fn down(self) -> anyhow::Result<()> {
        let start = self.start;
        Ok(self.lab.down(&mut |line| say(start, line))?)
    }
}

/// Prints a line with the time since `start`.
pub(crate) fn say(start: Instant, line: &str) {
    println!("{:6.1} s  {line}", start.elapsed().as_secs_f64());
}

/// A program that was built together with this example, which cargo puts one folder deeper.
pub(crate) fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.parent().and_then(|examples| examples.parent()).map(PathBuf::from);
    folder.unwrap_or_default().join(name)
}
