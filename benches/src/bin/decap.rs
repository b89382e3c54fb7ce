//! How fast does Fabric bring a frame out of a VXLAN tunnel to its host, next to the kernel's
//! vxlan device and bridge, and next to a redirect that does nothing else?
//!
//! One leaf, one core, live VXLAN packets from the generator through the program on the underlay
//! port and the access port to a sink that counts.

use std::process::ExitCode;

use fabric_benches::{
    direction::Direction,
    forwarding::{self, Entry, Through},
    run::When,
    traffic::Size,
};

const K: u32 = 1 << 10;

const fn entry(name: &'static str, when: When, destinations: u32) -> Entry {
    Entry::new(name, when, Through::Leaf(Direction::Decapsulate), destinations)
}

const ENTRIES: [Entry; 9] = [
    entry("decap-1k-macs", When::Usual, K),
    entry("decap-64k-macs", When::Quick, 64 * K).kernel(5.0),
    entry("decap-1m-macs", When::All, 1 << 20),
    entry("decap-512-vteps", When::Usual, K).vteps(512),
    entry("decap-512-bytes", When::All, K).size(Size::Fixed(512)),
    entry("decap-1518-bytes", When::Usual, K).size(Size::Fixed(1_518)),
    entry("decap-imix", When::Usual, K).size(Size::Imix),
    entry("decap-v6-underlay", When::Quick, K).over_ipv6(false),
    entry("decap-v6-underlay-checksum", When::All, K).over_ipv6(true),
];

fn main() -> ExitCode {
    forwarding::main(&ENTRIES)
}
