//! What `fabricctl status` says and how it ends.
//!
//! - 0 while all that should be accelerated is, 1 when something is not, 2 when nothing is because
//!   fabric-xdpd does not run or does not beat.
//! - What the operator has left to the kernel is in order.

use fabric_tests::fabric::{Router, SOON, until};
use rustix::process::Signal;
use serde_json::Value;

/// The exit status, and the document.
fn status(router: &Router) -> (i32, Value) {
    let (code, text) = router.daemon().fabricctl(&["status", "--json"]);
    let document = text.split("\nfabricctl: ").next().unwrap_or_default();
    let document: Value = serde_json::from_str(document).unwrap_or_else(|_| panic!("{text}"));
    let names = ["good", "degraded", "down"];
    assert_eq!(document["health"], names[usize::try_from(code).expect("a status")], "{text}");
    (code, document)
}

fn wait(router: &Router, expected: i32, what: &str) -> Value {
    let mut last = Value::Null;
    until(SOON, what, || {
        let (code, document) = status(router);
        last = document;
        if code != expected {
            println!("{what}: {code}: {}", last["why"]);
        }
        code == expected
    });
    last
}

fn accelerated(document: &Value, port: &str) -> String {
    let rows = document["ports"].as_array().expect("there are ports");
    let row = rows.iter().find(|row| row["port"] == port).expect("the port is shown");
    row["why_not"].as_str().unwrap_or("yes").to_owned()
}

#[test]
fn the_exit_status_tells_good_from_degraded_and_down() {
    let mut router = Router::without_daemon("");
    assert_eq!(status(&router).0, 2, "nothing is there");
    router.know_neighbours();
    router.ip("route add 10.9.0.0/16 via 10.1.1.2\n");
    router.start();
    let document = wait(&router, 0, "everything is in order");
    assert_eq!(accelerated(&document, "swp1"), "yes");

    // What somebody wants is in order, and what follows from it.
    assert_eq!(router.daemon().fabricctl(&["detach", "swp4"]).0, 0);
    wait(&router, 0, "a port that was detached is in order");
    router.ip("link set swp3 down\n");
    wait(&router, 0, "a link that was switched off is in order");
    router.ip("link set swp3 up\n");

    let (code, text) = router.daemon().fabricctl(&["bypass", "on"]);
    assert_eq!(code, 0, "{text}");
    let document = wait(&router, 1, "a bypass degrades");
    assert_eq!(accelerated(&document, "swp1"), "bypass is on");
    assert_eq!(router.daemon().fabricctl(&["bypass", "off"]).0, 0);
    assert_eq!(router.daemon().fabricctl(&["detach", "--all"]).0, 0);
    wait(&router, 1, "a box without programs is degraded");
    assert_eq!(router.daemon().fabricctl(&["attach"]).0, 0);
    router.wait_way("10.9.1.1", "10.1.1.2");

    router.daemon().signal(Signal::STOP);
    let document = wait(&router, 2, "a daemon that does not beat is down");
    assert!(document["why"].to_string().contains("heartbeat expired"), "{document}");
    router.daemon().signal(Signal::CONT);
    until(SOON, "it is up again", || status(&router).0 < 2);
    router.kill();
    assert_eq!(status(&router).0, 2, "a dead daemon is down at once");
}
