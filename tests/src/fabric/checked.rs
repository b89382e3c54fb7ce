//! What `fabricctl check` says of a fabric.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{Fabric, fabricctl};

/// Its exit status and its document.
#[derive(Debug)]
pub struct Checked {
    /// 0 if nothing has failed, 1 if something has, 3 if somebody could not be asked.
    pub status: i32,
    /// See `docs/json.md`.
    pub document: Value,
}

impl Checked {
    /// Names of the cases that have neither passed nor were skipped, with what is said of them.
    #[must_use]
    pub fn wrong(&self) -> Vec<(String, String)> {
        let cases = self.document["cases"].as_array().into_iter().flatten();
        let wrong =
            cases.filter(|case| case["outcome"] == "failed" || case["outcome"] == "not_asked");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        wrong
            .map(|case| {
                (text(&case["case"]), format!("{}{}", text(&case["actual"]), text(&case["why"])))
            })
            .collect()
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
        let output = command.args(arguments).output().expect("fabricctl can be run");
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Checked { status: output.status.code().unwrap_or(-1), document }
    }

    /// Checks that all cases of the suite of its topology pass.
    ///
    /// # Panics
    /// If one does not.
    #[track_caller]
    pub fn passes(&self, name: &str) {
        let checked = self.check(&suite(name), &[]);
        assert_eq!(checked.wrong(), [], "{name}");
        assert_eq!(checked.status, 0, "{}", checked.document);
    }
}
