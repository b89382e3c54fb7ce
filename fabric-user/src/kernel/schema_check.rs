//! Does a pinned map have the layout that this build expects?
//!
//! aya reuses a pin without looking (aya issue 837), and a value of another size would be read as
//! garbage, so every difference is named and nothing is touched.

use std::path::Path;

use aya::maps::{MapInfo, MapType};
use fabric_common::schema::{Kind, MapSpec};
use thiserror::Error;

/// `BPF_F_RDONLY_PROG` of `linux/bpf.h`, which the kernel sets on device maps by itself.
const RDONLY_PROG: u32 = 1 << 7;

/// A pinned map that cannot be used.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// It cannot be opened.
    #[error("cannot open the pinned map {path}: {source}")]
    Open {
        /// The pin.
        path: String,
        /// Why.
        source: aya::maps::MapError,
    },
    /// It looks different.
    #[error(
        "the pinned map {path} does not fit this version of Fabric: {differences}; \
         run `fabricctl detach --all` to remove it, the kernel forwards meanwhile"
    )]
    Different {
        /// The pin.
        path: String,
        /// Field by field: expected and found.
        differences: String,
    },
}

/// Compares the map pinned at `path` with `spec`, whose size `entries` may come from the settings, on a
/// machine that may have so many `cpus`.
///
/// # Errors
/// With every difference.
pub fn check(path: &Path, spec: &MapSpec, entries: u32, cpus: u32) -> Result<(), SchemaError> {
    let shown = path.display().to_string();
    let open = |source| SchemaError::Open { path: shown.clone(), source };
    let info = MapInfo::from_pin(path).map_err(open)?;
    let kind = match spec.kind {
        Kind::Block | Kind::PerCpuBlock => MapType::Array,
        Kind::DevMap => MapType::DevMap,
    };
    let found_kind = info.map_type().map_err(open)?;
    let mut differences = Vec::new();
    if found_kind != kind {
        differences.push(format!("type is {found_kind:?}, expected {kind:?}"));
    }
    let (value_size, elements) = spec.shape(entries, cpus);
    let numbers = [
        ("key size", info.key_size(), 4),
        ("value size", info.value_size(), value_size),
        ("number of elements", info.max_entries(), elements),
        ("flags", info.map_flags() & !RDONLY_PROG, spec.flags),
    ];
    for (what, found, expected) in numbers {
        if found != expected {
            differences.push(format!("{what} is {found}, expected {expected}"));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(SchemaError::Different { path: shown, differences: differences.join(", ") })
}
