//! A NetBox of the test's own on loopback: what each version answers, and what a hostile one may.

mod hostile;
mod limits;
mod netbox;
mod server;
mod tls;
mod versions;

use std::time::Duration;

use super::*;
use netbox::NetBox;
use server::{Asked, Server};

/// A token of the first form.
const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

/// How to ask a server, with times that a test can wait for.
fn settings(server: &Server) -> Settings {
    Settings {
        url: server.url(),
        token: Token::new(TOKEN).unwrap(),
        ca: None,
        plain: false,
        page: 1000,
        limits: Limits { attempts: 3, pause: Duration::from_millis(1), ..Limits::default() },
    }
}

/// What is said of a server that has to fail: one sentence without its address.
fn failure(server: &Server) -> String {
    failure_of(server, &settings(server))
}

fn failure_of(server: &Server, settings: &Settings) -> String {
    let error = read(settings, &[]).expect_err("it has to fail").to_string();
    assert!(!error.contains('\n') && !error.contains('\u{1b}'), "{error:?}");
    assert!(!error.contains(TOKEN), "{error}");
    error.replace(&server.url(), "NETBOX")
}
