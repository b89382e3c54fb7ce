//! Whether the packet path knows features that are switched off unless somebody asks for them. It always
//! does; `cargo xtask bench features` measures what that costs next to a build that does not.

/// Hash options, BFD silence, timers of resilient groups, inherited outer fields, isolated ports.
pub const OPTIONAL: bool = !cfg!(feature = "lean");
