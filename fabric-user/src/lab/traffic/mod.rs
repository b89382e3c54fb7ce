//! Traffic between the hosts of a lab, and what became of it: pings, streams, many flows, transfers.
//!
//! Sockets are opened inside the hosts' namespaces; nothing can leave the lab.

mod clock;
mod flows;
mod ping;
mod stream;
mod transfer;

pub use flows::send_flows;
pub use ping::{Ping, PingReport};
pub use stream::{Stream, StreamOptions, StreamReport};
pub use transfer::{Transfer, transfer};
