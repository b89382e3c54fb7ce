//! Whole suites: what is wrong with them, and what they say of a fabric on paper.

mod audit;
mod controls;
mod fabric;
mod faults;
mod reports;
mod rounds;
mod running;
mod suites;
