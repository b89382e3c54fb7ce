//! Bonds that face each other, with the kernel as judge of each frame.

use std::time::Instant;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R},
    fabric::until,
    judged::{Fate, Judged, all_at, frame},
};

use crate::{
    SOON,
    site::{HOST_C, Site},
};

/// IEEE 802.1AX with messages every second.
const LACP: &str = "mode 802.3ad lacp_rate fast xmit_hash_policy layer2+3";

/// Asks until frames have the fate that both judges give them and that is expected, and XDP has a part in
/// it. The other end takes its time: until then the kernel itself gives them another one.
#[track_caller]
fn by_xdp(judged: &mut Judged, reason: Reason, expected: &Fate, ask: impl Fn(&mut Judged) -> Fate) {
    let start = Instant::now();
    loop {
        let before = judged.met(reason);
        let fate = ask(judged);
        if fate == *expected && judged.met(reason) > before {
            return;
        }
        assert!(
            start.elapsed() < SOON,
            "{fate:?} instead of {expected:?}, or nothing is {reason:?}, but {:?}",
            met(judged)
        );
    }
}

/// All reasons that packets have met, and how many.
fn met(judged: &Judged) -> Vec<(Reason, u64)> {
    let all = Reason::ALL.iter().map(|reason| (*reason, judged.met(*reason)));
    all.filter(|(_, count)| *count > 0).collect()
}

/// That both ways go between the host behind the bond and the one at another port.
#[track_caller]
fn host_is_reached(judged: &mut Judged) {
    let (there, back) = (frame(HOST_C.mac, HOST_B.mac), frame(HOST_B.mac, HOST_C.mac));
    for (from, to, frame) in [("bond1", "acc1", there), ("acc1", "bond1", back)] {
        by_xdp(judged, Reason::Bridged, &all_at(to), |judged| {
            judged.as_by_the_kernel(from, &frame)
        });
    }
}

/// The same for the tunnel.
#[track_caller]
fn tunnel_goes_both_ways(judged: &mut Judged) {
    let (there, back) = (frame(HOST_A.mac, HOST_R.mac), frame(HOST_R.mac, HOST_A.mac));
    by_xdp(judged, Reason::Encapsulated, &all_at("bond1"), |judged| {
        judged.as_by_the_kernel("acc0", &there)
    });
    by_xdp(judged, Reason::Decapsulated, &all_at("acc0"), |judged| {
        judged.as_by_the_kernel_over("bond1", &back)
    });
}

#[test]
fn a_bond_with_lacp_as_access_port_follows_its_members_and_its_partner() {
    let mut site = Site::with_host(LACP);
    let both: &[&str] = &["m0", "m1"];
    let reached_by = |site: &mut Site, members: &[&str]| {
        site.wait_members(members);
        host_is_reached(&mut site.judged);
    };
    reached_by(&mut site, both);
    // A member loses its carrier; another one leaves and comes back.
    site.far_ip("link set m0p down\n");
    reached_by(&mut site, &["m1"]);
    site.far_ip("link set m0p up\n");
    reached_by(&mut site, both);
    site.judged.ip("link set m1 nomaster\n");
    reached_by(&mut site, &["m0"]);
    site.judged.ip("link set m1 down\nlink set m1 master bond0\n");
    reached_by(&mut site, both);

    // The partner goes and leaves two links without LACP, of which the bond uses one.
    site.judged.forget("bond1");
    site.far_ip("link del bond1\nlink set m0p up\nlink set m1p up\n");
    for wire in ["m0p", "m1p"] {
        site.judged.listen_outside(wire);
    }
    let judged = &mut site.judged;
    until(SOON, "the bond uses one of its members", || {
        let to_bond = frame(HOST_B.mac, HOST_C.mac);
        let left = judged.as_by_the_kernel("acc1", &to_bond);
        let arrived = ["m0p", "m1p"]
            .map(|wire| judged.as_by_the_kernel(wire, &frame(HOST_C.mac, HOST_B.mac)));
        let one = |active: usize| {
            let fate = |member| if member == active { all_at("acc1") } else { Fate::new() };
            left == all_at(["m0p", "m1p"][active]) && arrived == [fate(0), fate(1)]
        };
        one(0) || one(1)
    });
    until(SOON, "fabric-xdpd is in sync", || judged.state().synced);
}

#[test]
fn a_bond_is_a_port_of_the_underlay_in_both_directions() {
    for options in [LACP, "mode active-backup"] {
        println!("{options}");
        let mut site = Site::with_underlay(options);
        let both: &[&str] = &["m0", "m1"];
        let all = if options == LACP { both } else { &both[..1] };
        site.wait_members(all);
        tunnel_goes_both_ways(&mut site.judged);
        site.far_ip("link set m0p down\n");
        site.wait_members(&["m1"]);
        tunnel_goes_both_ways(&mut site.judged);
        site.far_ip("link set m0p up\n");
        site.wait_members(if options == LACP { both } else { &both[1..] });
        tunnel_goes_both_ways(&mut site.judged);
    }
}

#[test]
fn bonds_in_modes_that_take_no_programs_are_left_to_the_kernel_and_named() {
    for (options, copies) in
        [("mode broadcast", 2), ("mode balance-xor xmit_hash_policy vlan+srcmac", 1)]
    {
        println!("{options}");
        let mut site = Site::facing(options, "mode balance-xor");
        site.become_access_port();
        let judged = &mut site.judged;
        until(SOON, "the bond is named", || {
            let why = judged.state().declined.get("bond0").cloned();
            why.is_some_and(|why| why.contains("has no native XDP"))
        });
        let (there, back) = (frame(HOST_C.mac, HOST_B.mac), frame(HOST_B.mac, HOST_C.mac));
        let copied: Fate = all_at("bond1").into_iter().map(|(at, n)| (at, n * copies)).collect();
        until(SOON, "the bonds forward", || {
            judged.as_by_the_kernel("bond1", &there) == all_at("acc1")
                && judged.as_by_the_kernel("acc1", &back) == copied
        });
        assert_eq!(judged.met(Reason::Bridged), 0);
    }
}
