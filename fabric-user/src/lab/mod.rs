//! The lab: a whole fabric in network namespaces, with real FRR, the kernel's bridges and fabric-xdpd,
//! built from a picture, in DOT or of containerlab, and a TOML inventory.
//!
//! [`topology`] and [`render`] are pure: a picture becomes configurations of devices. [`Lab`]
//! applies them to namespaces, and the same text configures real devices.

mod acceleration;
mod announce;
mod ask;
mod bonds;
mod build;
mod convergence;
pub mod daemons;
pub mod error;
mod facts;
mod fault;
mod foreground;
pub mod graph;
pub mod interrupt;
mod migrate;
mod needs;
pub mod netns;
pub mod ping;
pub mod process;
mod ready;
pub mod render;
mod running;
mod services;
pub mod state;
pub mod status;
pub(crate) mod tools;
pub mod topology;

pub use self::acceleration::{DaemonState, Unaccelerated};
pub use self::error::LabError;
pub use self::facts::PortState;
pub use self::fault::Fault;
pub use self::foreground::Foreground;
pub use self::migrate::Migration;
pub use self::netns::Netns;
pub use self::running::{Lab, Node, Options};
pub use self::topology::Topology;
pub use crate::mac::Mac;
