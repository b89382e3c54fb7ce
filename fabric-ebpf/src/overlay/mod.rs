//! A packet enters from the fabric.

pub mod bridge_deliver;
pub mod dispatch;
pub mod ecn_decap;
pub mod inner_guard;
pub mod inner_source;
pub mod inner_tag;
pub mod underlay_input;
pub mod vxlan_input;
