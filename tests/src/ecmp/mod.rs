//! How well flows are shared among the members of a group, measured on the compiled program.

pub mod flows;
pub mod paths;
pub mod quality;
pub mod statistics;
