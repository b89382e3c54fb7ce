//! Chains that see frames in the kernel: XDP comes before them, so their frames are the kernel's.

use std::path::Path;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R},
    fabric::{PATIENCE, until},
    judged::{Fate, Judged, all_at, frame},
    packet::Frame,
};

/// Sends until Fabric forwards.
#[track_caller]
fn until_ours(site: &mut Judged, reason: Reason, mut send: impl FnMut(&mut Judged)) {
    until(PATIENCE, &format!("packets meet {reason:?}"), || {
        let before = site.met(reason);
        send(site);
        site.met(reason) > before
    });
}

#[test]
fn frames_that_a_chain_of_bridges_sees_are_the_kernels() {
    let mut site = Judged::new();
    let (local, remote) = (frame(HOST_A.mac, HOST_B.mac), frame(HOST_A.mac, HOST_R.mac));
    let arriving = frame(HOST_R.mac, HOST_A.mac);
    for hook in ["prerouting", "forward", "postrouting"] {
        until_ours(&mut site, Reason::Bridged, |site| {
            assert_eq!(site.as_by_the_kernel("acc0", &local), all_at("acc1"));
        });
        // A chain without rules does nothing.
        site.nft(&format!(
            "add table bridge t\nadd chain bridge t c {{ type filter hook {hook} priority 0; }}\n"
        ));
        until_ours(&mut site, Reason::Bridged, |site| {
            assert_eq!(site.as_by_the_kernel("acc0", &local), all_at("acc1"));
        });
        site.nft("add rule bridge t c drop\n");
        assert_eq!(site.as_by_the_kernel("acc0", &local), Fate::new(), "{hook}");
        assert_eq!(site.as_by_the_kernel("acc0", &remote), Fate::new(), "{hook}");
        assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), Fate::new(), "{hook}");
        site.wait_problem("bridge br0: the nftables chain `bridge t c` sees frames");
        site.nft("flush chain bridge t c\nadd chain bridge t c { policy drop; }\n");
        assert_eq!(site.as_by_the_kernel("acc0", &local), Fate::new(), "{hook}, policy drop");
        site.nft("delete table bridge t\n");
        site.wait_no_problem();
    }
    site.nft(
        "add table bridge t\nadd chain bridge t i { type filter hook input priority 0; }\n\
         add rule bridge t i drop\nadd chain bridge t o { type filter hook output priority 0; }\n\
         add rule bridge t o drop\n",
    );
    until_ours(&mut site, Reason::Decapsulated, |site| {
        assert_eq!(site.as_by_the_kernel("acc0", &local), all_at("acc1"));
        assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    });
}

#[test]
fn br_netfilter_shows_bridged_frames_to_chains_of_ip() {
    let mut site = Judged::new();
    let local = Frame::ipv4(&HOST_A, &HOST_B);
    let until_bridged = |site: &mut Judged| {
        until_ours(site, Reason::Bridged, |site| {
            assert_eq!(site.as_by_the_kernel("acc0", &local), all_at("acc1"));
        });
    };
    let add_chain = "add table ip t\nadd chain ip t c { type filter hook forward priority 0; }\n\
         add rule ip t c drop\n";
    let is_loaded = || Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables").exists();
    if !site.netns().inside(is_loaded) {
        // br_netfilter would be loaded for bridges that are not ours as well.
        site.nft(add_chain);
        assert_eq!(site.as_by_the_kernel("acc0", &local), all_at("acc1"));
        until_bridged(&mut site);
        site.wait_no_problem();
        return;
    }
    // Without chains it does not matter.
    site.sysctl("bridge/bridge-nf-call-iptables", "1");
    until_bridged(&mut site);
    site.nft(add_chain);
    assert_eq!(site.as_by_the_kernel("acc0", &local), Fate::new());
    site.wait_problem("sees frames by br_netfilter (bridge-nf-call-iptables)");
    site.sysctl("bridge/bridge-nf-call-iptables", "0");
    site.wait_no_problem();
    until_bridged(&mut site);
    site.ip("link set br0 type bridge nf_call_iptables 1\n");
    assert_eq!(site.as_by_the_kernel("acc0", &local), Fate::new());
    site.wait_problem("sees frames by br_netfilter (nf_call_iptables)");
    site.ip("link set br0 type bridge nf_call_iptables 0\n");
    until_bridged(&mut site);
}

