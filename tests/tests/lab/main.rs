//! The lab itself, on the kernel's own forwarding: fabricd does not run here.

mod faults;
mod fixture;
mod life;
mod migration;
