//! The lab itself, on the kernel's own forwarding: fabric-xdpd does not run here.

mod faults;
mod fixture;
mod interrupt;
mod life;
mod migration;
