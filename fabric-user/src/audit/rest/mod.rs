//! NetBox over its REST API, versions 3.7 to 4.x, by GET alone.
//!
//! Filters and `fields` spare transfer; nothing relies on them, because NetBox ignores those that it does not know. What
//! it answers is taken for hostile: sizes, times, pages and texts have limits, and the token is sent to the address that
//! was given and to no other.

mod address;
mod answer;
mod client;
mod error;
mod pages;
mod places;
mod tables;
#[cfg(test)]
mod tests;
mod token;
mod version;

use std::{path::PathBuf, time::Duration};

use super::model::Records;
use address::Base;
use client::Client;
pub use error::RestError;
pub use token::Token;
pub use version::Version;

/// How to ask.
#[derive(Clone, Debug)]
pub struct Settings {
    /// NetBox's address.
    pub url: String,
    /// The token.
    pub token: Token,
    /// File of certificates of authorities that are trusted in place of the system's.
    pub ca: Option<PathBuf>,
    /// The token may be sent without TLS to other machines.
    pub plain: bool,
    /// Rows that are asked for at a time. NetBox gives no more than its `MAX_PAGE_SIZE`.
    pub page: u32,
    /// Limits.
    pub limits: Limits,
}

/// What an answer may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for one request, from the connection to the last byte.
    pub request: Duration,
    /// Time for everything.
    pub whole: Duration,
    /// Bytes of one answer.
    pub bytes: u64,
    /// Rows of one table.
    pub rows: usize,
    /// How often something is asked for before it is given up.
    pub attempts: u32,
    /// Time before the second attempt, twice as much before each further one.
    pub pause: Duration,
}

impl Limits {
    /// With so much time for everything: a quarter of it for one request, 30 s at least.
    #[must_use]
    pub fn within(whole: Duration) -> Self {
        let request = (whole / 4).max(Duration::from_secs(30)).min(whole);
        Self { request, whole, ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(30),
            whole: Duration::from_secs(120),
            bytes: 64 << 20,
            rows: 1_000_000,
            attempts: 4,
            pause: Duration::from_millis(500),
        }
    }
}

/// Reads everything. `devices` are those whose sites are wanted.
///
/// # Errors
/// If prefixes cannot be read. What else cannot is among [`Records::unknown`].
pub fn read(settings: &Settings, devices: &[String]) -> Result<Records, RestError> {
    let base = Base::parse(&settings.url, settings.plain)?;
    let client = Client::new(base, settings)?;
    tables::read(&client, devices)
}
