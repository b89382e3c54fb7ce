//! How long does a scrape of fabric-xdpd's metrics take, and what does one each second cost the frames?
//!
//! A leaf with very many VNIs, and the real fabric-xdpd. It is asked for its metrics once a second, as what was read
//! within a second is answered again. Then frames of hosts go into tunnels through the program that it has loaded, on a
//! CPU that neither it nor who asks may use, in turns of a second: without a scrape, with one, without.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Parser as _;
use fabric_benches::{
    answer::{FABRIC, progress},
    daemon::{Arguments, Daemon, Room},
    direction::Direction,
    environment::{self, Environment},
    flow::{OUTER, destination_mac},
    leaf::{Leaf, VTEPS, vtep_address},
    neighbours::{Neighbours, Place},
    processor::{self, Processor},
    race::{Contender, Race},
    report::{self, Bar, Figures},
    run::{self, When},
    samples,
};
use fabric_common::reason::Reason;
use fabric_tests::scrape::{OPEN, TEXT, get_here};
use fabric_user::{kernel::maps::Maps, metrics::exposition::Exposition};

/// Name, when it is measured, VNIs.
const ENTRIES: [(&str, When, u32); 3] = [
    ("scrape-64-vnis", When::Quick, 64),
    ("scrape-1k-vnis", When::All, 1_000),
    ("scrape-4096-vnis", When::Usual, 4_096),
];

/// Where metrics are served.
const PORT: u16 = 9843;
/// Stations that frames go to, all in the first VNI.
const DESTINATIONS: u32 = 1 << 10;
/// MAC addresses in each of the other VNIs.
const MACS: u32 = 4;
/// A turn: as long as the time from one scrape to the next.
const TURN: Duration = Duration::from_secs(1);
/// Frames between two looks at the clock.
const FRAMES: u32 = 250_000;
/// Longest time that the daemon may take to hear of the sink.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bars of the time that a scrape takes, and of what it adds to the time of a frame.
const SCRAPE_MS: f64 = 100.0;
const CHANGE_PERCENT: f64 = 1.0;

