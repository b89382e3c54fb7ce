//! Namespaces of the benchmark's own.

use anyhow::{Result, ensure};
use fabric_tests::namespace::enter_with_pins;

/// Moves this process into a new network and a new mount namespace with an empty BPF file system.
/// To be called before any thread is started.
///
/// # Errors
/// Without root's rights.
pub fn enter() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "benchmarks load BPF programs and make network interfaces: run them as root"
    );
    enter_with_pins()
}
