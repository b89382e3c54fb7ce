//! How fast does Fabric put a host's frame into a VXLAN tunnel, next to the kernel's bridge and
//! vxlan device, and next to a redirect that does nothing else?
//!
//! One leaf, one core, live frames from the generator through the program on the access port and
//! the underlay port to a sink that counts.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Result;
use fabric_benches::{
    direction::Direction,
    overlay::{self, Entry},
    report,
    traffic::Size,
    wanted::When,
};

const K: u32 = 1 << 10;
const M: u32 = 1 << 20;

const ENTRIES: [Entry; 20] = [
    Entry::new("encap-1k-macs", When::Quick, K).redirect(1.35),
    Entry::new("encap-64k-macs", When::Quick, 64 * K).kernel(6.0).redirect(1.7),
    Entry::new("encap-1m-macs", When::Usual, M),
    Entry::new("encap-1-flow", When::Usual, 64 * K).flows(1),
    Entry::new("encap-1k-flows", When::All, 64 * K).flows(1 << 10),
    Entry::new("encap-64k-flows", When::Usual, 64 * K).flows(1 << 16).kernel(6.0).redirect(1.7),
    Entry::new("encap-1-vtep", When::Usual, K).vteps(1),
    Entry::new("encap-512-vteps", When::Usual, K).vteps(512),
    Entry::new("encap-128-bytes", When::Usual, K).size(Size::Fixed(128)),
    Entry::new("encap-256-bytes", When::All, K).size(Size::Fixed(256)),
    Entry::new("encap-512-bytes", When::Usual, K).size(Size::Fixed(512)),
    Entry::new("encap-1024-bytes", When::All, K).size(Size::Fixed(1_024)),
    Entry::new("encap-1518-bytes", When::Usual, K).size(Size::Fixed(1_518)),
    Entry::new("encap-imix", When::Quick, K).size(Size::Imix),
    Entry::new("encap-v6-underlay", When::Usual, K).over_ipv6(false),
    Entry::new("encap-v6-underlay-checksum", When::All, K).over_ipv6(true),
    Entry::new("encap-64k-macs-512-vteps", When::All, 64 * K).vteps(512),
    Entry::new("encap-64k-macs-1518-bytes", When::All, 64 * K).size(Size::Fixed(1_518)),
    Entry::new("encap-64k-macs-imix", When::All, 64 * K).size(Size::Imix),
    Entry::new("encap-1m-macs-imix", When::All, M).size(Size::Imix),
];

/// At most so many nanoseconds more with a million MAC addresses than with a thousand.
const GROWTH_BAR: f64 = 60.0;

fn main() -> ExitCode {
    overlay::main_then(Direction::Encapsulate, &ENTRIES, growth)
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
    let meets_bar = figures.values().all(|growth| *growth <= GROWTH_BAR);
    for (name, growth) in &figures {
        println!("encap: {name}: {growth:.1}; the bar is at most {GROWTH_BAR}");
    }
    let quick = last.settings.get("quick").cloned().unwrap_or_default();
    report::write(
        &report::path(),
        &[report::Figures {
            name: "encap-growth".into(),
            figures,
            meets_bar,
            settings: [("quick".to_owned(), quick)].into(),
            environment: last.environment.clone(),
        }],
    )
}
