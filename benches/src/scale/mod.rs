//! What is asked of the daemon with much in the kernel: how long it takes to learn what the kernel
//! knows, how many changes it can follow, how soon a change is in the maps, and how big it gets.
//!
//! The real fabric-xdpd; everything comes and goes through netlink in the form in which zebra writes it.
//! A change counts when the packet path's map has it.

pub mod macs;
pub mod prefixes;

use std::{
    collections::BTreeMap,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use fabric_common::reason::Reason;
use fabric_user::kernel::maps::Maps;
use serde_json::Value;

use crate::{
    daemon::{Daemon, Room},
    environment::{self, Environment},
    netlink::Requests,
    race::{Contender, Race},
    report::{self, Bar, Figures},
    samples,
};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Starts of the daemon.
    pub starts: u32,
    /// How long changes keep coming.
    pub churn: Duration,
    /// Changes that are timed one at a time.
    pub changes: u32,
    /// It is only to be seen that everything works.
    pub quick: bool,
}

impl Effort {
    /// What a run with or without `--quick` takes.
    #[must_use]
    pub const fn new(quick: bool) -> Self {
        match quick {
            true => Self { starts: 1, churn: Duration::from_millis(500), changes: 200, quick },
            false => Self { starts: 3, churn: Duration::from_secs(5), changes: 2_000, quick },
        }
    }
}

/// How a kind of object is called in figures.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// One object.
    pub object: &'static str,
    /// Objects.
    pub objects: &'static str,
    /// The change of one.
    pub change: &'static str,
    /// Changes of all.
    pub changes: &'static str,
}

/// Objects that come in large numbers, in the kernel and in the maps. Each has a number from 0 on.
pub trait Load {
    /// How the maps name what objects lead to.
    type Names;
    /// How they are called.
    const WORDS: Words;

