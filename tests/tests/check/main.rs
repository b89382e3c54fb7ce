//! `fabricctl check` in labs: the suites of the repository's topologies pass, and each fault fails the cases that it
//! should and no others.

mod faults;
mod forms;
mod ssh;
mod suites;
