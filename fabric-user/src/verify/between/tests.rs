//! Two leafs that fit, and then otherwise in one thing.

use super::*;
use crate::{
    facts::{
        Arrived, Fabric, Received,
        counted::{Both, Count, PortCount},
        held,
    },
    frr::facts::{Frr, Vni, VniKind},
    observe::{Bridge, Event, Mac, Vxlan},
    verify::frr::tests::{BR, L2, L3, VXLAN, ip, link, mac, neighbour, tunnel_mac},
};

const UPLINK: u32 = 40;
const A: &str = "10.0.0.1";
const B: &str = "10.0.0.2";

fn between(all: &[Facts]) -> Vec<Between> {
    super::between(all).between
}

/// What a leaf of the pair is like.
struct Leaf {
    name: &'static str,
    local: &'static str,
    /// Whom it sends broadcasts to.
    flood: Option<&'static str>,
    vni: u32,
    vxlan: Vxlan,
    mtu: u32,
    /// The last byte of its uplink's MAC address, and of its neighbour's there.
    macs: (u8, u8),
    l3: &'static str,
}

fn leafs() -> [Leaf; 2] {
    let leaf = |name, local, flood, macs| Leaf {
        name,
        local,
        flood: Some(flood),
        vni: L2,
        vxlan: Vxlan { port: 4_789, ..Vxlan::default() },
        mtu: 9_000,
        macs,
        l3: "red",
    };
    [leaf("leaf01", A, B, (0xa1, 0xb1)), leaf("leaf02", B, A, (0xb1, 0xa1))]
}

impl Leaf {
    fn facts(&self) -> Facts {
        let device = |ifindex, name: &str, bridge, vni| {
            let local = Some(ip(self.local));
            link(
                ifindex,
                name,
                Some(bridge),
                LinkKind::Vxlan(Vxlan { vni, local, ..self.vxlan.clone() }),
            )
        };
        let bridge = || LinkKind::Bridge(Bridge::default());
        let mut uplink = link(UPLINK, "swp1", None, LinkKind::Device);
        if let Event::Link(link) = &mut uplink {
            (link.mtu, link.mac) = (self.mtu, Some(mac(self.macs.0)));
        }
        let mut network = vec![
            link(BR, "br200", None, bridge()),
            device(VXLAN, "vxlan200", BR, self.vni),
            link(BR + 1_000, "br4001", None, bridge()),
            device(VXLAN + 1_000, "vxlan4001", BR + 1_000, L3),
            uplink,
            neighbour(UPLINK, "192.0.2.1", mac(self.macs.1)),
        ];
        network.extend(self.flood.map(|to| tunnel_mac(VXLAN, Mac::ZERO, to)));
        let l3 = Vni { kind: VniKind::L3, vrf: Some(self.l3.into()), ..Vni::default() };
        let frr = Frr { vnis: [(self.vni, Vni::default()), (L3, l3)].into(), ..Frr::default() };
        let fabric = Some(Fabric::default());
        Facts { host: self.name.into(), network, frr: Some(frr), fabric, ..Facts::default() }
    }
}

/// What differs where the second leaf is otherwise.
fn with(change: impl FnOnce(&mut Leaf)) -> Vec<Between> {
    let [one, mut other] = leafs();
    change(&mut other);
    between(&[one.facts(), other.facts()])
}

