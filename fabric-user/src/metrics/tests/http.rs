//! Who asks right, who asks wrong, and who asks nothing.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Instant,
};

use super::*;
use crate::metrics::server::{CONNECTIONS, serve_for};

/// Longer than anything takes that does not wait for a limit of the server's.
const LONG: Duration = Duration::from_secs(60);

fn server(patience: Duration) -> SocketAddr {
    let (board, state, sight) = leaf();
    serve_for(([127, 0, 0, 1], 0).into(), Source::of(board, state, sight), patience).unwrap()
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// What is answered to these bytes: the head and the body.
fn ask(server: SocketAddr, request: &str) -> (String, String) {
    let mut stream = connect(server);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Of a request that was refused before its end, the rest is reset.
    let _reset = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_ascii_lowercase(), body.to_owned())
}

fn status(server: SocketAddr, request: &str) -> String {
    let (head, _) = ask(server, request);
    head.lines().next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned()
}

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_request_is_answered_in_the_format_that_it_accepts() {
    let server = server(LONG);
    let (head, body) = ask(server, GET);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(head.contains("connection: close"), "{head}");
    assert!(!Exposition::read(&body).unwrap().is_open);
    let accept = "GET /metrics HTTP/1.1\r\nHost: a\r\n\
                  Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n\r\n";
    let (head, body) = ask(server, accept);
    assert!(head.contains("content-type: application/openmetrics-text"), "{head}");
    assert!(Exposition::read(&body).unwrap().is_open);
    let (head, body) = ask(server, &GET.replace("GET", "HEAD"));
    assert!(head.starts_with("http/1.1 200") && body.is_empty(), "{head}");
}

#[test]
fn a_wrong_request_gets_the_status_that_says_so() {
    let server = server(LONG);
    assert_eq!(status(server, &GET.replace("/metrics", "/")), "200");
    assert_eq!(status(server, &GET.replace("/metrics", "/metric")), "404");
    let (head, _) = ask(server, &GET.replace("GET", "POST"));
    assert!(head.starts_with("http/1.1 405") && head.contains("allow: get, head"), "{head}");
    assert_eq!(status(server, "nonsense\r\n\r\n"), "400");
    assert_eq!(status(server, &GET.replace("Host: a", "Host : \u{1}")), "400");
    let long = format!("Host: a\r\nX: {}", "x".repeat(1 << 20));
    assert_eq!(status(server, &GET.replace("Host: a", &long)), "431");
    assert_eq!(
        status(server, &GET.replace("/metrics", &format!("/{}", "x".repeat(70_000)))),
        "431"
    );
    assert_eq!(status(server, GET), "200");
}

#[test]
fn those_who_ask_nothing_hold_up_nobody_until_there_are_too_many_and_then_not_for_long() {
    let patience = Duration::from_secs(2);
    let server = server(patience);
    let start = Instant::now();
    let mut silent: Vec<TcpStream> = (1..CONNECTIONS).map(|_| connect(server)).collect();
    assert_eq!(status(server, GET), "200");
    silent.push(connect(server));
    // Behind the last one in the queue, so that it has been let in.
    let refused = status(server, GET);
    assert!(refused == "503" || start.elapsed() > patience, "{refused}");
    // They are left alone, and whoever asks gets an answer again.
    for stream in &mut silent {
        let mut rest = Vec::new();
        let _reset = stream.read_to_end(&mut rest);
    }
    assert!(start.elapsed() >= patience);
    assert_eq!(status(server, GET), "200");
}
