//! A leaf that routes for its networks, and what it has to make of their packets: as the kernel alone does, byte
//! for byte, and by XDP.

mod device;
mod multipath;
mod overlay_index;
mod site;
mod traps;
mod without_ipv6;

use std::collections::BTreeSet;

use fabric_common::reason::Reason;

use crate::{
    addresses::Station,
    device::mac_text,
    fabric::{PATIENCE, until},
    packet::Frame,
};
pub use device::{
    downstream_vnis_are_taken_over, downstream_vnis_die_with_their_device,
    downstream_vnis_go_from_the_address_that_the_kernel_sends_from,
    the_device_of_downstream_vnis_is_chosen_as_a_port_is,
};
pub use multipath::two_leafs_of_a_prefix_have_their_own_router_macs;
pub use overlay_index::a_prefix_behind_a_host_goes_where_that_host_is;
use site::{
    DOWNSTREAM_VNI, HOST1, HOST2, OTHER_DOWNSTREAM_VNI, OUT0, OUTSIDE, REMOTE1, REMOTE2, REMOTE3,
    ROUTER_MAC, VNIS, packets, station,
};
pub use site::{Seen, Shape, Site};
pub use traps::{
    what_leads_nowhere_is_answered_as_by_the_kernel, what_no_router_forwards_goes_nowhere,
};
pub use without_ipv6::{
    downstream_vnis_follow_what_holds_for_ipv6_at_their_device, interfaces_without_ipv6_pass_none,
    tunnels_over_ipv6_need_it_at_the_port,
};

/// Cases VXSY-01 and VXAS-01: a host's packets for a host here (between two networks), one behind another leaf (asymmetric), one in a network
/// that the other leaf routes for (symmetric), and to the outside.
pub fn hosts_reach_every_network(site: &Site) {
    for (to, port, vni) in [
        (HOST2, "acc2", None),
        (REMOTE2, "up0", Some(VNIS[1])),
        (REMOTE3, "up0", Some(VNIS[2])),
        (OUTSIDE, "out0", None),
    ] {
        for packet in packets(&HOST1, &to, site.gateway_mac(1)) {
            let (at, tunnel, frame) = site.routed("acc1", &packet.bytes());
            assert_eq!((at, tunnel), (port, vni), "to {:?}", to.ipv4);
            assert_eq!(ttl(&frame), TTL - 1, "routed once, to {:?}", to.ipv4);
        }
    }
}

/// Packets from the router for a host here, one behind another leaf, and one in a network of the other leaf.
pub fn outsiders_reach_every_network(site: &Site) {
    for (to, port, vni) in
        [(HOST1, "acc1", None), (REMOTE1, "up0", Some(VNIS[0])), (REMOTE3, "up0", Some(VNIS[2]))]
    {
        for packet in packets(&OUTSIDE, &to, OUT0) {
            let (at, tunnel, _) = site.routed("out0", &packet.bytes());
            assert_eq!((at, tunnel), (port, vni), "to {:?}", to.ipv4);
        }
    }
}

/// Case VXSY-01: what the other leaf sends to the gateway of a network: to a host, to the outside, back into the fabric by another
/// VNI (a border), and from a host of its own that has its gateway here (centralised).
pub fn tunnels_reach_every_network(site: &Site) {
    let in_third = |to: Station, port: &str, tunnel: Option<u32>| {
        for packet in packets(&REMOTE3, &to, site.gateway_mac(9)) {
            let (at, vni, frame) = site.routed("up0", &site.sent_by_leaf2(VNIS[2], &packet));
            assert_eq!((at, vni), (port, tunnel), "to {:?}", to.ipv4);
            assert_eq!(ttl(&frame), TTL - 1, "and once more by this leaf, to {:?}", to.ipv4);
        }
    };
    in_third(HOST1, "acc1", None);
    in_third(OUTSIDE, "out0", None);
    in_third(REMOTE2, "up0", Some(VNIS[1]));
    for packet in packets(&REMOTE1, &HOST2, site.gateway_mac(1)) {
        let (at, vni, _) = site.routed("up0", &site.sent_by_leaf2(VNIS[0], &packet));
        assert_eq!((at, vni), ("acc2", None));
    }
}

