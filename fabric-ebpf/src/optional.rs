//! Which features the packet path knows that are off unless somebody asks for them. It always knows all;
//! `cargo xtask bench features` measures what each costs next to a build that does not.

/// Fields of the flow hash that are chosen (`hash_flags`).
pub const HASH_OPTIONS: bool = !cfg!(feature = "without-hash-options");
/// Neighbours whose BFD packets have stopped are passed over.
pub const BFD_SILENCE: bool = !cfg!(feature = "without-bfd-silence");
/// Buckets of the kernel's resilient groups have times.
pub const BUCKET_TIMERS: bool = !cfg!(feature = "without-bucket-timers");
/// Outer fields that come from the inner header.
pub const INHERITED_FIELDS: bool = !cfg!(feature = "without-inherited-fields");
/// Ports that do not reach each other.
pub const ISOLATED_PORTS: bool = !cfg!(feature = "without-isolated-ports");
