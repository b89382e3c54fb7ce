//! When all frames that are under way have come.

use std::{
    fs,
    sync::LazyLock,
    time::{Duration, Instant},
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// What the kernel leaves to a worker comes within this time, as broadcasts to macvlan devices.
const WORKERS: Duration = Duration::from_millis(50);
/// Where the threads of soft interrupts cannot be seen, all has come when nothing has for so long.
const UNSEEN: Duration = Duration::from_millis(200);

/// Whether all has come that is under way, if the last of it came at `last`.
///
/// A frame that is sent to one end of a pair of veth devices is handled by soft interrupts of the sender's processor,
/// and so is all that becomes of it. These run before the processor goes on with a thread, or, if there are many, in
/// a thread of their own: on a processor on which this one runs while that one sleeps, no frame is under way. That
/// holds as well on a machine that is emulated or busy, where no time is long enough.
#[must_use]
pub fn all_has_come(last: Instant) -> bool {
    let waited = last.elapsed();
    waited >= WORKERS && softirqs_rest().unwrap_or(waited >= UNSEEN)
}

/// The processors, each with the file that tells the state of its thread (`proc_pid_stat(5)`).
static THREADS: LazyLock<Vec<(usize, String)>> = LazyLock::new(|| {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let threads = folders.filter_map(|folder| {
        let name = fs::read_to_string(folder.path().join("comm")).ok()?;
        let processor = name.strip_prefix("ksoftirqd/")?.trim().parse().ok()?;
        Some((processor, folder.path().join("stat").display().to_string()))
    });
    threads.collect()
});

/// Whether no processor handles frames, as far as that can be seen.
fn softirqs_rest() -> Option<bool> {
    if THREADS.is_empty() {
        return None;
    }
    let allowed = sched_getaffinity(None).ok()?;
    let rest = THREADS.iter().map(|(processor, stat)| {
        let mut only = CpuSet::new();
        only.set(*processor);
        sched_setaffinity(None, &only).ok()?;
        let stat = fs::read_to_string(stat).ok()?;
        Some(stat.rsplit_once(") ")?.1.starts_with('S'))
    });
    let rest = rest.collect::<Option<Vec<bool>>>();
    sched_setaffinity(None, &allowed).ok()?;
    rest.map(|all| all.into_iter().all(|rests| rests))
}
