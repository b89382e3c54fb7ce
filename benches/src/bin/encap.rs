//! How fast does Fabric put a host's frame into a VXLAN tunnel, next to the kernel's bridge and
//! vxlan device, and next to a redirect that does nothing else?
//!
//! One leaf, one core, live frames from the generator through the program on the access port and
//! the underlay port to a sink that counts.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Result;
use clap::Parser as _;
use fabric_benches::{
    contest::Arguments,
    direction::Direction,
    forwarding::{self, Entry, Through},
    report::{self, Bar, Figures},
    run::{self, When},
    traffic::Size,
};

const K: u32 = 1 << 10;
const M: u32 = 1 << 20;

const fn entry(name: &'static str, when: When, destinations: u32) -> Entry {
    Entry::new(name, when, Through::Leaf(Direction::Encapsulate), destinations)
}

const ENTRIES: [Entry; 20] = [
    entry("encap-1k-macs", When::Quick, K).redirect(1.35),
    entry("encap-64k-macs", When::Quick, 64 * K).kernel(6.0).redirect(1.7),
    entry("encap-1m-macs", When::Usual, M),
    entry("encap-1-flow", When::Usual, 64 * K).flows(1),
    entry("encap-1k-flows", When::All, 64 * K).flows(1 << 10),
    entry("encap-64k-flows", When::Usual, 64 * K).flows(1 << 16).kernel(6.0).redirect(1.7),
    entry("encap-1-vtep", When::Usual, K).vteps(1),
    entry("encap-512-vteps", When::Usual, K).vteps(512),
    entry("encap-128-bytes", When::Usual, K).size(Size::Fixed(128)),
    entry("encap-256-bytes", When::All, K).size(Size::Fixed(256)),
    entry("encap-512-bytes", When::Usual, K).size(Size::Fixed(512)),
    entry("encap-1024-bytes", When::All, K).size(Size::Fixed(1_024)),
    entry("encap-1518-bytes", When::Usual, K).size(Size::Fixed(1_518)),
    entry("encap-imix", When::Quick, K).size(Size::Imix),
    entry("encap-v6-underlay", When::Usual, K).over_ipv6(false),
    entry("encap-v6-underlay-checksum", When::All, K).over_ipv6(true),
    entry("encap-64k-macs-512-vteps", When::All, 64 * K).vteps(512),
    entry("encap-64k-macs-1518-bytes", When::All, 64 * K).size(Size::Fixed(1_518)),
    entry("encap-64k-macs-imix", When::All, 64 * K).size(Size::Imix),
    entry("encap-1m-macs-imix", When::All, M).size(Size::Imix),
];

/// At most so many nanoseconds more with a million MAC addresses than with a thousand.
const GROWTH_BAR: f64 = 60.0;

fn main() -> ExitCode {
    run::end(forwarding::run(&ENTRIES, &Arguments::parse()).and_then(|found| growth(&found)))
}

/// What more MAC addresses cost. Entries are measured one after the other, so each is taken next to
/// the bare redirect of its own rounds.
fn growth(found: &[report::Entry]) -> Result<()> {
    let cost = |name: &str| {
        let entry = found.iter().find(|entry| entry.name == name)?;
        Some(entry.contenders_ns.get("fabric")? - entry.contenders_ns.get("redirect")?)
    };
    let (Some(few), Some(last)) = (cost("encap-1k-macs"), found.last()) else {
        return Ok(());
    };
    let costs = [("64k", "encap-64k-macs"), ("1m", "encap-1m-macs")];
    let figures: BTreeMap<_, _> = costs
        .iter()
        .filter_map(|(many, name)| {
            Some((format!("growth from 1k to {many} MACs, ns"), cost(name)? - few))
        })
        .collect();
    let bars: Vec<_> = figures.keys().map(|name| Bar::at_most(name, GROWTH_BAR)).collect();
    let settings = last.settings.iter().filter(|(name, _)| *name == "quick");
    let settings = settings.map(|(name, value)| (name.clone(), value.clone())).collect();
    let environment = last.environment.clone();
    let found = Figures::judged("encap-growth", figures, bars, settings, environment);
    report::write(&report::path(), &[found])
}
