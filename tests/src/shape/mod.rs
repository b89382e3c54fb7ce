//! Leafs as administrators and FRR configure them, and what they have to carry: every established unicast flow by
//! XDP, as the kernel alone carries it.
//!
//! A shape is the text of the commands that make it. Its ports are there before:
//!
//! ```text
//!   HOST1 ── swp1 \                   / up1 ── SPINE1 \
//!   HOST2 ── swp2  ── the leaf's own ─                  ── LEAF2 ── REMOTE1, REMOTE2, FAR
//!            swp3 /                   \ up2 ── SPINE2 /
//!   OUTSIDE ── router ── out1
//! ```
//!
//! HOST1 and REMOTE1 are in the first network, 10.1.10.0/24 and fd00:10::/64, HOST2 and REMOTE2 in the second, 10.1.20.0/24 and
//! fd00:20::/64. FAR is in one that LEAF2 routes for, 10.1.30.0/24 and fd00:30::/64, LOCAL, where a shape has it, in
//! 10.1.40.0/24 and fd00:40::/64.

mod commands;
mod flow;
mod site;

pub use flow::{FAR, Flow, HOST1, HOST2, HOST3, LOCAL, OUTSIDE, REMOTE1, REMOTE2};
pub use site::Site;
