//! fabric-xdpd follows the routes, next hops and links of a router: no FRR, no topology, one namespace
//! per test.
//!
//! Success: the maps, read as the packet path reads them, lead where the kernel's tables lead; what
//! changes is as little as can be; and flows stay where they are.
//!
//! ```text
//!                     ┌─ swp1 ── 10.1.1.2, 2001:db8:1::2, fe80::2
//!  router ────────────┼─ swp2 ── 10.1.2.2 …
//!  (fabric-xdpd)      ├─ swp3 ── 10.1.3.2 …
//!                     └─ swp4 ── 10.1.4.2 …
//! ```

mod full;
mod inherit;
mod kinds;
mod links;
mod many;
mod multipath;
mod neighbours;
mod replace;
mod resilient;
mod restart;
mod silent;
mod torture;
