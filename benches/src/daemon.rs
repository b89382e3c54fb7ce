//! fabric-xdpd as users run it, in the namespaces of the benchmark.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use aya::programs::{
    ProgramFd,
    links::{FdLink, PinnedLink},
    loaded_programs,
};
use clap::Parser;
use fabric_user::{
    daemon::state::State,
    kernel::{maps::Maps, pins::Instance},
};
use rustix::process::{Pid, Signal, kill_process};

use crate::run::Asked;

const INSTANCE: &str = "bench";
/// With a million MAC addresses on a busy machine.
const START: Duration = Duration::from_secs(300);

/// What a question about the daemon is asked with.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// Which entries.
    #[command(flatten)]
    pub asked: Asked,
    /// The daemon to measure; `cargo xtask bench` gives the optimized one.
    #[arg(long, value_name = "PROGRAM")]
    fabric_xdpd: PathBuf,
}

impl Arguments {
    /// The daemon to measure.
    ///
    /// # Errors
    /// If there is none.
    pub fn program(&self) -> Result<PathBuf> {
        let path = &self.fabric_xdpd;
        path.canonicalize().with_context(|| format!("there is no {}", path.display()))
    }
}

/// A running fabric-xdpd, which ends with this value.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    folder: PathBuf,
    /// From its start until its programs and empty maps are there.
    pub loaded: Duration,
    /// From its start to its word that the maps are in sync and used.
    pub ready: Duration,
}

/// What a daemon needs room for, beyond what it has room for by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    /// MAC addresses.
    pub macs: u32,
    /// Prefixes.
    pub prefixes: u32,
}

/// What a daemon holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Its own, now, in bytes.
    pub own: u64,
    /// Everything mapped, with the maps that it has touched, at the most so far, in bytes.
    pub peak: u64,
    /// All of its maps in the kernel, in bytes.
    pub maps: u64,
}

impl Daemon {
    /// Starts the `program` and waits until it is in sync.
    ///
    /// # Errors
    /// If it does not start, or is not in sync within five minutes.
    pub fn start(program: &Path, room: Room) -> Result<Self> {
        Self::start_with(program, room, "")
    }

    /// The same with more lines of its settings.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(program: &Path, room: Room, more: &str) -> Result<Self> {
        let Room { macs, prefixes } = room;
        let folder = std::env::temp_dir().join(format!("fabric-bench-{}", std::process::id()));
        let _left = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let settings = folder.join("fabric-xdpd.toml");
        // No audit while time runs; it would only repeat what the start does.
        let text = format!(
            "instance = {INSTANCE:?}\nrun_folder = {folder:?}\ndetach_on_exit = true\n\
             audit_interval_s = 86400\nheartbeat_timeout_ms = 60000\n\
             fdb_entries = {}\nprefix_entries = {}\n{more}",
            (macs + macs / 16).max(131_072),
            prefixes.max(131_072)
        );
        fs::write(&settings, text)
            .with_context(|| format!("cannot write {}", settings.display()))?;
        let socket = folder.join("notify");
        let notify = UnixDatagram::bind(&socket)
            .with_context(|| format!("cannot listen on {}", socket.display()))?;
        notify.set_read_timeout(Some(Duration::from_millis(200)))?;
        let log = File::create(folder.join("log")).context("cannot write fabric-xdpd's log")?;

        let begin = Instant::now();
        let child = Command::new(program)
            .arg("--settings")
            .arg(&settings)
            .env("NOTIFY_SOCKET", &socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        let mut daemon = Self { child, folder, loaded: Duration::ZERO, ready: Duration::ZERO };
        // The last that it does before it writes what it has learnt is to write its settings.
        while !daemon.maps().is_ok_and(|maps| maps.settings.get(0).timeout_jiffies != 0) {
            daemon.still_starts(begin)?;
            thread::sleep(Duration::from_micros(200));
        }
        daemon.loaded = begin.elapsed();
        let mut buffer = [0; 256];
        loop {
            let length = notify.recv(&mut buffer).unwrap_or(0);
            if buffer[..length].starts_with(b"READY=1") {
                daemon.ready = begin.elapsed();
                return Ok(daemon);
            }
            daemon.still_starts(begin)?;
        }
    }

