//! Up and down: what is made goes away, and nothing else does.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;

use fabric_tests::fabric::{Fabric, fabricctl, own_folder};
use fabric_user::lab::{Lab, LabError, Netns, graph};

use crate::fixture::{one_site, options, path, pings, processes, topology, traces, up, up_from};

#[test]
fn a_lab_that_is_dropped_leaves_nothing_behind() {
    let lab = up("drop");
    let name = lab.name().to_owned();
    for daemon in ["zebra", "bgpd"] {
        let count = processes(&name).iter().filter(|line| line.contains(daemon)).count();
        assert_eq!(count, 4, "{daemon} on four switches");
    }
    drop(lab);
    assert_eq!(traces(&name), Vec::<PathBuf>::new());
    assert_eq!(processes(&name), Vec::<String>::new());
}

#[test]
fn hosts_reach_their_gateways_and_each_other_in_a_converged_lab() {
    let fabric = Fabric::of(&one_site());
    for (from, to) in [("vm01", "10.100.0.1"), ("vm01", "10.100.0.13"), ("vm04", "10.200.0.12")] {
        pings(fabric.lab(), from, to).unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
    }
    fabric.passes("one-site");
}

/// Drawn for other tools: hosts with two cables, loopback and management cables, cables between spines.
#[test]
fn the_reference_topology_of_cumulus_users_comes_up_and_its_servers_reach_each_other() {
    let fabric = Fabric::of(&topology("reference"));
    for (from, to) in
        [("server01", "10.1.3.1"), ("server01", "10.1.3.104"), ("server03", "10.1.3.102")]
    {
        pings(fabric.lab(), from, to).unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
    }
    fabric.passes("reference");
}

#[test]
fn a_second_up_of_the_same_name_is_refused_and_changes_nothing() {
    let lab = up("twice");
    let before = traces(lab.name());
    let again = Lab::up(&one_site(), &options("twice"), &mut |_| {});
    assert!(matches!(again, Err(LabError::AlreadyUp(_))), "{again:?}");
    assert_eq!(traces(lab.name()), before);
    pings(&lab, "vm01", "10.100.0.1").expect("the first lab still works");
}

#[test]
fn an_interrupted_up_removes_what_it_made() {
    let options = options("stop");
    let name = options.name.clone().expect("named");
    let cancel = options.cancel.clone();
    let mut seen = 0;
    let result = Lab::up(&one_site(), &options, &mut |line| {
        if line.starts_with("starting FRR") {
            seen = traces(&name).len();
            cancel.store(true, Ordering::Relaxed);
        }
    });
    assert!(matches!(result, Err(LabError::Interrupted)), "{result:?}");
    assert!(seen >= 8, "it was interrupted when its namespaces were there");
    assert_eq!(traces(&name), Vec::<PathBuf>::new());
}

#[test]
fn a_namespace_of_somebody_else_is_left_alone() {
    struct Foreign(Netns);
    impl Drop for Foreign {
        fn drop(&mut self) {
            let _ = Command::new("ip").args(["netns", "delete", self.0.name()]).status();
        }
    }
    let options = options("alien");
    let name = format!("fab-{}-leaf02", options.name.clone().expect("named"));
    let foreign = Foreign(Netns::named(&name));
    assert!(Command::new("ip").args(["netns", "add", &name]).status().expect("ip").success());
    let result = Lab::up(&one_site(), &options, &mut |_| {});
    assert!(matches!(result, Err(LabError::Taken { .. })), "{result:?}");
    assert!(foreign.0.exists());
    assert_eq!(traces(&options.name.clone().expect("named")), [foreign.0.path()]);
}

#[test]
fn what_is_gone_already_does_not_keep_a_lab_from_going_down() {
    let lab = up("holes");
    let name = lab.name().to_owned();
    let gone = lab.node("leaf01").expect("drawn").netns().name().to_owned();
    assert!(Command::new("ip").args(["netns", "delete", &gone]).status().expect("ip").success());
    lab.down(&mut |_| {}).expect("the rest goes down");
    assert_eq!(traces(&name), Vec::<PathBuf>::new());
    // FRR outlives the name of its namespace.
    assert_eq!(processes(&name), Vec::<String>::new());
    assert!(!Lab::take_down(&name, &mut |_| {}).expect("a second time is no error"));
}

/// The lab that was made of a picture has its name; with the picture there, the name means the picture.
#[test]
fn a_picture_is_drawn_and_rendered_by_its_name_although_a_lab_is_called_so() {
    let lab = up_from("static", "called");
    let folder = own_folder("called");
    let command = |what: &str| {
        let mut command = Command::new(fabricctl());
        command.current_dir(&folder).args(["lab", what, lab.name()]);
        if what == "graph" {
            command.args(["--output", "-"]);
        }
        command.output().expect("fabricctl starts")
    };
    for what in ["graph", "render"] {
        let said = command(what);
        assert!(!said.status.success(), "{what} finds no picture: {said:?}");
    }
    for ending in ["dot", "toml"] {
        let file = folder.join(format!("{}.{ending}", lab.name()));
        std::fs::copy(path("pair").with_extension(ending), file).expect("it can be copied");
    }
    let outputs = ["graph", "render"].map(command);
    std::fs::remove_dir_all(&folder).expect("it can be removed");
    for output in outputs {
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("spine02"), "{output:?}");
    }
}

#[test]
fn a_lab_is_drawn_as_it_was_planned_with_a_note_when_a_node_cannot_be_asked() {
    let lab = up_from("static", "unasked");
    lab.cut("leaf02", "swp1").expect("it can be cut");
    let netns = lab.node("leaf01").expect("drawn").netns().clone();
    netns.delete().expect("it can be removed");
    std::fs::write(netns.path(), "").expect("a file that is no namespace can be there");
    let mut command = Command::new(fabricctl());
    command.args(["lab", "graph", "--output", "-", "--name", lab.name()]);
    let drawn = command.output().expect("fabricctl starts");
    let said = String::from_utf8_lossy(&drawn.stderr);
    assert!(drawn.status.success(), "{drawn:?}");
    let why = format!("because cannot enter the network namespace {}", netns.name());
    assert!(said.starts_with("note: cables are drawn as they are planned") && said.contains(&why));
    let topology = lab.current_topology().expect("it has a record");
    assert_eq!(String::from_utf8_lossy(&drawn.stdout), graph::svg(&topology, &[]));
}

#[test]
fn what_cannot_be_removed_keeps_nothing_else_from_going() {
    let mut lab = up_from("static", "stays");
    let (name, record) = (lab.name().to_owned(), lab.folder().join("state.json"));
    lab.keep();
    let text = std::fs::read_to_string(&record).expect("it has a record");
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    state["instances"]["leaf01"] = "no/name".into();
    std::fs::write(&record, state.to_string()).expect("it can be written");
    let result = Lab::take_down(&name, &mut |_| {});
    std::fs::write(&record, text).expect("it can be written");
    let left = traces(&name);
    assert!(Lab::take_down(&name, &mut |_| {}).expect("it goes down"));
    assert!(result.is_err_and(|error| error.to_string().contains("no/name")));
    assert_eq!(left, [record.parent().expect("it has a folder")]);
}
