//! What BGP and zebra of a leaf take back, change or give anew: Fabric forwards by the kernel's tables at each
//! moment, and by nothing older.

use fabric_tests::fabric::{Fabric, PATIENCE, until};
use fabric_user::lab::daemons;
use rustix::process::Signal;

use crate::flow::Flow;

/// The leaf whose tables change.
const LEAF: &str = "leaf01";

/// The host in the tenant green whose other network is behind leaf02.
const GREEN: Flow =
    Flow { from: "green1", to: [10, 2, 0, 12], prefix: "10.2.0.0/16", gets: "green2" };
/// An address of leaf02 in green, which is made known to blue on leaf01.
const LEAKED: Flow =
    Flow { from: "blue1", to: [10, 9, 0, 1], prefix: "10.9.0.0/16", gets: "leaf02" };

/// Gives FRR of a node commands of its configuration.
pub(crate) fn configure(fabric: &Fabric, leaf: &str, commands: &[&str]) {
    fabric.vtysh(leaf, &[&["configure terminal"][..], commands].concat());
}

/// Case FRR-07: the L3VNI of a VRF is one that there is no device of, and is put right.
pub(crate) fn a_wrong_l3vni_is_followed_until_it_is_right(fabric: &Fabric) {
    configure(fabric, LEAF, &["vrf green", "no vni 54003", "vni 54999"]);
    GREEN.is_withdrawn(fabric);
    configure(fabric, LEAF, &["vrf green", "no vni 54999", "vni 54003"]);
    GREEN.arrives(fabric, true);
}

/// Case FRR-09: a route of type 5 that another VRF imports, until leaf02 withdraws it.
pub(crate) fn a_leaked_route_goes_with_the_one_that_it_comes_from(fabric: &Fabric) {
    configure(
        fabric,
        LEAF,
        &[
            "ip prefix-list LEAK seq 5 permit 10.9.0.0/16 le 32",
            "route-map LEAK permit 10",
            "match ip address prefix-list LEAK",
            "exit",
            "router bgp 65101 vrf blue",
            "address-family ipv4 unicast",
            "import vrf route-map LEAK",
            "import vrf green",
        ],
    );
    fabric.ip("leaf02", "address add 10.9.0.1/32 dev green");
    LEAKED.arrives(fabric, true);
    fabric.ip("leaf02", "address del 10.9.0.1/32 dev green");
    LEAKED.is_withdrawn(fabric);
    fabric.ip("leaf02", "address add 10.9.0.1/32 dev green");
    until(PATIENCE, "it is leaked again", || !LEAKED.route(fabric).trim().is_empty());
}

/// Case FRR-07: FRR ends at once and begins again, with its first configuration: what the commands before have added
/// is gone, or where zebra has not swept it, which happens, it is what the kernel goes by.
pub(crate) fn a_restart_leaves_nothing_behind_but_in_the_kernel(fabric: &Fabric) {
    let netns = fabric.netns(LEAF);
    daemons::frr_processes(netns.name()).iter().for_each(|daemon| daemon.stop(Signal::KILL));
    fabric.start_frr(LEAF);
    let left = fabric.lab().wait_ready(PATIENCE, &mut |_| {}).expect("the lab gets ready");
    assert!(left.is_empty(), "all ports are accelerated: {left:?}");
    GREEN.arrives(fabric, true);
    LEAKED.goes(fabric, |kernel_sends| kernel_sends);
}
