//! How fast does Fabric route a packet from port to port, next to the kernel's routing, and next to
//! a redirect that does nothing else?
//!
//! One spine, one core, the shortest UDP packets, live from the generator through the program on
//! one port and the other port to a sink that counts. The contenders take turns, and every ratio is
//! taken within a round. Every packet has to arrive, in the right length.

use std::process::ExitCode;

use fabric_benches::{
    forwarding::{self, Entry, Through},
    run::When,
    spine::Routes,
    traffic::Offer,
};

const fn hosts(name: &'static str, when: When, offer: Offer) -> Entry {
    Entry::new(name, when, Through::Spine(offer, Routes::Hosts), 1 << 10).kernel(3.5)
}

const fn prefixes(name: &'static str, offer: Offer) -> Entry {
    let through = Through::Spine(offer, Routes::Prefixes);
    Entry::new(name, When::Usual, through, 1 << 18).kernel(3.5)
}

const ENTRIES: [Entry; 4] = [
    hosts("transit-v4", When::Quick, Offer::Routed4),
    hosts("transit-v6", When::Usual, Offer::Routed6),
    prefixes("transit-v4-prefixes", Offer::Routed4),
    prefixes("transit-v6-prefixes", Offer::Routed6),
];

fn main() -> ExitCode {
    forwarding::main(&ENTRIES)
}
