//! Tunnels that are set up wrong.

use fabric_tests::fabric::{
    Fabric,
    diagnosis::{Fault, Mend},
};

use super::STATE;

const LEAF: &str = "leaf02";

pub(super) const FAULTS: [Fault; 3] = [
    Fault {
        name: "wrong VNI on one leaf",
        suite: STATE,
        fails: &[
            "vni app leaf02",
            "vteps app leaf01",
            "vteps app leaf02",
            "mac vm11 on leaf02",
            "mac vm12 on leaf02",
            "mac vm21 on leaf01",
            "mac vm21 on leaf02",
            "neighbour vm11 (10.200.0.11) on leaf02",
            "neighbour vm12 (10.200.0.12) on leaf02",
            "neighbour vm21 (10.200.0.21) on leaf01",
            "neighbour vm21 (10.200.0.21) on leaf02",
            "reach vm11→vm21 (icmp)",
            "reach vm21→vm11 (icmp)",
        ],
        breaks: |fabric| {
            of_vni(fabric, 10_299);
            Box::new(|fabric| of_vni(fabric, 10_200))
        },
    },
    Fault {
        name: "learning left on",
        suite: STATE,
        fails: &["vni web leaf02", "verify leaf02"],
        breaks: |fabric| {
            fabric.run(LEAF, "bridge", "link set dev vxlan10100 learning on");
            Box::new(|fabric| {
                fabric.run(LEAF, "bridge", "link set dev vxlan10100 learning off");
            })
        },
    },
    Fault {
        name: "VTEP address removed",
        suite: STATE,
        fails: &[
            "vni web leaf02",
            "vni app leaf02",
            "vteps web leaf01",
            "vteps app leaf01",
            "mac vm21 on leaf01",
            "neighbour vm21 (10.200.0.21) on leaf01",
            "reach vm11→vm21 (icmp)",
            "reach vm21→vm11 (icmp)",
            "verify leaf02",
        ],
        breaks: remove_the_address,
    },
];

/// Makes the vxlan device of the network app anew: the kernel does not change a VNI.
fn of_vni(fabric: &Fabric, vni: u32) {
    let vtep = fabric.vtep(LEAF);
    for line in [
        "link del vxlan10200",
        &format!(
            "link add vxlan10200 type vxlan id {vni} local {vtep} dstport 4789 nolearning noudpcsum"
        ),
        "link set vxlan10200 mtu 1500 master br200 addrgenmode none",
        "link set vxlan10200 type bridge_slave learning off neigh_suppress on",
        "link set dev vxlan10200 up",
    ] {
        fabric.ip(LEAF, line);
    }
}

fn remove_the_address(fabric: &Fabric) -> Mend {
    let of_lo = |fabric: &Fabric, word: &str| {
        fabric.ip(LEAF, &format!("address {word} {}/32 dev lo", fabric.vtep(LEAF)));
    };
    of_lo(fabric, "del");
    Box::new(move |fabric| of_lo(fabric, "add"))
}
