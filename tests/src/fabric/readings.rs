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
}

impl<'a> Readings<'a> {
    /// Facts of these nodes.
    ///
    /// # Panics
    /// As [`Self::take`].
    #[must_use]
    pub fn of(fabric: &'a Fabric, nodes: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("{}-facts", fabric.lab().name()));
        fs::create_dir(&folder).expect("readings are taken one after the other");
        let mut this = Self { fabric, folder, files: Vec::new() };
        for node in nodes {
            this.take(node);
        }
        this
    }

    /// Takes facts of a node, and gives them back as well.
    ///
    /// # Panics
    /// If they cannot be taken.
    pub fn take(&mut self, node: &str) -> Value {
        let mut command = Command::new(fabricctl());
        let instance = self.fabric.lab().instance(node);
        let output = command.args(["facts", "--json", "--instance", &instance]).output();
        let output = output.expect("fabricctl can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        let facts = serde_json::from_slice(&output.stdout);
        let facts = facts.unwrap_or_else(|error| panic!("{node}: {error}: {said}"));
        self.keep(&facts);
        facts
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
