//! Traffic between the hosts of a lab, and what became of it: pings, streams, many flows, transfers.
//!
//! Sockets are opened inside the hosts' namespaces; nothing can leave the lab.

mod clock;
mod datagram;
mod flow_paths;
mod flow_stream;
mod flows;
mod ping;
mod servers;
mod stream;
mod transfer;

pub use flow_paths::flow_paths;
pub use flow_stream::{FlowOptions, FlowReport, FlowStream, Outage};
pub use flows::send_flows;
pub use ping::{Ping, PingReport};
pub use servers::Servers;
pub use stream::{Stream, StreamOptions, StreamReport};
pub use transfer::{Transfer, transfer};
