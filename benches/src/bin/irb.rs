//! How fast does Fabric route from and to the networks of a leaf's bridges, next to the kernel's bridges, routing
//! and vxlan device, and next to plain encapsulation on the same leaf?
//!
//! One leaf with three gateways, one core, the shortest UDP packets, live from the generator through the program on
//! one port and another port to a sink that counts: from a host into the tunnel of an L3VNI, out of that to a host,
//! from a router into it, and from a host of one network to a host of another.

use std::process::ExitCode;

use clap::Parser as _;
use fabric_benches::{
    contest::Arguments,
    irb::{self, Entry, Through},
    run::{self, When},
    traffic::Offer,
};

const K: u32 = 1 << 10;
const V4: Offer = Offer::Routed4;
const V6: Offer = Offer::Routed6;

/// A local host takes a next hop of its own, of which there are less than 64k.
const MOST: u32 = 32 * K;

const ENTRIES: [Entry; 16] = [
    Entry::new("irb-in-v4", When::Quick, Through::Into, V4, K),
    Entry::new("irb-in-v6", When::Usual, Through::Into, V6, K),
    Entry::new("irb-in-v4-64k-hosts", When::Usual, Through::Into, V4, 64 * K),
    Entry::new("irb-in-v6-64k-hosts", When::Usual, Through::Into, V6, 64 * K),
    Entry::new("irb-in-v4-prefixes", When::Usual, Through::Into, V4, 256 * K).by_prefixes(),
    Entry::new("irb-in-v6-prefixes", When::Usual, Through::Into, V6, 256 * K).by_prefixes(),
    Entry::new("irb-out-v4", When::Quick, Through::Out, V4, K),
    Entry::new("irb-out-v6", When::Usual, Through::Out, V6, K),
    Entry::new("irb-out-v4-32k-hosts", When::Usual, Through::Out, V4, MOST),
    Entry::new("irb-out-v6-32k-hosts", When::Usual, Through::Out, V6, MOST),
    Entry::new("irb-border-v4", When::Usual, Through::Border, V4, K),
    Entry::new("irb-border-v6", When::Usual, Through::Border, V6, K),
    Entry::new("irb-local-v4", When::Quick, Through::Local, V4, K),
    Entry::new("irb-local-v6", When::Usual, Through::Local, V6, K),
    Entry::new("irb-local-v4-32k-hosts", When::Usual, Through::Local, V4, MOST),
    Entry::new("irb-local-v6-32k-hosts", When::Usual, Through::Local, V6, MOST),
];

fn main() -> ExitCode {
    run::end(irb::run(&ENTRIES, &Arguments::parse()))
}
