//! What is tried again, when, and what is not.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use server::{json, reply};

#[test]
fn what_is_busy_or_gone_for_a_moment_is_asked_again() {
    for status in [
        "429 Too Many Requests",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
    ] {
        let (netbox, asked_so_far) = (NetBox::newest(), AtomicUsize::new(0));
        let server = Server::start(move |asked, stream| {
            // Each second request, whatever it is.
            match asked_so_far.fetch_add(1, Ordering::Relaxed) % 2 {
                0 => reply(stream, status, "retry-after: 0\r\n", b"busy"),
                _ => netbox.answer(asked, stream),
            }
        });
        let records = read(&settings(&server), &[]).unwrap();
        assert_eq!(records.prefixes.len(), 5, "{status}");
    }
}

#[test]
fn what_stays_busy_is_said_after_as_many_attempts_as_there_may_be() {
    let server = Server::start(|_, stream| reply(stream, "503 Service Unavailable", "", b""));
    assert_eq!(failure(&server), "NETBOX/api/status/ answers with status 503: Service Unavailable");
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn who_asks_to_wait_for_longer_than_there_is_time_is_not_waited_for() {
    let server = Server::start(|_, stream| {
        reply(stream, "429 Too Many Requests", "retry-after: 3600\r\n", b"")
    });
    assert_eq!(
        failure(&server),
        "NETBOX/api/status/ is busy (status 429) and asks to come again in 3600 s, which is longer \
         than --timeout allows"
    );
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn errors_that_will_be_the_same_are_not_asked_for_again() {
    for status in ["400 Bad Request", "405 Method Not Allowed", "500 Internal Server Error"] {
        let server = Server::start(move |_, stream| reply(stream, status, "", b""));
        let (number, reason) = status.split_once(' ').unwrap();
        assert_eq!(
            failure(&server),
            format!("NETBOX/api/status/ answers with status {number}: {reason}")
        );
        assert_eq!(server.asked().len(), 1);
    }
}

/// A NetBox without a cursor in which somebody adds a prefix at each read of the first page, so many times.
fn edited(times: usize) -> Server {
    let [.., before_cursors, _] = NetBox::all();
    let reads = AtomicUsize::new(0);
    Server::start(move |asked, stream| {
        if asked.path != "/api/ipam/prefixes/" {
            before_cursors.answer(asked, stream);
            return;
        }
        let is_first = asked.query("offset").is_none();
        let reads =
            reads.fetch_add(usize::from(is_first), Ordering::Relaxed) + usize::from(is_first);
        // The second page knows of one more row than the first one did.
        let count = if is_first || reads > times { 2 } else { 3 };
        let status = json!({ "value": "active", "label": "Active" });
        let id = if is_first { 1 } else { 2 };
        let row = json!({ "id": id, "prefix": format!("10.{id}.0.0/16"), "status": status });
        let next = is_first.then_some("/api/ipam/prefixes/?limit=1&offset=1");
        json(stream, "4.2", &json!({ "count": count, "next": next, "results": [row] }));
    })
}

#[test]
fn a_table_that_people_edit_meanwhile_is_read_again() {
    let server = edited(2);
    assert_eq!(read(&settings(&server), &[]).unwrap().prefixes.len(), 2);
    let pages = server.asked().iter().filter(|asked| asked.path == "/api/ipam/prefixes/").count();
    assert_eq!(pages, 6);
}

#[test]
fn a_table_that_people_edit_all_the_time_is_given_up() {
    let error = failure(&edited(1000));
    assert_eq!(
        error,
        "NETBOX/api/ipam/prefixes/ has changed each of the 3 times that it was read; try again \
         when fewer people edit"
    );
}
