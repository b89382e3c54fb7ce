//! Processes of a lab, told apart from later ones with the same id by their start time.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid,
};
use serde::{Deserialize, Serialize};

use super::error::LabError;

/// How long a process may take after SIGTERM before SIGKILL: on a busy machine it takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the kernel may take to end processes after SIGKILL.
const LAST_PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(5);

/// A process that was alive when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Clock ticks between boot and its start: the same id with another start is a stranger.
    pub started: u64,
}

impl Process {
    /// The living process of that id.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = stat(pid)?;
        (!stat.has_ended()).then_some(Self { pid, started: stat.started })
    }

    /// Whether it still runs, with one of its threads at least.
    pub fn is_alive(&self) -> bool {
        self.stat().is_some_and(|stat| !stat.has_ended())
    }

    /// Whether somebody stopped it for a while, as by SIGSTOP.
    pub fn is_suspended(&self) -> bool {
        self.stat().is_some_and(|stat| stat.is_suspended())
    }

    fn stat(&self) -> Option<Stat> {
        stat(self.pid).filter(|stat| stat.started == self.started)
    }

    /// Whether it was started with this argument.
    pub fn has_argument(&self, argument: &str) -> bool {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        line.split(|&byte| byte == 0).any(|word| word == argument.as_bytes())
    }

    /// Ends it and waits until it is gone. A process that is gone already is no error.
    pub fn stop(&self, signal: Signal) {
        self.signal(signal);
        let deadline = Instant::now() + PATIENCE;
        while self.is_alive() && Instant::now() < deadline {
            self.reap();
            std::thread::sleep(POLL);
        }
        if self.is_alive() {
            // One that does not end by this is stuck in the kernel; nobody can do more.
            let _ = end_all(|| vec![self.clone()].into_iter().filter(Self::is_alive).collect());
        }
        self.reap();
    }

    /// Sends a signal, and only to this process.
    pub fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return;
        };
        // The descriptor pins the identity: checked after opening, it cannot change before the
        // signal is sent.
        let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else {
            return;
        };
        if self.is_alive() {
            // It may have ended in between, which is what was wanted.
            let _ = pidfd_send_signal(descriptor, signal);
        }
    }

    /// Collects the exit status when it was a child of this process, so that no zombie stays.
    pub(super) fn reap(&self) {
        let _ = waitpid(Pid::from_raw(self.pid), WaitOptions::NOHANG);
    }
}

/// Ends all processes that `find` finds, until it finds none: one that is ended may have started
/// another one before. Returns how many there were.
pub(super) fn end_all(find: impl Fn() -> Vec<Process>) -> Result<usize, LabError> {
    let start = Instant::now();
    let mut ended = BTreeSet::new();
    loop {
        let alive = find();
        let Some(first) = alive.first() else {
            return Ok(ended.len());
        };
        if start.elapsed() > LAST_PATIENCE {
            let seconds = start.elapsed().as_secs();
            return Err(LabError::Immortal { pid: first.pid, seconds });
        }
        for process in &alive {
            process.signal(Signal::KILL);
            ended.insert((process.pid, process.started));
        }
        while alive.iter().any(Process::is_alive) && start.elapsed() < LAST_PATIENCE {
            std::thread::sleep(POLL);
        }
        alive.iter().for_each(Process::reap);
    }
}

/// Of proc(5) stat.
struct Stat {
    /// Letter of the state of its first thread, field 3.
    state: char,
    /// Number of its threads, field 20.
    threads: u64,
    /// Its start in clock ticks since boot, field 22.
    started: u64,
}

impl Stat {
    const fn is_suspended(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

impl Stat {
    /// The first thread of a process that is killed may have ended before the others, which hold its files
    /// until they have, too: its sockets take connections, its locks are taken.
    fn has_ended(&self) -> bool {
        self.state == 'Z' && self.threads <= 1
    }
}

/// Whether somebody has stopped a process for a while, as by SIGSTOP.
pub fn is_suspended(pid: u32) -> bool {
    stat(pid.cast_signed()).is_some_and(|stat| stat.is_suspended())
}

/// How long a process has been running.
pub fn age(pid: u32) -> Option<Duration> {
    let started = stat(pid.cast_signed())?.started;
    let ticks = rustix::param::clock_ticks_per_second();
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now = Duration::try_from(since_boot).ok()?;
    Some(now.saturating_sub(Duration::from_millis(started * 1_000 / ticks)))
}

fn stat(pid: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(text: &str) -> Option<Stat> {
    // The second field is the program's name in parentheses and may hold anything.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3);
    Some(Stat {
        state: field(3)?.chars().next()?,
        threads: field(20)?.parse().ok()?,
        started: field(22)?.parse().ok()?,
    })
}

/// Processes whose network namespace is one of `namespaces`, given as device and inode.
pub fn inside(namespaces: &[(u64, u64)]) -> Vec<Process> {
    use std::os::unix::fs::MetadataExt;

    let own = std::process::id();
    let Ok(folder) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    folder
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|&pid| pid != own)
        .filter(|pid| {
            fs::metadata(format!("/proc/{pid}/ns/net"))
                .is_ok_and(|file| namespaces.contains(&(file.dev(), file.ino())))
        })
        .filter_map(|pid| Process::of(pid.cast_signed()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_a_later_one_with_its_id_is_not_it() {
        let me = Process::of(std::process::id().cast_signed()).expect("I run");
        assert!(me.is_alive());
        assert!(!Process { started: me.started + 1, ..me }.is_alive());
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_is_alive_until_its_last_one_has() {
        let text = |state: char, threads: u32| {
            let zeros = "0 ".repeat(16);
            format!("42 (a) Z 1 (b) {state} {zeros}{threads} 0 77 0 0")
        };
        let ended =
            |state, threads| parse(&text(state, threads)).expect("all is there").has_ended();
        assert_eq!([ended('S', 1), ended('Z', 2), ended('Z', 1)], [false, false, true]);
        assert_eq!(parse(&text('Z', 2)).expect("all is there").started, 77);
    }

    #[test]
    #[expect(clippy::zombie_processes, reason = "stop collects it, which is what is tested")]
    fn a_stopped_child_leaves_no_zombie() {
        let child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let process = Process::of(child.id().cast_signed()).expect("it runs");
        process.stop(Signal::TERM);
        assert!(!process.is_alive());
        assert!(stat(process.pid).is_none(), "reaped");
    }
}
