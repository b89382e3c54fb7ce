//! Answers that are wrong by accident or by intent: one sentence each, and the token stays where it belongs.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;

use super::*;
use server::{hang, json, reply};

/// A server that answers prefixes in its own way, and the rest as NetBox does.
fn with_prefixes(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Server {
    let netbox = NetBox::newest();
    Server::start(move |asked, stream| match asked.path.as_str() {
        "/api/ipam/prefixes/" => answer(asked, stream),
        _ => netbox.answer(asked, stream),
    })
}

const HTML: &str = "content-type: text/html; charset=utf-8\r\n";
const JSON: &str = "content-type: application/json\r\nAPI-Version: 4.7\r\n";

#[test]
fn a_wrong_token_is_said_with_netboxs_word_and_not_tried_again() {
    let server = Server::start(|_, stream| {
        reply(stream, "403 Forbidden", JSON, br#"{"detail":"Invalid v1 token"}"#);
    });
    assert_eq!(
        failure(&server),
        "NETBOX/api/status/ does not accept the token (status 403): Invalid v1 token"
    );
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_token_of_a_form_that_the_version_does_not_have_is_said() {
    let server = Server::start(|_, stream| {
        let headers = JSON.replace("4.7", "4.2");
        reply(stream, "403 Forbidden", &headers, br#"{"detail":"Invalid token"}"#);
    });
    let token = Token::new("nbt_key.secret").unwrap();
    assert_eq!(
        failure_of(&server, &Settings { token, ..settings(&server) }),
        "NETBOX/api/status/ does not accept the token (status 403): Invalid token; tokens that \
         begin with nbt_ are \
         there since NetBox 4.5"
    );
}

#[test]
fn an_old_version_is_said_before_anything_else_of_it() {
    let server = Server::start(|_, stream| {
        let headers = JSON.replace("4.7", "3.6");
        reply(stream, "403 Forbidden", &headers, br#"{"detail":"Invalid token"}"#);
    });
    assert_eq!(
        failure(&server),
        "NETBOX is NetBox 3.6, and the oldest one that is understood is 3.7; update it, or audit \
         its CSV exports by \
         --prefixes"
    );
    let silent = Server::start(|_, stream| {
        let headers = "content-type: application/json\r\n";
        reply(stream, "200 OK", headers, br#"{"netbox-version":"3.5.1"}"#);
    });
    assert!(failure(&silent).contains("is NetBox 3.5"));
    let nobody = Server::start(|_, stream| {
        reply(stream, "200 OK", "content-type: application/json\r\n", b"{}")
    });
    assert!(failure(&nobody).contains("does not say which version"));
}

#[test]
fn a_token_that_is_sent_back_is_not_printed() {
    let server = Server::start(|asked, stream| {
        let detail = format!("wrong: {}", asked.header("authorization").unwrap_or_default());
        reply(stream, "403 Forbidden", JSON, json!({ "detail": detail }).to_string().as_bytes());
    });
    let error = failure(&server);
    assert!(error.ends_with("(status 403): wrong: Token …"), "{error}");
}

#[test]
fn nobody_at_an_address_is_said_after_some_attempts() {
    let gone = Server::start(|_, _| {});
    let mut settings = settings(&gone);
    settings.url = gone.url();
    drop(gone);
    let error = read(&settings, &[]).unwrap_err().to_string();
    assert!(error.contains("cannot be reached: ") && error.contains("refused"), "{error}");
}

#[test]
fn who_does_not_answer_or_only_bit_by_bit_is_given_up() {
    let mute = Server::start(|_, stream| hang(stream));
    let mut settings = settings(&mute);
    settings.limits.request = Duration::from_millis(200);
    let given_up = "NETBOX/api/status/ has not answered within 1 s, the longest that one request \
                    may take; give it more by --timeout, of which it may take a quarter, or ask for \
                    less at a time by --page";
    assert_eq!(failure_of(&mute, &settings), given_up);
    assert_eq!(mute.asked().len(), 3);
    let dripping = Server::start(|_, stream| {
        let _unread = stream.write_all(
            format!("HTTP/1.1 200 OK\r\n{JSON}content-length: 100000\r\n\r\n").as_bytes(),
        );
        // A byte each 20 ms, until the other end has had enough of it.
        let _set = stream.set_read_timeout(Some(Duration::from_millis(20)));
        while stream.write_all(b" ").is_ok() && !matches!(stream.read(&mut [0]), Ok(0)) {}
    });
    settings.url = dripping.url();
    assert_eq!(failure_of(&dripping, &settings), given_up);
}

#[test]
fn all_together_may_not_take_longer_than_was_allowed() {
    let server = with_prefixes(|_, stream| hang(stream));
    let mut settings = settings(&server);
    settings.limits.whole = Duration::from_millis(500);
    settings.limits.attempts = 1000;
    let error = failure_of(&server, &settings);
    assert!(
        error.ends_with("has not given everything within 1 s; give it more by --timeout"),
        "{error}"
    );
}

#[test]
fn an_answer_that_ends_early_is_said_whether_it_says_its_length_or_not() {
    let cut = with_prefixes(|_, stream| {
        let head = format!("HTTP/1.1 200 OK\r\n{JSON}content-length: 5000\r\n\r\n{{\"count\": 1");
        let _unread = stream.write_all(head.as_bytes());
    });
    let error = failure(&cut);
    assert!(
        error.starts_with("the answer of NETBOX/api/ipam/prefixes/ ends before its end"),
        "{error}"
    );
    let chunked = with_prefixes(|_, stream| {
        let head = format!(
            "HTTP/1.1 200 OK\r\n{JSON}transfer-encoding: chunked\r\n\r\nff\r\n{{\"count\": 1"
        );
        let _unread = stream.write_all(head.as_bytes());
    });
    let error = failure(&chunked);
    assert!(
        error.starts_with("the answer of NETBOX/api/ipam/prefixes/ ends before its end"),
        "{error}"
    );
    let complete =
        with_prefixes(|_, stream| reply(stream, "200 OK", JSON, b"{\"count\": 1, \"results\": ["));
    let error = failure(&complete);
    assert!(
        error.starts_with("the answer of NETBOX/api/ipam/prefixes/ ends before its end"),
        "{error}"
    );
}

#[test]
fn an_answer_without_end_is_given_up() {
    let server = with_prefixes(|_, stream| {
        let _unread = stream.write_all(format!("HTTP/1.1 200 OK\r\n{JSON}\r\n").as_bytes());
        while stream.write_all(&[b' '; 4096]).is_ok() {}
    });
    let mut settings = settings(&server);
    settings.limits.bytes = 1 << 20;
    assert_eq!(
        failure_of(&server, &settings),
        "NETBOX/api/ipam/prefixes/ answers with more than 1 MiB at a time; ask for less by --page"
    );
}

#[test]
fn something_else_than_netbox_is_said() {
    let login = Server::start(|_, stream| reply(stream, "200 OK", HTML, b"<html>log in</html>"));
    assert_eq!(
        failure(&login),
        "NETBOX/api/status/ answers with text/html in place of JSON; is that the address of NetBox?"
    );
    let other = Server::start(|_, stream| reply(stream, "404 Not Found", HTML, b"<html>"));
    assert_eq!(
        failure(&other),
        "NETBOX/api/status/ does not exist; is NetBox at another address, or below another path?"
    );
    let list = with_prefixes(|_, stream| json(stream, "4.7", &json!([1, 2])));
    assert!(failure(&list).contains("is not understood"));
    let empty = with_prefixes(|_, stream| json(stream, "4.7", &json!({ "count": 0 })));
    assert!(failure(&empty).contains("missing field `results`"));
    let bare = with_prefixes(|_, stream| {
        let row = json!({ "id": 1, "prefix": "10.0.0.0/8", "family": 4 });
        json(stream, "4.7", &json!({ "count": 1, "next": null, "results": [row] }));
    });
    assert!(failure(&bare).contains("missing field `status`"));
    let garbage = Server::start(|_, stream| {
        let _unread = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n");
    });
    assert!(failure(&garbage).contains("is not understood"));
}

#[test]
fn a_prefix_that_is_none_is_named_with_its_number() {
    let server = with_prefixes(|_, stream| {
        let status = json!({ "value": "active", "label": "Active" });
        let row = json!({ "id": 7, "prefix": "10.0.0.0/99\u{1b}[2J", "status": status });
        json(stream, "4.7", &json!({ "count": 1, "next": null, "results": [row] }));
    });
    assert_eq!(
        failure(&server),
        "the answer of NETBOX/api/ipam/prefixes/ is not understood: prefix 7 is `10.0.0.0/99 [2J`, \
         which is none"
    );
}

#[test]
fn what_is_nested_without_end_or_has_headers_without_end_is_refused() {
    let deep =
        with_prefixes(|_, stream| reply(stream, "200 OK", JSON, "[".repeat(1 << 20).as_bytes()));
    assert!(failure(&deep).contains("is not understood"));
    let long = Server::start(|_, stream| {
        let header = format!("x-a: {}\r\n", "a".repeat(1 << 20));
        reply(stream, "200 OK", &header, b"{}");
    });
    assert!(failure(&long).contains("header is too long"), "{}", failure(&long));
}

#[test]
fn nothing_is_sent_to_where_a_redirect_leads() {
    let evil = Server::start(|_, stream| reply(stream, "200 OK", JSON, b"{}"));
    let place = evil.url();
    let server = Server::start(move |_, stream| {
        reply(stream, "302 Found", &format!("location: {place}/api/status/\r\n"), b"");
    });
    assert_eq!(
        failure(&server),
        format!(
            "NETBOX/api/status/ sends on to {}/api/status/, where the token is not sent; if that \
             is NetBox, name it \
             by --netbox",
            evil.url()
        )
    );
    assert!(evil.asked().is_empty());
    let login = Server::start(|_, stream| {
        reply(stream, "302 Found", "location: /login/?next=/api/\r\n", b"")
    });
    assert!(failure(&login).contains("sends on to /login/"));
}

#[test]
fn nothing_is_sent_to_where_a_next_page_would_be() {
    let evil = Server::start(|_, stream| reply(stream, "200 OK", JSON, b"{}"));
    let port = evil.url().rsplit(':').next().unwrap().to_owned();
    // Another name for the same machine: who answers there is another one.
    let link = format!("http://localhost:{port}/api/ipam/prefixes/?limit=1&offset=1");
    let row = |id: u64| {
        let status = json!({ "value": "active", "label": "Active" });
        json!({ "id": id, "prefix": format!("10.{id}.0.0/16"), "status": status })
    };
    let server = with_prefixes(move |asked, stream| match asked.query("offset") {
        Some("1") => json(stream, "4.7", &json!({ "count": 2, "next": null, "results": [row(2)] })),
        _ => json(stream, "4.7", &json!({ "count": 2, "next": link, "results": [row(1)] })),
    });
    let records = read(&settings(&server), &[]).unwrap();
    assert_eq!(records.prefixes.len(), 2, "the query is asked for where NetBox is");
    assert!(evil.asked().is_empty());
    let other = format!("{}/api/users/tokens/?limit=1", server.url());
    let server = with_prefixes(move |_, stream| {
        json(stream, "4.7", &json!({ "count": 2, "next": other, "results": [] }));
    });
    let error = failure(&server);
    assert!(error.contains("/api/users/tokens/?limit=1, which is none of this table"), "{error}");
    assert!(server.asked().iter().all(|asked| !asked.path.contains("tokens")));
}

#[test]
fn pages_that_never_end_are_given_up() {
    let endless = |next: fn(&Asked) -> String, rows: bool| {
        let server = with_prefixes(move |asked, stream| {
            let id: u64 =
                asked.query("start").and_then(|start| start.parse().ok()).unwrap_or_default();
            let status = json!({ "value": "active", "label": "Active" });
            let row = json!({ "id": id, "prefix": "10.0.0.0/8", "status": status });
            let rows = if rows { vec![row] } else { vec![] };
            let next = format!("/api/ipam/prefixes/?{}", next(asked));
            json(stream, "4.7", &json!({ "count": null, "next": next, "results": rows }));
        });
        let mut settings = settings(&server);
        settings.limits.rows = 20;
        (failure_of(&server, &settings), server.asked().len())
    };
    let circle = |_: &Asked| "start=0".to_owned();
    let on = |asked: &Asked| {
        let start: u64 =
            asked.query("start").and_then(|start| start.parse().ok()).unwrap_or_default();
        format!("start={}", start + 1)
    };
    for (next, rows) in [(circle as fn(&Asked) -> String, true), (on, false)] {
        let (error, asked) = endless(next, rows);
        assert!(error.contains("one leads to another without a row that is new"), "{error}");
        assert!(asked < 6, "{asked}");
    }
    let (error, _) = endless(on, true);
    assert!(error.contains("there are more than 20 rows"), "{error}");
}

#[test]
fn what_netbox_says_of_an_error_is_cut_and_without_escapes() {
    let server = Server::start(|_, stream| {
        let body = json!({ "detail": format!("\u{1b}[2J\nboom{}", "!".repeat(5000)) });
        reply(stream, "400 Bad Request", JSON, body.to_string().as_bytes());
    });
    let error = failure(&server);
    assert!(error.starts_with("NETBOX/api/status/ answers with status 400: [2J boom!!"), "{error}");
    assert!(error.len() < 400, "{error}");
    assert_eq!(server.asked().len(), 1);
}
