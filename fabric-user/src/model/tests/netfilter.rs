//! What netfilter would see of a packet is left to the kernel.

use super::{incremental::Incremental, router::*, world::*};
use crate::{model::*, observe::*};

pub(super) fn chain(family: ChainFamily, hook: Hook) -> Chain {
    Chain {
        tool: Tool::Nftables,
        family,
        table: "t".into(),
        name: "c".into(),
        hook,
        kind: ChainKind::Filter,
        devices: Vec::new(),
        acts: true,
    }
}

fn at(device: &str, hook: Hook) -> Event {
    Event::Chain(Chain { devices: vec![device.into()], ..chain(ChainFamily::Netdev, hook) })
}

/// Whether packets are routed, over IPv4 and over IPv6; which agrees with what is said.
fn routed(router: &Incremental) -> [bool; 2] {
    let structure = router.structure();
    let ports: Vec<_> = structure.ports.values().map(|port| [port.route4, port.route6]).collect();
    assert_eq!(ports.len(), 3, "programs stay where they are");
    assert!(ports.iter().all(|routes| *routes == ports[0]), "{ports:?}");
    for (v6, is_routed) in ports[0].into_iter().enumerate() {
        let begin = format!("routed {} packets: ", ["IPv4", "IPv6"][v6]);
        let named = structure.problems.iter().any(|problem| problem.text.starts_with(&begin));
        assert_ne!(named, is_routed, "{:?}", structure.problems);
    }
    ports[0]
}

#[test]
fn a_chain_on_the_way_of_routed_packets_takes_those_of_its_family() {
    use ChainFamily::{Bridge, Inet, Ip, Ip6, Netdev};
    for (family, routes) in [
        (Ip, [false, true]),
        (Ip6, [true, false]),
        (Inet, [false, false]),
        (Bridge, [true, true]),
        (Netdev, [true, true]),
    ] {
        for hook in [Hook::Prerouting, Hook::Forward, Hook::Postrouting] {
            let mut router = router();
            router.apply(chain(family, hook));
            assert_eq!(routed(&router), routes, "{family:?} {hook:?}");
        }
        for hook in [Hook::Input, Hook::Output] {
            let mut router = router();
            router.apply(chain(family, hook));
            assert_eq!(routed(&router), [true, true], "{family:?} {hook:?}");
        }
    }
}

#[test]
fn a_chain_that_does_nothing_or_does_not_matter_takes_nothing() {
    let forward = chain(ChainFamily::Inet, Hook::Forward);
    let mut router = router();
    router.apply(Chain { acts: false, ..forward.clone() });
    assert_eq!(routed(&router), [true, true]);
    router.apply(forward.clone());
    router.apply(Event::DormantTable { family: ChainFamily::Ip, name: "t".into() });
    assert_eq!(routed(&router), [false, false], "another table of this name");
    router.apply(Event::DormantTable { family: ChainFamily::Inet, name: "t".into() });
    assert_eq!(routed(&router), [true, true]);

    let ignored_chains = vec![Pattern::new("inet t *")];
    let mut router = router_with(Policy { ignored_chains, ..Policy::default() });
    router.apply(forward.clone());
    assert_eq!(routed(&router), [true, true]);
    router.apply(Chain { table: "u".into(), ..forward });
    assert_eq!(routed(&router), [false, false]);
}

#[test]
fn chains_that_tell_nobody_of_themselves_and_virtual_services_count_as_well() {
    let chains = vec![Chain { tool: Tool::Iptables, ..chain(ChainFamily::Ip, Hook::Forward) }];
    let router = router_with(Policy { chains, ..Policy::default() });
    assert_eq!(routed(&router), [false, true]);
    router.assert_named("iptables-legacy");
    let router = router_with(Policy { virtual_servers: [false, true], ..Policy::default() });
    assert_eq!(routed(&router), [true, false]);
    router.assert_named("IPVS");
    for (bridge_nf, is_bridged) in [([true, false], true), ([false, true], false)] {
        let virtual_servers = [false, true];
        let bridge_nf = Some(bridge_nf);
        let leaf = leaf_with(Policy { virtual_servers, bridge_nf, ..Policy::default() });
        assert_eq!(leaf.problems().contains("IPVS sees frames by br_netfilter"), !is_bridged);
        assert_eq!(!leaf.structure().domains.is_empty(), is_bridged);
    }
}

#[test]
fn a_dump_of_chains_replaces_all_that_were_known() {
    let mut router = router();
    assert!(router.apply(Event::NetfilterChanged).netfilter_stale);
    let forward = Event::Chain(chain(ChainFamily::Ip, Hook::Forward));
    assert!(router.network.replace_netfilter(vec![forward.clone()]).chains);
    assert!(!router.network.replace_netfilter(vec![forward]).chains, "nothing has changed");
    router.replace_all();
    assert_eq!(routed(&router), [false, true]);
    assert!(router.network.replace_netfilter(Vec::new()).chains);
    router.replace_all();
    assert_eq!(routed(&router), [true, true]);
}

