//! fabric-xdpd on devices that can less than others: what it cannot send to, the kernel sends to.

mod redirect;
mod site;
