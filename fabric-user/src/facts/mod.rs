//! What one box knows: one typed collection, live or from a file.
//!
//! Whatever compares, checks or shows more than one of FRR, the kernel and the maps reads this and nothing else, so that
//! it says the same of a running box and of what was kept of one.

mod arrived;
mod carrier;
mod collect;
pub mod counted;
pub mod held;
mod offload;

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    daemon::{premises::Premises, state::State},
    frr::facts::Frr,
    observe::Event,
};
pub use arrived::{Arrived, Received};
pub(crate) use collect::collect;
use counted::Counted;
use held::Held;
pub use offload::Offload;

/// Number of what a file of facts has. It changes with what would break who reads them.
pub const SCHEMA: u32 = 1;

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Milliseconds since 1970.
    pub taken_ms: u64,
    /// The box's name.
    pub host: String,
    /// The network namespace, if it is another one than that of who asked.
    pub namespace: Option<String>,
    /// The kernel's release.
    pub kernel: String,
    /// The version of Fabric that asked.
    pub version: String,
    /// The kernel's tables, as it tells them: links first.
    pub network: Vec<Event>,
    /// What is switched on of [`Offload`] at physical and virtual ports, by name.
    #[serde(default)]
    pub offloads: BTreeMap<String, Vec<Offload>>,
    /// How often each interface has lost its carrier since it was made, by name.
    #[serde(default)]
    pub carrier_losses: BTreeMap<String, u32>,
    /// What FRR knows, if it is there.
    pub frr: Option<Frr>,
    /// What Fabric knows, if it is there.
    pub fabric: Option<Fabric>,
    /// What could not be asked, and why: sentences.
    pub missing: Vec<String>,
}

/// What Fabric knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fabric {
    /// The instance.
    pub instance: String,
    /// Process of the daemon, if it runs.
    pub daemon: Option<u32>,
    /// Milliseconds for which it has been running, if it runs.
    #[serde(default)]
    pub running_ms: Option<u64>,
    /// Somebody has stopped it, as by SIGSTOP.
    pub suspended: bool,
    /// The daemon's last word.
    pub state: Option<State>,
    /// What it goes by beside the kernel's tables.
    pub premises: Option<Premises>,
    /// Milliseconds until the programs leave everything to the kernel, negative since; none if there never was a
    /// heartbeat.
    pub heartbeat_ms: Option<i64>,
    /// Everything is left to the kernel by request.
    pub bypass: bool,
    /// The kernel's timer frequency.
    pub hz: u32,
    /// What the maps hold.
    pub held: Held,
    /// What they have counted.
    pub counted: Counted,
    /// What drivers that run programs have counted meanwhile, by port.
    #[serde(default)]
    pub arrived: BTreeMap<String, Arrived>,
    /// How full they are, by map.
    #[serde(default)]
    pub room: BTreeMap<String, Room>,
}

/// How full a map is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Entries in use.
    pub used: u64,
    /// Entries that there may be.
    pub entries: u64,
}

/// Why facts cannot be read from a file.
#[derive(Debug, Error)]
pub enum FactsError {
    /// It cannot be read.
    #[error("cannot read the facts {0}: {1}")]
    Read(String, #[source] io::Error),
    /// It holds something else.
    #[error("{0} holds no facts: {1}; `fabricctl facts --json` writes them")]
    Form(String, #[source] serde_json::Error),
    /// It was written by another version.
    #[error(
        "{path} has facts of schema {theirs}, and this fabricctl knows {SCHEMA}; use the version that wrote them"
    )]
    Schema {
        /// The file.
        path: String,
        /// Its number.
        theirs: u32,
    },
}

impl Facts {
    /// Reads what `fabricctl facts --json` has written.
    ///
    /// # Errors
    /// If it cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Self, FactsError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let name = || path.display().to_string();
        let bytes = fs::read(path).map_err(|error| FactsError::Read(name(), error))?;
        let form = |error| FactsError::Form(name(), error);
        let Head { schema } = serde_json::from_slice(&bytes).map_err(form)?;
        if schema != SCHEMA {
            return Err(FactsError::Schema { path: name(), theirs: schema });
        }
        serde_json::from_slice(&bytes).map_err(form)
    }
}
