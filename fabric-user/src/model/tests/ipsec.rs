//! What IPsec policies may match is the kernel's.

use super::{incremental::Incremental, router::*, world::*};
use crate::{model::*, observe::*};

/// A policy that wants packets encrypted.
fn policy(index: u32, direction: IpsecDirection, source: &str, destination: &str) -> IpsecPolicy {
    IpsecPolicy {
        index,
        direction,
        priority: 100,
        source: prefix(source),
        destination: prefix(destination),
        protocol: 0,
        source_port: (0, 0),
        destination_port: (0, 0),
        ifindex: 0,
        mark: None,
        interface: 0,
        sub: false,
        passes: false,
    }
}

fn out(index: u32, source: &str, destination: &str) -> IpsecPolicy {
    policy(index, IpsecDirection::Out, source, destination)
}

pub(super) fn inward(index: u32, source: &str, destination: &str) -> IpsecPolicy {
    policy(index, IpsecDirection::In, source, destination)
}

/// Whether Fabric sends to the leaf's VTEP, and opens what comes from it.
fn both_ways(leaf: &Incremental) -> (bool, bool) {
    let structure = leaf.structure();
    (structure.vteps[&VTEP].is_some(), !structure.unheard.contains(&VTEP))
}

/// The same after these policies.
fn with(policies: impl IntoIterator<Item = IpsecPolicy>) -> (bool, bool) {
    let mut leaf = leaf();
    for policy in policies {
        leaf.apply(policy);
    }
    both_ways(&leaf)
}

#[test]
fn a_policy_between_vteps_leaves_the_tunnel_to_the_kernel_and_says_so() {
    let mut leaf = leaf();
    leaf.apply(IpsecPolicy {
        protocol: 17,
        destination_port: (4789, 0xffff),
        ..out(9, "10.0.0.1/32", "10.0.0.2/32")
    });
    assert_eq!(both_ways(&leaf), (false, true));
    assert_eq!(
        leaf.problems(),
        "VTEP 10.0.0.2: the IPsec policy `src 10.0.0.1/32 dst 10.0.0.2/32 proto 17 dport 4789 dir \
         out` may match VXLAN packets to it, left to the kernel\n"
    );
    leaf.apply(inward(16, "10.0.0.0/24", "0.0.0.0/0"));
    assert_eq!(both_ways(&leaf), (false, false));
    leaf.assert_named(
        "`src 10.0.0.0/24 dst 0.0.0.0/0 dir in` may match VXLAN packets \
                                      from it",
    );
    leaf.apply(Event::IpsecPolicyGone { index: 9 });
    assert_eq!(both_ways(&leaf), (true, false));
    leaf.apply(Event::IpsecPoliciesGone { sub: true });
    assert_eq!(both_ways(&leaf), (true, false));
    leaf.apply(Event::IpsecPoliciesGone { sub: false });
    assert_eq!((both_ways(&leaf), leaf.problems()), ((true, true), String::new()));
}

#[test]
fn a_policy_that_cannot_match_vxlan_packets_changes_nothing() {
    let other = |change: &dyn Fn(&mut IpsecPolicy)| {
        let mut policy = out(9, "10.0.0.1/32", "10.0.0.2/32");
        change(&mut policy);
        policy
    };
    for policy in [
        out(9, "10.0.0.1/32", "10.0.0.3/32"),
        out(9, "10.0.0.3/32", "10.0.0.2/32"),
        out(9, "10.0.0.2/32", "10.0.0.1/32"),
        out(9, "::/0", "::/0"),
        inward(9, "10.0.0.1/32", "10.0.0.2/32"),
        policy(9, IpsecDirection::Forward, "0.0.0.0/0", "0.0.0.0/0"),
        other(&|policy| policy.protocol = 6),
        other(&|policy| policy.destination_port = (4790, 0xffff)),
        other(&|policy| policy.interface = 3),
    ] {
        assert_eq!(with([policy.clone()]), (true, true), "{policy}");
    }
    for policy in [
        out(9, "10.0.0.0/31", "10.0.0.7/29"),
        other(&|policy| policy.source_port = (50_000, 0xffff)),
        other(&|policy| policy.destination_port = (4789 & 0xfff0, 0xfff0)),
        other(&|policy| policy.ifindex = 7),
        other(&|policy| policy.mark = Some((5, 5))),
        other(&|policy| policy.sub = true),
    ] {
        assert_eq!(with([policy.clone()]), (false, true), "{policy}");
    }
}

