//! Packets through the loaded programs: one module for each stage of `fabric-ebpf`.
//!
//! Every comparison covers the verdict, every byte and every counter.

mod access;
