//! What netfilter would see of routed packets, and what may lead those of tunnels elsewhere, is the
//! kernel's.

use fabric_common::reason::Reason;
use fabric_tests::fabric::{PATIENCE, until};

use crate::{
    net::{Net, routed, tunnel, until_fast},
    router::{DESTINATIONS, until_the_kernels},
};

const ROUTED: [Reason; 1] = [Reason::Routed];
const BOTH: [Reason; 2] = [Reason::Encapsulated, Reason::Decapsulated];
/// Nobody has it.
const TRANSLATED: &str = "172.16.77.1";

#[test]
fn a_firewall_for_forwarded_packets_is_followed_while_it_changes() {
    let mut net = routed();
    net.start();
    let [v4, v6] = DESTINATIONS;
    for (family, hook, refused, others) in [
        ("ip", "forward", &[v4][..], &[v6][..]),
        ("ip6", "forward", &[v6], &[v4]),
        ("inet", "forward", &[v4, v6], &[]),
        ("inet", "prerouting", &[v4, v6], &[]),
        ("ip", "postrouting", &[v4], &[v6]),
    ] {
        // A chain without rules does nothing.
        net.at("leaf").nft(&format!(
            "add table {family} t\nadd chain {family} t c {{ type filter hook {hook} priority 0; }}\n"
        ));
        for to in DESTINATIONS {
            until_fast(&net, "host1", to, &ROUTED);
        }
        net.at("leaf").nft(&format!(
            "add rule {family} t c meta l4proto {{ icmp, icmpv6 }} iifname p1 drop\n"
        ));
        net.until_named(&["routed ", &format!("`{family} t c`")]);
        for to in refused {
            until_the_kernels(&net, to, 0);
        }
        for to in others {
            until_fast(&net, "host1", to, &ROUTED);
        }
        net.at("leaf").nft(&format!("flush chain {family} t c\n"));
        for to in DESTINATIONS {
            until_fast(&net, "host1", to, &ROUTED);
        }
        net.at("leaf").nft(&format!("add chain {family} t c {{ policy drop; }}\n"));
        for to in refused {
            // Neighbours do not resolve each other any more where the policy is for what arrives.
            if hook == "forward" {
                until_the_kernels(&net, to, 0);
            }
        }
        net.at("leaf").nft(&format!("add table {family} t {{ flags dormant; }}\n"));
        for to in DESTINATIONS {
            until_fast(&net, "host1", to, &ROUTED);
        }
        net.at("leaf").nft(&format!("delete table {family} t\n"));
    }
    assert!(!net.names(&["nftables"]));
}

#[test]
fn a_firewall_that_was_there_before_the_daemon_is_followed() {
    let mut net = routed();
    net.at("leaf").nft(
        "add table inet t\nadd chain inet t c { type filter hook forward priority 0; policy drop; }\n",
    );
    net.start();
    for to in DESTINATIONS {
        until_the_kernels(&net, to, 0);
    }
    net.at("leaf").nft("delete table inet t\n");
    for to in DESTINATIONS {
        until_fast(&net, "host1", to, &ROUTED);
    }
}

#[test]
fn addresses_are_translated_by_the_kernel_also_after_the_rule_has_gone() {
    let mut net = routed();
    net.start();
    until_fast(&net, "host1", DESTINATIONS[0], &ROUTED);
    let flow = format!("-e 77 {TRANSLATED}");
    let ping = |net: &Net| net.ping("host1", &flow);
    assert_eq!(ping(&net), 0);
    net.at("leaf").nft(&format!(
        "add table ip t\nadd chain ip t c {{ type nat hook prerouting priority -100; }}\n\
         add rule ip t c ip daddr {TRANSLATED} dnat to {}\n\
         add chain ip t i {{ type filter hook input priority 0; }}\n\
         add rule ip t i ct state established accept\n",
        DESTINATIONS[0]
    ));
    // What the kernel has begun to forward untranslated it forgets after 30 seconds; and it remembers
    // connections as long as some rule is about them.
    until(PATIENCE, "the address is translated", || net.ping("host1", TRANSLATED) == 10);
    until(PATIENCE, "the flow is translated", || ping(&net) == 10);
    net.at("leaf").nft("flush chain ip t c\n");
    for turn in 0..3 {
        assert_eq!(ping(&net), 10, "what has begun goes on ({turn})");
    }
    assert!(net.names(&["routed IPv4 packets: the nftables chain `ip t c` sees them"]));
    net.at("leaf").nft("delete table ip t\n");
    until_fast(&net, "host1", DESTINATIONS[0], &ROUTED);
}

