//! What the tests of whole fabrics share: a lab with FRR and fabric-xdpd per test, looks at the maps
//! and at the kernel, and programs to end and start.
//!
//! Every test has a lab of its own, so that nothing a test does to it can disturb another one; a
//! lab of four switches is up in three seconds. It goes when the test ends, also by a panic.

mod agreement;
mod background;
mod carrier_loss;
mod carrier_watch;
mod checked;
mod content;
mod daemon;
pub mod diagnosis;
mod failure;
mod groups;
mod kernel;
mod lease;
mod readings;
mod rest;
mod router;
mod seen;
mod settled;
mod traffic;
mod verified;
mod wait;
mod ways;
mod wire;

pub use agreement::{assert_agreement, differences};
pub use background::Background;
pub use carrier_loss::{CarrierLoss, lose_carrier, router_with};
pub use checked::{Checked, suite};
pub use content::facts as map_facts;
pub use daemon::{fabric_xdpd, fabricctl, own_folder, refused, use_fabric_xdpd};
pub use failure::{FLOWS, Failure, Kind, Scene};
pub use kernel::{facts as kernel_facts, xdp_programs};
pub use lease::Fabric;
pub use readings::Readings;
pub use rest::read_all;
pub use router::{Router, SOON};
pub use seen::Seen;
pub use settled::settled;
pub use verified::Verified;
pub use wait::{PATIENCE, until, until_or_say};
pub use wire::{Sniffer, Wire, broadcast};
