//! What `fabricctl verify` says of a leaf.

use std::process::Command;

use serde_json::Value;

use super::{Fabric, fabricctl};

/// Its exit status and its document.
#[derive(Debug)]
pub struct Verified {
    /// 0 if nothing differs, 1 if something does, 3 if somebody could not be asked.
    pub status: i32,
    /// See `docs/json.md`.
    pub document: Value,
}

impl Verified {
    /// Runs the command.
    pub(super) fn by(command: &mut Command) -> Self {
        let output = command.output().expect("fabricctl can be run");
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{command:?}: {error}: {}", String::from_utf8_lossy(&output.stderr))
        });
        Self { status: output.status.code().unwrap_or(-1), document }
    }

    /// `kind` and `what` of each difference.
    #[must_use]
    pub fn differences(&self) -> Vec<String> {
        let all = self.document["differences"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        all.map(|one| format!("{} {}", text(&one["kind"]), text(&one["what"]))).collect()
    }

    /// All that is said of the difference about this, in one line.
    #[must_use]
    pub fn said_of(&self, what: &str) -> String {
        let all = self.document["differences"].as_array().into_iter().flatten();
        let one =
            all.into_iter().find(|one| one["what"].as_str().is_some_and(|it| it.contains(what)));
        one.map(ToString::to_string).unwrap_or_default()
    }
}

impl Fabric {
    /// Runs `fabricctl verify` for a leaf, with more arguments.
    ///
    /// # Panics
    /// If it prints no document.
    #[must_use]
    pub fn verify(&self, leaf: &str, arguments: &[&str]) -> Verified {
        let mut command = Command::new(fabricctl());
        command.args(["verify", "--json", "--instance", &self.lab().instance(leaf)]);
        Verified::by(command.args(arguments))
    }
}