#[test]
fn rules_of_iptables_legacy_are_followed() {
    let mut net = routed();
    net.start();
    for (tool, to) in [("iptables-legacy", DESTINATIONS[0]), ("ip6tables-legacy", DESTINATIONS[1])]
    {
        net.at("leaf").run(tool, "-w -L -n");
        for (change, back) in [
            ("-w -A FORWARD -i p1 -j DROP", "-w -D FORWARD -i p1 -j DROP"),
            ("-w -P FORWARD DROP", "-w -P FORWARD ACCEPT"),
            ("-w -t raw -A PREROUTING -s 172.16.0.0/12 -j DROP", "-w -t raw -F"),
        ] {
            let change = match tool {
                "ip6tables-legacy" => change.replace("172.16.0.0/12", "2001:db8:a1::10"),
                _ => change.to_owned(),
            };
            until_fast(&net, "host1", to, &ROUTED);
            net.at("leaf").run(tool, &change);
            net.until_named(&["iptables-legacy", "left to the kernel"]);
            until_the_kernels(&net, to, 0);
            net.at("leaf").run(tool, back);
            net.until_unnamed(&["iptables-legacy"]);
        }
        until_fast(&net, "host1", to, &ROUTED);
    }
}

#[test]
fn a_firewall_of_the_box_itself_is_named_and_leaves_tunnels_fast() {
    let mut net = tunnel(false, "");
    net.at("leaf").nft(
        "add table inet t\nadd chain inet t c { type filter hook input priority 0; policy drop; }\n\
         add rule inet t c udp dport 4789 accept\n",
    );
    net.start();
    until_fast(&net, "host1", "192.168.0.2", &BOTH);
    let state = net.state();
    assert!(state.problems.is_empty() && state.declined.is_empty(), "{state:?}");
    let note = "the nftables chain `inet t c` sees nothing of what XDP forwards";
    assert!(state.notes.iter().any(|text| text.contains(note)), "{:?}", state.notes);
}

fn chains_that_lead_tunnels_elsewhere(v6: bool) {
    let mut net = tunnel(v6, "");
    // Or the chains would see the frames of the hosts as well, where br_netfilter is loaded.
    for file in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
        let path = format!("/proc/sys/net/bridge/{file}");
        let _absent = net.at("leaf").inside(|| std::fs::write(path, "0"));
    }
    net.start();
    // The router, and the leaf by another address: neither has a tunnel there.
    let (family, router, leaf) = match v6 {
        true => ("ip6", "[2001:db8:2::2]", "[2001:db8:1::1]"),
        false => ("ip", "10.2.0.2", "10.1.0.1"),
    };
    for (hook, priority, to, reason) in [
        ("output", -100, router, Reason::Encapsulated),
        ("prerouting", -100, leaf, Reason::Decapsulated),
    ] {
        until_fast(&net, "host1", "192.168.0.2", &BOTH);
        net.at("leaf").nft(&format!(
            "add table {family} t\n\
             add chain {family} t c {{ type nat hook {hook} priority {priority}; }}\n\
             add rule {family} t c udp dport 4789 dnat to {to}:9\n"
        ));
        net.until_named(&["VTEP ", &format!("`{family} t c`"), "elsewhere"]);
        assert_eq!(net.kernel_alone(|| net.ping("host1", "192.168.0.2")), 0, "{hook}");
        let before = net.met(reason);
        assert_eq!(net.ping("host1", "192.168.0.2"), 0, "{hook}");
        assert_eq!(net.met(reason), before, "{hook}");
        net.at("leaf").nft(&format!("delete table {family} t\n"));
        net.until_unnamed(&["elsewhere"]);
    }
    until_fast(&net, "host1", "192.168.0.2", &BOTH);
}

#[test]
fn tunnels_over_ipv4_whose_packets_may_be_led_elsewhere_are_the_kernels() {
    chains_that_lead_tunnels_elsewhere(false);
}

#[test]
fn tunnels_over_ipv6_whose_packets_may_be_led_elsewhere_are_the_kernels() {
    chains_that_lead_tunnels_elsewhere(true);
}
