//! The kernel's time in jiffies, which user space has no call for.
//!
//! `/proc/timer_list` has a line `jiffies: N` per CPU, exact to a tick. Where it is missing,
//! CLOCK_MONOTONIC tells: jiffies start 300 seconds below 2³² at boot (`INITIAL_JIFFIES`) and both
//! are advanced together ever after, but a constant part of a second apart, because jiffies begin
//! when the timer does. Measured on a 6.18 kernel: jiffies lag 250 ms behind, within one tick over
//! 40 minutes. So the fallback is good to a few hundred milliseconds.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// Jiffies now; `hz` is the kernel's timer frequency from the settings map. `None` if `hz` is 0,
/// before the first daemon measured it.
pub(crate) fn jiffies(hz: u32) -> Option<u64> {
    if hz == 0 {
        return None;
    }
    from_timer_list().or_else(|| {
        let uptime = clock_gettime(ClockId::Monotonic);
        let uptime = Duration::new(uptime.tv_sec as u64, uptime.tv_nsec as u32);
        Some(after_boot(uptime, hz))
    })
}

/// Reads no further than the first CPU: the file is written as it is read, and long.
fn from_timer_list() -> Option<u64> {
    BufReader::new(File::open("/proc/timer_list").ok()?)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.trim_start().strip_prefix("jiffies: ")?.trim().parse().ok())
}

fn after_boot(uptime: Duration, hz: u32) -> u64 {
    let ticks = uptime.as_millis() as u64 * u64::from(hz) / 1000;
    (1 << 32) - 300 * u64::from(hz) + ticks
}

/// Jiffies as time.
pub(crate) fn time(jiffies: u64, hz: u32) -> Duration {
    Duration::from_millis((jiffies * 1000).checked_div(u64::from(hz)).unwrap_or(0))
}

/// Time since `shown`, the low 32 bits of jiffies. `None` for 0, which means never.
pub(crate) fn since(shown: u32, now: Option<u64>, hz: u32) -> Option<Duration> {
    (shown != 0).then_some(())?;
    Some(time(u64::from((now? as u32).wrapping_sub(shown)), hz))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jiffies_cross_zero_of_32_bits_five_minutes_after_boot() {
        assert_eq!(after_boot(Duration::from_secs(300), 250), 1 << 32);
        assert_eq!(after_boot(Duration::from_millis(301_500), 1000), (1 << 32) + 1500);
    }

    #[test]
    fn ages_survive_the_wrap_of_32_bits() {
        let now = Some((1 << 32) + 50);
        assert_eq!(since(u32::MAX - 49, now, 100), Some(Duration::from_secs(1)));
        assert_eq!(since(0, now, 100), None);
    }

    #[test]
    fn both_clocks_agree_to_a_few_hundred_milliseconds() {
        let Some(exact) = from_timer_list() else {
            return;
        };
        let uptime = clock_gettime(ClockId::Monotonic);
        let uptime = Duration::new(uptime.tv_sec as u64, uptime.tv_nsec as u32);
        let off = |hz: u32| after_boot(uptime, hz).abs_diff(exact) as f64 / f64::from(hz);
        let best = [100, 250, 300, 1000].map(off).into_iter().fold(f64::MAX, f64::min);
        assert!(best < 1.0, "the clocks are {best} s apart");
    }
}
