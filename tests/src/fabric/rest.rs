//! When all frames that are under way have come.

use std::{
    fs,
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::PATIENCE;

/// Between two looks, in which workers of the kernel run.
const PAUSE: Duration = Duration::from_millis(1);
/// Looks at least, and time, after the last frame: for what the kernel leaves to a worker, as broadcasts to macvlan
/// devices, or to a timer, as the second question for a neighbour.
const LOOKS: u32 = 20;
const WORKERS: Duration = Duration::from_millis(50);
/// Where the threads of soft interrupts cannot be seen, all has come when nothing has for so long.
const UNSEEN: Duration = Duration::from_secs(1);

/// Has `read` take in what there is, and say whether that was anything, until all has come that was under way.
///
/// A frame that is sent to one end of a pair of veth devices is handled by soft interrupts of the sender's processor,
/// and so is all that becomes of it. These run before the processor goes on with a thread, or, if there are many, in
/// a thread of their own: on a processor on which this one runs while that one sleeps, no frame is under way. That
/// holds as well on a machine that is emulated or busy, where no time is long enough.
///
/// # Panics
/// If that takes minutes.
pub fn read_all(mut read: impl FnMut() -> bool) {
    let start = Instant::now();
    let (mut last, mut looks, mut busy) = (start, 0, processors());
    loop {
        // Before reading: what has come by then is read.
        let has_come = match THREADS.is_empty() {
            true => last.elapsed() >= UNSEEN,
            false => {
                rest(&mut busy);
                looks >= LOOKS && last.elapsed() >= WORKERS && busy.is_empty()
            }
        };
        looks += 1;
        if read() {
            (last, looks, busy) = (Instant::now(), 0, processors());
        } else if has_come {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "frames come without an end, or processors never rest");
        thread::sleep(PAUSE);
    }
}

/// A processor, with the file that tells the state of its thread (`proc_pid_stat(5)`).
type Processor = (usize, String);

static THREADS: LazyLock<Vec<Processor>> = LazyLock::new(|| {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let threads = folders.filter_map(|folder| {
        let name = fs::read_to_string(folder.path().join("comm")).ok()?;
        let processor = name.strip_prefix("ksoftirqd/")?.trim().parse().ok()?;
        Some((processor, folder.path().join("stat").display().to_string()))
    });
    threads.collect()
});

fn processors() -> Vec<&'static Processor> {
    THREADS.iter().collect()
}

/// Takes those out that handle no frame at this moment, or never one of this process: those on which it must not run.
/// Frames do not change the processor.
fn rest(busy: &mut Vec<&Processor>) {
    if busy.is_empty() {
        return;
    }
    let allowed = sched_getaffinity(None).expect("this thread runs somewhere");
    busy.retain(|(processor, stat)| {
        let mut only = CpuSet::new();
        only.set(*processor);
        let is_here = sched_setaffinity(None, &only).is_ok();
        let stat = fs::read_to_string(stat).unwrap_or_default();
        let sleeps = stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('S'));
        is_here && !sleeps
    });
    sched_setaffinity(None, &allowed).expect("it may run where it did");
}
