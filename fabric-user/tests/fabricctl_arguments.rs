//! What fabricctl answers to its arguments, before it looks at anything in the kernel: these tests
//! need no root.

use std::{
    fs,
    io::pipe,
    process::{Command, Output},
};

fn fabricctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fabricctl"))
        .args(arguments)
        .env_remove("FABRIC_INSTANCE")
        .output()
        .expect("fabricctl starts")
}

fn refused(arguments: &[&str]) -> String {
    let output = fabricctl(arguments);
    assert!(!output.status.success(), "{arguments:?} should be refused");
    assert!(output.stdout.is_empty(), "nothing but the error is said to {arguments:?}");
    String::from_utf8(output.stderr).expect("messages are text")
}

#[test]
fn help_names_every_command() {
    let output = fabricctl(&["--help"]);
    let help = String::from_utf8(output.stdout).expect("help is text");
    for command in ["status", "maps", "lookup", "counters", "attach", "detach", "bypass", "lab"] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(command)),
            "{command} in {help}"
        );
    }
}

#[test]
fn detach_without_a_port_asks_for_one_and_never_takes_everything_off() {
    let message = refused(&["detach"]);
    assert!(message.contains("<PORTS>"), "{message}");
    refused(&["detach", "--all", "swp1"]);
}

#[test]
fn an_interval_of_no_length_is_refused_with_the_range_that_is_right() {
    for interval in ["0", "-1", "nonsense", "NaN"] {
        let message = refused(&["counters", &format!("--watch={interval}")]);
        assert!(message.contains("from 0.1 to 86400"), "{message}");
    }
}

#[test]
fn an_instance_that_cannot_exist_is_refused_in_one_sentence() {
    let message = refused(&["status", "--instance", "../etc"]);
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.starts_with("fabricctl: "), "{message}");
}

#[test]
fn a_map_that_does_not_exist_is_refused_in_one_sentence() {
    let message = refused(&["maps", "nonsense", "--instance", "no-such-instance"]);
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn every_command_of_the_lab_names_a_lab_in_the_same_way() {
    for command in [
        "up", "down", "status", "graph", "exec", "migrate", "cut", "silence", "mend", "withdraw",
        "announce", "render",
    ] {
        let help = fabricctl(&["lab", command, "--help"]);
        let help = String::from_utf8(help.stdout).expect("help is text");
        assert!(help.contains("--name <LAB>"), "{command}: {help}");
    }
    for command in ["status", "down"] {
        refused(&["lab", command, "some-lab"]);
    }
    let message = refused(&["lab", "graph", "--name", "no-such-lab"]);
    assert!(message.contains("no lab no-such-lab is up"), "{message}");
}

#[test]
fn a_command_without_json_says_so() {
    for arguments in [&["lab", "render", "--json"][..], &["lab", "down", "--json"]] {
        let message = refused(arguments);
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.contains("has no --json"), "{message}");
    }
}

#[test]
fn a_json_that_is_given_a_value_is_not_said_to_be_missing() {
    let message = refused(&["status", "--json=yes"]);
    assert!(!message.contains("has no --json"), "{message}");
    assert!(message.contains("unexpected value 'yes' for '--json'"), "{message}");
}

/// Runs fabricctl where nobody reads what it prints, as behind `| true`.
fn unread(arguments: &[&str]) -> Output {
    let (reader, writer) = pipe().expect("there are pipes");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fabricctl"));
    command.args(arguments).stdout(writer).output().expect("fabricctl starts")
}

#[test]
fn what_nobody_reads_any_more_is_no_failure() {
    let topology = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/one-site.dot");
    let file = std::env::temp_dir().join(format!("closed-pipe-{}.svg", std::process::id()));
    let file = file.to_str().expect("the path is text");
    for arguments in [
        &["lab", "graph", topology, "--output", "-"][..],
        &["lab", "graph", topology, "--output", file],
        &["lab", "render", topology],
    ] {
        let output = unread(arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {message}");
    }
    fs::remove_file(file).expect("the picture was written");
}

#[test]
fn what_was_found_is_the_status_also_where_nobody_reads_it() {
    let folder = std::env::temp_dir().join(format!("unread-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("there is room");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("there is room");
        path.to_str().expect("the path is text").to_owned()
    };
    let facts = r#"{"schema": 1, "taken_ms": 0, "host": "leaf01", "namespace": null, "kernel": "",
        "version": "", "network": [], "frr": null, "fabric": null, "missing": ["FRR is asleep"]}"#;
    let facts = file("leaf01.json", facts);
    let prefixes = file("prefixes.csv", "Prefix,Status\n10.1.0.0/24,Active\n");
    // Nobody is there.
    let ssh = file("ssh", "Host *\n  ProxyCommand false\n");
    let suite = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/pair.check.toml");
    let told: Vec<Option<i32>> = [
        &["audit", "--prefixes", &prefixes, "--facts", &facts][..],
        &["audit", "--prefixes", &prefixes, "--facts", &facts, "--json"],
        &["audit", "--prefixes", &prefixes, "--facts", &facts, "--csv"],
        &["verify", "--facts", &facts],
        &["check", suite, "--ssh", "--ssh-config", &ssh, "--only", "daemon leaf01"],
    ]
    .map(|arguments| unread(arguments).status.code())
    .into();
    fs::remove_dir_all(&folder).expect("it was made");
    assert_eq!(told, [1, 1, 1, 3, 3].map(Some));
}
