//! VXLAN over an IPv6 underlay.

mod checksum;
mod decapsulation;
mod encapsulation;
mod random;

pub(crate) use checksum::a_wrong_checksum_is_left_to_the_kernel;