/// Cases VXSY-01 and VXAS-01: within a network there is no router: to the other leaf, from there, and from its gateway, which has the MAC address
/// of this one (anycast).
pub fn stations_of_one_network_reach_each_other(site: &Site) {
    for (here, there, port, network) in [(HOST1, REMOTE1, "acc1", 1), (HOST2, REMOTE2, "acc2", 2)] {
        let vni = VNIS[usize::from(network) - 1];
        for packet in packets(&here, &there, there.mac) {
            let seen = site.judged(port, &packet.bytes(), Reason::Encapsulated);
            assert_eq!(seen, [("up0", Some(vni), packet.bytes())]);
        }
        for packet in packets(&there, &here, here.mac) {
            for packet in [packet.clone(), packet.from(site.gateway_mac(network))] {
                let arriving = site.sent_by_leaf2(vni, &packet);
                let seen = site.judged("up0", &arriving, Reason::Decapsulated);
                assert_eq!(seen, [(port, None, packet.bytes())]);
            }
        }
    }
}

/// Packets by routes into a downstream VNI, whose VNI and VTEP come from the next hop: from a host, from the router, out
/// of a tunnel, with the outer headers that the kernel writes, also when the route changes them.
pub fn downstream_vnis_are_carried(site: &Site) {
    site.lead_downstream();
    let from_host = packets(&HOST1, &REMOTE3, site.gateway_mac(1));
    for packet in &from_host {
        let (at, vni, frame) = site.routed("acc1", &packet.bytes());
        assert_eq!((at, vni, ttl(&frame)), ("up0", Some(DOWNSTREAM_VNI), TTL - 1));
    }
    for packet in packets(&OUTSIDE, &REMOTE3, OUT0) {
        let (at, vni, _) = site.routed("out0", &packet.bytes());
        assert_eq!((at, vni), ("up0", Some(DOWNSTREAM_VNI)));
    }
    for packet in packets(&REMOTE1, &REMOTE3, site.gateway_mac(1)) {
        let (at, vni, _) = site.routed("up0", &site.sent_by_leaf2(VNIS[0], &packet));
        assert_eq!((at, vni), ("up0", Some(DOWNSTREAM_VNI)));
    }
    assert_eq!(site.problems(), "");
    same_outer_headers(site, &from_host);
    // What comes back comes in this leaf's own VNI.
    for packet in packets(&REMOTE3, &HOST1, site.gateway_mac(9)) {
        let (at, vni, _) = site.routed("up0", &site.sent_by_leaf2(VNIS[2], &packet));
        assert_eq!((at, vni), ("acc1", None));
    }
    site.lead_into(OTHER_DOWNSTREAM_VNI, site.other_words());
    for packet in &from_host {
        let (at, vni, _) = site.routed("acc1", &packet.bytes());
        assert_eq!((at, vni), ("up0", Some(OTHER_DOWNSTREAM_VNI)));
    }
    same_outer_headers(site, &from_host);
    assert_eq!(site.problems(), "");
}

fn same_outer_headers(site: &Site, packets: &[Frame]) {
    for packet in packets {
        for tos in [0, 0xb9] {
            let packet = packet.clone().tos(tos).bytes();
            let [kernel, ours] = [true, false].map(|it| site.outer("acc1", &packet, it));
            assert_eq!(kernel, ours, "of {packet:02x?}");
        }
    }
}

