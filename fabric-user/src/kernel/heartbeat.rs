//! The daemon's sign of life.
//!
//! The packet path compares jiffies, which cost it nothing, and user space cannot read jiffies. So
//! a BPF program, run through `BPF_PROG_TEST_RUN`, writes the deadline.

use std::time::Duration;

use aya::programs::{ProgramError, TestRun, TestRunOptions, Xdp};

use super::maps::Maps;

/// Timer frequencies that a kernel can be built with (`kernel/Kconfig.hz`).
const FREQUENCIES: [u32; 4] = [100, 250, 300, 1000];

/// Extends the deadline.
///
/// # Errors
/// What the kernel says to the test run.
pub fn beat(program: &Xdp) -> Result<(), ProgramError> {
    // The kernel wants at least an Ethernet header; the program does not look at it.
    let frame = [0_u8; 14];
    let options = TestRunOptions { data_in: Some(&frame), ..TestRunOptions::new() };
    program.test_run(options).map(|_| ())
}

/// The kernel's timer frequency (CONFIG_HZ), from the jiffies that the heartbeat program sees.
///
/// Jiffies start 300 seconds below 2³² (`INITIAL_JIFFIES` in `include/linux/jiffies.h`), so one
/// reading and the uptime tell the frequency; near the zero crossing two readings do.
///
/// # Errors
/// What the kernel says to the test run.
pub fn measure_frequency(program: &Xdp, maps: &Maps) -> Result<u32, ProgramError> {
    let (jiffies, uptime) = read_clocks(program, maps)?;
    let since_crossing = uptime - 300.0;
    if since_crossing.abs() > 30.0 {
        return Ok(nearest(jiffies / since_crossing));
    }
    std::thread::sleep(Duration::from_millis(250));
    let (later_jiffies, later_uptime) = read_clocks(program, maps)?;
    Ok(nearest((later_jiffies - jiffies) / (later_uptime - uptime)))
}

/// Jiffies above 2³² (negative below), and seconds since boot.
fn read_clocks(program: &Xdp, maps: &Maps) -> Result<(f64, f64), ProgramError> {
    beat(program)?;
    let settings = maps.settings.get(0);
    let jiffies = settings.deadline.saturating_sub(u64::from(settings.timeout_jiffies));
    let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Ok((jiffies as f64 - 2_f64.powi(32), uptime.tv_sec as f64 + uptime.tv_nsec as f64 / 1e9))
}

fn nearest(measured: f64) -> u32 {
    let distance = |f: u32| (f64::from(f) - measured).abs();
    FREQUENCIES.into_iter().min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap_or(250)
}

/// `time` in jiffies, rounded up, at least one.
#[must_use]
pub fn jiffies(time: Duration, frequency: u32) -> u32 {
    let jiffies = (time.as_millis() * u128::from(frequency)).div_ceil(1000);
    u32::try_from(jiffies).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_jiffies_rounded_up_and_never_zero() {
        assert_eq!(jiffies(Duration::from_secs(75), 250), 18_750);
        assert_eq!(jiffies(Duration::from_millis(1), 100), 1);
        assert_eq!(jiffies(Duration::ZERO, 1000), 1);
        assert_eq!(jiffies(Duration::from_secs(u64::MAX / 2000), 1000), u32::MAX);
    }

    #[test]
    fn the_nearest_possible_frequency_is_taken() {
        assert_eq!([99.2, 251.0, 297.0, 1003.0].map(nearest), [100, 250, 300, 1000]);
    }
}
