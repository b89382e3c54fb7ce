//! Carrier loss: one store, however many routes and VTEPs hang on the link.

use fabric_tests::fabric::{SOON, lose_carrier, router_with, until};

/// Stores until no flow takes the dead port any more, and all stores that the loss led to.
fn stores_of_a_carrier_loss(routes: u32, vteps: u32) -> (u64, u64) {
    let loss = lose_carrier(&router_with(routes, vteps));
    println!("{routes} routes, {vteps} VTEPs: {loss:?}");
    (loss.stores, loss.later_stores)
}

#[test]
fn a_carrier_loss_costs_the_same_with_ten_and_with_ten_thousand_routes() {
    let few = stores_of_a_carrier_loss(10, 10);
    let many = stores_of_a_carrier_loss(10_000, 10_000);
    assert_eq!(few.0, 1, "one store takes all flows off the port");
    assert_eq!(few, many, "the number of routes and VTEPs makes a difference");
}

#[test]
fn a_link_that_flaps_ends_up_as_it_is() {
    let router = router_with(10, 10);
    let maps = router.maps();
    let slot = router.slot(&maps, "swp3");
    for _ in 0..50 {
        router.peers_ip("link set p3 down\nlink set p3 up\n");
    }
    until(SOON, "the port lives", || maps.ports.get(slot).down == 0);
    router.peers_ip("link set p3 down\nlink set p3 up\nlink set p3 down\n");
    until(SOON, "the port is dead", || maps.ports.get(slot).down == 1);
    router.ip("link set swp4 down\n");
    let slot = router.slot(&maps, "swp4");
    until(SOON, "a port that is switched off is dead", || maps.ports.get(slot).down == 1);
    router.ip("link set swp4 up\n");
    until(SOON, "a port that is switched on lives", || maps.ports.get(slot).down == 0);
}

#[test]
fn a_port_runs_its_program_while_it_is_switched_on_and_keeps_its_slot() {
    let router = router_with(10, 10);
    let maps = router.maps();
    let slot = router.slot(&maps, "swp4");
    let runs = |name: &str| router.ask_ip(&format!("link show {name}\n")).contains("\"xdp\"");
    for _ in 0..3 {
        assert!(runs("swp4"));
        // It could join a bond now.
        router.ip("link set swp4 down\n");
        until(SOON, "the program goes", || !runs("swp4"));
        assert_eq!(router.slot(&maps, "swp4"), slot);
        router.peers_ip("link set p3 down\nlink set p3 up\n");
        assert!(runs("swp3"), "a link without carrier keeps its program");
        router.ip("link set swp4 up\n");
        until(SOON, "the port lives", || runs("swp4") && maps.ports.get(slot).down == 0);
    }
}
