//! The lab itself, mostly on the kernel's own forwarding, without fabric-xdpd.

mod bonds;
mod faults;
mod fixture;
mod interrupt;
mod life;
mod migration;
mod new;
mod ready;
mod virtual_routers;
