//! A picture alone: `fabricctl lab new` writes the inventory with which it comes up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fabric_tests::fabric::{fabric_xdpd, fabricctl, own_folder};
use fabric_user::lab::{Lab, Options, Topology};

use crate::fixture::{self, PATIENCE, options, pings};

/// Three routers with FRR in a triangle, hosts at two of them, and what a lab leaves out.
const TRIANGLE: &str = r#"name: triangle
topology:
  defaults: { kind: linux, image: "frrouting/frr:v9.1.0" }
  nodes:
    r1:
    r2:
    r3: { exec: ["sysctl -w net.ipv4.ip_forward=1"] }
    a: { image: "alpine:3" }
    b: { image: "alpine:3" }
  links:
    - endpoints: ["r1:eth1", "r2:eth1"]
    - endpoints: ["r2:eth2", "r3:eth1"]
    - endpoints: ["r3:eth2", "r1:eth2"]
    - endpoints: ["a:eth1", "r1:eth3"]
    - type: veth
      endpoints: [{ node: b, interface: eth1 }, { node: r3, interface: eth3 }]
    - endpoints: ["b:eth2", "r2:eth3"]
    - endpoints: ["r2:eth9", "mgmt-net:r2"]
"#;

fn new(picture: &Path) -> Output {
    let mut command = Command::new(fabricctl());
    command.args(["lab", "new"]).arg(picture).output().expect("fabricctl starts")
}

/// A picture in a folder of the test's own, which goes with it.
struct Picture(PathBuf);

impl Picture {
    fn new(test: &str, file: &str, text: &str) -> Self {
        let path = own_folder(test).join(file);
        fs::write(&path, text).expect("the folder is there");
        Self(path)
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        let _ = self.0.parent().map(fs::remove_dir_all);
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Brings a picture up with its first inventory and fabric-xdpd, which accelerates all ports, and has every
/// host ping all others.
fn comes_up(test: &str, file: &str, text: &str) {
    let picture = Picture::new(test, file, text);
    let output = new(&picture.0);
    assert!(output.status.success(), "{output:?}");
    let topology = Topology::load(&picture.0).expect("what was written is valid");
    let options = Options { fabric_xdpd: Some(fabric_xdpd()), ..options(test) };
    let lab = Lab::up(&topology, &options, &mut |_| {}).expect("it comes up");
    let left = lab.wait_ready(PATIENCE, &mut |_| {}).expect("it is ready");
    assert!(left.is_empty(), "{left:?}");
    for switch in lab.status(false).expect("it can be looked at").switches {
        let all = switch.accelerable;
        assert!(all > 0 && switch.accelerated == all, "{}: {switch:?}", switch.node);
    }
    for from in &topology.hosts {
        for to in topology.hosts.iter().filter(|to| to.name != from.name) {
            pings(&lab, &from.name, &to.address.to_string())
                .unwrap_or_else(|error| panic!("{} to {}: {error}", from.name, to.name));
        }
    }
}

#[test]
fn the_reference_topology_comes_up_with_its_first_inventory() {
    let text = fs::read_to_string(fixture::path("reference").with_extension("dot"));
    let text = text.expect("it is in the repository");
    comes_up("newref", "reference.dot", &text);
}

#[test]
fn a_containerlab_file_comes_up_with_its_first_inventory() {
    comes_up("newclab", "triangle.clab.yml", TRIANGLE);
}

#[test]
fn an_inventory_that_is_there_stays_as_it_is() {
    let picture = Picture::new("newtwice", "small.dot", "graph { leaf1 -- spine1 h1 -- leaf1 }");
    let inventory = picture.0.with_extension("toml");
    fs::write(&inventory, "# mine\n").expect("the folder is there");
    let output = new(&picture.0);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("small.toml is there already"), "{output:?}");
    assert_eq!(fs::read_to_string(inventory).expect("it is there"), "# mine\n");
}

#[test]
fn all_that_is_wrong_with_a_picture_is_said_and_nothing_is_written() {
    let text = "graph {\n leaf1 [function=leaf]\n leaf1:swp1 -- x:swp1\n leaf1:swp2 -- y:swp1\n leaf1:averyveryverylongname -- spine1:swp1 }";
    let picture = Picture::new("newwrong", "wrong.dot", text);
    let output = new(&picture.0);
    let said = stderr(&output);
    assert!(!output.status.success());
    for line in [3, 4, 5] {
        assert!(said.contains(&format!("wrong.dot line {line}: ")), "{said}");
    }
    assert!(!picture.0.with_extension("toml").exists());
}
