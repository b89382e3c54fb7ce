//! Who does not say anything has not failed.

use std::{fs, process::Command};

use fabric_tests::{
    fabric::{Fabric, fabricctl, suite},
    sshd::Sshd,
};
use serde_json::Value;

/// In place of sudo: it lets run what `--commands` prints for nodes, and says of all else what sudo 1.9 does with `-n` if
/// it would ask for a password.
const SUDO: &str = "#!/bin/sh
[ \"$1\" = -n ] || exit 9
shift
[ \"$1\" = fabricctl ] && exec \"$@\"
echo 'sudo: a password is required' >&2
exit 1
";

pub(super) fn what_sudo_refuses_could_not_be_asked(fabric: &Fabric, sshd: &Sshd) {
    sshd.has("sudo", SUDO);
    let path = sshd.suite(fabric, &suite("pair"));
    let text = fs::read_to_string(&path).expect("it is there");
    let text = text.replace("[devices.leaf01]\n", "[devices.leaf01]\nsudo = true\n");
    fs::write(&path, format!("{text}\n[devices.vm11]\nsudo = true\n")).expect("it can be written");
    let checked = sshd.check(&path, &["--only", "verify leaf01", "--only", "gateway vm11*"]);
    let why = "vm11: sudo: a password is required; `fabricctl check --commands` prints what sudo has to allow";
    assert_eq!(checked.wrong(), [("gateway vm11 (10.200.0.1)".to_owned(), why.to_owned())]);
    let counts = ["passed", "failed"].map(|it| checked.document[it].as_u64());
    assert_eq!((checked.status, counts), (3, [Some(1), Some(0)]));
}

pub(super) fn nobody_can_be_reached_without_a_connection(fabric: &Fabric, sshd: &Sshd) {
    let path = sshd.suite(fabric, &suite("pair"));
    let mut command = Command::new(fabricctl());
    command.arg("check").arg(path).args(["--json", "--ssh", "--ssh-config", "/dev/null"]);
    let output = command.output().expect("fabricctl can be run");
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let counts = ["passed", "failed"].map(|it| document[it].as_u64());
    assert_eq!((output.status.code(), counts), (Some(3), [Some(0), Some(0)]));
}