/// The same, of which there is one.
#[track_caller]
fn one(change: impl FnOnce(&mut Leaf)) -> Between {
    let mut found = with(change);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn said(between: &Between) -> Vec<(&str, &str)> {
    between.says.iter().map(|(name, says)| (name.as_str(), says.as_str())).collect()
}

#[test]
fn leafs_that_fit_have_no_difference_and_neither_has_one_alone() {
    assert_eq!(with(|_| {}), []);
    assert_eq!(between(&[leafs()[0].facts()]), []);
}

#[test]
fn settings_that_the_ends_of_a_tunnel_have_not_alike_are_named_with_what_each_has() {
    // Both tunnels of the leaf have them.
    let port = with(|leaf| leaf.vxlan.port = 8_472);
    let what: Vec<&str> = port.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(what, ["10200, UDP port", "4001, UDP port"]);
    assert_eq!(said(&port[0]), [("leaf01", "4789"), ("leaf02", "8472")]);
    let gbp = with(|leaf| leaf.vxlan.unsupported = vec!["gbp".into()]);
    assert_eq!(said(&gbp[0]), [("leaf01", "none"), ("leaf02", "gbp")]);
    assert_eq!(with(|leaf| leaf.vxlan.tos_inherit = true).len(), 2);
    assert_eq!(with(|leaf| leaf.vxlan.ttl_inherit = true).len(), 2);
    // Of its own packets each end may choose the values.
    assert_eq!(with(|leaf| (leaf.vxlan.ttl, leaf.vxlan.tos) = (7, 8)), []);
    let vrf = one(|leaf| leaf.l3 = "blue");
    assert_eq!((vrf.what.as_str(), said(&vrf)[1]), ("4001, VRF", ("leaf02", "blue")));
}

#[test]
fn a_vni_that_is_a_network_here_and_a_vrfs_there_is_one_difference_of_kind() {
    let [one, mut other] = leafs().map(|leaf| leaf.facts());
    let vnis = &mut other.frr.as_mut().unwrap().vnis;
    vnis.get_mut(&L3).unwrap().kind = VniKind::L2;
    let found = between(&[one, other]);
    assert_eq!(found.iter().map(|it| it.what.as_str()).collect::<Vec<_>>(), ["4001, kind"]);
}

#[test]
fn a_wrong_vni_is_named_only_where_boxes_mean_the_same_by_their_networks() {
    let mut leafs = leafs();
    // A third network, so that two of three agree.
    let third = |facts: &mut Facts| {
        facts.network.push(link(70, "br300", None, LinkKind::Bridge(Bridge::default())));
        let vxlan = Vxlan { vni: 10_300, port: 4_789, ..Vxlan::default() };
        facts.network.push(link(71, "vxlan300", Some(70), LinkKind::Vxlan(vxlan)));
    };
    leafs[1].vni = 10_201;
    let [mut one, mut other] = leafs.map(|leaf| leaf.facts());
    // One network is alike, one is not: they may be strangers.
    assert_eq!(between(&[one.clone(), other.clone()]), []);
    third(&mut one);
    third(&mut other);
    let found = between(&[one, other]);
    let [wrong] = &found[..] else { panic!("{found:?}") };
    assert_eq!((wrong.kind, wrong.what.as_str()), (Kind::Domain, "of bridge br200"));
    assert_eq!(said(wrong), [("leaf01", "VNI 10200"), ("leaf02", "VNI 10201")]);
}

#[test]
fn broadcasts_that_go_one_way_alone_and_mtus_of_one_end_are_named() {
    let flood = one(|leaf| leaf.flood = None);
    assert_eq!(flood.what, "of VNI 10200 between leaf01 and leaf02");
    assert_eq!(said(&flood)[1], ("leaf02", "sends no broadcasts to 10.0.0.1"));
    let mtu = one(|leaf| leaf.mtu = 1_500);
    assert_eq!(mtu.what, "swp1 of leaf01 and swp1 of leaf02");
    assert_eq!(said(&mtu)[1], ("leaf02", "swp1 has MTU 1500"));
    assert_eq!(mtu.next, "ip link set swp1 mtu 9000, on leaf02");
    // Somebody else is at the other end.
    assert_eq!(with(|leaf| (leaf.mtu, leaf.macs) = (1_500, (0xb1, 0xc1))), []);
}

#[test]
fn boxes_that_share_a_host_are_called_by_their_namespaces() {
    let facts = |host: &str, namespace: Option<&str>| Facts {
        host: host.into(),
        namespace: namespace.map(Into::into),
        ..Facts::default()
    };
    let lab = [facts("pc", Some("leaf01")), facts("pc", Some("leaf02")), facts("box", Some("net"))];
    assert_eq!(names(&lab), ["leaf01", "leaf02", "box"]);
}

#[test]
fn who_says_something_else_than_most_is_named_and_those_that_say_the_same_stand_together() {
    let says = |all: &[(&str, &str)]| {
        let says = all.iter().map(|(name, says)| ((*name).into(), (*says).into())).collect();
        let (what, likely, next) = ("10200, MTU".into(), String::new(), String::new());
        Between { kind: Kind::Vni, what, says, likely, next }.to_string()
    };
    let three = says(&[("leaf01", "8950"), ("leaf02", "1450"), ("leaf03", "8950")]);
    assert!(three.starts_with("VNI 10200, MTU: leaf02 differs\n"), "{three}");
    assert!(three.contains("    leaf01, leaf03 8950\n"), "{three}");
    let two = says(&[("leaf01", "8950"), ("leaf02", "1450")]);
    assert!(two.starts_with("VNI 10200, MTU: boxes differ\n"), "{two}");
}

#[test]
fn two_boxes_of_one_name_are_not_taken_for_readings_of_one() {
    let [one, other] = leafs().map(|leaf| leaf.facts());
    let same = Facts { host: one.host.clone(), ..other.clone() };
    assert_eq!(namesakes(&[one.clone(), other.clone(), one.clone()]), None);
    assert_eq!(namesakes(&[one.clone(), other, same]), Some([0, 2]));
    let nothing = Facts { host: one.host.clone(), ..Facts::default() };
    assert_eq!(namesakes(&[one, nothing]), None, "whose it is cannot be told");
}

/// A leaf's facts whose counters were read at this time.
fn reading(leaf: &Leaf, ms: u64, sent: u64, received: u64, left: u64) -> Facts {
    let mut facts = leaf.facts();
    facts.taken_ms = ms + 20;
    let counted = &mut facts.fabric.as_mut().unwrap().counted;
    counted.read_ms = [ms, ms + 10];
    let peer = if leaf.local == A { B } else { A };
    let count = |packets| Count { packets, bytes: packets * 100 };
    let both = Both { sent: count(sent), received: count(received) };
    counted.vteps.insert(peer.into(), both);
    let reasons = [("inner_source_refresh", left), ("underlay_input_not_vxlan", 1_000_000 * ms)];
    let received = reasons.map(|(reason, packets)| (reason.to_owned(), count(packets))).into();
    counted.ports.insert("swp1".into(), PortCount { received, ..PortCount::default() });
    let held = &mut facts.fabric.as_mut().unwrap().held;
    held.ports
        .insert("swp1".into(), held::Port { role: "underlay".into(), ..held::Port::default() });
    facts
}

#[test]
fn what_one_has_sent_and_the_other_has_not_got_is_lost_if_its_readings_are_around_the_others() {
    let [a, b] = leafs();
    let compared = |times: [u64; 4], got: u64| {
        super::between(&[
            reading(&b, times[0], 0, 50, 0),
            reading(&a, times[1], 1_000, 0, 0),
            reading(&a, times[2], 3_000, 0, 0),
            reading(&b, times[3], 0, 50 + got, 5),
        ])
    };
    let at = |times, got| compared(times, got).between;
    let around = [1_000, 2_000, 5_000, 6_000];
    let found = at(around, 1_900);
    let [lost] = &found[..] else { panic!("{found:?}") };
    assert_eq!(lost.what, "from leaf01 to leaf02: 95 packets or more are lost");
    assert_eq!(said(lost)[0], ("leaf01", "sent 2000 in 3.0 s"));
    assert_eq!(at(around, 1_995), [], "what the kernel took was got as well");
    assert_eq!(at(around, 7_000), [], "the kernel has sent as well");
    // The last reading of the receiver may have missed what came later, and so may one at nearly the same time.
    let back = "what leaf02 has sent to leaf01: of the one there have to be two readings that are 100 ms and more after a \
                reading of the other and before another";
    let there = back.replace("leaf02 has sent to leaf01", "leaf01 has sent to leaf02");
    let silent = |not_compared: &[&str]| Compared {
        not_compared: not_compared.iter().map(|it| (*it).to_owned()).collect(),
        ..Compared::default()
    };
    assert_eq!(compared(around, 7_000), silent(&[back]));
    assert_eq!(compared([1_000, 2_000, 7_000, 6_000], 0), silent(&[&there, back]));
    assert_eq!(compared([1_950, 2_000, 5_000, 6_000], 0), silent(&[&there, back]));
}

#[test]
fn counters_that_have_begun_anew_between_readings_say_nothing() {
    let [a, b] = leafs();
    let found = between(&[
        reading(&b, 1_000, 0, 900, 0),
        reading(&a, 2_000, 1_000, 0, 0),
        reading(&a, 5_000, 3_000, 0, 0),
        reading(&b, 6_000, 0, 50, 5),
    ]);
    assert_eq!(found, []);
    // Of two VTEPs one, so that the sum has grown all the same.
    let with = |mut facts: Facts, packets| {
        let counted = &mut facts.fabric.as_mut().unwrap().counted;
        let other = Both { received: Count { packets, bytes: 0 }, ..Both::default() };
        counted.vteps.insert("10.0.0.3".into(), other);
        facts
    };
    let [a, b] = leafs();
    // Both addresses are the sender's.
    let second = |facts: &mut Facts| {
        let vxlan =
            Vxlan { vni: 10_300, local: Some(ip("10.0.0.3")), port: 4_789, ..Vxlan::default() };
        facts.network.push(link(71, "vxlan300", None, LinkKind::Vxlan(vxlan)));
    };
    let mut sent = [reading(&a, 2_000, 1_000, 0, 0), reading(&a, 5_000, 3_000, 0, 0)];
    sent.iter_mut().for_each(second);
    let [first, last] = sent;
    let all = |early, late| {
        between(&[
            with(reading(&b, 1_000, 0, 50, 0), early),
            first.clone(),
            last.clone(),
            with(reading(&b, 6_000, 0, 50 + 1_500, 0), late),
        ])
    };
    assert_eq!(all(900, 20), []);
    assert_eq!(all(0, 0).len(), 1, "and so it is found");
}

#[test]
fn packets_that_a_driver_receives_and_no_program_counts_are_named_but_not_what_it_does_not_count() {
    let [leaf, _] = leafs();
    // A second read of the driver after the counters: what came between belongs to neither.
    let at = |ms, packets, dropped, counted| {
        let mut facts = reading(&leaf, ms, 0, 0, counted);
        let fabric = facts.fabric.as_mut().unwrap();
        fabric.counted.ports.get_mut("swp1").unwrap().received.remove("underlay_input_not_vxlan");
        let before = Received { packets, dropped, queues: 2 };
        let arrived = Arrived { before, after: Received { packets: packets + 500, ..before } };
        fabric.arrived.insert("swp1".into(), arrived);
        facts
    };
    let what = |last| {
        let found = between(&[at(1_000, 10_000, 3, 7_000), last]);
        found.into_iter().map(|it| it.what).collect::<Vec<_>>()
    };
    assert_eq!(
        what(at(5_000, 110_500, 3, 7_000 + 90_000)),
        ["swp1 of leaf01: 9872 packets or more have no reason"]
    );
    assert!(what(at(5_000, 110_500, 3, 7_000 + 99_872)).is_empty(), "they are under way");
    assert!(what(at(5_000, 110_500, 10_003, 7_000 + 90_000)).is_empty(), "the driver lost them");
    assert!(what(at(5_000, 10_600, 3, 7_000 + 90_000)).is_empty(), "it does not count them");
    assert!(what(at(5_000, 7, 3, 7_000 + 90_000)).is_empty(), "it has begun anew");
}