    /// Name of the entry.
    fn name(&self) -> &'static str;
    /// How many there are.
    fn count(&self) -> u32;
    /// What the daemon needs room for.
    fn room(&self) -> Room;
    /// What belongs into the report.
    fn settings(&self) -> Vec<(&'static str, Value)>;
    /// What is asked.
    fn bars(&self) -> Vec<Bar>;

    /// Tells the kernel of all of them, where they are at the moment.
    ///
    /// # Errors
    /// If the kernel refuses.
    fn teach(&mut self) -> Result<()>;
    /// Lets one lead elsewhere. This and the next are sent with [`Requests::flush`] at the
    /// latest.
    ///
    /// # Errors
    /// If the kernel refuses what was written so far.
    fn change(&mut self, number: u32) -> Result<()>;
    /// Takes one away.
    ///
    /// # Errors
    /// As [`Self::change`].
    fn withdraw(&mut self, number: u32) -> Result<()>;
    /// The requests that tell the kernel of changes.
    fn requests(&mut self) -> &mut Requests;
    /// Reads all that the kernel has of the kind, as the daemon does: how many there are.
    ///
    /// # Errors
    /// If the kernel does not answer.
    fn held(&mut self) -> Result<usize>;

    /// Reads what the maps have to say.
    ///
    /// # Errors
    /// If they lack something that objects lead to.
    fn names(&self, maps: &Maps) -> Result<Self::Names>;
    /// Whether the maps have one where the kernel was told that it is.
    fn is_in(&self, maps: &Maps, names: &Self::Names, number: u32) -> bool;
    /// Whether the maps have nothing of one, when the kernel has none of the others either.
    fn is_out(&self, maps: &Maps, names: &Self::Names, number: u32) -> bool;
    /// The maps hold every one, where it is, and no others.
    ///
    /// # Errors
    /// With the first difference.
    fn check(&self, maps: &Maps, when: &str) -> Result<()>;
    /// Packets take the ways that the maps say.
    ///
    /// # Errors
    /// If they do not.
    fn check_forwarding(&self, maps: &Maps) -> Result<()>;
}

/// Longest time that the maps may take to catch up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Objects that are withdrawn and advertised again together.
const RENEWED: u32 = 1_000;

/// Measures one entry.
///
/// # Errors
/// If something cannot be set up, or the maps do not say what the kernel was told.
pub fn measure<L: Load>(
    load: &mut L,
    fabric_xdpd: &Path,
    effort: Effort,
    environment: Environment,
) -> Result<Figures> {
    let name = load.name();
    let mut figures = BTreeMap::new();
    let mut note = |figure: &str, value: f64| {
        println!("{name}: {figure} {value:.1}");
        figures.insert(figure.to_owned(), value);
    };
    let Words { object, objects, change, changes } = L::WORDS;
    let median = |values: &[f64]| samples::quantile(values, 0.5).context("nothing measured");

    let begin = Instant::now();
    load.teach()?;
    note(&format!("kernel learns {objects}, ms"), ms(begin.elapsed()));
    let begin = Instant::now();
    let held = load.held()?;
    note("the kernel's dump alone, ms", ms(begin.elapsed()));
    ensure!(held >= load.count() as usize, "the kernel has {held} {objects}");

    let (mut loads, mut syncs) = (Vec::new(), Vec::new());
    let mut daemon = None;
    for _ in 0..effort.starts {
        drop(daemon.take());
        let started = Daemon::start(fabric_xdpd, load.room())?;
        loads.push(ms(started.loaded));
        // It begins to read what the kernel knows before it loads its programs.
        syncs.push(ms(started.ready));
        load.check(&started.maps()?, "after the start")?;
        daemon = Some(started);
    }
    let daemon = daemon.context("no start")?;
    note("start to programs and maps, ms", median(&loads)?);
    note("kernel dump to forwarding, ms", median(&syncs)?);
    let maps = daemon.maps()?;
    load.check_forwarding(&maps)?;
    let memory = daemon.memory()?;
    note("memory of its own, MB", mb(memory.own));
    note("memory at the peak with touched maps, MB", mb(memory.peak));
    note("memory of all maps, MB", mb(memory.maps));

    let latencies = time_changes(load, &maps, effort.changes)?;
    for (figure, share) in [("median", 0.5), ("p99", 0.99), ("maximum", 1.0)] {
        let value = samples::quantile(&latencies, share).context("no changes")?;
        note(&format!("{change}, request to map, {figure}, us"), value);
    }
    let churns: [Churn<L>; 2] = [change_all, renew_all];
    for (figure, churn) in [changes, "withdrawals and advertisements"].into_iter().zip(churns) {
        let before = daemon.processor_time()?;
        let begin = Instant::now();
        let count = churn(load, effort.churn)? as f64;
        let sent = begin.elapsed();
        await_maps(load, &maps, L::is_in)?;
        let done = begin.elapsed();
        let busy = daemon.processor_time()? - before;
        note(&format!("{figure}, {objects}/s"), count / done.as_secs_f64());
        note(&format!("{figure}, offered {objects}/s"), count / sent.as_secs_f64());
        note(&format!("{figure}, backlog at the end, ms"), ms(done - sent));
        note(
            &format!("{figure}, daemon's processor time per {object}, ns"),
            busy.as_nanos() as f64 / count,
        );
    }
    note("memory of its own after the churn, MB", mb(daemon.memory()?.own));
    load.check(&maps, "after the churn")?;
    let lost = daemon.resyncs()?;
    note("lost messages, resyncs", lost as f64);

    // As fast as the kernel can, so that messages may be lost, whereupon all is read anew.
    let begin = Instant::now();
    (0..load.count()).try_for_each(|number| load.withdraw(number))?;
    load.requests().flush()?;
    await_maps(load, &maps, L::is_out)?;
    note("all withdrawn, ms", ms(begin.elapsed()));
    note("all withdrawn, resyncs", (daemon.resyncs()? - lost) as f64);
    daemon.stop()?;

    // What the kernel and the sender do by themselves.
    load.teach()?;
    let begin = Instant::now();
    let count = change_all(load, effort.churn)?;
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    note(&format!("{changes} without a daemon, {objects}/s"), rate);
    Ok(evaluate(load, figures, effort, environment))
}

/// Makes changes for so long, and returns how many.
type Churn<L> = fn(&mut L, Duration) -> Result<u64>;

/// Lets every object lead elsewhere, again and again.
fn change_all<L: Load>(load: &mut L, time: Duration) -> Result<u64> {
    let begin = Instant::now();
    let mut changes = 0;
    while begin.elapsed() <= time {
        (0..load.count()).try_for_each(|number| load.change(number))?;
        changes += u64::from(load.count());
    }
    load.requests().flush()?;
    Ok(changes)
}

/// Withdraws objects and advertises them again elsewhere.
fn renew_all<L: Load>(load: &mut L, time: Duration) -> Result<u64> {
    let begin = Instant::now();
    let mut changes = 0;
    while begin.elapsed() <= time {
        for first in (0..load.count()).step_by(RENEWED as usize) {
            let some = first..(first + RENEWED).min(load.count());
            some.clone().try_for_each(|number| load.withdraw(number))?;
            some.clone().try_for_each(|number| load.change(number))?;
            changes += 2 * some.len() as u64;
        }
    }
    load.requests().flush()?;
    Ok(changes)
}

/// Microseconds from before the request to the kernel until the map has it, one at a time.
fn time_changes<L: Load>(load: &mut L, maps: &Maps, changes: u32) -> Result<Vec<f64>> {
    let names = load.names(maps)?;
    let mut latencies = Vec::new();
    for turn in 0..changes {
        let number = turn.wrapping_mul(7_919) % load.count();
        load.change(number)?;
        let begin = Instant::now();
        load.requests().send()?;
        while !load.is_in(maps, &names, number) {
            ensure!(begin.elapsed() < PATIENCE, "number {number} does not change in the maps");
            std::hint::spin_loop();
        }
        latencies.push(begin.elapsed().as_secs_f64() * 1e6);
        load.requests().acknowledged()?;
        // Lets the daemon fall asleep, at no fixed distance from the last change.
        thread::sleep(Duration::from_micros(500 + u64::from(turn % 7) * 100));
    }
    Ok(latencies)
}

/// Waits until the maps say of every object what the kernel was told.
fn await_maps<L: Load>(
    load: &L,
    maps: &Maps,
    arrived: impl Fn(&L, &Maps, &L::Names, u32) -> bool,
) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let names = load.names(maps)?;
    let mut number = 0;
    // Every one has to be there; what was right once stays right.
    while number < load.count() {
        if arrived(load, maps, &names, number) {
            number += 1;
        } else {
            ensure!(Instant::now() < deadline, "number {number} does not arrive in the maps");
            thread::sleep(Duration::from_micros(100));
        }
    }
    Ok(())
}

