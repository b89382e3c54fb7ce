//! Options of bridges that came after Linux 6.12, through fabric-xdpd, with the kernel as judge.
//!
//! A kernel that lacks one fails its test: they are for the newest that `cargo xtask vm` boots.

mod bridges;
