//! `bring = true`: boxes that have no fabricctl.

use std::{fs, path::PathBuf, process::Command};

use fabric_tests::{
    fabric::{Fabric, suite},
    sshd::Sshd,
};

/// Copies of fabricctl in the folder that `mktemp` takes over there, which is here as well.
fn brought() -> Vec<PathBuf> {
    let entries = fs::read_dir(std::env::temp_dir()).expect("it is there");
    let copies = entries.filter_map(|it| Some(it.ok()?.path().join("fabricctl")));
    copies.filter(|it| it.is_file()).collect()
}

pub(super) fn boxes_without_fabricctl_are_brought_it_and_nothing_is_left(
    fabric: &Fabric,
    sshd: &Sshd,
) {
    let spines = ["spine01", "spine02"];
    spines.iter().for_each(|spine| sshd.lacks_fabric(spine));
    let path = sshd.suite(fabric, &suite("pair"));
    let checked = sshd.check(&path, &["--only", "verify *"]);
    let lacks = "it has no fabricctl, which collects facts; `bring = true` in its table brings it";
    let wrong = spines.map(|it| (format!("verify {it}"), format!("{it}: {lacks}")));
    assert_eq!((checked.wrong(), checked.status), (wrong.into(), 3));

    let mut text = fs::read_to_string(&path).expect("it is there");
    for spine in spines {
        let table = format!("[devices.{spine}]\n");
        text = text.replace(&table, &format!("{table}bring = true\n"));
    }
    fs::write(&path, text).expect("it can be written");
    let _before = sshd.connections();
    let checked = sshd.check(&path, &[]);
    assert_eq!((checked.wrong(), checked.skipped(), checked.status), (vec![], vec![], 0));
    let mut nodes: Vec<&str> = fabric.lab().topology().node_names().collect();
    nodes.sort_unstable();
    assert_eq!(sshd.connections(), nodes, "one connection to each");
    let left = Command::new("pgrep").arg("-f").arg(sshd.config()).output().expect("pgrep");
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "connections go with the command");
    assert_eq!(brought(), Vec::<PathBuf>::new(), "so does what was brought");
}
