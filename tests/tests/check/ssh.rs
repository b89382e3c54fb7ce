//! The same over ssh, to a real sshd in each node's namespace.

use std::{fs, path::PathBuf, process::Command};

use fabric_tests::{
    fabric::{Fabric, fabricctl, suite},
    sshd::Sshd,
};
use serde_json::Value;

/// Copies of fabricctl in the folder that `mktemp` takes over there, which is here as well.
fn brought() -> Vec<PathBuf> {
    let entries = fs::read_dir(std::env::temp_dir()).expect("it is there");
    let copies = entries.filter_map(|it| Some(it.ok()?.path().join("fabricctl")));
    copies.filter(|it| it.is_file()).collect()
}

#[test]
fn a_suite_passes_over_ssh_as_it_does_in_the_lab_and_leaves_no_connection() {
    let fabric = Fabric::pair();
    let sshd = Sshd::of(fabric.lab().name());
    let path = sshd.folder().join("pair.check.toml");
    let topology = suite("pair").with_file_name("pair.dot").canonicalize().expect("it is there");
    let text = fs::read_to_string(suite("pair")).expect("it is there");
    let mut text = text.replace("\"pair.dot\"", &format!("{topology:?}"));
    for node in ["leaf01", "leaf02", "spine01", "spine02"] {
        let instance = fabric.lab().instance(node);
        // As if the spines had no fabricctl.
        let brings = node.starts_with("spine");
        text.push_str(&format!(
            "\n[devices.{node}]\ninstance = \"{instance}\"\nbring = {brings}\n"
        ));
    }
    fs::write(&path, text).expect("it can be written");
    let check = |config: &str| {
        let mut command = Command::new(fabricctl());
        command.arg("check").arg(&path).args(["--json", "--ssh", "--ssh-config", config]);
        let output = command.output().expect("fabricctl can be run");
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code(), document)
    };
    let (status, document) = check(sshd.config().to_str().expect("it is text"));
    let cases = document["cases"].as_array().expect("there are cases");
    let wrong: Vec<&Value> = cases.iter().filter(|it| it["outcome"] != "passed").collect();
    assert_eq!(wrong, Vec::<&Value>::new());
    assert_eq!(status, Some(0));
    let mut nodes: Vec<&str> = fabric.lab().topology().node_names().collect();
    nodes.sort_unstable();
    assert_eq!(sshd.connections(), nodes, "one connection to each");
    let left = Command::new("pgrep").arg("-f").arg(sshd.config()).output().expect("pgrep");
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "connections go with the command");
    assert_eq!(brought(), Vec::<PathBuf>::new(), "so does what was brought");

    // Nobody can be reached: nothing has failed, and nothing has passed.
    let (status, document) = check("/dev/null");
    assert_eq!((status, &document["passed"], &document["failed"]), (Some(3), &0.into(), &0.into()));
}
