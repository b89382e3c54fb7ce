//! Packets through the loaded programs: one module for each stage of `fabric-ebpf`.
//!
//! Every comparison covers the verdict, every byte and every counter.

mod access;
mod budget;
mod ecmp;
mod every_reason;
mod expectations;
mod fuzz;
mod gateway;
mod heartbeat;
mod ipv6;
mod lookup;
mod overlay;
mod port_input;
mod transit;
mod truncation;