    fn still_starts(&mut self, begin: Instant) -> Result<()> {
        if self.child.try_wait()?.is_some() || begin.elapsed() > START {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let last = log.lines().last().unwrap_or("no word");
            bail!("fabric-xdpd does not come into sync: {last}");
        }
        Ok(())
    }

    /// Its maps, to look at.
    ///
    /// # Errors
    /// If they cannot be opened.
    pub fn maps(&self) -> Result<Maps> {
        Ok(Maps::open(&Instance::new(INSTANCE)?, false)?)
    }

    /// The program that it has on the interface with this index.
    ///
    /// # Errors
    /// If it has none there.
    pub fn program(&self, ifindex: u32) -> Result<ProgramFd> {
        let pin = Instance::new(INSTANCE)?.link(ifindex);
        let link = PinnedLink::from_pin(&pin)
            .with_context(|| format!("fabric-xdpd has no program at {}", pin.display()))?;
        let number = FdLink::from(link).info()?.program_id();
        let program = loaded_programs().filter_map(Result::ok).find(|it| it.id() == number);
        Ok(program.with_context(|| format!("the program {number} is gone"))?.fd()?)
    }

    /// How often the kernel dropped messages for it.
    ///
    /// # Errors
    /// If its state file cannot be read.
    pub fn resyncs(&self) -> Result<u64> {
        let path = self.folder.join(format!("{INSTANCE}.json"));
        Ok(State::read(&path)?.unwrap_or_default().resyncs)
    }

    /// Processor time that it took so far.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn processor_time(&self) -> Result<Duration> {
        ran(&PathBuf::from(format!("/proc/{}", self.child.id())))
    }

    /// Processor time that its threads of a name took so far.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn time_of(&self, thread: &str) -> Result<Duration> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()))
            .context("the system does not say which threads fabric-xdpd has")?;
        let mut sum = Duration::ZERO;
        for task in tasks.flatten().map(|task| task.path()) {
            // A thread may end meanwhile.
            let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
            if name.trim_end() == thread {
                sum += ran(&task)?;
            }
        }
        Ok(sum)
    }

    /// What it holds.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn memory(&self) -> Result<Memory> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(folder.join("status"))
            .context("the system does not say what memory fabric-xdpd has")?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            number.map(|kib| kib << 10).with_context(|| format!("/proc/PID/status has no {name}"))
        };
        let mut maps = BTreeMap::new();
        for entry in fs::read_dir(folder.join("fdinfo"))?.flatten() {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let number = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|line| line.trim().parse::<u64>().ok())
            };
            if let (Some(id), Some(bytes)) = (number("map_id:"), number("memlock:")) {
                maps.insert(id, bytes);
            }
        }
        Ok(Memory { own: kib("RssAnon")?, peak: kib("VmHWM")?, maps: maps.values().sum() })
    }

    /// Ends it and waits until it has taken its programs and maps off.
    ///
    /// # Errors
    /// If it cannot be awaited.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
            self.child.wait()?;
        }
        Ok(())
    }
}

/// Processor time that a thread took so far, by its folder in `/proc`.
fn ran(thread: &Path) -> Result<Duration> {
    let text = fs::read_to_string(thread.join("schedstat"))
        .context("the system does not say how long fabric-xdpd ran")?;
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok());
    Ok(Duration::from_nanos(ns.context("the system's schedstat is not understood")?))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.end().is_err() {
            let _gone = self.child.kill();
            let _ended = self.child.wait();
        }
        let _gone = fs::remove_dir_all(&self.folder);
    }
}