/// What stands between a packet and a downstream VNI: TTL, MTUs, a router that is not known, a VTEP that cannot be
/// reached, several VNIs, and routes that are gone.
pub fn downstream_vnis_follow_what_next_hops_follow(site: &Site) {
    const MTU: usize = 1_400;
    site.lead_downstream();
    let mac = site.gateway_mac(1);
    let [v4, v6] = packets(&HOST1, &REMOTE3, mac);
    for packet in [&v4, &v6] {
        site.routed("acc1", &packet.bytes());
        let seen = site.judged("acc1", &packet.clone().ttl(1).bytes(), Reason::TransitInputTtl);
        assert_answer(&seen, "acc1", None, [11, 3]);
    }
    site.shorten_downstream(MTU as u32);
    for packet in whole(packets(&HOST1, &REMOTE3, mac)) {
        let fitting = packet.clone().length(14 + MTU);
        assert_eq!(site.routed("acc1", &fitting.bytes()).0, "up0");
        let longer = packet.length(14 + MTU + 1).bytes();
        let seen = site.judged("acc1", &longer, Reason::TransitOutputTooBig);
        assert_answer(&seen, "acc1", None, [3, 2]);
        assert_eq!(answered_mtu(&seen[0].2), MTU as u32);
    }
    site.shorten_downstream(1_500);
    site.narrow(MTU as u32);
    for packet in whole(packets(&HOST1, &REMOTE3, mac)) {
        let fitting = packet.clone().length(14 + MTU).bytes();
        assert_eq!(site.routed("acc1", &fitting).1, Some(DOWNSTREAM_VNI));
        let longer = packet.length(14 + MTU + 1).bytes();
        site.judged("acc1", &longer, Reason::VxlanOutputUnderlayTooSmall);
        assert_eq!(site.routed("acc1", &fitting).1, Some(DOWNSTREAM_VNI));
    }
    for packet in [&v4, &v6] {
        let packet = packet.bytes();
        site.know_router(false);
        site.judged("acc1", &packet, Reason::NexthopSelectEmptyGroup);
        site.know_router(true);
        // With it the kernel sends what has waited for it.
        site.send("acc1", &packet);
        site.routed("acc1", &packet);
        site.reach_leaf2(false);
        site.judged("acc1", &packet, Reason::NexthopSelectEmptyGroup);
        site.reach_leaf2(true);
        site.routed("acc1", &packet);
    }
    assert_eq!(site.problems(), "");
    downstream_vnis_are_shown(site);
    let both = [DOWNSTREAM_VNI, OTHER_DOWNSTREAM_VNI];
    site.lead_into_both(both);
    let mut seen = BTreeSet::new();
    until(PATIENCE, "flows go into both VNIs", || {
        for flow in 0..16 {
            let source = station(1, 10 + flow);
            let [packet, _] = packets(&source, &REMOTE3, mac);
            seen.extend(site.send("acc1", &packet.bytes()).into_iter().filter_map(|it| it.1));
        }
        both.iter().all(|vni| seen.contains(vni))
    });
    assert_eq!(site.problems(), "");
}

/// What `fabricctl` says about a next hop in a downstream VNI.
fn downstream_vnis_are_shown(site: &Site) {
    let gateway = mac_text(site.gateway_mac(1));
    let wanted =
        ["lookup", "--json", "--mac", &gateway, "--bridge", "br1", "10.0.1.10", "10.0.3.20"];
    until(PATIENCE, "lookup follows the packet", || site.json(&wanted)["forwarded"] == true);
    let way = site.json(&wanted);
    assert_eq!(
        (&way["station"]["bridge"], &way["station"]["vni"]),
        (&"svd".into(), &DOWNSTREAM_VNI.into())
    );
    assert_eq!(way["station"]["vtep"]["remote"], "192.0.2.2");
    let nexthops = site.json(&["maps", "nexthops", "--json"]);
    let rows = nexthops["entries"].as_array().expect("a list");
    let name = format!("svd VNI {DOWNSTREAM_VNI}");
    let named: Vec<_> = rows.iter().filter(|row| row["port"] == name.as_str()).collect();
    assert!(
        !named.is_empty() && named.iter().all(|row| row["behind"] == "192.0.2.2"),
        "{nexthops}"
    );
    // It has a name, but no frame arrives there, and no bridge is behind it.
    for (question, answer) in [
        (["--in", &name, "10.0.1.10", "10.0.3.20"], "is not an accelerated port"),
        (
            ["--vni", &DOWNSTREAM_VNI.to_string(), "10.0.1.10", "10.0.3.20"],
            "no accelerated bridge has that",
        ),
    ] {
        let (code, said) =
            site.fabricctl(&[&["lookup", "--mac", &gateway], &question[..]].concat());
        assert!(code != 0 && said.contains(answer), "{question:?}: {said}");
    }
    let ports = site.json(&["maps", "ports", "--json"]);
    let mut rows = ports["entries"].as_array().into_iter().flatten();
    let row = rows.find(|row| row["port"] == name.as_str()).expect("it is among the ports");
    assert_eq!((&row["role"], &row["untagged_bridge"]), (&"gateway".into(), &"svd".into()));
    let status = site.json(&["status", "--json"]);
    for list in ["bridges", "ports", "gateways"] {
        let text = status[list].to_string();
        assert!(!text.contains("svd"), "{list}: {text}");
    }
    let routers = status["routers"].as_array().into_iter().flatten();
    let routers: Vec<_> = routers.filter(|row| row["vni"] == DOWNSTREAM_VNI).collect();
    assert!(!routers.is_empty(), "{status}");
    for row in routers {
        assert_eq!((&row["vtep"], &row["vrf"]), (&"192.0.2.2".into(), &site.vrf()), "{status}");
    }
}

