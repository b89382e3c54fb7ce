//! What a running lab consists of, on disk, so that any later command finds it and can take it
//! down, also after a crash: `/run/fabric/lab/NAME/`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::error::LabError;
use super::process::Process;
use super::topology::Topology;

/// Where labs keep their state.
const FOLDER: &str = "/run/fabric/lab";
const STATE: &str = "state.json";

/// The record of a lab. It is written before anything is made, so it may name things that do not
/// exist yet or any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Base name of the topology's files, of which copies lie beside this record.
    pub topology: String,
    /// True when everything was made; false while `up` works or after it crashed.
    pub complete: bool,
    /// Network namespaces by node.
    pub namespaces: BTreeMap<String, String>,
    /// Names of fabric-xdpd's instances by node, where it should run.
    pub instances: BTreeMap<String, String>,
    /// fabric-xdpd's processes by node.
    pub fabric_xdpd: BTreeMap<String, Process>,
    /// Where hosts are plugged in, by host.
    pub places: BTreeMap<String, Place>,
    /// Index of the next port to make: no two ports of a lab have the same.
    pub next_index: u32,
    /// Why the kernel makes no bonds, if there should have been some.
    pub no_bonds: Option<String>,
}

/// Where a host is plugged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The switch.
    pub switch: String,
    /// The switch's port.
    pub port: String,
    /// The host's interface.
    pub interface: String,
}

/// The folder of a lab, locked against other commands that change the lab.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    lab: String,
    _lock: Option<Lock>,
}

/// A lock that is let go at once: a program that another thread is just starting has a copy of the
/// file until it runs, and would keep the lock as long.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // It fails only for what is no open file.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Whether a name can name a lab: it becomes part of namespace and folder names.
pub fn check_name(name: &str) -> Result<(), LabError> {
    let legal = (1..=32).contains(&name.len())
        && !name.starts_with('-')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if legal { Ok(()) } else { Err(LabError::Name(name.to_owned())) }
}

/// Names of all labs that have a record.
pub fn labs() -> Vec<String> {
    let Ok(folder) = fs::read_dir(FOLDER) else {
        return Vec::new();
    };
    let mut names: Vec<String> = folder
        .filter_map(|entry| {
            let entry = entry.ok()?;
            entry.path().join(STATE).is_file().then(|| entry.file_name().into_string().ok())?
        })
        .collect();
    names.sort();
    names
}

impl StateFolder {
    /// Makes the folder of a new lab and locks it.
    pub fn create(lab: &str) -> Result<Self, LabError> {
        check_name(lab)?;
        let path = Path::new(FOLDER).join(lab);
        fs::create_dir_all(&path).map_err(LabError::file("create", &path))?;
        let folder = Self::lock(lab, path)?;
        if folder.path.join(STATE).exists() {
            return Err(LabError::AlreadyUp(lab.to_owned()));
        }
        Ok(folder)
    }

    /// The folder of a lab that is up, locked for a change.
    pub fn open(lab: &str) -> Result<Self, LabError> {
        let read_only = Self::read_only(lab)?;
        let folder = Self::lock(lab, read_only.path)?;
        // The command that held the lock may have taken the lab down.
        if !folder.path.join(STATE).is_file() {
            return Err(LabError::NotUp(lab.to_owned()));
        }
        Ok(folder)
    }

    /// The folder of a lab that is up, for reading.
    pub fn read_only(lab: &str) -> Result<Self, LabError> {
        check_name(lab)?;
        let path = Path::new(FOLDER).join(lab);
        if !path.join(STATE).is_file() {
            return Err(LabError::NotUp(lab.to_owned()));
        }
        Ok(Self { path, lab: lab.to_owned(), _lock: None })
    }

    fn lock(lab: &str, path: PathBuf) -> Result<Self, LabError> {
        let busy = || LabError::Busy(lab.to_owned());
        let file = File::open(&path).map_err(LabError::file("open", &path))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| busy())?;
        let lock = Lock(file);
        // The folder may have been removed, and made anew, between opening and locking.
        let same = fs::metadata(&path).is_ok_and(|now| {
            lock.0.metadata().is_ok_and(|then| (then.dev(), then.ino()) == (now.dev(), now.ino()))
        });
        if !same {
            return Err(busy());
        }
        Ok(Self { path, lab: lab.to_owned(), _lock: Some(lock) })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Name of the lab.
    pub fn lab(&self) -> &str {
        &self.lab
    }

    /// Writes the record: a reader sees the old one or the new one, never half of one.
    pub fn save(&self, state: &State) -> Result<(), LabError> {
        let (path, new) = (self.path.join(STATE), self.path.join("state.json.new"));
        let text = serde_json::to_string_pretty(state)
            .map_err(|error| LabError::State { path: path.clone(), message: error.to_string() })?;
        fs::write(&new, text).map_err(LabError::file("write", &new))?;
        fs::rename(&new, &path).map_err(LabError::file("write", &path))
    }

    /// Reads the record.
    pub fn load(&self) -> Result<State, LabError> {
        let path = self.path.join(STATE);
        let text = fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
        serde_json::from_str(&text)
            .map_err(|error| LabError::State { path, message: error.to_string() })
    }

    /// Copies the topology, so that a change of the user's files does not confuse a running lab.
    pub fn save_topology(&self, topology: &Topology) -> Result<(), LabError> {
        let inventory = format!("{}.toml", topology.name);
        for (file, text) in [
            (&topology.picture_file, &topology.picture_text),
            (&inventory, &topology.inventory_text),
        ] {
            let path = self.path.join(file);
            fs::write(&path, text).map_err(LabError::file("write", &path))?;
        }
        Ok(())
    }

    /// Reads the copy of the topology, as far as it was made.
    pub fn load_topology(&self, state: &State) -> Result<Topology, LabError> {
        let topology = Topology::load(&self.path.join(&state.topology))?;
        Ok(match &state.no_bonds {
            Some(why) => topology.without_bonds(why),
            None => topology,
        })
    }

    /// Removes the folder, and the folders above it when they are empty.
    pub fn remove(self) -> Result<(), LabError> {
        fs::remove_dir_all(&self.path).map_err(LabError::file("remove", &self.path))?;
        // Other labs and daemons may use these; then they stay.
        let _ = fs::remove_dir(FOLDER).and_then(|()| fs::remove_dir("/run/fabric"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_let_go_although_somebody_has_a_copy_of_the_file() {
        let path = std::env::temp_dir().join(format!("fabric-lock-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder can be made");
        let folder = StateFolder::lock("copy", path.clone()).expect("nobody has it");
        let copy = folder._lock.as_ref().map(|lock| lock.0.try_clone().expect("it can be copied"));
        assert!(matches!(StateFolder::lock("copy", path.clone()), Err(LabError::Busy(_))));
        drop(folder);
        assert!(StateFolder::lock("copy", path.clone()).is_ok());
        drop(copy);
        fs::remove_dir(&path).expect("it is empty");
    }

    #[test]
    fn names_that_would_leave_their_folder_are_refused() {
        for name in ["", "..", "a/b", "-n", "a b", &"x".repeat(33)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("two-sites_2").is_ok());
    }
}
