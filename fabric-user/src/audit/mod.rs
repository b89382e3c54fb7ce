//! NetBox as the source of truth, compared with what forwards.
//!
//! [`rest`] and [`csv`] read what NetBox says into the few words of [`model`]; [`fabric`] reads what boxes forward out of
//! their facts; [`findings`] compares, one kind of finding a file; [`report`] is the result. Nothing is ever written to
//! NetBox: there is no request here but GET.

pub mod csv;
pub mod fabric;
pub mod findings;
pub mod model;
mod networks;
pub mod report;
pub mod rest;

pub use findings::{Finding, Kind};
pub use report::Report;