fn main() -> ExitCode {
    run::end(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<Vec<Figures>> {
    let program = arguments.program()?;
    let cpu = processor::leave_one()?;
    let quick = arguments.asked.quick;
    arguments.asked.each(
        &ENTRIES,
        |(name, when, _)| (*name, *when),
        processor::shared,
        |(name, _, vnis), environment| {
            println!("{name}: building a leaf with {vnis} VNIs");
            let leaf = build(*vnis)?;
            let room = Room { macs: DESTINATIONS + MACS * vnis, ..Room::default() };
            let settings = format!("metrics = \"{PORT}\"\n");
            let daemon = Daemon::start_with(&program, room, &settings)?;
            let mut figures = BTreeMap::new();
            let scrapes = if quick { 3 } else { 40 };
            for (format, accept) in [("OpenMetrics", OPEN), ("text", TEXT)] {
                figures.extend(scrape(&daemon, (format, accept), *vnis, scrapes)?);
            }
            let rounds = if quick { 3 } else { 60 };
            let (found, processor) = encapsulate(name, &leaf, &daemon, cpu, rounds)?;
            figures.extend(found);
            daemon.stop()?;
            for (figure, value) in &figures {
                println!("{name}: {figure} {value:.2}");
            }
            let bars = [
                Bar::at_most("a scrape, OpenMetrics, p99, ms", SCRAPE_MS),
                Bar::at_most("a scrape, text, p99, ms", SCRAPE_MS),
                Bar::at_most("a frame with a scrape a second, change, percent", CHANGE_PERCENT),
            ];
            let settings = report::settings([
                ("vnis", (*vnis).into()),
                ("macs", (DESTINATIONS + MACS * (vnis - 1)).into()),
                ("vteps", VTEPS.into()),
                ("scrapes", scrapes.into()),
                ("rounds", rounds.into()),
                ("turn_ms", (TURN.as_millis() as u64).into()),
                ("quick", quick.into()),
            ]);
            let environment = Environment {
                bridge_nf: environment::bridge_nf(),
                pinned_cpu: processor.cpu,
                real_time: processor.real_time,
                ..environment
            };
            Ok(Figures::judged(*name, figures, bars, settings, environment))
        },
    )
}

/// The leaf, with the stations that frames go between and a few MAC addresses in each of the other VNIs.
fn build(vnis: u32) -> Result<Leaf> {
    let leaf = Leaf::build_for(&Direction::Encapsulate.plan(DESTINATIONS, VTEPS))?;
    let tunnels = leaf.tunnels(vnis)?;
    let mut neighbours = Neighbours::open()?;
    for (number, vxlan) in (0..).zip(&tunnels[1..]) {
        for mac in (0..MACS).map(|mac| number * MACS + mac) {
            let address = vtep_address(mac % VTEPS).into();
            neighbours.replace(destination_mac(mac), Place::Vtep { vxlan: *vxlan, address })?;
        }
    }
    neighbours.requests.flush()?;
    Ok(leaf)
}

/// Asks for metrics, each time after the last answer is too old to be given again.
fn scrape(
    daemon: &Daemon,
    (format, accept): (&str, &str),
    vnis: u32,
    scrapes: u32,
) -> Result<BTreeMap<String, f64>> {
    let (mut times, mut reading, mut busy, mut length) = (vec![], vec![], vec![], 0);
    for _ in 0..scrapes {
        thread::sleep(TURN + Duration::from_millis(50));
        let before = daemon.time_of("metrics")?;
        let begin = Instant::now();
        let page = get_here(PORT, "/metrics", accept)?;
        times.push(ms(begin.elapsed()));
        busy.push(ms(daemon.time_of("metrics")? - before));
        length = page.len();
        let page = Exposition::read(&page)?;
        let found = page.series("fabric_vni_transmit_packets_total").count();
        ensure!(found == vnis as usize, "there are metrics of {found} VNIs");
        let read = page.value("fabric_scrape_duration_seconds", &[]);
        reading.push(1e3 * read.context("the answer does not say what it took to read")?);
    }
    let mut figures = BTreeMap::new();
    let mut note = |what: &str, times: &[f64], share| -> Result<()> {
        let value = samples::quantile(times, share).context("nothing was scraped")?;
        figures.insert(format!("a scrape, {format}, {what}"), value);
        Ok(())
    };
    note("median, ms", &times, 0.5)?;
    note("p99, ms", &times, 0.99)?;
    note("reading of maps and interfaces, median, ms", &reading, 0.5)?;
    note("processor time, median, ms", &busy, 0.5)?;
    note("kB", &[length as f64 / 1e3], 0.5)?;
    Ok(figures)
}

/// Takes turns in sending frames into tunnels without and with a scrape.
fn encapsulate(
    name: &str,
    leaf: &Leaf,
    daemon: &Daemon,
    cpu: usize,
    rounds: u32,
) -> Result<(BTreeMap<String, f64>, Processor)> {
    let (ask, asked) = channel();
    let (answer, answered) = channel();
    // Who asks has neither the CPU of the frames nor their priority.
    let scraper = thread::spawn(move || {
        for () in asked {
            if answer.send(get_here(PORT, "/metrics", OPEN)).is_err() {
                break;
            }
        }
    });
    let frames = thread::scope(|scope| {
        let sender = scope.spawn(|| -> Result<_> {
            let processor = processor::pin_to(cpu)?;
            let scraper = Scraper { ask, answered };
            Ok((turns(name, leaf, daemon, &scraper, rounds)?, processor))
        });
        sender.join().map_err(|_| anyhow!("the thread that sends frames has ended"))?
    });
    scraper.join().map_err(|_| anyhow!("the thread that scrapes has ended"))?;
    frames
}

/// The thread that asks for metrics whenever it is told to.
struct Scraper {
    ask: Sender<()>,
    answered: Receiver<Result<String>>,
}

fn turns(
    name: &str,
    leaf: &Leaf,
    daemon: &Daemon,
    scraper: &Scraper,
    rounds: u32,
) -> Result<BTreeMap<String, f64>> {
    let direction = Direction::Encapsulate;
    let mut race = Race::along(direction.way(leaf))?;
    let program = daemon.program(leaf.access)?;
    let contender =
        Contender { name: FABRIC.into(), program, frames: FRAMES, grows: Some(OUTER as i64) };
    let maps = daemon.maps()?;
    let forwarded = || maps.ended_anywhere(Reason::Encapsulated);
    // The sink makes the underlay port one that takes frames from programs, of which the daemon has to hear. And the
    // first frames of stations are the kernel's.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = forwarded();
        race.turn(&contender, DESTINATIONS)?;
        if forwarded() - before == u64::from(FRAMES) {
            break;
        }
        ensure!(Instant::now() < deadline, "Fabric does not forward: {}", most_said(&maps));
        thread::sleep(Duration::from_millis(100));
    }
    let (before, mut sent) = (forwarded(), 0);
    let mut turn = |with: bool| -> Result<f64> {
        let begin = Instant::now();
        if with {
            scraper.ask.send(())?;
        }
        let mut means = Vec::new();
        while begin.elapsed() < TURN {
            means.push(race.mean_turn(&contender, DESTINATIONS)?);
            sent += u64::from(FRAMES);
        }
        if with {
            scraper.answered.recv()??;
        }
        Ok(means.iter().sum::<f64>() / means.len() as f64)
    };
    let mut times: [Vec<f64>; 3] = Default::default();
    for round in 1..=rounds {
        for (times, with) in times.iter_mut().zip([false, true, false]) {
            times.push(turn(with)?);
        }
        progress(name, round, rounds);
    }
    let count = forwarded() - before;
    ensure!(
        count * 1_000 >= sent * 999,
        "Fabric forwarded {count} of {sent} frames: {}",
        most_said(&maps)
    );

    let [first, with, second] = &times;
    let without: Vec<f64> = first.iter().zip(second).map(|(a, b)| (a + b) / 2.0).collect();
    let of = |values| samples::summarize(values).context("no rounds");
    let change = samples::ratio(with, &without).context("no rounds")?;
    // What two turns differ by in which nothing differs: how far the change can be believed.
    let noise = samples::ratio(second, first).context("no rounds")?;
    let figures = [
        ("a frame, ns", of(&without)?.median),
        ("a frame with a scrape a second, ns", of(with)?.median),
        ("a frame with a scrape a second, change, percent", 100.0 * (change.median - 1.0)),
        ("a frame with a scrape a second, spread of the change, percent", 100.0 * change.iqr),
        ("a frame, change between two turns without, percent", 100.0 * (noise.median - 1.0)),
        ("a frame, spread between two turns without, percent", 100.0 * noise.iqr),
    ];
    Ok(figures.map(|(name, value)| (name.to_owned(), value)).into())
}

/// What Fabric says of most of the frames that it did not forward.
fn most_said(maps: &Maps) -> &'static str {
    let others = Reason::ALL.iter().filter(|reason| **reason != Reason::Encapsulated);
    let most = others.max_by_key(|reason| maps.ended_anywhere(**reason));
    most.map_or("nothing", |reason| reason.name())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
