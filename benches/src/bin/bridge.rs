//! How fast does Fabric carry a frame from host to host on one leaf, next to the kernel's bridge,
//! and next to a redirect that does nothing else?
//!
//! One leaf, one core, live frames from the generator through the program on one access port and
//! another access port to a sink that counts.

use std::process::ExitCode;

use fabric_benches::{
    direction::Direction,
    overlay::{self, Entry},
    traffic::Size,
    wanted::When,
};

const K: u32 = 1 << 10;

const ENTRIES: [Entry; 4] = [
    Entry::new("bridge-1k-macs", When::Quick, K).kernel(3.0),
    Entry::new("bridge-64k-macs", When::Usual, 64 * K).kernel(3.0),
    Entry::new("bridge-1518-bytes", When::Usual, K).size(Size::Fixed(1_518)),
    Entry::new("bridge-imix", When::All, K).size(Size::Imix),
];

fn main() -> ExitCode {
    overlay::main(Direction::Bridge, &ENTRIES)
}
