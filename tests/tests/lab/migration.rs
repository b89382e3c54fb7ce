//! Moving hosts between leafs.

use std::{
    process::Command,
    thread::{self, JoinHandle},
};

use fabric_user::{
    kernel::packet_socket::PacketSocket,
    lab::{Lab, LabError},
    mac::Mac,
};

use crate::fixture::{PATIENCE, converged, pings, up_from, wait_until};

/// Whether `leaf` has the MAC behind the VTEP `address`.
fn has_behind(lab: &Lab, leaf: &str, mac: &str, address: &str) -> bool {
    let fdb = lab.exec(leaf, Command::new("bridge").args(["fdb", "show"])).expect("bridge");
    fdb.lines().any(|line| line.starts_with(mac) && line.contains(&format!("dst {address} ")))
}

/// Has a host speak by this interface as long as its link is there, to its bridge alone (IEEE 802.1Q-2022, table 8-1), and
/// counts what it has said.
fn speak(lab: &Lab, host: &str, interface: &str, mac: Mac) -> JoinHandle<usize> {
    const LLDP: [u8; 6] = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e];
    let netns = lab.node(host).expect("drawn").netns().clone();
    let opened = netns.enter(|| PacketSocket::sender(interface)).expect("it is there");
    let socket = opened.expect("it can be opened");
    let mut frame = vec![0; 60];
    frame[..6].copy_from_slice(&LLDP);
    frame[6..12].copy_from_slice(&mac.0);
    frame[12..14].copy_from_slice(&[0x88, 0xcc]);
    thread::spawn(move || (0..usize::MAX).take_while(|_| socket.send(&frame).is_ok()).count())
}

#[test]
fn a_host_that_moves_there_and_back_keeps_its_addresses_gateway_and_peers() {
    let lab = converged("move");
    let mac = lab.topology().host("vm02").expect("drawn").end.mac.to_string();
    let state = |what: &[&str]| lab.exec("vm02", Command::new("ip").args(what)).expect("ip");
    let addresses = |text: String| -> Vec<String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        words
            .windows(2)
            .filter(|pair| pair[0].starts_with("inet"))
            .map(|pair| pair[1].to_owned())
            .collect()
    };
    let before = addresses(state(&["address", "show", "dev", "eth0"]));
    let routes = state(&["route", "show"]);
    pings(&lab, "vm02", "10.200.0.14").expect("the peer answers before the move");

    // Another device of the leaf has the index behind those of all ports, the last of which is this one.
    let last = lab.exec("vm04", Command::new("ip").args(["-o", "link", "show", "eth0"]));
    let last = last.expect("ip").split(':').next().map(str::parse::<u32>);
    let next = last.expect("a line").expect("its index") + 1;
    let taken = format!("link add taken index {next} type bridge");
    lab.exec("leaf02", Command::new("ip").args(taken.split(' '))).expect("it is free");

    let there = lab.migrate("vm02", "leaf02").expect("it moves");
    assert_eq!((there.from.switch.as_str(), there.to.switch.as_str()), ("leaf01", "leaf02"));
    pings(&lab, "vm02", "10.200.0.1").expect("the gateway answers at the new place");
    wait_until("leaf01 learns the new place", || has_behind(&lab, "leaf01", &mac, "10.0.1.12"));
    pings(&lab, "vm04", "10.200.0.12").expect("a neighbour at the new leaf reaches it");
    assert_eq!(addresses(state(&["address", "show", "dev", "eth0"])), before);
    assert_eq!(state(&["route", "show"]), routes);

    let back = lab.migrate("vm02", "leaf01").expect("it moves back");
    assert_eq!(back.to.port, "swp12", "its own port was kept free");
    pings(&lab, "vm02", "10.200.0.1").expect("the gateway answers at home");
    wait_until("leaf02 learns the old place", || has_behind(&lab, "leaf02", &mac, "10.0.1.11"));
    pings(&lab, "vm04", "10.200.0.12").expect("the peer reaches it at home");
}

#[test]
fn a_host_cannot_move_where_its_network_does_not_live() {
    let lab = converged("wrong");
    let message = |host: &str, target: &str| match lab.migrate(host, target) {
        Ok(moved) => panic!("moved: {moved:?}"),
        Err(error @ (LabError::Migrate { .. } | LabError::UnknownNode { .. })) => error.to_string(),
        Err(other) => panic!("{other}"),
    };
    assert!(message("vm02", "spine01").contains("does not live there"));
    assert!(message("vm02", "leaf01").contains("is there already"));
    assert!(message("vm02", "leaf09").contains("no node leaf09"));
    assert!(message("vm09", "leaf02").contains("no node vm09"));
    pings(&lab, "vm02", "10.200.0.1").expect("nothing has changed");
}

/// Without a control plane a move changes entries with `bridge`.
#[test]
fn a_host_is_whole_at_its_new_place_whatever_became_of_the_entries() {
    let lab = up_from("static", "entries");
    lab.wait_converged(PATIENCE).expect("all is written");
    let run = |node: &str, program: &str, line: &str| {
        lab.exec(node, Command::new(program).args(line.split_whitespace())).expect(line)
    };
    let mac = lab.topology().host("vm01").expect("drawn").end.mac;
    run("leaf03", "bridge", &format!("fdb delete {mac} dev vxlan10100 dst 10.0.1.11 self"));
    let speaking = speak(&lab, "vm01", "eth0", mac);
    lab.migrate("vm01", "leaf03").expect("somebody has deleted what would be deleted");
    assert!(speaking.join().expect("it has spoken") > 100, "until its link was gone");
    let links = || run("vm01", "ip", "-o link show");
    assert!(links().contains("eth0") && !links().contains("arriving"), "{}", links());
    wait_until("all is well", || {
        let status = lab.status(true).expect("it can be looked at");
        if !status.healthy {
            println!("{:?}", status.faults);
        }
        status.healthy
    });

    run("leaf02", "ip", "link delete vxlan10100");
    lab.cut("leaf03", &lab.place("vm01").expect("drawn").port).expect("it can be cut");
    let error = lab.migrate("vm01", "leaf01").expect_err("leaf02 has nowhere to write it");
    assert!(error.to_string().contains("leaf02"), "{error}");
    assert!(links().contains("eth0") && !links().contains("arriving"), "{}", links());
    assert_eq!(lab.place("vm01").expect("drawn").switch, "leaf01");
    for address in ["10.100.0.1", "10.100.0.15"] {
        wait_until("it is reached there", || pings(&lab, "vm01", address).is_ok());
    }

    run("vm01", "ip", "link add arriving type bridge");
    let error = lab.migrate("vm01", "leaf03").expect_err("it cannot tell whose that is");
    assert!(matches!(error, LabError::Migrate { .. }), "{error}");
    assert!(links().contains("arriving"), "it was not made by the move: {}", links());
    pings(&lab, "vm01", "10.100.0.1").expect("nothing has changed");
}
