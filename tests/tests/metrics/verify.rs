//! What `fabricctl verify` finds, as the script of `observability/` leaves it for node_exporter.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use fabric_tests::{
    fabric::{Fabric, PATIENCE, fabricctl, until},
    prometheus::promtool,
};
use fabric_user::metrics::exposition::Exposition;

const LEAF: &str = "leaf01";

/// Runs the script for the leaf: what it has left, and where.
fn run(fabric: &Fabric, arguments: &[&str]) -> (Exposition, PathBuf) {
    let folder = fabric.file("of-node-exporter");
    fs::create_dir_all(&folder).expect("the lab's folder can be written");
    let mut path = OsString::from(fabricctl().parent().expect("it is in a folder"));
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../observability/fabric-verify");
    let mut command = Command::new(script);
    command.args(["--instance", &fabric.lab().instance(LEAF)]).args(arguments);
    command.env("PATH", path).env("TEXTFILE_FOLDER", &folder);
    let status = command.status().expect("the script can be run");
    assert!(status.success(), "{status}");
    let file = folder.join("fabric_verify.prom");
    let text = fs::read_to_string(&file).expect("the script has written it");
    (Exposition::read(&text).expect("it is an exposition"), file)
}

fn status(page: &Exposition) -> Option<f64> {
    page.value("fabric_verify_status", &[])
}

#[test]
fn what_verify_finds_stands_where_node_exporter_reads_it() {
    let fabric = Fabric::pair();
    fabric.acquaint("vm11", "vm21");
    until(PATIENCE, "nothing differs", || status(&run(&fabric, &[]).0) == Some(0.0));
    let (page, file) = run(&fabric, &[]);
    let input = fs::File::open(&file).expect("it was read");
    let (content, said) = promtool(&["check", "metrics"], input.into());
    assert!(content && said.is_empty(), "{said}");
    let before = page.value("fabric_verify_timestamp_seconds", &[]).expect("it says when");

    fabric.run(LEAF, "bridge", "link set dev vxlan10200 learning on");
    let (page, file) = run(&fabric, &[]);
    let said = fs::read_to_string(file.with_extension("txt")).expect("the script has written it");
    assert_eq!(status(&page), Some(1.0), "{said}");
    assert!(said.contains("10200"), "{said}");
    let after = page.value("fabric_verify_timestamp_seconds", &[]).expect("it says when");
    assert!(after >= before && before > 1.7e9, "{before}, {after}");
    let names = fs::read_dir(file.parent().expect("it is in a folder")).expect("it is there");
    assert_eq!(names.count(), 2, "nothing else is left there");

    fabric.run(LEAF, "bridge", "link set dev vxlan10200 learning off");
    let nowhere = fabric.file("no-sockets");
    let nowhere = nowhere.to_str().expect("the lab's folder has a plain name");
    until(PATIENCE, "FRR cannot be asked, and nothing else is wrong", || {
        status(&run(&fabric, &["--frr", nowhere]).0) == Some(3.0)
    });
}