/// What the kernel answers, or is for itself, it gets.
pub fn the_kernel_gets_what_it_answers(site: &Site) {
    let mac = site.gateway_mac(1);
    let [v4, v6] = packets(&HOST1, &HOST2, mac);
    for packet in [v4.ttl(1), v6.ttl(1)] {
        site.judged("acc1", &packet.bytes(), Reason::TransitInputTtl);
    }
    // Back to its own network.
    for back in packets(&HOST1, &REMOTE1, mac) {
        site.judged("acc1", &back.bytes(), Reason::TransitOutputSamePort);
    }
    let own = Station { ipv4: [10, 0, 2, 1], ..HOST2 };
    let [own, _] = packets(&HOST1, &own, mac);
    site.judged("acc1", &own.bytes(), Reason::TransitRouteLocal);
    assert_eq!(site.problems(), "");
}

/// What ends at the router, with the answers of the kernel: where a host has sent it, and where a tunnel has brought
/// it.
pub fn what_ends_here_is_answered(site: &Site) {
    let (mac, third) = (site.gateway_mac(1), site.gateway_mac(9));
    for packet in packets(&HOST1, &REMOTE3, mac) {
        let seen = site.judged("acc1", &packet.ttl(1).bytes(), Reason::TransitInputTtl);
        assert_answer(&seen, "acc1", None, [11, 3]);
    }
    for packet in packets(&REMOTE3, &HOST1, third) {
        let packet = site.sent_by_leaf2(VNIS[2], &packet.ttl(1));
        let seen = site.judged("up0", &packet, Reason::TransitInputTtl);
        assert_answer(&seen, "up0", Some(VNIS[2]), [11, 3]);
    }
}

/// Case VN-08: packets around the MTU of a gateway and around that of the underlay: what does not fit is answered or fragmented by
/// the kernel, with the right MTU, and what fits is routed.
pub fn what_does_not_fit_is_answered(site: &Site) {
    const MTU: usize = 1_400;
    let (mac, third) = (site.gateway_mac(1), site.gateway_mac(9));
    site.shorten(2, MTU as u32);
    for packet in whole(packets(&HOST1, &HOST2, mac)) {
        let fitting = packet.clone().length(14 + MTU);
        assert_eq!(site.routed("acc1", &fitting.bytes()).0, "acc2");
        let longer = packet.length(14 + MTU + 1).bytes();
        let seen = site.judged("acc1", &longer, Reason::TransitOutputTooBig);
        assert_answer(&seen, "acc1", None, [3, 2]);
        assert_eq!(answered_mtu(&seen[0].2), MTU as u32);
    }
    for packet in whole(packets(&REMOTE3, &HOST2, third)) {
        let longer = site.sent_by_leaf2(VNIS[2], &packet.length(14 + MTU + 1));
        let seen = site.judged("up0", &longer, Reason::TransitOutputTooBig);
        assert_answer(&seen, "up0", Some(VNIS[2]), [3, 2]);
        assert_eq!(answered_mtu(&seen[0].2), MTU as u32);
    }
    // May be fragmented.
    let [longer, _] = packets(&HOST1, &HOST2, mac);
    let longer = longer.length(14 + MTU + 1).bytes();
    let seen = site.judged("acc1", &longer, Reason::TransitOutputTooBig);
    assert_eq!(seen.iter().map(|seen| seen.0).collect::<Vec<_>>(), ["acc2"; 2]);
    // Fits the gateway and the vxlan device, but with its outer headers not the underlay.
    site.narrow(MTU as u32);
    for packet in whole(packets(&HOST1, &REMOTE3, mac)) {
        let fitting = packet.clone().length(14 + MTU).bytes();
        assert_eq!(site.routed("acc1", &fitting).1, Some(VNIS[2]));
        let longer = packet.length(14 + MTU + 1).bytes();
        let seen = site.judged("acc1", &longer, Reason::VxlanOutputUnderlayTooSmall);
        assert_answer(&seen, "acc1", None, [3, 2]);
        assert_eq!(answered_mtu(&seen[0].2), MTU as u32);
        // Whatever the kernel has learned from that.
        assert_eq!(site.routed("acc1", &fitting).1, Some(VNIS[2]));
    }
    // Not routed, but bridged: the vxlan device answers in the remote station's name (`skb_tunnel_check_pmtu`).
    for packet in whole(packets(&HOST1, &REMOTE1, REMOTE1.mac)) {
        let fitting = packet.clone().length(14 + MTU).bytes();
        let seen = site.judged("acc1", &fitting, Reason::Encapsulated);
        assert_eq!(seen, [("up0", Some(VNIS[0]), fitting)]);
        let longer = packet.length(14 + MTU + 1).bytes();
        let seen = site.judged("acc1", &longer, Reason::VxlanOutputUnderlayTooSmall);
        assert_answer(&seen, "acc1", None, [3, 2]);
        assert_eq!(answered_mtu(&seen[0].2), MTU as u32);
    }
    assert_eq!(site.problems(), "");
}