#[test]
fn an_interface_at_which_a_chain_is_is_left_to_the_kernel() {
    for hook in [Hook::Ingress, Hook::Egress] {
        for (name, ifindex) in [("h1", H1), ("u1", U1), ("u1*", U1)] {
            let mut leaf = leaf();
            leaf.apply(at(name, hook));
            let structure = leaf.structure();
            assert!(!structure.ports.contains_key(&ifindex), "{name}");
            assert!(structure.ports.contains_key(&H2), "{name}");
            assert!(structure.declined[&ifindex].contains("`netdev t c`"), "{name}");
        }
    }
    // Where the kernel's name for it is another one by now, only a dump tells.
    let mut leaf = leaf();
    leaf.apply(at("h1", Hook::Ingress));
    let renamed = Link { name: "h9".into(), ..port_of(BR10, veth(H1, "h1")) };
    assert!(leaf.apply(renamed.clone()).netfilter_stale);
    assert!(!leaf.apply(Link { mtu: 1400, ..renamed }).netfilter_stale);
    assert!(leaf.apply(Event::LinkGone { ifindex: H1 }).netfilter_stale);
}

#[test]
fn a_chain_at_a_vxlan_device_takes_its_tunnel_and_leaves_the_ports() {
    let mut leaf = leaf();
    leaf.apply(at("vx10", Hook::Egress));
    let structure = leaf.structure();
    assert_eq!(structure.domains[&DOMAIN].vni, None);
    assert_eq!(structure.circuits.len(), 2);
    leaf.assert_named("`netdev t c` sees what vx10 receives or sends");
}

/// Whether frames are bridged, which agrees with what is said.
fn bridged(leaf: &Incremental) -> bool {
    let structure = leaf.structure();
    assert!(structure.ports.contains_key(&H1), "programs stay where they are");
    let is_bridged = !structure.domains.is_empty();
    assert_ne!(leaf.problems().contains("bridge br10: the nftables chain"), is_bridged);
    is_bridged
}

#[test]
fn a_chain_on_the_way_of_bridged_frames_takes_those_of_all_bridges() {
    for (hook, is_bridged) in [
        (Hook::Prerouting, false),
        (Hook::Input, true),
        (Hook::Forward, false),
        (Hook::Output, true),
        (Hook::Postrouting, false),
    ] {
        let mut leaf = leaf();
        leaf.apply(chain(ChainFamily::Bridge, hook));
        assert_eq!(bridged(&leaf), is_bridged, "{hook:?}");
    }
}

#[test]
fn br_netfilter_shows_bridged_frames_to_chains_of_ip_if_it_is_told_to() {
    use ChainFamily::{Inet, Ip, Ip6};
    let options = |nf_call_ip, nf_call_ip6| {
        let options = Bridge { nf_call_ip, nf_call_ip6, ..bridge_options(false) };
        Event::Link(link(BR10, "br10", LinkKind::Bridge(options)))
    };
    for (family, bridge_nf, options, is_bridged) in [
        (Ip, None, options(true, true), true),
        (Ip, Some([false; 2]), options(false, false), true),
        (Ip, Some([true, false]), options(false, false), false),
        (Ip, Some([false, true]), options(false, true), true),
        (Ip, Some([false; 2]), options(true, false), false),
        (Ip6, Some([true, false]), options(true, false), true),
        (Ip6, Some([false, true]), options(false, false), false),
        (Ip6, Some([false; 2]), options(false, true), false),
        (Inet, Some([false, true]), options(false, false), false),
    ] {
        let mut leaf = leaf_with(Policy { bridge_nf, ..Policy::default() });
        leaf.apply(options.clone());
        assert!(bridged(&leaf), "without chains");
        leaf.apply(chain(family, Hook::Input));
        assert!(bridged(&leaf), "frames that are bridged are not for the box");
        leaf.apply(chain(family, Hook::Forward));
        assert_eq!(bridged(&leaf), is_bridged, "{family:?} {bridge_nf:?} {options:?}");
    }
}

#[test]
fn what_may_lead_a_tunnels_packets_elsewhere_takes_them_in_its_direction() {
    use ChainKind::{Nat, Route};
    for (family, hook, kind, sends, receives) in [
        (ChainFamily::Ip, Hook::Output, Nat, false, true),
        (ChainFamily::Inet, Hook::Postrouting, Nat, false, true),
        (ChainFamily::Ip, Hook::Output, Route, false, true),
        (ChainFamily::Ip, Hook::Prerouting, Nat, true, false),
        (ChainFamily::Ip, Hook::Input, Nat, true, false),
        (ChainFamily::Ip, Hook::Forward, ChainKind::Filter, true, true),
        (ChainFamily::Ip6, Hook::Output, Nat, true, true),
    ] {
        let mut leaf = leaf();
        leaf.apply(Chain { kind, ..chain(family, hook) });
        let structure = leaf.structure();
        let found = (structure.vteps[&VTEP].is_some(), !structure.unheard.contains(&VTEP));
        assert_eq!(found, (sends, receives), "{family:?} {hook:?} {kind:?}");
        let problems = leaf.problems();
        assert_eq!(problems.contains("VTEP 10.0.0.2: "), !(sends && receives), "{problems}");
        assert!(structure.notes.is_empty());
    }
}

#[test]
fn a_firewall_of_the_box_itself_is_named_and_takes_no_tunnel() {
    let mut leaf = leaf();
    let input = chain(ChainFamily::Inet, Hook::Input);
    leaf.apply(input.clone());
    leaf.apply(Chain { name: "d".into(), hook: Hook::Output, ..input });
    let structure = leaf.structure();
    assert!(structure.vteps[&VTEP].is_some() && structure.unheard.is_empty());
    assert_eq!(leaf.problems(), "");
    let note = "tunnels over IPv4: the nftables chain `inet t c` and 1 more see nothing of what XDP forwards";
    assert_eq!(structure.notes, [note.to_owned()].into());
}
