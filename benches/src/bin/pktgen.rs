//! How fast does Fabric forward what the kernel's own packet generator sends, next to the kernel's
//! path, and next to a redirect that does nothing else?
//!
//! The generator sends socket buffers from the hosts' end of the access port, a frame at a time. So
//! the time of a frame holds the making of a buffer, the cable, and in front of an XDP program the
//! copy that veth makes of every frame, which no frame from a wire needs. The kernel's path is
//! taken without any XDP program on the port, where it needs no such copy. What generator and cable
//! cost by themselves is measured as well, in the same rounds, up to a program that drops.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use aya::programs::xdp::XdpLink;
use clap::Parser;
use fabric_benches::{
    answer::{FABRIC, KERNEL, Question, REDIRECT, answer, progress},
    arena,
    direction::Direction,
    environment::{self, Environment},
    fabric::Fabric,
    flow::{CAPTURES, Captured, LENGTH, SOURCES},
    leaf::{Leaf, VTEPS},
    pktgen::{self, Order, Outcome, Pktgen, Stream},
    processor,
    race::{Arrivals, Race},
    report,
    run::{self, Rounds, When},
    samples,
    underlay::Underlay,
};
use serde_json::Value;

/// How fast is Fabric with the kernel's packet generator in front of it?
#[derive(Parser)]
#[command(name = "pktgen")]
struct Arguments {
    #[command(flatten)]
    rounds: Rounds,
    /// The report to write to, instead of target/bench/report.json.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Measures nothing: takes over the entries of a report that was written elsewhere.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["entry", "all", "quick", "rounds"])]
    merge: Option<PathBuf>,
}

/// A usual run shall not take much more than a minute, emulated.
const ENTRIES: [(&str, When, Direction); 2] = [
    ("pktgen-encap", When::Quick, Direction::Encapsulate),
    ("pktgen-bridge", When::All, Direction::Bridge),
];

const DESTINATIONS: u32 = 1 << 10;
/// Frames that are compared byte by byte.
const COMPARED: u64 = 64;
/// About how long a turn lasts.
const TURN: Duration = Duration::from_millis(400);
/// Frames of the turns that show how many that is.
const FRAMES_TO_TRY: u64 = 2_000;

/// The generator and the cable alone: a program on the access port drops every frame.
const FLOOR: &str = "discard";
const CONTENDERS: [&str; 4] = [FABRIC, KERNEL, REDIRECT, FLOOR];

