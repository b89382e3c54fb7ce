//! A host with two cables to one leaf, whatever the kernel makes of it. `tests/bonds` has the rest, where
//! kernels make bonds.

use fabric_user::lab::{Lab, Topology, topology};

use crate::fixture::{PATIENCE, options, wait_until};

const PICTURE: &str = "graph { leaf1 -- spine1 -- leaf2 db -- leaf1 db -- leaf1 vm -- leaf2 db2 -- spine1 db2 -- spine1 }";

#[test]
fn a_host_with_two_cables_to_one_switch_has_a_bond_or_uses_the_first_one_and_says_why() {
    let file = "twice.dot";
    let inventory = topology::first::inventory(&topology::picture::parse(PICTURE, file), file);
    let inventory = format!("{inventory}\n[fabric]\ncontrol_plane = \"static\"\n");
    let topology = Topology::of("twice", file, PICTURE, &inventory).expect("valid");
    let mut said = Vec::new();
    let lab = Lab::up(&topology, &options("twice"), &mut |line| said.push(line.to_owned()))
        .expect("it comes up");
    let notes = said.iter().filter(|it| it.contains("so only the first cable of db, db2 is used"));
    let cables = if notes.count() == 1 { 1 } else { 2 };
    for host in ["db", "db2"] {
        let host = lab.topology().host(host).expect("drawn");
        assert_eq!(host.cables().count(), cables, "{said:?}");
    }
    lab.wait_converged(PATIENCE).expect("all is written");
    wait_until("everybody answers", || lab.status(true).expect("it can be looked at").healthy);
    let links = lab.status(false).expect("it can be looked at").links;
    assert_eq!(links.len(), 2 + 1 + 2 * cables);
}
