//! The compiled BPF programs, embedded so that `fabricd` is one file.

/// The ELF object with every program and map of `fabric-ebpf`, in the byte order of the machine
/// this was built for; aligned as `aya` needs it to read the object in place.
pub static BPF_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/fabric-ebpf.o"));
