//! What only the daemon knows, in a file for `fabricctl status`, so that the last word is there
//! even when the daemon is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    Liveness,
    run_file::{self, RunFileError},
};

/// For whoever may read the folder: `fabricctl status` shows nothing else.
const MODE: u32 = 0o666;

/// The content of `/run/fabric/INSTANCE.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Process of the daemon.
    pub pid: u32,
    /// Seconds since 1970 at which this was written.
    pub written: u64,
    /// True between a complete dump and the next lost message.
    pub synced: bool,
    /// Full comparisons so far.
    pub audits: u64,
    /// Entries that audits had to correct.
    pub audit_corrections: u64,
    /// How often the kernel dropped messages.
    pub resyncs: u64,
    /// Why nothing is applied at this moment; it is tried again.
    #[serde(default)]
    pub trouble: Option<String>,
    /// Everything was taken off by request.
    #[serde(default)]
    pub detached: bool,
    /// Interfaces that are not accelerated, with the reason, by name.
    pub declined: BTreeMap<String, String>,
    /// Those of them that the operator has left to the kernel, by the settings or by request.
    #[serde(default)]
    pub chosen: BTreeSet<String>,
    /// Why ports are accelerated in part only, by name.
    #[serde(default)]
    pub partly: BTreeMap<String, Vec<String>>,
    /// Why interfaces that could be ports are none, as far as somebody would expect it of them, by name.
    #[serde(default)]
    pub left: BTreeMap<String, Vec<String>>,
    /// What is left to the kernel, as sentences.
    pub problems: Vec<String>,
    /// What an operator should know although nothing is left to the kernel for it, as sentences.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Underlay neighbours that the kernel has not resolved.
    pub unresolved: Vec<String>,
    /// 64-bit stores into the maps so far, without those of `liveness`.
    #[serde(default)]
    pub writes: u64,
    /// What link events led to.
    #[serde(default)]
    pub liveness: Liveness,
}

impl State {
    /// Replaces the file in one step.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        run_file::write(path, MODE, self)
    }

    /// Reads the file; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read or understood.
    pub fn read(path: &Path) -> Result<Option<Self>, RunFileError> {
        run_file::read(path)
    }
}
