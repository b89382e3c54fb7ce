//! How fast does Fabric bring a frame out of a VXLAN tunnel to its host, next to the kernel's
//! vxlan device and bridge, and next to a redirect that does nothing else?
//!
//! One leaf, one core, live VXLAN packets from the generator through the program on the underlay
//! port and the access port to a sink that counts.

use std::process::ExitCode;

use fabric_benches::{
    direction::Direction,
    overlay::{self, Entry},
    traffic::Size,
    wanted::When,
};

const K: u32 = 1 << 10;

const ENTRIES: [Entry; 9] = [
    Entry::new("decap-1k-macs", When::Usual, K),
    Entry::new("decap-64k-macs", When::Quick, 64 * K).kernel(5.0),
    Entry::new("decap-1m-macs", When::All, 1 << 20),
    Entry::new("decap-512-vteps", When::Usual, K).vteps(512),
    Entry::new("decap-512-bytes", When::All, K).size(Size::Fixed(512)),
    Entry::new("decap-1518-bytes", When::Usual, K).size(Size::Fixed(1_518)),
    Entry::new("decap-imix", When::Usual, K).size(Size::Imix),
    Entry::new("decap-v6-underlay", When::Quick, K).over_ipv6(false),
    Entry::new("decap-v6-underlay-checksum", When::All, K).over_ipv6(true),
];

fn main() -> ExitCode {
    overlay::main(Direction::Decapsulate, &ENTRIES)
}
