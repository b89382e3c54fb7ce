//! `fabricctl check` in labs: each fault fails the cases that it should and no others, and what is told of it. That the
//! suites of the repository's topologies pass is in the tests that have these topologies up anyway.

mod faults;
mod forms;
mod ssh;
