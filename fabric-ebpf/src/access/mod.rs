//! A frame enters from a host.

pub mod access_fit;
pub mod access_output;
pub mod bridge_lookup;
pub mod frame_guard;
pub mod neighbour_answer;
pub mod nexthop_select;
pub mod segment_select;
pub mod source_check;
pub mod underlay_output;
pub mod vlan_classify;
pub mod vxlan_output;
