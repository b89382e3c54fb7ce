//! How fast does Fabric route a packet from port to port, next to the kernel's routing, and next to
//! a redirect that does nothing else?
//!
//! One spine, one core, the shortest UDP packets, live from the generator through the program on
//! one port and the other port to a sink that counts. The contenders take turns, and every ratio is
//! taken within a round. Every packet has to arrive, in the right length.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use fabric_benches::{
    answer::{FABRIC, KERNEL, Question, REDIRECT, answer, progress},
    arena,
    environment::Environment,
    flow::{Flow, SOURCES},
    processor,
    race::{BATCH, Contender, Offer, Race},
    report,
    router::Router,
    spine::{Routes, Spine},
};

/// How fast is routing?
#[derive(Parser)]
#[command(name = "transit")]
struct Arguments {
    /// Only this entry, for instance transit-v4.
    entry: Option<String>,
    /// Rounds in which every contender takes one turn.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// An object of another build of fabric-ebpf with the same maps, as one more contender.
    #[arg(long, value_name = "OBJECT")]
    against: Vec<PathBuf>,
}

/// A question and what it is asked about.
struct Entry {
    question: Question,
    offer: Offer,
    /// Addresses that packets go to; a power of two.
    destinations: u32,
    routes: Routes,
}

const fn entry(name: &'static str, offer: Offer, destinations: u32, routes: Routes) -> Entry {
    let question = Question { name, kernel_bar: Some(3.5), redirect_bar: None };
    Entry { question, offer, destinations, routes }
}

const ENTRIES: [Entry; 4] = [
    entry("transit-v4", Offer::Routed4, 1 << 10, Routes::Hosts),
    entry("transit-v6", Offer::Routed6, 1 << 10, Routes::Hosts),
    entry("transit-v4-prefixes", Offer::Routed4, 1 << 18, Routes::Prefixes),
    entry("transit-v6-prefixes", Offer::Routed6, 1 << 18, Routes::Prefixes),
];

/// Packets of one turn: some 50 to 200 ms for each contender.
const FRAMES: u32 = 500_000;
const KERNEL_FRAMES: u32 = 200_000;
/// Flows whose packets are compared byte by byte.
const COMPARED: u32 = 64;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let wanted: Vec<_> = ENTRIES
        .iter()
        .filter(|entry| arguments.entry.as_ref().is_none_or(|name| name == entry.question.name))
        .collect();
    if wanted.is_empty() {
        let names = ENTRIES.map(|entry| entry.question.name).join(", ");
        bail!("there is no such entry; take one of {names}");
    }
    let environment = Environment::read(processor::pin()?);
    for entry in wanted {
        // A fresh network for each entry: nothing of the one before is in the kernel's tables.
        arena::enter()?;
        let found = measure(entry, arguments, environment.clone())?;
        report::write(&report::path(), std::slice::from_ref(&found))?;
    }
    println!("written to target/bench/report.json");
    Ok(())
}

fn measure(
    entry: &Entry,
    arguments: &Arguments,
    environment: Environment,
) -> Result<report::Entry> {
    let name = entry.question.name;
    println!("{name}: building a spine with {} destinations", entry.destinations);
    let spine = Spine::build(entry.destinations, entry.routes)?;
    let mut router = Router::start(&spine, entry.destinations, entry.routes)?;
    let mut race = Race::prepare(spine.course(), entry.offer)?;
    let contenders = line_up(&mut race, &mut router, entry, arguments)?;

    race.await_quiet()?;
    for contender in &contenders {
        race.turn(contender, entry.destinations)?;
    }
    compare_bytes(&mut race, &contenders, entry)?;

    let mut times = vec![Vec::new(); contenders.len()];
    for round in 1..=arguments.rounds {
        router.beat()?;
        for (contender, times) in contenders.iter().zip(&mut times) {
            let before = router.routed()?;
            times.push(race.turn(contender, entry.destinations)?);
            let routed = router.routed()? - before;
            let expected = if is_fabric(contender) { u64::from(contender.frames) } else { 0 };
            ensure!(
                routed == expected,
                "{}: Fabric routed {routed} packets instead of {expected}",
                contender.name
            );
        }
        progress(name, round, arguments.rounds);
    }
    let times: BTreeMap<_, _> =
        contenders.iter().map(|contender| contender.name.clone()).zip(times).collect();
    answer(&entry.question, settings(entry, arguments), environment, &times)
}

