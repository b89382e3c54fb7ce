//! Ports that were in another network namespace, and indexes that another interface got meanwhile.

use fabric_tests::fabric::until;

use super::leaf::{Leaf, SOON, Way, index, program};

/// What fabric-xdpd does during a change.
#[derive(Clone, Copy, Debug)]
enum Daemon {
    Runs,
    /// Sees all messages at once.
    IsStopped,
    /// And its successor sees none.
    IsReplaced,
}

fn change(leaf: &mut Leaf, daemon: Daemon, change: impl FnOnce(&Leaf)) {
    match daemon {
        Daemon::Runs => change(leaf),
        Daemon::IsStopped => leaf.while_stopped(|| change(leaf)),
        Daemon::IsReplaced => {
            leaf.kill();
            change(leaf);
            leaf.start();
        }
    }
}

/// A port leaves the namespace and comes back under its name and index: the kernel has emptied its
/// redirect target.
fn was_away(way: Way, daemon: Daemon) {
    let mut leaf = Leaf::new();
    leaf.forwards_all();
    change(&mut leaf, daemon, |leaf| {
        let (port, here, away) = (way.port(), leaf.netns.name(), leaf.away.name());
        leaf.netns.ip(&format!("link set {port} netns {away}\n"));
        leaf.away.ip(&format!("link set {port} netns {here}\n"));
        leaf.netns.ip(&way.set_up(port));
    });
    leaf.forwards_all();
}

#[test]
fn a_bridge_port_that_was_away_while_the_daemon_ran_is_used_again() {
    was_away(Way::Bridged, Daemon::Runs);
}

#[test]
fn a_bridge_port_that_was_away_while_the_daemon_was_stopped_is_used_again() {
    was_away(Way::Bridged, Daemon::IsStopped);
}

#[test]
fn a_bridge_port_that_was_away_while_the_daemon_was_replaced_is_used_again() {
    was_away(Way::Bridged, Daemon::IsReplaced);
}

#[test]
fn a_routed_port_that_was_away_while_the_daemon_was_stopped_is_used_again() {
    was_away(Way::Routed, Daemon::IsStopped);
}

#[test]
fn a_routed_port_that_was_away_while_the_daemon_was_replaced_is_used_again() {
    was_away(Way::Routed, Daemon::IsReplaced);
}

/// A port is deleted, and another one is made with its name and index.
fn was_made_anew(way: Way, daemon: Daemon) {
    let mut leaf = Leaf::new();
    leaf.forwards_all();
    change(&mut leaf, daemon, |leaf| replace(leaf, way, "del"));
    leaf.forwards_all();
}

/// Takes the port of host3 away and makes another one with its name and index, behind which host3 is.
fn replace(leaf: &Leaf, way: Way, how: &str) {
    let (port, host) = (way.port(), &leaf.hosts[1]);
    let (end, addresses) = match way {
        Way::Bridged => ("e", "addr add 192.168.0.3/24 dev e\n"),
        Way::Routed => ("r", "addr add 10.1.3.2/24 dev r\nroute add 10.1.0.0/16 via 10.1.3.1\n"),
    };
    match how {
        "del" => leaf.netns.ip(&format!("link del {port}\n")),
        _ => {
            leaf.netns.ip(&format!("link set {port} netns {}\n", leaf.away.name()));
            // The host's end of the one that went away.
            host.ip(&format!("link set {end} down\nlink set {end} name old\n"));
        }
    }
    leaf.netns.ip(&format!(
        "link add {port} index {} type veth peer name {end} netns {}\n",
        index(port),
        host.name()
    ));
    host.ip(&format!("link set {end} up\n{addresses}"));
    host.wirelike(end);
    leaf.netns.ip(&way.set_up(port));
}

#[test]
fn a_bridge_port_that_was_made_anew_while_the_daemon_was_stopped_is_used() {
    was_made_anew(Way::Bridged, Daemon::IsStopped);
}

#[test]
fn a_routed_port_that_was_made_anew_while_the_daemon_was_stopped_is_used() {
    was_made_anew(Way::Routed, Daemon::IsStopped);
}

#[test]
fn a_bridge_port_that_was_made_anew_while_the_daemon_was_replaced_is_used() {
    was_made_anew(Way::Bridged, Daemon::IsReplaced);
}

/// A port goes to another namespace for good, and its index is given to another interface: the program
/// leaves the old one, and runs on the new one.
fn lost_its_index(way: Way, daemon: Daemon) {
    let mut leaf = Leaf::new();
    leaf.forwards_all();
    change(&mut leaf, daemon, |leaf| replace(leaf, way, "move"));
    until(SOON, "the program leaves the interface that is elsewhere", || {
        leaf.assert_runs();
        program(&leaf.away, way.port()).is_none()
    });
    leaf.forwards_all();
    assert!(program(&leaf.netns, way.port()).is_some(), "no program on the new port");
}

#[test]
fn a_bridge_port_whose_index_another_one_got_while_the_daemon_ran_is_let_go() {
    lost_its_index(Way::Bridged, Daemon::Runs);
}

#[test]
fn a_bridge_port_whose_index_another_one_got_while_the_daemon_was_stopped_is_let_go() {
    lost_its_index(Way::Bridged, Daemon::IsStopped);
}

#[test]
fn a_bridge_port_whose_index_another_one_got_while_the_daemon_was_replaced_is_let_go() {
    lost_its_index(Way::Bridged, Daemon::IsReplaced);
}

#[test]
fn a_routed_port_whose_index_another_one_got_while_the_daemon_was_replaced_is_let_go() {
    lost_its_index(Way::Routed, Daemon::IsReplaced);
}

/// A port comes back with another index, because its own is taken: the program on it is our own.
fn came_back_with_another_index(way: Way, daemon: Daemon) {
    let mut leaf = Leaf::new();
    leaf.forwards_all();
    change(&mut leaf, daemon, |leaf| {
        let (port, here, away) = (way.port(), leaf.netns.name(), leaf.away.name());
        leaf.netns.ip(&format!("link set {port} netns {away}\n"));
        leaf.netns
            .ip(&format!("link add squatter index {} type veth peer name other\n", index(port)));
        leaf.away.ip(&format!("link set {port} netns {here}\n"));
        leaf.netns.ip(&way.set_up(port));
    });
    leaf.forwards_all();
    until(SOON, "the port is not declined", || !leaf.state().declined.contains_key(way.port()));
    let log = leaf.log();
    assert!(!log.contains("another XDP program holds it"), "its own is called foreign: {log}");
}

#[test]
fn a_bridge_port_that_came_back_with_another_index_is_no_foreigner() {
    came_back_with_another_index(Way::Bridged, Daemon::IsReplaced);
}

#[test]
fn a_routed_port_that_came_back_with_another_index_is_no_foreigner() {
    came_back_with_another_index(Way::Routed, Daemon::IsStopped);
}
