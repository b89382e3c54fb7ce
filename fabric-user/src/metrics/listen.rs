//! Where metrics are served.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// A TCP address: `127.0.0.1:9843`, `[::]:9843`; a port alone (`9843`) is one of 127.0.0.1, which nobody else can
/// reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen(SocketAddr);

/// What cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no address to listen on; 9843, 127.0.0.1:9843 and [::]:9843 are some")]
pub struct NoAddress(String);

impl Listen {
    /// The address.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for Listen {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let port = text.parse::<u16>().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        port.or_else(|_| text.parse()).map(Self).map_err(|_| NoAddress(text.into()))
    }
}

impl TryFrom<String> for Listen {
    type Error = NoAddress;

    fn try_from(text: String) -> Result<Self, NoAddress> {
        text.parse()
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_that_nobody_else_can_reach() {
        let listen = |text: &str| text.parse::<Listen>().map(|listen| listen.to_string());
        assert_eq!(listen("9843").unwrap(), "127.0.0.1:9843");
        assert_eq!(listen("[::]:9843").unwrap(), "[::]:9843");
        let error = listen("leaf01:9843").unwrap_err().to_string();
        assert!(error.starts_with("\"leaf01:9843\" is no address"), "{error}");
    }
}
