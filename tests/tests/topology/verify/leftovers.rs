//! What is in the kernel in FRR's name, and FRR has not.

use fabric_tests::fabric::Fabric;

use super::{LEAF, VNI, mend, only};

/// A VTEP and a MAC that are nobody's.
const VTEP: &str = "10.0.9.9";
const MAC: &str = "02:00:00:09:09:09";

pub(super) fn named(fabric: &Fabric) {
    for (family, prefix) in [("", "10.77.0.0/16"), ("-6 ", "2001:db8:77::/48")] {
        // `RTPROT_BGP`, by which zebra knows routes of bgpd.
        fabric.ip(LEAF, &format!("{family}route add {prefix} dev swp1 proto 186"));
        let said = only(fabric, &["route"], prefix);
        assert!(said.contains(r#""frr":"nothing""#), "{said}");
        assert!(said.contains(r#""kernel":"swp1""#), "{said}");
        mend(fabric, &said);
    }
    // A person's own is nobody's leftover.
    fabric.ip(LEAF, "route add 10.77.0.0/16 dev swp1");
    super::clean(fabric);
    fabric.ip(LEAF, "route del 10.77.0.0/16 dev swp1");

    let entry = format!("fdb add {MAC} dev vxlan{VNI} dst {VTEP} self master extern_learn");
    fabric.run(LEAF, "bridge", &entry);
    let said = only(fabric, &["mac"], MAC);
    assert!(said.contains(r#""frr":"nothing""#) && said.contains(VTEP), "{said}");
    mend(fabric, &said);
    let left = fabric.run(LEAF, "bridge", &format!("fdb show dev vxlan{VNI}"));
    assert!(!left.contains(MAC), "half of it is left: {left}");
}
