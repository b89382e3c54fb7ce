//! The compiled BPF object, which the build script embeds.

/// An ELF file for the target `bpfel-unknown-none`, aligned as its headers need.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/fabric-ebpf.o"));
