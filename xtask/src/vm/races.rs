//! The random test in a virtual machine: most of its leafs need VLAN filtering and bonds.

use std::path::Path;

use super::Job;
use crate::setup::Kernel;

/// The test binary.
pub(crate) const BINARY: &str = "races";

/// The kernel that it runs on: an emulated machine gets through few leafs in a minute.
pub(crate) const KERNEL: Kernel = Kernel::Linux6_12;

/// Seconds that it takes where everything is tested.
pub(crate) const SECONDS: u64 = 60;

/// Seconds that fates may differ after a quiet second, there and beside such a machine. An emulated
/// processor is some twenty times slower, and fabric-xdpd's tables and ours are read on the same one.
pub(crate) const ALLOWANCE: u64 = 60;

/// Plays leafs for some seconds, from a seed on or with the same seeds as always.
pub(crate) fn job(binary: &Path, seconds: u64, seed: Option<u64>) -> Job {
    let mut command = vec![
        "env".to_owned(),
        format!("FABRIC_RACES_SECONDS={seconds}"),
        format!("FABRIC_RACES_ALLOWANCE={ALLOWANCE}"),
    ];
    command.extend(seed.map(|seed| format!("FABRIC_RACES_SEED={seed}")));
    command.extend([binary.display().to_string(), "--nocapture".to_owned()]);
    Job { name: BINARY.to_owned(), command }
}