#[test]
fn a_port_at_which_a_chain_redirects_is_the_kernels() {
    let mut site = Judged::new();
    let (local, remote) = (frame(HOST_A.mac, HOST_B.mac), frame(HOST_A.mac, HOST_R.mac));
    let back = frame(HOST_B.mac, HOST_A.mac);
    assert_eq!(site.as_by_the_kernel("acc0", &remote), all_at("up0"));
    site.nft(
        "add table netdev t\n\
         add chain netdev t c { type filter hook ingress device acc0 priority 0; }\n\
         add rule netdev t c fwd to acc1\n",
    );
    assert_eq!(site.as_by_the_kernel("acc0", &remote), all_at("acc1"));
    let declined = |site: &Judged, port: &str| site.state().declined.contains_key(port);
    until(PATIENCE, "acc0 is declined", || declined(&site, "acc0"));
    // Others go on.
    until_ours(&mut site, Reason::Encapsulated, |site| {
        assert_eq!(site.as_by_the_kernel("acc1", &remote), all_at("up0"));
    });
    // Until Linux 6.16 a chain stays where it is when its interface gets another name, and then it goes to
    // the interface of the name.
    for (before, after) in [("acc0", "acc7"), ("acc7", "acc0")] {
        site.ip(&format!(
            "link set {before} down\nlink set {before} name {after}\nlink set {after} up\n"
        ));
        site.as_by_the_kernel("acc0", &remote);
    }
    assert_eq!(site.as_by_the_kernel("acc0", &remote), all_at("acc1"));
    until(PATIENCE, "acc0 is declined", || declined(&site, "acc0"));
    site.nft("delete table netdev t\n");
    until_ours(&mut site, Reason::Encapsulated, |site| {
        assert_eq!(site.as_by_the_kernel("acc0", &remote), all_at("up0"));
    });
    site.nft(
        "add table netdev t\n\
         add chain netdev t c { type filter hook egress device acc1 priority 0; policy drop; }\n",
    );
    assert_eq!(site.as_by_the_kernel("acc0", &local), Fate::new());
    assert_eq!(site.as_by_the_kernel("acc1", &back), all_at("acc0"));
    site.nft("delete table netdev t\n");
    until_ours(&mut site, Reason::Bridged, |site| {
        assert_eq!(site.as_by_the_kernel("acc0", &local), all_at("acc1"));
    });
}

#[test]
fn an_underlay_port_or_vxlan_device_at_which_a_chain_drops_is_the_kernels() {
    let mut site = Judged::new();
    let (remote, arriving) = (frame(HOST_A.mac, HOST_R.mac), frame(HOST_R.mac, HOST_A.mac));
    for device in ["up0", "vx100"] {
        for (hook, sent, received) in [("egress", false, true), ("ingress", true, false)] {
            until_ours(&mut site, Reason::Encapsulated, |site| {
                assert_eq!(site.as_by_the_kernel("acc0", &remote), all_at("up0"));
            });
            site.nft(&format!(
                "add table netdev t\n\
                 add chain netdev t c {{ type filter hook {hook} device {device} priority 0; policy drop; }}\n"
            ));
            let fate = |arrives, place| if arrives { all_at(place) } else { Fate::new() };
            let what = format!("{hook} of {device}");
            assert_eq!(site.as_by_the_kernel("acc0", &remote), fate(sent, "up0"), "{what}");
            let arrived = site.as_by_the_kernel_from_leaf2(&arriving);
            assert_eq!(arrived, fate(received, "acc0"), "{what}");
            site.nft("delete table netdev t\n");
        }
    }
}
