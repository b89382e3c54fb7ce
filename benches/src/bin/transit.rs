//! How fast does Fabric route a packet from port to port, next to the kernel's routing, and next to
//! a redirect that does nothing else?
//!
//! One spine, one core, the shortest UDP packets, live from the generator through the program on
//! one port and the other port to a sink that counts. The contenders take turns, and every ratio is
//! taken within a round. Every packet has to arrive, in the right length.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Result, ensure};
use clap::Parser as _;
use fabric_benches::{
    answer::{Question, answer},
    contest::{self, Arguments, Contest, Effort},
    environment::Environment,
    flow::{Captured, SOURCES},
    race::{BATCH, Race},
    report,
    router::Router,
    spine::{Routes, Spine},
    traffic::{Offer, Traffic},
    wanted::When,
};

/// A question and what it is asked about.
struct Entry {
    question: Question,
    when: When,
    offer: Offer,
    /// Addresses that packets go to; a power of two.
    destinations: u32,
    routes: Routes,
}

const fn hosts(name: &'static str, offer: Offer) -> Entry {
    let question = Question { name, kernel_bar: Some(3.5), redirect_bar: None };
    Entry { question, when: When::Quick, offer, destinations: 1 << 10, routes: Routes::Hosts }
}

const fn prefixes(name: &'static str, offer: Offer) -> Entry {
    let hosts = hosts(name, offer);
    Entry { when: When::Usual, destinations: 1 << 18, routes: Routes::Prefixes, ..hosts }
}

const ENTRIES: [Entry; 4] = [
    hosts("transit-v4", Offer::Routed4),
    Entry { when: When::Usual, ..hosts("transit-v6", Offer::Routed6) },
    prefixes("transit-v4-prefixes", Offer::Routed4),
    prefixes("transit-v6-prefixes", Offer::Routed6),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let found = contest::run(
        &ENTRIES,
        &arguments,
        |entry| (entry.question.name, entry.when),
        |entry, environment| measure(entry, &arguments, environment),
    );
    contest::end(found.map(drop))
}

fn measure(
    entry: &Entry,
    arguments: &Arguments,
    environment: Environment,
) -> Result<report::Entry> {
    let Entry { question, offer, destinations, routes, .. } = *entry;
    println!("{}: building a spine with {destinations} destinations", question.name);
    let spine = Spine::build(destinations, routes)?;
    let mut router = Router::start(&spine, destinations, routes)?;
    let mut race = Race::along(spine.way())?;
    race.traffic = Traffic::of(offer);
    race.await_quiet()?;
    let mut contest = Contest::line_up(race, &mut router, destinations, 0, arguments)?;
    contest.warm_up()?;
    contest.compare_bytes(compare)?;
    contest.check_generator()?;
    let times = contest.rounds(question.name)?;
    answer(&question, settings(entry, arguments), environment, &times)
}

/// Fabric's packet must be the kernel's, which must have routed what was offered.
fn compare(ours: &Captured, kernels: &Captured, packet: &[u8]) -> Result<()> {
    let of = |captured: &Captured| captured.bytes[..captured.length as usize].to_vec();
    let (ours, kernels) = (of(ours), of(kernels));
    ensure!(
        kernels.len() == packet.len() && kernels[..12] != packet[..12],
        "the kernel did not route what was offered"
    );
    ensure!(ours == kernels, "Fabric's packet has other bytes than the kernel's");
    Ok(())
}

fn settings(entry: &Entry, arguments: &Arguments) -> BTreeMap<String, serde_json::Value> {
    let effort = Effort::of(arguments);
    let flows = u64::from(entry.destinations) * u64::from(SOURCES) * 32_768;
    let routes = match entry.routes {
        Routes::Hosts => "one to each destination",
        Routes::Prefixes => "a /24 or /64 to each 256 destinations",
    };
    [
        ("frame_bytes", Traffic::of(entry.offer).size.mean().into()),
        ("destinations", entry.destinations.into()),
        ("routes", routes.into()),
        ("sources", SOURCES.into()),
        ("flows", flows.into()),
        (
            "kernel_path",
            "ip_forward with static neighbours and routes; no netfilter, no reverse path filter"
                .into(),
        ),
        ("quick", arguments.quick.into()),
        ("rounds", effort.rounds.into()),
        ("frames_per_turn", effort.frames.into()),
        ("frames_per_turn_kernel", effort.kernel_frames.into()),
        ("batch", BATCH.into()),
    ]
    .map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value))
    .into()
}