/// Sends `contender`'s frames to `destinations` twice, of which the first are for the kernel, and
/// returns how many of the second ones Fabric counted with `reason`.
fn forwarded(
    race: &mut Race,
    contender: &Contender,
    destinations: u32,
    maps: &Maps,
    reason: Reason,
) -> Result<u64> {
    race.turn(contender, destinations)?;
    let before = maps.ended_anywhere(reason);
    race.turn(contender, destinations)?;
    Ok(maps.ended_anywhere(reason) - before)
}

fn evaluate<L: Load>(
    load: &L,
    figures: BTreeMap<String, f64>,
    effort: Effort,
    environment: Environment,
) -> Figures {
    let no_loss = Bar::at_most("lost messages, resyncs", 0.0);
    let bars = load.bars().into_iter().chain([no_loss]);
    let effort = report::settings([
        ("starts", effort.starts.into()),
        ("churn_ms", (effort.churn.as_millis() as u64).into()),
        ("timed_changes", effort.changes.into()),
        ("quick", effort.quick.into()),
    ]);
    let settings = load.settings().into_iter().map(|(name, value)| (name.to_owned(), value));
    let settings = settings.chain(effort).collect();
    let environment = Environment { bridge_nf: environment::bridge_nf(), ..environment };
    Figures::judged(load.name(), figures, bars, settings, environment)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
