//! The toolchain that compiles the BPF programs.

pub(crate) mod install;
pub(crate) mod locate;
