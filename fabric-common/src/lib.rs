//! What both sides of Fabric must agree on, and all logic that needs no kernel.
//!
//! The crate is `no_std`: the same code compiles into the BPF programs, the daemon, the command
//! line tool and the tests.
#![no_std]

pub mod bfd;
pub mod bucket;
pub mod checksum;
pub mod ecn;
pub mod flow_hash;
pub mod halves;
pub mod martian;
pub mod reason;
pub mod schema;
pub mod table;
pub mod trie;
pub mod tunnel;
