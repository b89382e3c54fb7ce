//! A packet enters from one router and leaves for another.

mod bfd_watch;
pub(crate) mod flow_hash;
pub(crate) mod nexthop_select;
mod path_watch;
pub(crate) mod shares;
pub(crate) mod transit_input;
pub(crate) mod transit_output;
pub(crate) mod transit_route;
pub(crate) mod tunnels;
