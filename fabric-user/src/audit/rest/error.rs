//! Why NetBox could not be asked: one sentence each.

use thiserror::Error;

use super::Version;

/// Why NetBox could not be asked.
#[derive(Debug, Error)]
pub enum RestError {
    /// The address is none.
    #[error("`{0}` is no address of NetBox: {1}")]
    Address(String, String),
    /// The token is none.
    #[error("the token {0}; NetBox shows it once, where it is made, below Admin > API Tokens")]
    Token(&'static str),
    /// The certificates cannot be read.
    #[error("{0} holds no certificate of an authority: {1}")]
    Authority(String, String),
    /// There are no certificates of authorities.
    #[error(
        "this machine has no certificates of authorities: {0}; install ca-certificates or name a \
         file by --ca"
    )]
    NoAuthorities(String),
    /// Nobody answers.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// TLS fails.
    #[error(
        "{0} is not who it should be: {1}; if an authority of your own has signed it, name that by \
         --ca"
    )]
    Tls(String, String),
    /// It takes too long.
    #[error(
        "{0} has not answered within {1} s, the longest that one request may take; give it more by \
         --timeout, of which it may take a quarter, or ask for less at a time by --page"
    )]
    Slow(String, u64),
    /// All together takes too long.
    #[error("{0} has not given everything within {1} s; give it more by --timeout")]
    Long(String, u64),
    /// It asks to wait for longer than there is time.
    #[error(
        "{0} is busy (status {1}) and asks to come again in {2} s, which is longer than --timeout \
         allows"
    )]
    Busy(String, u16, u64),
    /// The token is not accepted.
    #[error("{0} does not accept the token (status {1}): {2}")]
    Denied(String, u16, String),
    /// It has no such table.
    #[error("{0} does not exist; is NetBox at another address, or below another path?")]
    NotThere(String),
    /// It answers with an error.
    #[error("{0} answers with status {1}: {2}")]
    Status(String, u16, String),
    /// It sends elsewhere.
    #[error(
        "{0} sends on to {1}, where the token is not sent; if that is NetBox, name it by --netbox"
    )]
    Redirect(String, String),
    /// Its next page is none of this table.
    #[error(
        "{0} has its next page at {1}, which is none of this table and is not followed; if a proxy \
         writes links anew, let it leave what follows `/api`"
    )]
    Elsewhere(String, String),
    /// Its pages have no end.
    #[error("{0} has pages without end: {1}")]
    Endless(String, String),
    /// It is too long.
    #[error("{0} answers with more than {1} MiB at a time; ask for less by --page")]
    Large(String, u64),
    /// It answers with something else.
    #[error("{0} answers with {1} in place of JSON; is that the address of NetBox?")]
    NoJson(String, String),
    /// The answer ends early.
    #[error("the answer of {0} ends before its end: {1}")]
    Truncated(String, String),
    /// The answer has another form.
    #[error("the answer of {0} is not understood: {1}")]
    Form(String, String),
    /// It is too old.
    #[error("{0} is NetBox {1}, and the oldest one that is understood is {oldest}; update it, or \
        audit its CSV exports by --prefixes", oldest = Version::OLDEST)]
    Old(String, Version),
    /// It does not say its version.
    #[error("{0} does not say which version of NetBox it is; is that the address of NetBox?")]
    NoVersion(String),
    /// People edit it all the time.
    #[error(
        "{0} has changed each of the {1} times that it was read; try again when fewer people edit"
    )]
    Edited(String, u32),
}

impl RestError {
    /// Whether one table is kept from this token, or not there, and others may be read.
    pub(super) const fn is_about_one_table(&self) -> bool {
        matches!(self, Self::Denied(..) | Self::NotThere(_))
    }
}
