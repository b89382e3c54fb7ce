//! One processor for everything: generator, program under test, kernel path and sink.

use anyhow::{Context as _, Result, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where and how the benchmark runs.
#[derive(Clone, Copy, Debug)]
pub struct Processor {
    /// Number of the CPU.
    pub cpu: usize,
    /// True if only real-time threads and interrupts can take it away.
    pub real_time: bool,
}

/// Pins this thread to the last CPU that it may use, as the first one serves most interrupts, and
/// asks for the lowest real-time priority, so that other work on the machine does not count.
///
/// # Errors
/// If the system allows no CPU.
pub fn pin() -> Result<Processor> {
    pin_to(*allowed()?.last().context("the system allows no CPU to run on")?)
}

/// Pins nothing: for what runs in several processes, to which the system gives the CPUs out.
///
/// # Errors
/// As [`allowed`].
pub fn shared() -> Result<Processor> {
    let cpu = allowed()?.last().copied().unwrap_or_default();
    Ok(Processor { cpu, real_time: false })
}

/// The CPUs that this thread may use, in ascending order.
///
/// # Errors
/// If the system does not say.
pub fn allowed() -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(None).context("cannot read the CPUs that may be used")?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect())
}

/// Takes this thread, and what it starts from now on, off the last CPU that it may use.
///
/// # Returns
/// The number of that CPU.
///
/// # Errors
/// If there is no other one.
pub fn leave_one() -> Result<usize> {
    let all = allowed()?;
    let (last, others) = all.split_last().context("the system allows no CPU to run on")?;
    ensure!(!others.is_empty(), "this takes two CPUs, and there is one");
    let mut rest = CpuSet::new();
    others.iter().for_each(|cpu| rest.set(*cpu));
    sched_setaffinity(None, &rest).with_context(|| format!("cannot leave CPU {last}"))?;
    Ok(*last)
}

/// Pins this thread to a CPU and asks for the lowest real-time priority.
///
/// # Errors
/// If the system does not allow this CPU.
pub fn pin_to(cpu: usize) -> Result<Processor> {
    let mut one = CpuSet::new();
    one.set(cpu);
    sched_setaffinity(None, &one).with_context(|| format!("cannot pin to CPU {cpu}"))?;
    Ok(Processor { cpu, real_time: fabric_tests::precedence::take() })
}
