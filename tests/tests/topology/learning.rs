//! Local and remote learning.
//!
//! - The first frame of a host puts its MAC on the circuit that it came from.
//! - Every other leaf of the network has the MAC behind the right VTEP, in the domain of the right
//!   VNI, and in no other domain.
//!
//! ```text
//!  Site-01                                   Site-02
//!  app01 ─ leaf01 ─ spines ─ border ═ border ─ spines ─ leaf03, leaf04
//!    ╰ says something, once       leaf02 ┘
//! ```

use fabric_tests::fabric::{Fabric, PATIENCE, Wire, broadcast, map_facts, until};
use fabric_user::lab::Mac;

const STRANGER: Mac = Mac([0x02, 0xaa, 0, 0, 0, 1]);

#[test]
fn the_first_frame_of_a_host_puts_its_mac_on_its_port_and_behind_its_vtep_elsewhere() {
    let fabric = Fabric::two_sites();
    let wire = Wire::open(&fabric.netns("app01"), "eth0");
    wire.send(&broadcast(STRANGER));

    for leaf in &fabric.lab().topology().switches {
        if !leaf.networks.iter().any(|network| network == "app") {
            continue;
        }
        let place = match leaf.name.as_str() {
            "leaf01" => "port swp12".to_owned(),
            _ => format!("VTEP {}", fabric.vtep("leaf01")),
        };
        let known = [format!("{STRANGER} in br200 is at {place}")];
        let mut found = Vec::new();
        until(PATIENCE, &format!("{} knows {known:?}", leaf.name), || {
            let facts = map_facts(&fabric, &leaf.name);
            found = facts.into_iter().filter(|f| f.contains(&STRANGER.to_string())).collect();
            found == known
        });
        let domain = format!("VNI 10200 port 4789 is br200 at {}", leaf.loopback);
        assert!(map_facts(&fabric, &leaf.name).contains(&domain), "{} lacks {domain}", leaf.name);
    }
    fabric.assert_agreement();
}
