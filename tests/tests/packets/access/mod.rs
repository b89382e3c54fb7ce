//! A frame enters from a host.

pub(crate) mod frame_guard;
