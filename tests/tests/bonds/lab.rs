//! Hosts of a lab with several cables to one switch, with fabric-xdpd at the switches; and a host that moves,
//! which old kernels make harder.

use std::{path::PathBuf, process::Command};

use fabric_tests::fabric::{PATIENCE, fabric_xdpd, until};
use fabric_user::lab::{Fault, Lab, LabError, Options, Topology, topology};

const PICTURE: &str = r#"graph "bonded" {
  leaf1:swp51 -- spine1:swp1
  leaf2:swp51 -- spine1:swp2
  db:eth1 -- leaf1:swp1
  db:eth2 -- leaf1:swp2
  vm:eth1 -- leaf2:swp1
  store:eth1 -- spine1:swp11
  store:eth2 -- spine1:swp12
}"#;

/// The lab of the picture with its first inventory, without a control plane.
fn up(fabric_xdpd: Option<PathBuf>) -> Lab {
    let file = "bonded.dot";
    let inventory = topology::first::inventory(&topology::picture::parse(PICTURE, file), file);
    let inventory = format!("{inventory}\n[fabric]\ncontrol_plane = \"static\"\n");
    let topology = Topology::of("bonded", file, PICTURE, &inventory).expect("valid");
    let options = Options {
        name: Some(format!("bonded-{}", std::process::id())),
        fabric_xdpd,
        ..Options::default()
    };
    Lab::up(&topology, &options, &mut |_| {}).expect("the lab comes up")
}

fn pings(lab: &Lab, from: &str, to: &str) -> bool {
    let address = lab.topology().host(to).expect("drawn").address.to_string();
    lab.exec(from, Command::new("ping").args(["-n", "-c", "1", "-W", "1", &address])).is_ok()
}

/// Waits until all is as it should be, and every host answers.
fn wait_whole(lab: &Lab) {
    until(PATIENCE, "all is as it should be", || {
        let status = lab.status(true).expect("it can be looked at");
        println!("{:?}", status.faults);
        status.healthy
    });
}

/// Waits until a port of leaf1 is active in its bond, or not.
fn wait_active(lab: &Lab, port: &str, wanted: bool) {
    until(PATIENCE, &format!("{port} is active: {wanted}"), || {
        let shown = lab.exec("leaf1", Command::new("ip").args(["-d", "link", "show", port]));
        shown.expect("it is there").contains("state ACTIVE") == wanted
    });
}

#[test]
fn two_cables_of_a_host_to_one_switch_are_a_bond_that_outlives_each_of_them() {
    let lab = up(Some(fabric_xdpd()));
    let left = lab.wait_ready(PATIENCE, &mut |said| println!("{said}")).expect("it is ready");
    assert!(left.is_empty(), "{left:?}");
    wait_whole(&lab);

    for port in ["swp1", "swp2"] {
        for work in [Fault::cut, Fault::silence] {
            let fault = work(&lab, "leaf1", port).expect("the cable can be broken");
            wait_active(&lab, port, false);
            for (from, to) in [("db", "vm"), ("vm", "db")] {
                until(PATIENCE, "the other cable serves", || pings(&lab, from, to));
            }
            let faults = lab.status(false).expect("it can be looked at").faults;
            let named = format!("the link leaf1 {port} -- db eth");
            assert!(faults.iter().any(|it| it.starts_with(&named)), "{faults:?}");
            fault.mend().expect("it can be mended");
            wait_active(&lab, port, true);
            wait_whole(&lab);
        }
    }

    for (host, other) in [("db", "vm"), ("store", "db")] {
        let cut = Fault::cut(&lab, host, "bond0").expect("a bond can be cut");
        until(PATIENCE, "nothing is left", || !pings(&lab, host, other));
        cut.mend().expect("it can be mended");
        wait_whole(&lab);
    }

    lab.exec("leaf1", Command::new("ip").args(["link", "set", "bond1", "down"])).expect("ip");
    let faults = lab.status(false).expect("it can be looked at").faults;
    let remedy = "leaf1 bond1 is switched off; `fabricctl lab mend leaf1 bond1` mends it";
    assert!(faults.iter().any(|it| it == remedy), "{faults:?}");
    lab.mend("leaf1", "bond1").expect("it can be mended");
    wait_whole(&lab);

    let error = lab.migrate("db", "leaf2").expect_err("its cables stay");
    assert!(matches!(&error, LabError::Migrate { reason, .. } if reason.contains("are a bond")));
    assert!(pings(&lab, "db", "vm"), "nothing has changed");

    lab.exec("leaf1", Command::new("ip").args(["link", "delete", "swp2"])).expect("ip");
    let names_it = |error: LabError| error.to_string().contains("swp2 of leaf1");
    lab.exec("leaf1", Command::new("ip").args(["link", "set", "bond1", "down"])).expect("ip");
    lab.cut("leaf1", "bond1").expect_err("one of its cables is gone");
    until(PATIENCE, "nothing is left", || !pings(&lab, "db", "vm"));
    assert!(names_it(lab.mend("leaf1", "bond1").expect_err("one of its cables is gone")));
    until(PATIENCE, "the other cable serves", || pings(&lab, "db", "vm"));
}

/// Before Linux 6.2 an interface is renamed only while it is off, and the kernel forgets its routes and
/// neighbours.
#[test]
fn a_host_that_moves_keeps_its_addresses_routes_and_neighbours() {
    let lab = up(None);
    lab.wait_converged(PATIENCE).expect("all is written");
    until(PATIENCE, "its peer answers", || pings(&lab, "vm", "db"));
    let state = || {
        let lines = ["-br -4 address show dev eth1", "route show", "-br -4 neigh show dev eth1"];
        lines.map(|line| {
            let shown = lab.exec("vm", Command::new("ip").args(line.split(' '))).expect("ip");
            let words = shown.split_whitespace();
            // `eth1@if7`: the other end of its cable is another one.
            words.filter(|word| !word.contains('@')).map(str::to_owned).collect::<Vec<_>>()
        })
    };
    let before = state();
    lab.migrate("vm", "leaf1").expect("it moves");
    assert_eq!(state(), before);
    until(PATIENCE, "its peer answers", || pings(&lab, "vm", "db"));
}
