//! A frame enters from a host.

pub(crate) mod access_fit;
pub(crate) mod access_output;
pub(crate) mod bridge_lookup;
pub(crate) mod frame_guard;
pub(crate) mod neighbour_answer;
pub(crate) mod nexthop_select;
mod segment_select;
pub(crate) mod source_check;
pub(crate) mod underlay_output;
pub(crate) mod vlan_classify;
pub(crate) mod vxlan_output;