#[test]
fn a_policy_that_lets_packets_through_protects_them_from_those_behind_it() {
    let passes = |priority| IpsecPolicy {
        priority,
        passes: true,
        protocol: 17,
        destination_port: (4789, 0xffff),
        ..out(1, "10.0.0.0/8", "10.0.0.0/8")
    };
    let all = out(9, "0.0.0.0/0", "0.0.0.0/0");
    assert_eq!(with([passes(99)]), (true, true));
    assert_eq!(with([passes(99), all.clone()]), (true, true));
    assert_eq!(with([passes(100), all.clone()]), (false, true), "either of them may decide");
    assert_eq!(with([passes(101), all.clone()]), (false, true));
    let unsure: [fn(&mut IpsecPolicy); 4] = [
        |policy| policy.source_port = (1, 1),
        |policy| policy.mark = Some((1, 1)),
        |policy| policy.ifindex = 7,
        |policy| policy.sub = true,
    ];
    for change in unsure {
        let mut policy = passes(99);
        change(&mut policy);
        assert_eq!(with([policy.clone(), all.clone()]), (false, true), "{policy}");
    }
    let sub = IpsecPolicy { sub: true, ..all };
    assert_eq!(with([passes(99), sub]), (false, true), "sub-policies are asked besides");
}

#[test]
fn what_no_policy_matches_may_be_refused_by_default() {
    let mut leaf = leaf();
    let block = |block_in, block_out| {
        Event::IpsecDefaults(IpsecDefaults { block_in, block_forward: false, block_out })
    };
    leaf.apply(block(false, true));
    assert_eq!(both_ways(&leaf), (false, true));
    leaf.assert_named("VTEP 10.0.0.2: IPsec's default policy may match VXLAN packets");
    leaf.apply(block(true, true));
    assert_eq!(both_ways(&leaf), (false, false));
    let passes = IpsecPolicy { passes: true, ..out(1, "10.0.0.0/8", "10.0.0.0/8") };
    leaf.apply(passes);
    assert_eq!(both_ways(&leaf), (true, false));
    leaf.apply(block(false, false));
    assert_eq!(both_ways(&leaf), (true, true));
}

#[test]
fn a_policy_for_many_vteps_is_one_sentence() {
    let mut leaf = leaf();
    for number in 3..40 {
        leaf.apply(tunnel_mac(Mac::ZERO, ip(&format!("10.0.0.{number}"))));
    }
    leaf.apply(out(9, "0.0.0.0/0", "10.0.0.0/27"));
    let problems = leaf.problems();
    let about: Vec<_> = problems.lines().filter(|line| line.contains("IPsec")).collect();
    assert_eq!(about.len(), 1, "{problems}");
    assert!(about[0].starts_with("VTEP 10.0.0.2 and 29 others: the IPsec policy"), "{problems}");
    let structure = leaf.structure();
    let beyond = VtepKey { local: LOCAL, remote: ip("10.0.0.33") };
    assert!(structure.vteps.contains_key(&beyond));
}