const DISCARD: &str = "discard";

fn is_fabric(contender: &Contender) -> bool {
    ![KERNEL, REDIRECT, DISCARD].contains(&contender.name.as_str())
}

fn line_up(
    race: &mut Race,
    router: &mut Router,
    entry: &Entry,
    arguments: &Arguments,
) -> Result<Vec<Contender>> {
    let length = entry.offer.frame(&Flow::from_number(0, 0)).len() as u64;
    let contender = |name: &str, program, frames, arrives| Contender {
        name: name.into(),
        program,
        frames,
        arrives,
    };
    let mut contenders = vec![
        contender(FABRIC, router.program()?, FRAMES, length),
        contender(KERNEL, race.baseline("kernel")?, KERNEL_FRAMES, length),
        contender(REDIRECT, race.baseline("redirect")?, FRAMES, length),
        contender(DISCARD, race.baseline("discard")?, FRAMES, 0),
    ];
    for object in &arguments.against {
        let name = object.file_stem().unwrap_or(object.as_os_str()).to_string_lossy();
        contenders.push(contender(&name, router.program_of(object)?, FRAMES, length));
    }
    Ok(contenders)
}

/// The same packets through Fabric and through the kernel must arrive alike, and the redirect must
/// show what the generator was to write.
fn compare_bytes(race: &mut Race, contenders: &[Contender], entry: &Entry) -> Result<()> {
    let by_name = |name: &str| {
        contenders.iter().find(|contender| contender.name == name).context("not in the line-up")
    };
    let (kernel, redirect) = (by_name(KERNEL)?, by_name(REDIRECT)?);
    for number in 0..COMPARED {
        let flow = Flow {
            destination: (number * entry.destinations / COMPARED) | (number & 1),
            source: number % SOURCES,
            port: 0x8000 | (number * 401) as u16,
        };
        let frame = entry.offer.frame(&flow);
        let mut one = |contender: &Contender| {
            let packets = race.capture(contender, &flow, entry.destinations, 1)?;
            let packet =
                packets.first().with_context(|| format!("{}: nothing captured", contender.name))?;
            Ok::<_, anyhow::Error>(packet.bytes[..packet.length as usize].to_vec())
        };
        let kernels = one(kernel)?;
        for contender in contenders.iter().filter(|contender| is_fabric(contender)) {
            ensure!(
                one(contender)? == kernels,
                "{} routes {flow:?} to other bytes than the kernel",
                contender.name
            );
        }
        ensure!(kernels[..12] != frame[..12] && kernels.len() == frame.len());
        ensure!(one(redirect)? == frame, "the generator wrote another frame for {flow:?}");
    }
    Ok(())
}

fn settings(entry: &Entry, arguments: &Arguments) -> BTreeMap<String, serde_json::Value> {
    let length = entry.offer.frame(&Flow::from_number(0, 0)).len() as u64;
    let flows = u64::from(entry.destinations) * u64::from(SOURCES) * 32_768;
    let routes = match entry.routes {
        Routes::Hosts => "one to each destination",
        Routes::Prefixes => "a /24 or /64 to each 256 destinations",
    };
    [
        ("frame_bytes", (length + 4).into()),
        ("destinations", entry.destinations.into()),
        ("routes", routes.into()),
        ("sources", SOURCES.into()),
        ("flows", flows.into()),
        (
            "kernel_path",
            "ip_forward with static neighbours and routes; no netfilter, no reverse path filter"
                .into(),
        ),
        ("rounds", arguments.rounds.into()),
        ("frames_per_turn", FRAMES.into()),
        ("frames_per_turn_kernel", KERNEL_FRAMES.into()),
        ("batch", BATCH.into()),
    ]
    .map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value))
    .into()
}
