//! A packet enters from one router and leaves for another, or for a host on a routed port.

pub mod bfd_watch;
pub mod host;
pub mod path_watch;
pub mod transit_input;
pub mod transit_output;
pub mod transit_route;