#[test]
fn destinations_that_a_policy_may_match_are_left_to_the_kernel_and_no_others() {
    for direction in [IpsecDirection::Out, IpsecDirection::Forward] {
        let mut router = router();
        let group = Some(Way::Group(GroupKey::Object(GROUP)));
        // Inside of what a route leads to, and around connected hosts.
        for (index, destination) in [(1, "10.9.1.0/24"), (2, "10.1.0.0/16"), (3, "2001:db8:9::/48")]
        {
            let source = if destination.contains(':') { "::/0" } else { "172.16.0.0/16" };
            router.apply(policy(index, direction, source, destination));
        }
        assert_eq!(router.way("10.9.0.0/16"), group);
        assert_eq!(router.way("10.9.1.0/24"), Some(Way::Kernel));
        assert_eq!(router.way("10.1.0.0/16"), Some(Way::Kernel));
        assert_eq!(router.way("10.1.0.0/24"), Some(Way::Kernel));
        assert_eq!(router.way("10.1.0.7/32"), None, "the connected host is inside of that");
        assert_eq!(
            router.way("10.1.0.1/32"),
            Some(Way::Local),
            "the box's own stays the box's own"
        );
        assert_eq!(router.way("2001:db8:9::/48"), Some(Way::Kernel));
        router.assert_named("routed packets to 10.9.1.0/24: the IPsec policy `src");
        // What comes later is left alone as well.
        router.apply(via_object(254, "10.9.1.128/25", GROUP));
        router.apply(neighbour(SWP3, "10.1.0.8", Some(mac(8))));
        assert_eq!(router.way("10.9.1.128/25"), Some(Way::Kernel));
        assert_eq!(router.way("10.1.0.8/32"), None);
        router.withdraw(via_object(254, "10.9.1.128/25", GROUP));
        assert_eq!(router.way("10.9.1.128/25"), None);
        let before = router.all_routes;
        for index in 1..4 {
            router.apply(Event::IpsecPolicyGone { index });
        }
        assert_eq!(router.all_routes, before, "only what a policy covered is compiled again");
        assert_eq!(router.way("10.9.1.0/24"), None);
        assert_eq!(router.way("10.1.0.0/24"), Some(Way::Connected));
        assert!(matches!(router.way("10.1.0.7/32"), Some(Way::Nexthop { .. })));
        assert_eq!(router.way("2001:db8:9::/48"), group);
        assert_eq!(router.problems(), "");
    }
}

#[test]
fn policies_for_the_boxs_own_packets_leave_routed_ones_alone() {
    let mut router = router();
    router.apply(out(1, "10.0.0.9/32", "0.0.0.0/0"));
    router.apply(policy(2, IpsecDirection::Forward, "0.0.0.0/0", "10.0.0.9/32"));
    router.apply(inward(3, "0.0.0.0/0", "0.0.0.0/0"));
    let passes = IpsecPolicy { passes: true, ..out(4, "0.0.0.0/0", "0.0.0.0/0") };
    router.apply(passes);
    assert_eq!(router.way("10.9.0.0/16"), Some(Way::Group(GroupKey::Object(GROUP))));
    assert_eq!(router.problems(), "");
    // They are not the box's own any more.
    let mut gone = via_hops(255, "10.0.0.9/32", &[(1, None)]);
    gone.kind = RouteKind::Local;
    gone.key.priority = 0;
    router.withdraw(gone);
    assert_eq!(router.way("10.9.0.0/16"), Some(Way::Kernel));
}

#[test]
fn the_default_policy_leaves_all_routed_packets_to_the_kernel() {
    for (block_forward, block_out) in [(true, false), (false, true)] {
        let mut router = router();
        let defaults = IpsecDefaults { block_in: false, block_forward, block_out };
        router.apply(defaults);
        for destination in ["0.0.0.0/0", "::/0", "10.9.0.0/16", "2001:db8:9::/48"] {
            assert_eq!(router.way(destination), Some(Way::Kernel), "{destination}");
        }
        router.apply(IpsecDefaults::default());
        assert_eq!(router.way("10.9.0.0/16"), Some(Way::Group(GroupKey::Object(GROUP))));
        assert_eq!(router.way("0.0.0.0/0"), None);
    }
}

#[test]
fn many_policies_are_a_few_sentences() {
    let mut router = router();
    for index in 0..100 {
        router.apply(out(index, "0.0.0.0/0", &format!("10.20.{index}.0/24")));
    }
    let problems = router.problems();
    assert_eq!(problems.lines().count(), 9, "{problems}");
    assert!(problems.contains("routed packets to 92 more destinations"), "{problems}");
}
