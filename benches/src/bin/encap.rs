//! How fast does Fabric put a host's frame into a VXLAN tunnel, next to the kernel's bridge and
//! vxlan device, and next to a redirect that does nothing else?
//!
//! One leaf, one core, live frames from the generator through the program on the access port and
//! the uplink to a sink that counts.

use std::process::ExitCode;

use fabric_benches::{
    contest::{self, Entry, When},
    direction::Direction,
    traffic::Size,
};

const K: u32 = 1 << 10;
const M: u32 = 1 << 20;

const ENTRIES: [Entry; 18] = [
    Entry::new("encap-1k-macs", When::Quick, K).redirect(1.35),
    Entry::new("encap-64k-macs", When::Quick, 64 * K).kernel(6.0).redirect(1.7),
    Entry::new("encap-1m-macs", When::Usual, M),
    Entry::new("encap-1-flow", When::Quick, 64 * K).flows(1),
    Entry::new("encap-1k-flows", When::All, 64 * K).flows(1 << 10),
    Entry::new("encap-64k-flows", When::Usual, 64 * K).flows(1 << 16).kernel(6.0).redirect(1.7),
    Entry::new("encap-1-vtep", When::Usual, K).vteps(1),
    Entry::new("encap-512-vteps", When::Usual, K).vteps(512),
    Entry::new("encap-128-bytes", When::Usual, K).size(Size::Fixed(128)),
    Entry::new("encap-256-bytes", When::All, K).size(Size::Fixed(256)),
    Entry::new("encap-512-bytes", When::Usual, K).size(Size::Fixed(512)),
    Entry::new("encap-1024-bytes", When::All, K).size(Size::Fixed(1_024)),
    Entry::new("encap-1518-bytes", When::Quick, K).size(Size::Fixed(1_518)),
    Entry::new("encap-imix", When::Quick, K).size(Size::Imix),
    Entry::new("encap-64k-macs-512-vteps", When::All, 64 * K).vteps(512),
    Entry::new("encap-64k-macs-1518-bytes", When::All, 64 * K).size(Size::Fixed(1_518)),
    Entry::new("encap-64k-macs-imix", When::All, 64 * K).size(Size::Imix),
    Entry::new("encap-1m-macs-imix", When::All, M).size(Size::Imix),
];

fn main() -> ExitCode {
    contest::main(Direction::Encapsulate, &ENTRIES)
}
