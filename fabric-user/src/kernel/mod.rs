//! What Fabric owns in the kernel: programs, links, maps and their pins.

pub mod blocks;
mod bpf_call;
pub(crate) mod clock;
pub mod counters;
pub mod detach;
pub mod ethtool;
pub mod growing;
pub mod heartbeat;
pub mod interface;
pub mod links;
pub mod maps;
pub mod memory;
pub mod netns;
pub mod object;
pub mod packet_socket;
pub mod pins;
pub mod programs;
mod routes;
pub mod running;
pub mod schema_check;
pub mod selection;
pub mod sizes;
pub mod socket_options;
pub mod system;
pub mod tcx;
pub mod xdp_link;
