//! What the daemon goes by beside the kernel's tables, in a file: with it others come to the same conclusions.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::run_file::{self, RunFileError};
use crate::{model::Policy, settings::Settings};

/// For root alone, as the socket: the seed of the flow hash is in it.
const MODE: u32 = 0o600;

/// The content of `/run/fabric/INSTANCE.premises.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Premises {
    /// What the operator has set.
    pub settings: Settings,
    /// What the operator allows, and facts that are not in the kernel's tables.
    pub policy: Policy,
    /// vxlan devices that sent and heard in another VRF when they came up than now ([`crate::model::Network::strayed`]).
    pub strayed: BTreeSet<u32>,
    /// Whether the other end of a veth takes what programs send, where it was let look: who asks may see more, or less.
    pub veth_peers: BTreeMap<u32, bool>,
}

impl Premises {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Path as Way, SourceQuestion};

    #[test]
    fn what_is_read_is_what_was_written_with_every_kind_of_key() {
        let way = Way { mtu: Some(1400), learned: true, ifindex: 3, gateway: None };
        let remote = [10, 0, 0, 2].into();
        let question = SourceQuestion { remote, port: Some(4789), over: None };
        let source = crate::observe::Source { address: remote, ifindex: 3, gateway: None };
        let policy = Policy {
            unusable: [(7, "the driver cannot".into())].into(),
            learned: [((Some(4), remote), way), ((None, remote), way)].into(),
            sources: [(question, source)].into(),
            ..Policy::default()
        };
        let premises = Premises {
            policy,
            strayed: [9].into(),
            veth_peers: [(3, true)].into(),
            ..Premises::default()
        };
        let path = std::env::temp_dir().join(format!("fabric-premises-{}", std::process::id()));
        premises.write(&path).unwrap();
        let read = Premises::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read, Some(premises));
    }
}
