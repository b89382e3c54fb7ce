//! Threads that others have to wait for.

/// Puts this thread before all others that are not real-time ones themselves. False without the right to it.
pub fn take() -> bool {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameters live until after the call, which only reads them.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const lowest) == 0 }
}
