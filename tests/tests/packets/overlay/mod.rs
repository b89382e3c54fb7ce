//! A packet enters from the fabric.

pub(crate) mod bridge_deliver;
pub(crate) mod ecn_decap;
pub(crate) mod inner_guard;
pub(crate) mod inner_source;
pub(crate) mod inner_tag;
pub(crate) mod underlay_input;
pub(crate) mod vxlan_input;
