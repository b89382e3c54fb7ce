//! ARP and neighbour discovery for hosts behind a tunnel, in a VLAN whose device on the bridge has the
//! neighbours.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_R, VLAN},
    asked::Asked,
    judged::Judged,
    packet::{Arp, Discovery},
};

#[test]
fn in_a_vlan_answers_have_the_tag_of_the_question_as_by_the_kernel() {
    let leaf = Judged::with_vlans(&[VLAN]);
    leaf.bridge(&format!("vlan add vid {VLAN} dev br0 self\n"));
    leaf.ip(&format!(
        "link add link br0 name vlan{VLAN} type vlan id {VLAN}\nlink set vlan{VLAN} up\n"
    ));
    let asked = Asked::new(leaf, "vlan100");
    let (arp, nd) = (Arp::request(&HOST_A, &HOST_R), Discovery::solicitation(&HOST_A, &HOST_R));
    let reply = asked.answered("acc0", &arp.tagged(&[VLAN]), Reason::ArpAnswered);
    assert_eq!(reply, Arp::reply(&HOST_A, &HOST_R).tagged(&[VLAN]));
    let reply = asked.answered("acc0", &nd.tagged(&[VLAN]), Reason::NdAnswered);
    assert_eq!(reply, Discovery::advertisement(&HOST_A, &HOST_R).tagged(&[VLAN]));
    for tci in [VLAN | 5 << 13, VLAN | 1 << 12] {
        let fate = asked.passed("acc0", &arp.tagged(&[tci]), Reason::NeighbourAnswerNotPlain);
        let answer = Arp::reply(&HOST_A, &HOST_R).tagged(&[tci]);
        assert!(fate.contains(&("acc0", answer)), "the kernel keeps priorities: {fate:02x?}");
    }
    asked.leaf.ip("link del vlan100\n");
    asked.passed("acc0", &arp.tagged(&[VLAN]), Reason::FrameGuardMulticast);
}
