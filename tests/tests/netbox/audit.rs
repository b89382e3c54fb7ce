//! `fabricctl audit` as people run it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use fabric_tests::fabric::{fabricctl, own_folder};
use serde_json::Value;

use crate::data;

/// Files of a test, which go with this value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        Self(own_folder(name))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("it can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// What an audit said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) error: String,
    document: Value,
    pub(crate) took: Duration,
}

impl Said {
    /// Identifiers of its findings.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let Some(findings) = self.document["findings"].as_array() else { panic!("{}", self.error) };
        findings.iter().map(|finding| finding["id"].as_str().expect("it has one")).collect()
    }

    /// What it could not ask.
    pub(crate) fn not_asked(&self) -> Vec<&str> {
        let sentences = self.document["not_asked"].as_array().expect("there is a list");
        sentences.iter().map(|sentence| sentence.as_str().expect("it is one")).collect()
    }

    /// NetBox's prefixes that it has compared.
    pub(crate) fn prefixes(&self) -> u64 {
        self.document["compared"]["prefixes"].as_u64().expect("it is a number")
    }
}

/// Audits both leafs.
pub(crate) fn audit(folder: &Folder, token: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new(fabricctl());
    command.args(["audit", "--json"]).args(arguments).env("NETBOX_TOKEN", token);
    for (name, facts) in data::leafs() {
        let text = serde_json::to_string(&facts).expect("facts are JSON");
        command.arg("--facts").arg(folder.write(&format!("{name}.json"), &text));
    }
    let start = Instant::now();
    let output = command.output().expect("fabricctl can be run");
    let took = start.elapsed();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let document = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Said { code: output.status.code(), error, document, took }
}

/// An authority of one's own, and a certificate for this machine that it has signed: `ca.pem`, `server.pem`, `server.key`.
pub(crate) fn make_certificates(folder: &Folder) {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(folder.path("."));
        let output = command.output().expect("openssl can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ours"));
    openssl(&format!(
        "req -x509 {key} -keyout server.key -out server.pem -days 2 -subj /CN=netbox -CA ca.pem \
         -CAkey ca.key -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=CA:FALSE"
    ));
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("it is text")
}