/// Of two hosts that the kernel has not heard of for a while, over IPv4 and over IPv6, it is asked for the one to which
/// packets go, and gives it up, because nobody answers here. The other stays as it is.
pub fn hosts_in_use_are_asked_for(site: &Site) {
    let idle = station(2, 11);
    for (packet, v6) in packets(&HOST1, &HOST2, site.gateway_mac(1)).into_iter().zip([false, true])
    {
        site.routed("acc1", &packet.bytes());
        site.make_stale(2, &[HOST2, idle], v6);
        until(PATIENCE, "the host in use is asked for", || {
            site.send("acc1", &packet.bytes());
            matches!(&site.state(2, &HOST2, v6)[..], "" | "FAILED" | "INCOMPLETE")
        });
        assert_eq!(site.state(2, &idle, v6), "STALE");
    }
}

/// What `fabricctl` says about gateways, and about a packet that goes to the other leaf's router.
pub fn gateways_and_ways_through_them_are_shown(site: &Site) {
    let gateway = mac_text(site.gateway_mac(1));
    let wanted =
        ["lookup", "--json", "--mac", &gateway, "--bridge", "br1", "10.0.1.10", "10.0.3.20"];
    until(PATIENCE, "lookup follows the packet", || site.json(&wanted)["forwarded"] == true);
    let way = site.json(&wanted);
    assert_eq!((&way["gateway"], &way["station"]["vni"]), (&"br1".into(), &VNIS[2].into()));
    assert_eq!(way["station"]["vtep"]["remote"], "192.0.2.2");
    let status = site.json(&["status", "--json"]);
    let gateways = status["gateways"].as_array().expect("a list");
    let names: Vec<_> = gateways.iter().filter_map(|row| row["gateway"].as_str()).collect();
    assert_eq!(names, ["br1", "br2", "br9"]);
    assert_eq!(gateways[0]["addresses"][0], "10.0.1.1/24");
    assert_eq!(status["routers"][0]["mac"], mac_text(ROUTER_MAC));
    assert_eq!(status["vrfs"][0]["l3vnis"][0], VNIS[2]);
    let shows = |wanted: bool| {
        let status = site.json(&["status", "--json"]);
        let mut rows = status["gateways"].as_array().into_iter().flatten();
        rows.find(|row| row["gateway"] == "br2").is_some_and(|row| {
            let why = row["why_not"].as_str().unwrap_or_default();
            row["accelerated"] == wanted && why.contains("filters of `tc`") != wanted
        })
    };
    site.with_filter(2, || {
        until(PATIENCE, "one that is left to the kernel is shown", || shows(false));
    });
    until(PATIENCE, "it is accelerated again", || shows(true));
}

/// Packets that may not be fragmented.
fn whole([v4, v6]: [Frame; 2]) -> [Frame; 2] {
    [v4.change_ipv4(|ip| ip.df = true), v6]
}

/// TTL of the packets that are sent.
const TTL: u8 = 17;

/// TTL or hop limit in a frame.
fn ttl(frame: &[u8]) -> u8 {
    frame[if frame[12..14] == [8, 0] { 22 } else { 21 }]
}

/// That all that came out is one ICMP message at this place, of this type over IPv4 or IPv6.
#[track_caller]
fn assert_answer(seen: &Seen, port: &str, vni: Option<u32>, [over4, over6]: [u8; 2]) {
    let [(at, tunnel, frame)] = &seen[..] else { panic!("one message: {seen:02x?}") };
    assert_eq!((*at, *tunnel), (port, vni));
    let found =
        if frame[12..14] == [8, 0] { [frame[23], frame[34]] } else { [frame[20], frame[54]] };
    let expected = if frame[12..14] == [8, 0] { [1, over4] } else { [58, over6] };
    assert_eq!(found, expected, "{frame:02x?}");
}

/// The MTU of a message that says fragmentation needed (RFC 1191) or packet too big (RFC 4443).
fn answered_mtu(frame: &[u8]) -> u32 {
    match frame[12..14] == [8, 0] {
        true => u16::from_be_bytes([frame[40], frame[41]]).into(),
        false => u32::from_be_bytes([frame[58], frame[59], frame[60], frame[61]]),
    }
}
