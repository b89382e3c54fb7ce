//! Assertions on a fabric as code: `fabricctl check SUITE.toml`.
//!
//! A suite ([`suite`]) has tables, one a kind of assertion ([`kinds`]). Each table becomes cases ([`case`]) over the
//! names of an inventory ([`inventory`]). A round ([`run`]) collects the facts of each device once, and the answers of
//! each probe once ([`probe`]); what a case says of them is a pure function ([`look`]). So a round can be kept as
//! evidence and judged again without devices ([`evidence`]), and a kind is tested without any.

mod case;
mod device;
mod disrupt;
mod evidence;
mod explain;
mod finding;
mod inventory;
mod kinds;
mod look;
mod names;
mod new;
mod outcome;
mod parallel;
mod probe;
pub(crate) mod report;
mod run;
mod shape;
mod share;
mod sides;
mod sight;
mod span;
mod suite;
#[cfg(test)]
mod tests;
mod time;
mod wrong;

pub(crate) use case::Case;
pub(crate) use device::{Devices, Where};
pub(crate) use evidence::{inventory as kept_inventory, is_free, keep, replay};
pub(crate) use explain::{explain, kinds as list_of_kinds};
pub(crate) use inventory::Inventory;
pub(crate) use new::{Written, suite_for, suite_of};
pub(crate) use outcome::{Outcome, Report};
pub(crate) use run::{Options, run};
pub(crate) use suite::{ENDING, Suite};
pub(crate) use wrong::Wrong;
