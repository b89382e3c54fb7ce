//! Case FRR-04: a network behind a host, as a route of type 5 with that host's address as gateway (RFC 9136 §4.1: an
//! overlay index). The importing leaf has a route by way of the host for as long as it hears of that host (type 2).
//!
//! FRR does this where it is told four things:
//!
//! - `advertise ipv4 unicast gateway-ip` at who exports.
//! - `enable-resolve-overlay-index` at who imports.
//! - `soft-reconfiguration inbound` for the sessions by which the route comes, spines' as well: without, bgpd forgets
//!   the gateway of what it hears (`bgp_update()`, in FRR 8.4 and 10.3). With it bgpd 10.3 of the spine ended within
//!   seconds of these steps, so that they are taken with FRR 8.4 alone (docs/decisions.md says why).
//! - `prefix-routes-only` at who exports: bgpd looks for the gateway in the network of the interface that leads there
//!   (`bgp_evpn_is_gateway_ip_resolved()`), and a host's route leads into the L3VNI.
//!
//! And FRR 8.4 needs an L3VNI that is no label of MPLS to it ([`Fabric::tenants`]).

use fabric_tests::fabric::{Fabric, PATIENCE, until};
use fabric_user::lab::{Fault, topology::Bridges};

use crate::{control_plane::configure, flow::Flow};

const EXPORTER: &str = "leaf01";
const IMPORTER: &str = "leaf02";
/// The port of the gateway.
const PORT: &str = "swp12";
/// Who sends, and the gateway with an address in the network behind it.
const FLOW: Flow = Flow { from: "blue3", to: [10, 6, 0, 1], prefix: "10.6.0.0/16", gets: "blue1" };

/// Waits until the importer has the route, by way of the gateway and its network.
fn is_there(fabric: &Fabric) {
    let way = format!("via {} dev vlan201", fabric.address(FLOW.gets));
    until(PATIENCE, "the gateway is known, and FRR has a route by it", || {
        // A host is heard of when it has said something.
        let _answered = crate::answers(fabric, FLOW.gets, [10, 1, 0, 1].into());
        FLOW.route(fabric).contains(&way)
    });
    FLOW.arrives(fabric, true);
}

pub(crate) fn a_network_behind_a_host_is_reached_while_that_host_is_known(fabric: &Fabric) {
    let importer = fabric.lab().topology().switch(IMPORTER).expect("it is in the topology");
    if importer.bridges == Bridges::SingleVxlan {
        println!("bgpd of this FRR would end");
        return;
    }
    let evpn = "address-family l2vpn evpn";
    let remember = "neighbor FABRIC soft-reconfiguration inbound";
    configure(fabric, "spine01", &["router bgp 65100", evpn, remember]);
    let resolve = "enable-resolve-overlay-index";
    configure(fabric, IMPORTER, &["router bgp 65102", evpn, remember, resolve]);
    configure(
        fabric,
        EXPORTER,
        &[
            "vrf blue",
            "no vni 54004",
            "vni 54004 prefix-routes-only",
            "exit-vrf",
            "ip prefix-list BEHIND seq 5 permit 10.6.0.0/16",
            "route-map BEHIND permit 10",
            "match ip address prefix-list BEHIND",
            "exit",
            "router bgp 65101 vrf blue",
            "address-family ipv4 unicast",
            "redistribute kernel route-map BEHIND",
            "exit-address-family",
            evpn,
            "advertise ipv4 unicast gateway-ip",
        ],
    );
    fabric.ip(FLOW.gets, "address add 10.6.0.1/32 dev lo");
    let gateway = fabric.address(FLOW.gets);
    fabric.ip(EXPORTER, &format!("route add 10.6.0.0/16 via {gateway} vrf blue"));
    is_there(fabric);

    let cut = Fault::cut(fabric.lab(), EXPORTER, PORT).expect("the cable can be cut");
    FLOW.is_withdrawn(fabric);
    cut.mend().expect("it can be mended");
    is_there(fabric);

    fabric.ip(EXPORTER, "route del 10.6.0.0/16 vrf blue");
    until(PATIENCE, "FRR takes the route away", || FLOW.route(fabric).trim().is_empty());
}
