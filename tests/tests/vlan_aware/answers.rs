//! ARP and neighbour discovery for hosts behind a tunnel, in a VLAN whose device on the bridge has the
//! neighbours.

use anyhow::Result;
use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_R, VLAN},
    asked::Asked,
    judged::Judged,
    link_option,
    packet::{Arp, Discovery},
};

#[test]
fn in_a_vlan_answers_have_the_tag_of_the_question_as_by_the_kernel() {
    let asked = asked(Judged::with_vlans(&[VLAN]));
    answers_have_the_tag(&asked);
    let arp = Arp::request(&HOST_A, &HOST_R);
    for tci in [VLAN | 5 << 13, VLAN | 1 << 12] {
        let fate = asked.passed("acc0", &arp.tagged(&[tci]), Reason::NeighbourAnswerNotPlain);
        let answer = Arp::reply(&HOST_A, &HOST_R).tagged(&[tci]);
        assert!(fate.contains(&("acc0", answer)), "the kernel keeps priorities: {fate:02x?}");
    }
    each_vlan_may_say_itself_whether_it_suppresses(&asked);
    asked.leaf.ip("link del vlan100\n");
    asked.passed("acc0", &arp.tagged(&[VLAN]), Reason::FrameGuardMulticast);
}

#[test]
fn a_vlan_that_keeps_its_tag_in_the_tunnel_is_answered_for_as_by_the_kernel() {
    answers_have_the_tag(&asked(Judged::with_tags_inside(&[VLAN + 1, VLAN], false)));
}

/// The leaf with a VLAN device on its bridge that has the neighbours.
fn asked(leaf: Judged) -> Asked {
    leaf.bridge(&format!("vlan add vid {VLAN} dev br0 self\n"));
    leaf.ip(&format!(
        "link add link br0 name vlan{VLAN} type vlan id {VLAN}\nlink set vlan{VLAN} up\n"
    ));
    Asked::new(leaf, "vlan100")
}

fn answers_have_the_tag(asked: &Asked) {
    let (arp, nd) = (Arp::request(&HOST_A, &HOST_R), Discovery::solicitation(&HOST_A, &HOST_R));
    let reply = asked.answered("acc0", &arp.tagged(&[VLAN]), Reason::ArpAnswered);
    assert_eq!(reply, Arp::reply(&HOST_A, &HOST_R).tagged(&[VLAN]));
    let reply = asked.answered("acc0", &nd.tagged(&[VLAN]), Reason::NdAnswered);
    assert_eq!(reply, Discovery::advertisement(&HOST_A, &HOST_R).tagged(&[VLAN]));
}

/// Case BR-12: with `neigh_vlan_suppress` the VLAN's word counts and not the port's, whatever that is.
fn each_vlan_may_say_itself_whether_it_suppresses(asked: &Asked) {
    let set = |work: &(dyn Fn() -> Result<()> + Sync)| {
        asked.leaf.netns().inside(work).unwrap_or_else(|error| panic!("{error:#}"));
    };
    let has = asked.leaf.netns().inside(|| link_option::has_neigh_vlan_suppress("vx100"));
    if !has.expect("there is the port") {
        // Before Linux 6.4.
        return;
    }
    let questions = [
        (Arp::request(&HOST_A, &HOST_R).tagged(&[VLAN]), Reason::ArpAnswered),
        (Discovery::solicitation(&HOST_A, &HOST_R).tagged(&[VLAN]), Reason::NdAnswered),
    ];
    let answered = |wanted: bool| {
        for (question, reason) in &questions {
            if wanted {
                asked.answered("acc0", question, *reason);
            } else {
                let fate = asked.passed("acc0", question, Reason::FrameGuardMulticast);
                assert!(fate.iter().any(|(port, _)| *port == "up0"), "flooded: {fate:02x?}");
            }
        }
    };
    set(&|| link_option::set_neigh_vlan_suppress("vx100", true));
    answered(false);
    for port in ["off", "on"] {
        asked.leaf.bridge(&format!("link set dev vx100 neigh_suppress {port}\n"));
        set(&|| link_option::set_vlan_neigh_suppress("vx100", VLAN, true));
        answered(true);
        set(&|| link_option::set_vlan_neigh_suppress("vx100", VLAN, false));
        answered(false);
    }
    set(&|| link_option::set_neigh_vlan_suppress("vx100", false));
    answered(true);
}
