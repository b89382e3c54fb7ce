//! FRR beside Fabric: its daemons are asked over their own sockets, and what they know is read into types.

pub mod facts;
pub mod vty;
