//! Bonds and their members.

use super::{incremental::Incremental, world::*};
use crate::{model::*, observe::*};

const BOND: u32 = 50;
const FIRST: u32 = 51;
const SECOND: u32 = 52;

/// The leaf with a bond of two active members on its bridge.
fn bonded(policy: Policy) -> Incremental {
    let mut leaf = leaf_with(Policy { native: true, ..policy });
    let bond = link(BOND, "bond0", LinkKind::Other("bond".into()));
    leaf.apply(port_of(BR10, bond));
    for (ifindex, name) in [(FIRST, "swp1"), (SECOND, "swp2")] {
        let bond = Some(BondMember { active: true });
        leaf.apply(Link { master: Some(BOND), bond, ..veth(ifindex, name) });
    }
    leaf
}

/// Which of the bond and its members are ports.
fn ports(structure: &Structure) -> [bool; 3] {
    [BOND, FIRST, SECOND].map(|ifindex| structure.ports.contains_key(&ifindex))
}

#[test]
fn active_members_are_what_their_bond_is() {
    let mut leaf = bonded(Policy::default());
    let structure = leaf.structure();
    assert_eq!(ports(&structure), [true; 3]);
    let (bond, first) = (&structure.ports[&BOND], &structure.ports[&FIRST]);
    assert_eq!((first.member_of, &first.untagged), (Some(BOND), &bond.untagged));
    assert!(bond.untagged.is_some());
    let backup = Some(BondMember { active: false });
    leaf.apply(Link { master: Some(BOND), bond: backup, ..veth(SECOND, "swp2") });
    assert_eq!(ports(&leaf.structure()), [true, true, false]);
}

#[test]
fn a_member_that_is_not_to_be_used_is_left_to_the_kernel() {
    let unusable = "port swp1 is left to the kernel: it hides VLAN tags".to_owned();
    for (policy, why) in [
        (
            Policy { detached: [FIRST].into(), ..Policy::default() },
            "port swp1 is detached by request; `fabricctl attach swp1` ends that",
        ),
        (
            Policy { denied: vec![Pattern::new("swp1")], ..Policy::default() },
            "port swp1 is denied by the pattern `swp1` in the settings",
        ),
        (
            Policy { unusable: [(FIRST, unusable.clone())].into(), ..Policy::default() },
            unusable.as_str(),
        ),
    ] {
        let structure = bonded(policy).structure();
        assert_eq!(ports(&structure), [true, false, true], "{why}");
        assert_eq!(structure.declined[&FIRST], why);
    }
}

#[test]
fn whether_members_are_allowed_is_decided_by_the_name_of_their_bond() {
    let allowed = |pattern: &str| {
        let policy = Policy { allowed: vec![Pattern::new(pattern)], ..Policy::default() };
        ports(&bonded(policy).structure())
    };
    assert_eq!(allowed("bond*"), [true; 3]);
    assert_eq!(allowed("swp*"), [false; 3]);
}

/// Before Linux 6.3 bonds announce nothing, and of a member without a carrier nothing is known.
#[test]
fn a_member_without_a_carrier_does_not_keep_others_from_sending() {
    let mut leaf = bonded(Policy::default());
    leaf.apply(Event::XdpFeatures {
        ifindex: BOND,
        features: XdpFeatures::Driver("bonding".into()),
    });
    for ifindex in [FIRST, SECOND] {
        let features = XdpFeatures::Driver("veth".into());
        leaf.apply(Event::XdpFeatures { ifindex, features });
        leaf.apply(Event::VethPeer { ifindex, receives: Some(true) });
    }
    assert!(leaf.structure().ports[&BOND].is_target);
    leaf.apply(Event::VethPeer { ifindex: SECOND, receives: None });
    assert!(!leaf.structure().ports[&BOND].is_target, "it could take what is sent");
    let bond = Some(BondMember { active: true });
    let member = Link { master: Some(BOND), bond, carrier: false, ..veth(SECOND, "swp2") };
    leaf.apply(member);
    assert!(leaf.structure().ports[&BOND].is_target);
}

#[test]
fn a_member_with_vlan_devices_of_its_own_is_left_to_the_kernel() {
    let mut leaf = bonded(Policy::default());
    leaf.apply(vlan_of(FIRST, 100, 0x8100, veth(60, "swp1.100")));
    let structure = leaf.structure();
    assert_eq!(ports(&structure), [true, false, true]);
    let reason = structure.why_not(FIRST).next().expect("it is named");
    assert!(reason.contains("VLAN devices of its own"), "{reason}");
    leaf.apply(Event::LinkGone { ifindex: 60 });
    assert_eq!(ports(&leaf.structure()), [true; 3]);
}
