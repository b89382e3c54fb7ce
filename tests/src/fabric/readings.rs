//! Facts of a lab's boxes, kept in files and compared with each other.

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;

use super::{Fabric, Verified, fabricctl};

/// Facts, in the order in which they were taken. Their files go with it.
#[derive(Debug)]
pub struct Readings<'a> {
    fabric: &'a Fabric,
    folder: PathBuf,
    files: Vec<PathBuf>,
    /// When the counters of the newest reading had been read, in milliseconds since 1970; 0 before any.
    counted_ms: u64,
}

/// Milliseconds by which `fabricctl verify` lets clocks of two boxes differ.
const SLACK_MS: u64 = 100;

impl<'a> Readings<'a> {
    /// Facts of these nodes.
    ///
    /// # Panics
    /// As [`Self::take`].
    #[must_use]
    pub fn of(fabric: &'a Fabric, nodes: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("{}-facts", fabric.lab().name()));
        fs::create_dir(&folder).expect("readings are taken one after the other");
        let mut this = Self { fabric, folder, files: Vec::new(), counted_ms: 0 };
        for node in nodes {
            this.take(node);
        }
        this
    }

    /// Takes facts of a node, and gives them back as well: such whose counters were read so long after those of the readings
    /// before that clocks of two boxes could differ and all the same it was later.
    ///
    /// # Panics
    /// If they cannot be taken.
    pub fn take(&mut self, node: &str) -> Value {
        let read = |facts: &Value, at: usize| facts["fabric"]["counted"]["read_ms"][at].as_u64();
        let facts = loop {
            let facts = self.facts(node);
            let start = read(&facts, 0);
            if start.is_none_or(|start| self.counted_ms + SLACK_MS <= start) {
                break facts;
            }
        };
        self.counted_ms = read(&facts, 1).unwrap_or(self.counted_ms);
        self.keep(&facts);
        facts
    }

    fn facts(&self, node: &str) -> Value {
        let mut command = Command::new(fabricctl());
        let instance = self.fabric.lab().instance(node);
        let output = command.args(["facts", "--json", "--instance", &instance]).output();
        let output = output.expect("fabricctl can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        let facts = serde_json::from_slice(&output.stdout);
        facts.unwrap_or_else(|error| panic!("{node}: {error}: {said}"))
    }

    /// Adds facts that were taken elsewhere, or made up.
    ///
    /// # Panics
    /// If there is no room for them.
    pub fn keep(&mut self, facts: &Value) {
        let file = self.folder.join(format!("{}.json", self.files.len()));
        fs::write(&file, facts.to_string()).expect("facts can be written");
        self.files.push(file);
    }

    /// What `fabricctl verify` says of all of them.
    ///
    /// # Panics
    /// If it prints no document.
    #[must_use]
    pub fn verify(&self) -> Verified {
        let mut command = Command::new(fabricctl());
        command.args(["verify", "--json"]);
        command.args(self.files.iter().flat_map(|file| ["--facts".as_ref(), file.as_os_str()]));
        Verified::by(&mut command)
    }
}

impl Drop for Readings<'_> {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.folder);
    }
}
