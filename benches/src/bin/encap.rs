//! How fast does Fabric put a host's frame into a VXLAN tunnel, next to the kernel's bridge and
//! vxlan device, and next to a redirect that does nothing else?
//!
//! One leaf, one core, frames of 64 bytes (60 without checksum), live from the generator through
//! the program on the access port and the uplink to a sink that counts. The contenders take turns,
//! and every ratio is taken within a round. Every frame has to arrive, in the right length.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use fabric_benches::{
    answer::{FABRIC, KERNEL, Question, REDIRECT, answer, progress},
    arena,
    environment::{self, Environment},
    fabric::Fabric,
    flow::{CAPTURES, Flow, LENGTH, OUTER, SOURCES},
    leaf::{self, Leaf},
    outer, processor,
    race::{BATCH, Contender, Offer, Race},
    report,
};
use fabric_common::reason::Reason;

/// How fast is VXLAN encapsulation?
#[derive(Parser)]
#[command(name = "encap")]
struct Arguments {
    /// Only this entry, for instance encap-64k-macs.
    entry: Option<String>,
    /// Rounds in which every contender takes one turn.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// An object of another build of fabric-ebpf with the same maps, as one more contender.
    #[arg(long, value_name = "OBJECT")]
    against: Vec<PathBuf>,
}

/// A question and the answer that is asked for.
struct Entry {
    name: &'static str,
    /// MAC addresses behind VTEPs.
    destinations: u32,
    /// At least so many times the kernel's rate.
    kernel_bar: Option<f64>,
    /// At most so many times the time of a bare redirect.
    redirect_bar: f64,
}

const ENTRIES: [Entry; 2] = [
    Entry { name: "encap-1k-macs", destinations: 1 << 10, kernel_bar: None, redirect_bar: 1.5 },
    Entry {
        name: "encap-64k-macs",
        destinations: 1 << 16,
        kernel_bar: Some(4.0),
        redirect_bar: 1.9,
    },
];

/// Frames of one turn: some 50 to 300 ms for each contender.
const FRAMES: u32 = 500_000;
const KERNEL_FRAMES: u32 = 125_000;
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
        .filter(|entry| arguments.entry.as_ref().is_none_or(|name| name == entry.name))
        .collect();
    if wanted.is_empty() {
        bail!("there is no such entry; take one of {}", ENTRIES.map(|e| e.name).join(", "));
    }
    let environment = Environment::read(processor::pin()?);
    for entry in wanted {
        // A fresh network for each entry: nothing of the one before is in the kernel's tables.
        let environment = environment.clone();
        arena::enter()?;
        let found = measure(entry, arguments, environment)?;
        report::write(&report::path(), std::slice::from_ref(&found))?;
    }
    println!("written to target/bench/report.json");
    Ok(())
}

fn measure(
    entry: &Entry,
    arguments: &Arguments,
    mut environment: Environment,
) -> Result<report::Entry> {
    println!("{}: building a leaf with {} MACs behind VTEPs", entry.name, entry.destinations);
    let leaf = Leaf::build(entry.destinations)?;
    environment.bridge_nf = environment::bridge_nf();
    let mut fabric = Fabric::start(&leaf, entry.destinations)?;
    let mut race = Race::prepare(leaf.course(), Offer::Bridged)?;
    let contenders = line_up(&mut race, &mut fabric, arguments)?;

    // Twice over every MAC and more: learns all routes, shows all sources to the bridge.
    for contender in &contenders {
        let warm_up = Contender {
            name: contender.name.clone(),
            program: contender.program.try_clone()?,
            frames: (8 * entry.destinations).max(FRAMES / 2),
            arrives: contender.arrives,
        };
        race.turn(&warm_up, entry.destinations)?;
    }
    compare_bytes(&mut race, &contenders, entry.destinations)?;
    check_generator(&mut race, &contenders, entry.destinations)?;

    let mut times = vec![Vec::new(); contenders.len()];
    for round in 1..=arguments.rounds {
        fabric.beat()?;
        for (contender, times) in contenders.iter().zip(&mut times) {
            let before = fabric.counted(Reason::Encapsulated)?;
            times.push(race.turn(contender, entry.destinations)?);
            let encapsulated = fabric.counted(Reason::Encapsulated)? - before;
            let by_fabric = contender.name != KERNEL && contender.arrives == arrival(true);
            let expected = if by_fabric { u64::from(contender.frames) } else { 0 };
            ensure!(
                encapsulated == expected,
                "{}: Fabric encapsulated {encapsulated} frames instead of {expected}",
                contender.name
            );
        }
        progress(entry.name, round, arguments.rounds);
    }
    let times: BTreeMap<_, _> =
        contenders.iter().map(|contender| contender.name.clone()).zip(times).collect();
    let question = Question {
        name: entry.name,
        kernel_bar: entry.kernel_bar,
        redirect_bar: Some(entry.redirect_bar),
    };
    answer(&question, settings(entry, arguments), environment, &times)
}

