//! JUnit, evidence and what is said of a suite that is wrong, by the command itself.

use std::{collections::BTreeSet, fs, process::Command};

use fabric_tests::fabric::{Fabric, fabricctl, own_folder, suite};

#[test]
fn evidence_of_a_lab_is_judged_again_as_it_was_and_junit_names_every_case_once() {
    let fabric = Fabric::pair();
    fabric.bypass("leaf01", true);
    let folder = own_folder("check-evidence");
    let (junit, evidence) = (folder.join("junit.xml"), folder.join("evidence"));
    let [junit_path, evidence_path] =
        [&junit, &evidence].map(|path| path.to_str().expect("it is text"));
    let only = ["--only", "daemon*", "--only", "bgp*", "--only", "gateway*"];
    let kept = [&only[..], &["--junit", junit_path, "--evidence", evidence_path]].concat();
    let then = fabric.check(&suite("pair"), &kept);
    assert_eq!(then.wrong(), [("daemon leaf01".to_owned(), "the bypass is on".to_owned())]);
    assert_eq!(then.status, 1);
    drop(fabric);

    let mut replay = Command::new(fabricctl());
    replay.arg("check").arg(suite("pair")).args(["--json", "--replay", evidence_path]).args(only);
    let replayed = replay.output().expect("fabricctl can be run");
    let text = fs::read_to_string(&junit).expect("it was written");
    fs::remove_dir_all(&folder).expect("it can be removed");
    let document: serde_json::Value = serde_json::from_slice(&replayed.stdout).expect("it is JSON");
    assert_eq!(document["cases"], then.document["cases"]);
    assert_eq!(replayed.status.code(), Some(1));
    let read = quick_junit::Report::deserialize_from_str(&text).expect("it is JUnit");
    let [suite] = &read.test_suites[..] else { panic!("there is one suite: {text}") };
    let names: BTreeSet<&str> = suite.test_cases.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.len(), then.document["cases"].as_array().map_or(0, Vec::len), "{text}");
    assert_eq!((suite.tests, suite.failures, suite.errors), (names.len(), 1, 0), "{text}");
}

#[test]
fn a_suite_that_is_wrong_is_refused_before_anybody_is_asked() {
    let folder = own_folder("check-wrong");
    let path = folder.join("pair.check.toml");
    let refused = |text: &str| {
        let topology =
            suite("pair").with_file_name("pair.dot").canonicalize().expect("it is there");
        fs::write(&path, format!("topology = {topology:?}\n{text}")).expect("it can be written");
        let mut command = Command::new(fabricctl());
        let output = command.arg("check").arg(&path).output().expect("fabricctl can be run");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, said) = refused("[[bgp]]\nwihtin = \"3s\"\n");
    assert!(said.contains("pair.check.toml:3:1: unknown field `wihtin`"), "{said}");
    assert_eq!(status, Some(2));
    let (status, said) = refused("[[bgp]\n");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("pair.check.toml:2:"), "{said}");
    fs::remove_dir_all(&folder).expect("it can be removed");
}

#[test]
fn kinds_are_explained_and_suites_written_without_a_lab() {
    let run = |arguments: &[&str]| {
        let output = Command::new(fabricctl())
            .arg("check")
            .args(arguments)
            .output()
            .expect("fabricctl can be run");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (status, kinds) = run(&["--explain"]);
    assert!(status == Some(0) && kinds.contains("\nreach "), "{kinds}");
    let (_, reach) = run(&["--explain", "reach"]);
    assert!(reach.contains("  expect ") && reach.contains("[[reach]]"), "{reach}");
    assert_eq!(run(&["--explain", "nothing"]).0, Some(2));
    let topology = suite("pair").with_file_name("pair.dot");
    let (status, written) = run(&["new", topology.to_str().expect("it is text"), "--output", "-"]);
    assert!(status == Some(0) && written.contains("[[vteps]]"), "{written}");
}
