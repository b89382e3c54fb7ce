//! Where each MAC is.

use std::collections::HashMap;

use super::{FdbKey, Network, Problem, Structure, Target};

/// Where every known MAC is.
#[must_use]
pub fn compile_fdb(network: &Network, structure: &Structure) -> HashMap<FdbKey, Target> {
    let entry = |key| Some((key, compile_mac(network, structure, key)?));
    network.bridge_macs().filter_map(entry).collect()
}

/// Where one MAC is; `None` leaves it to the kernel.
#[must_use]
pub fn compile_mac(network: &Network, structure: &Structure, key: FdbKey) -> Option<Target> {
    let _ = (network, structure, key);
    None
}

/// MACs that are left to the kernel though a bridge knows them: one problem per reason and device,
/// with a count. Costs one lookup per MAC, so it is not part of [`Structure::problems`].
#[must_use]
pub fn fdb_problems(network: &Network, structure: &Structure) -> Vec<Problem> {
    let _ = (network, structure);
    Vec::new()
}
