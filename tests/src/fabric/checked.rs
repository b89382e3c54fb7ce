//! What `fabricctl check` says of a fabric.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use fabric_user::lab::{Topology, topology::End};
use serde_json::Value;

use super::{Fabric, fabricctl};
use crate::sshd::{self, Sshd};

/// Its exit status and its document.
#[derive(Debug)]
pub struct Checked {
    /// 0 if nothing has failed, 1 if something has, 3 if somebody could not be asked.
    pub status: i32,
    /// See `docs/json.md`.
    pub document: Value,
}

impl Checked {
    fn of(command: &mut Command) -> Self {
        let output = command.output().expect("fabricctl can be run");
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Self { status: output.status.code().unwrap_or(-1), document }
    }

    /// Names of the cases that have neither passed nor were skipped, with what is said of them.
    #[must_use]
    pub fn wrong(&self) -> Vec<(String, String)> {
        self.cases(|outcome| outcome == "failed" || outcome == "not_asked")
    }

    /// The same of those that were skipped.
    #[must_use]
    pub fn skipped(&self) -> Vec<(String, String)> {
        self.cases(|outcome| outcome == "skipped")
    }

    fn cases(&self, is_meant: impl Fn(&Value) -> bool) -> Vec<(String, String)> {
        let cases = self.document["cases"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let said = |case: &Value| {
            (text(&case["case"]), format!("{}{}", text(&case["actual"]), text(&case["why"])))
        };
        cases.filter(|case| is_meant(&case["outcome"])).map(said).collect()
    }
}

/// The suite of a topology of the repository.
#[must_use]
pub fn suite(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies").join(format!("{name}.check.toml"))
}

impl Fabric {
    /// Runs `fabricctl check` for this fabric's lab, with more arguments.
    ///
    /// # Panics
    /// If it prints no document.
    #[must_use]
    pub fn check(&self, suite: &Path, arguments: &[&str]) -> Checked {
        let mut command = Command::new(fabricctl());
        command.arg("check").arg(suite).args(["--json", "--lab", self.lab().name()]);
        Checked::of(command.args(arguments))
    }

    /// Checks that all cases of the suite of its topology pass: over ssh, as with boxes that are no lab, where there is an
    /// ssh and the lab is as it is drawn. What nobody does to such boxes is checked in the lab.
    ///
    /// # Panics
    /// If one does not.
    #[track_caller]
    pub fn passes(&self, name: &str) {
        let suite = suite(name);
        if !sshd::is_there() || !self.is_as_drawn(&suite) {
            return self.passes_here(name);
        }
        let sshd = Sshd::of(self.lab().name());
        let checked = sshd.check(&sshd.suite(self, &suite), &[]);
        let skipped = checked.skipped();
        passed(name, &checked);
        if !skipped.is_empty() {
            let only = skipped.iter().flat_map(|(case, _)| ["--only", case.as_str()]);
            passed(name, &self.check(&suite, &only.collect::<Vec<&str>>()));
        }
    }

    /// Checks the same in the lab alone.
    ///
    /// # Panics
    /// As [`Self::passes`].
    #[track_caller]
    pub fn passes_here(&self, name: &str) {
        passed(name, &self.check(&suite(name), &[]));
    }

    /// Whether hosts are plugged in as the picture says: they have moved, or the kernel makes no bonds, if not.
    fn is_as_drawn(&self, suite: &Path) -> bool {
        let path = suite.to_string_lossy();
        let path = Path::new(path.trim_end_matches(".check.toml"));
        let drawn = Topology::load(path).expect("the repository's topologies can be loaded");
        let now = self.lab().current_topology().expect("the lab is up");
        let cables = |topology: &Topology| -> Vec<Vec<[End; 2]>> {
            let hosts = topology.hosts.iter();
            hosts.map(|host| host.cables().map(|ends| ends.map(Clone::clone)).collect()).collect()
        };
        cables(&drawn) == cables(&now)
    }
}

#[track_caller]
fn passed(name: &str, checked: &Checked) {
    assert_eq!(checked.wrong(), [], "{name}");
    assert_eq!(checked.status, 0, "{}", checked.document);
}

impl Sshd {
    /// A copy of a suite for boxes, in which nodes of a lab have their instances; its topology is the one beside the
    /// original.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn suite(&self, fabric: &Fabric, suite: &Path) -> PathBuf {
        let mut text = fs::read_to_string(suite).expect("it is there");
        let (before, rest) = text.split_once("\ntopology = \"").expect("it names its topology");
        let (topology, rest) = rest.split_once('"').expect("it ends");
        let topology = suite.with_file_name(topology).canonicalize().expect("it is there");
        text = format!("{before}\ntopology = {topology:?}{rest}");
        let nodes = fabric.lab().topology().switches.iter().filter(|it| it.fabric_xdpd);
        for node in nodes.map(|it| &it.name) {
            let instance = fabric.lab().instance(node);
            text.push_str(&format!("\n[devices.{node}]\ninstance = \"{instance}\"\n"));
        }
        let name = suite.file_name().expect("it has a name");
        let path = self.folder().join(name);
        fs::write(&path, text).expect("it can be written");
        path
    }

    /// Runs `fabricctl check` over ssh, with more arguments.
    ///
    /// # Panics
    /// If it prints no document.
    #[must_use]
    pub fn check(&self, suite: &Path, arguments: &[&str]) -> Checked {
        let mut command = Command::new(fabricctl());
        command.arg("check").arg(suite).args(["--json", "--ssh", "--ssh-config"]);
        Checked::of(command.arg(self.config()).args(arguments))
    }
}
