//! How fast does Fabric carry a frame from host to host on one leaf, next to the kernel's bridge,
//! and next to a redirect that does nothing else?
//!
//! One leaf, one core, live frames from the generator through the program on one access port and
//! another access port to a sink that counts.

use std::process::ExitCode;

use fabric_benches::{
    direction::Direction,
    forwarding::{self, Entry, Through},
    run::When,
    traffic::Size,
};

const K: u32 = 1 << 10;

const fn entry(name: &'static str, when: When, destinations: u32) -> Entry {
    Entry::new(name, when, Through::Leaf(Direction::Bridge), destinations)
}

const ENTRIES: [Entry; 4] = [
    entry("bridge-1k-macs", When::Quick, K).kernel(3.0),
    entry("bridge-64k-macs", When::Usual, 64 * K).kernel(3.0),
    entry("bridge-1518-bytes", When::Usual, K).size(Size::Fixed(1_518)),
    entry("bridge-imix", When::All, K).size(Size::Imix),
];

fn main() -> ExitCode {
    forwarding::main(&ENTRIES)
}