/// Length in which a frame arrives, with or without outer headers.
const fn arrival(encapsulated: bool) -> u64 {
    (if encapsulated { OUTER + LENGTH } else { LENGTH }) as u64
}

fn line_up(race: &mut Race, fabric: &mut Fabric, arguments: &Arguments) -> Result<Vec<Contender>> {
    let contender = |name: &str, program, frames, arrives| Contender {
        name: name.into(),
        program,
        frames,
        arrives,
    };
    let mut contenders = vec![
        contender(FABRIC, fabric.access()?, FRAMES, arrival(true)),
        contender(KERNEL, race.baseline("kernel")?, KERNEL_FRAMES, arrival(true)),
        contender(REDIRECT, race.baseline("redirect")?, FRAMES, arrival(false)),
        contender("discard", race.baseline("discard")?, FRAMES, 0),
    ];
    for object in &arguments.against {
        let name = object.file_stem().unwrap_or(object.as_os_str()).to_string_lossy();
        contenders.push(contender(&name, fabric.access_of(object)?, FRAMES, arrival(true)));
    }
    Ok(contenders)
}

/// The same frames through Fabric and through the kernel must arrive alike.
fn compare_bytes(race: &mut Race, contenders: &[Contender], destinations: u32) -> Result<()> {
    let by_name = |name: &str| {
        contenders.iter().find(|contender| contender.name == name).context("not in the line-up")
    };
    let kernel = by_name(KERNEL)?;
    let redirect = by_name(REDIRECT)?;
    for number in 0..COMPARED {
        let flow = Flow {
            destination: (number * destinations / COMPARED) | (number & 1),
            source: number % SOURCES,
            port: 0x8000 | (number * 401) as u16,
        };
        let frame = flow.frame();
        let mut one = |contender: &Contender| {
            let packets = race.capture(contender, &flow, destinations, 1)?;
            packets
                .first()
                .copied()
                .with_context(|| format!("{}: nothing captured", contender.name))
        };
        let kernels = one(kernel)?;
        for contender in contenders {
            if contender.name != KERNEL && contender.arrives == arrival(true) {
                outer::compare(&one(contender)?, &kernels, &frame)
                    .with_context(|| format!("{}, {flow:?}", contender.name))?;
            }
        }
        let bare = one(redirect)?;
        ensure!(bare.bytes[..LENGTH] == frame, "the bare redirect changed {flow:?}");
    }
    Ok(())
}

/// What the generator writes must be valid, and as varied as promised.
fn check_generator(race: &mut Race, contenders: &[Contender], destinations: u32) -> Result<()> {
    let redirect = contenders
        .iter()
        .find(|contender| contender.name == REDIRECT)
        .context("not in the line-up")?;
    let first = Flow::from_number(0, destinations - 1);
    let packets = race.capture(redirect, &first, destinations, 4 * CAPTURES as u32)?;
    let mut seen = BTreeSet::new();
    for packet in &packets {
        let [_, _, _, _, a, b] = packet.bytes[..6] else {
            continue;
        };
        let destination = u32::from_be_bytes([0, packet.bytes[3], a, b]);
        let source = u32::from(packet.bytes[11]);
        let port = u16::from_be_bytes([packet.bytes[34], packet.bytes[35]]);
        let flow = Flow { destination, source, port };
        ensure!(
            destination < destinations && packet.bytes[..LENGTH] == flow.frame(),
            "the generator wrote a wrong frame for {flow:?}"
        );
        ensure!(outer::is_valid_ipv4(&packet.bytes[14..34]), "wrong checksum in {flow:?}");
        seen.insert(destination);
    }
    // Random draws from N leave 1/e of N undrawn after N draws; half is far below any chance.
    let possible = packets.len().min(destinations as usize);
    ensure!(
        packets.len() == CAPTURES && seen.len() > possible / 2,
        "the generator reached {} destinations with {} frames",
        seen.len(),
        packets.len()
    );
    Ok(())
}

fn settings(entry: &Entry, arguments: &Arguments) -> BTreeMap<String, serde_json::Value> {
    let flows = u64::from(entry.destinations) * u64::from(SOURCES) * 32_768;
    [
        ("frame_bytes", (LENGTH as u64 + 4).into()),
        ("destinations", entry.destinations.into()),
        ("sources", SOURCES.into()),
        ("flows", flows.into()),
        ("vteps", leaf::VTEPS.into()),
        ("underlay", "IPv4, one nexthop, no UDP checksum".into()),
        (
            "kernel_path",
            "bridge with learning on the access port; vxlan device with nolearning and noudpcsum; \
             static FDB, neighbours and routes; IPv6 and multicast snooping off"
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
