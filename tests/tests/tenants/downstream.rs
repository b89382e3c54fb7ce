//! Routes of type 5 that another tenant imports, into the VNI that their leaf says (RFC 8365 §5.1.1).

use fabric_tests::fabric::Fabric;
use fabric_user::lab::topology::Bridges;

use crate::{control_plane::configure, flow::Flow};

/// The leaf that imports them.
const LEAF: &str = "leaf02";
/// VNI of the tenant green, of whose leafs the routes are.
const VNI: u32 = 54003;
/// A host in red at that leaf, and an address of leaf01 in green.
const FLOW: Flow = Flow { from: "red3", to: [10, 9, 0, 2], prefix: "10.9.0.0/16", gets: "leaf01" };

/// Red imports the routes of green. FRR writes next hops that choose their VNI on a single vxlan device only, and
/// knows them since it knows that.
pub(crate) fn what_red_imports_of_green_goes_into_the_vni_of_green(fabric: &Fabric) {
    let leaf = fabric.lab().topology().switch(LEAF).expect("it is in the topology");
    if leaf.bridges != Bridges::SingleVxlan {
        println!("this FRR knows no downstream VNIs");
        return;
    }
    let import = |word: &str| {
        let import = format!("{word}route-target import 65000:{VNI}");
        configure(
            fabric,
            LEAF,
            &["router bgp 65102 vrf red", "address-family l2vpn evpn", &import],
        );
    };
    import("");
    fabric.ip("leaf01", "address add 10.9.0.2/32 dev green");
    FLOW.arrives(fabric, true);
    let route = FLOW.route(fabric);
    assert!(route.contains(&format!("encap ip id {VNI}")), "FRR's route says the VNI: {route}");
    let says = FLOW.lookup(fabric);
    let (station, vtep) = (&says["station"], fabric.vtep("leaf01").to_string());
    assert_eq!(station["vni"], VNI, "{says}");
    assert_eq!(station["vtep"]["remote"], vtep, "{says}");
    fabric.ip("leaf01", "address del 10.9.0.2/32 dev green");
    FLOW.is_withdrawn(fabric);
    import("no ");
}