fn main() -> ExitCode {
    run::end(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    let report = arguments.report.clone().unwrap_or_else(report::path);
    if let Some(other) = &arguments.merge {
        let names = report::merge(&report, other)?;
        println!("{} written to {}", names.join(", "), report.display());
        return Ok(());
    }
    let wanted = arguments.rounds.asked.wanted(&ENTRIES, |entry| (entry.0, entry.1))?;
    pktgen::load()?;
    let environment = Environment::read(processor::pin()?);
    for (name, _, direction) in wanted {
        arena::enter()?;
        let found = measure(name, *direction, arguments, environment.clone())?;
        report::write(&report, std::slice::from_ref(&found))?;
    }
    println!("written to {}", report.display());
    Ok(())
}

fn measure(
    name: &'static str,
    direction: Direction,
    arguments: &Arguments,
    mut environment: Environment,
) -> Result<report::Entry> {
    println!("{name}: building a leaf with {DESTINATIONS} MACs and {VTEPS} VTEPs");
    let rounds = arguments.rounds.number(10, 4);
    let mut bench = Bench::set_up(direction, environment.pinned_cpu)?;
    environment.bridge_nf = environment::bridge_nf();
    bench.compare_bytes()?;
    bench.check_stream()?;
    let frames = bench.frames_per_turn()?;
    let times = bench.rounds(name, rounds, &frames)?;

    let question = Question::new(name);
    let settings = bench.settings(rounds, &frames, arguments.rounds.asked.quick);
    let lost = bench.lost.values().sum::<u64>();
    let is_emulated = environment.emulated;
    let mut entry = answer(&question, settings, environment, &times)?;
    without_generator(&mut entry, &times)?;
    if lost == 0 {
        println!("{name}: every frame arrived");
    } else {
        entry.meets_bar = false;
        println!(
            "{name}: NOT every frame arrived; times are those of the ones that did. Lost: {}",
            bench.losses().join(", ")
        );
    }
    if is_emulated {
        println!(
            "{name}: the processor is emulated ({}, Linux {}): the ratios are the emulation's",
            entry.environment.cpu, entry.environment.kernel
        );
    }
    Ok(entry)
}

/// Adds the ratio of what is left without generator and cable, which belong to another box where
/// frames come from a wire. The kernel's share of it is too small by the copy for XDP programs,
/// which its frames were spared.
fn without_generator(entry: &mut report::Entry, times: &BTreeMap<String, Vec<f64>>) -> Result<()> {
    let of = |name: &str| -> Result<Vec<f64>> {
        let [times, floor] = [name, FLOOR].map(|name| times.get(name).map(Vec::as_slice));
        let pairs = times.zip(floor).context("a contender has no times")?;
        Ok(pairs.0.iter().zip(pairs.1).map(|(time, floor)| time - floor).collect())
    };
    let ratio = samples::ratio(&of(KERNEL)?, &of(FABRIC)?).context("no rounds")?;
    println!(
        "{}: {:.2} times the kernel's rate without generator and cable (spread {:.2})",
        entry.name, ratio.median, ratio.iqr
    );
    let key = "kernel_without_generator";
    entry.ratios.insert(key.into(), ratio.median);
    entry.ratio_spread.insert(key.into(), ratio.iqr);
    Ok(())
}

/// Sends streams to the sink.
struct Line {
    pktgen: Pktgen,
    arrivals: Arrivals,
    direction: Direction,
}

impl Line {
    /// How many bytes longer frames arrive than they came; `None` if they do not arrive.
    fn grows(&self, contender: &str) -> Option<i64> {
        match contender {
            FLOOR => None,
            REDIRECT => Some(0),
            _ => Some(self.direction.grows(Underlay::Ipv4)),
        }
    }

    /// Sends a stream, and returns how it went and how many frames arrived. One of another length
    /// is an error.
    fn send(&self, contender: &str, stream: &Stream) -> Result<(Outcome, u64)> {
        self.pktgen.set(stream)?;
        let before = self.arrivals.count()?;
        let outcome = self.pktgen.run()?;
        ensure!(
            outcome.frames == stream.frames,
            "the packet generator sent {} frames instead of {}",
            outcome.frames,
            stream.frames
        );
        let grows = self.grows(contender);
        let offered = grows.map_or(0, |_| outcome.frames);
        // The last frames may still be on their way.
        let deadline = Instant::now() + Duration::from_secs(1);
        let (frames, bytes) = loop {
            let now = self.arrivals.count()?;
            let frames = now.frames - before.frames;
            if frames >= offered || Instant::now() > deadline {
                break (frames, now.bytes - before.bytes);
            }
            thread::yield_now();
        };
        let length = (LENGTH as u64).saturating_add_signed(grows.unwrap_or(0));
        ensure!(
            frames <= offered && bytes == frames * length,
            "{contender}: {frames} frames with {bytes} bytes arrived, of {offered} that must have \
             {length} each"
        );
        Ok((outcome, frames))
    }
}

struct Bench {
    direction: Direction,
    leaf: Leaf,
    fabric: Fabric,
    race: Race,
    line: Line,
    /// True if the generator lets go of its frames.
    gives_away: bool,
    /// The program on the access port, which goes when this is dropped.
    on_port: Option<XdpLink>,
    /// Contender → frames that did not arrive in any of its turns.
    lost: BTreeMap<&'static str, u64>,
}

impl Bench {
    fn set_up(direction: Direction, cpu: usize) -> Result<Self> {
        let plan = direction.plan(DESTINATIONS, VTEPS);
        let leaf = Leaf::build_for(&plan)?;
        let mut desired = leaf.desired(&plan);
        // What runs on the access port is a matter of turns.
        desired.structure.ports.entry(leaf.access).and_modify(|port| port.idle = true);
        let fabric = Fabric::start(desired)?;
        let race = Race::along(direction.way(&leaf))?;
        let line =
            Line { pktgen: Pktgen::open(cpu, "host0")?, arrivals: race.arrivals(), direction };
        let gives_away = line.pktgen.give_away();
        let lost = BTreeMap::new();
        Ok(Self { direction, leaf, fabric, race, line, gives_away, on_port: None, lost })
    }

    /// Puts what the contender needs on the access port, and nothing else.
    fn put_on(&mut self, contender: &str) -> Result<()> {
        let access = self.leaf.access;
        self.on_port = None;
        self.on_port = match contender {
            FABRIC => {
                self.fabric.beat()?;
                Some(self.fabric.attach_for_now(access, self.direction.program())?)
            }
            KERNEL => None,
            name => Some(self.race.attach_baseline(name, access)?),
        };
        Ok(())
    }

    /// Sends a stream from its beginning, and returns what arrived, by the generator's numbers.
    fn capture(&mut self, contender: &str, stream: &Stream) -> Result<BTreeMap<u64, Captured>> {
        self.put_on(contender)?;
        self.line.pktgen.renew()?;
        self.gives_away = self.line.pktgen.give_away();
        let Self { race, line, .. } = self;
        let packets =
            race.capture_while(stream.frames as u32, |_| line.send(contender, stream).map(drop))?;
        let outer = line.grows(contender).unwrap_or(0) as usize;
        let mut found = BTreeMap::new();
        for packet in packets {
            let frame = packet.bytes.get(outer..packet.length as usize).unwrap_or_default();
            found.insert(pktgen::sequence(frame).context(contender.to_owned())?, packet);
        }
        ensure!(
            found.len() as u64 == stream.frames,
            "{contender}: {} different frames arrived of {}",
            found.len(),
            stream.frames
        );
        Ok(found)
    }

    /// The same frames through Fabric and through the kernel must arrive alike.
    fn compare_bytes(&mut self) -> Result<()> {
        let stream =
            Stream { frames: COMPARED, destinations: DESTINATIONS, order: Order::Sequence };
        let offered = self.capture(REDIRECT, &stream)?;
        let kernels = self.capture(KERNEL, &stream)?;
        let ours = self.capture(FABRIC, &stream)?;
        for (number, frame) in &offered {
            let [ours, kernels] = [&ours, &kernels].map(|packets| packets.get(number));
            let pair = ours.zip(kernels).with_context(|| format!("frame {number} is missing"))?;
            let frame = &frame.bytes[..frame.length as usize];
            stream.check(frame)?;
            self.direction
                .compare(Underlay::Ipv4, pair.0, pair.1, frame)
                .with_context(|| format!("frame {number} of the packet generator"))?;
        }
        Ok(())
    }

    /// What is sent in the turns must be valid, and as varied as promised.
    fn check_stream(&mut self) -> Result<()> {
        let stream = Stream { frames: CAPTURES as u64, ..Self::stream(0) };
        let mut reached = BTreeSet::new();
        for (number, frame) in self.capture(REDIRECT, &stream)? {
            let (said, destination) = stream.check(&frame.bytes[..frame.length as usize])?;
            ensure!(said == number, "frame {number} says that it is frame {said}");
            reached.insert(destination);
        }
        // As in contest.rs: half is far below any chance.
        let possible = CAPTURES.min(DESTINATIONS as usize);
        ensure!(
            reached.len() >= possible / 2,
            "the packet generator reached {} stations with {CAPTURES} frames",
            reached.len()
        );
        Ok(())
    }

    /// What is sent in a turn.
    const fn stream(frames: u64) -> Stream {
        Stream { frames, destinations: DESTINATIONS, order: Order::Random }
    }

    /// How many frames each contender gets for a turn of about [`TURN`].
    fn frames_per_turn(&mut self) -> Result<BTreeMap<&'static str, u64>> {
        let mut frames = BTreeMap::new();
        self.race.count_only()?;
        for contender in CONTENDERS {
            self.put_on(contender)?;
            // The first time everything is slow, most of all where it is emulated.
            self.line.send(contender, &Self::stream(FRAMES_TO_TRY))?;
            let (outcome, _) = self.line.send(contender, &Self::stream(FRAMES_TO_TRY))?;
            let share = TURN.as_secs_f64() / outcome.elapsed.as_secs_f64().max(1e-6);
            let enough = (share * FRAMES_TO_TRY as f64) as u64;
            frames.insert(contender, enough.clamp(FRAMES_TO_TRY, 1_000 * FRAMES_TO_TRY));
        }
        Ok(frames)
    }

    /// Takes time: the nanoseconds that a frame took, by contender, one figure a round.
    fn rounds(
        &mut self,
        name: &str,
        rounds: u32,
        frames: &BTreeMap<&'static str, u64>,
    ) -> Result<BTreeMap<String, Vec<f64>>> {
        let mut times: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for round in 1..=rounds {
            // Everybody starts as often as the others.
            for turn in 0..CONTENDERS.len() {
                let contender = CONTENDERS[(turn + round as usize) % CONTENDERS.len()];
                let frames = *frames.get(contender).context("a contender has no frames")?;
                times.entry(contender.into()).or_default().push(self.turn(contender, frames)?);
            }
            progress(name, round, rounds);
        }
        Ok(times)
    }

    /// One turn. What does not arrive counts as time that was wasted on it.
    fn turn(&mut self, contender: &'static str, frames: u64) -> Result<f64> {
        self.put_on(contender)?;
        let forwarded = self.fabric.ended(self.direction.reason());
        let (outcome, arrived) = self.line.send(contender, &Self::stream(frames))?;
        let forwarded = self.fabric.ended(self.direction.reason()) - forwarded;
        let may_be = match contender {
            FABRIC => arrived..=frames,
            _ => 0..=0,
        };
        ensure!(
            may_be.contains(&forwarded),
            "{contender}: Fabric forwarded {forwarded} frames of {frames}, {arrived} arrived"
        );
        let counted = if contender == FLOOR { frames } else { arrived };
        ensure!(counted > 0, "{contender}: of {frames} frames none arrived");
        *self.lost.entry(contender).or_default() += frames - counted;
        Ok(outcome.elapsed.as_nanos() as f64 / counted as f64)
    }

    /// Whose frames did not arrive, and how many.
    fn losses(&self) -> Vec<String> {
        let some = self.lost.iter().filter(|(_, lost)| **lost > 0);
        some.map(|(contender, lost)| format!("{lost} of {contender}")).collect()
    }

    fn settings(
        &self,
        rounds: u32,
        frames: &BTreeMap<&'static str, u64>,
        quick: bool,
    ) -> BTreeMap<String, Value> {
        let generator = match self.gives_away {
            true => "pktgen, one frame at a time, each given away (!SHARED)",
            false => "pktgen, one frame at a time, each held until it is freed",
        };
        report::settings([
            ("generator", generator.into()),
            // Not `direction`: these figures are in no series with those of live frames.
            ("way", format!("{:?}", self.direction).to_lowercase().into()),
            ("frame_bytes", (LENGTH as u64 + 4).into()),
            ("destinations", DESTINATIONS.into()),
            ("sources", SOURCES.into()),
            ("vteps", VTEPS.into()),
            ("kernel_path", self.direction.kernel_path().into()),
            ("kernel_port", "veth without an XDP program, GRO off".into()),
            ("quick", quick.into()),
            ("rounds", rounds.into()),
            ("frames_per_turn", serde_json::json!(frames)),
            ("frames_lost", serde_json::json!(self.lost)),
        ])
    }
}
