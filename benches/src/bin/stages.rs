//! What does each stage of the packet path cost, without driver and kernel around it?
//!
//! `BPF_PROG_TEST_RUN` runs fabric-xdpd's program, and the same journey ended after each of its stages,
//! on frames that a generator in front puts under them; see `fabric_benches::ring`. The cost of a
//! stage is the time of the journey up to it, less the time of the journey up to the one before, in
//! the same round.
//!
//! What such differences tell: where in the journey a packet's time passes, and what a change of one
//! stage does to it. What they do not tell: what the packet path would take without the stage. A
//! processor works on many instructions at once, also on those of the next packet, so a stage that
//! waits for memory hides others, and its cost may show in the one that first needs its result; a
//! journey that ends early is compiled and predicted otherwise than the whole one; and the costs sum
//! to the whole by construction. Therefore every journey is measured twice: with packets as close to
//! each other as the processor can bring them, and apart, each waiting for all loads and stores of
//! the one before. The former is what a packet adds to a full batch, the latter what it waits for if
//! it comes alone. Differences below a nanosecond mean nothing.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use comfy_table::{CellAlignment, Table};
use fabric_benches::{
    answer::progress,
    arena,
    environment::Environment,
    journeys::{JOURNEYS, Journey},
    processor,
    report::{self, Figures},
    run,
    samples::{self, Summary},
    staged::{Staged, Turn},
};
use fabric_tests::loaded::{self, Loaded};

/// What does each stage of the packet path cost?
#[derive(Parser)]
#[command(name = "stages")]
struct Arguments {
    /// Only entries whose name begins so, for instance stages-encap or stages-decap-64k.
    entry: Option<String>,
    /// Rounds in which every contender takes one turn [default: 21, or 2 with --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Fewer rounds and frames: to see that everything works, not to compare.
    #[arg(long)]
    quick: bool,
}

/// How much is offered.
struct Load {
    name: &'static str,
    destinations: u32,
    flows: Option<u64>,
    /// Whether `--quick` measures it.
    quick: bool,
}

const LOADS: [Load; 3] = [
    Load { name: "1-flow", destinations: 1 << 10, flows: Some(1), quick: false },
    Load { name: "1k", destinations: 1 << 10, flows: None, quick: true },
    Load { name: "64k", destinations: 1 << 16, flows: None, quick: false },
];
/// Name of the entry about the programs as they are loaded.
const PROGRAMS: &str = "stages-programs";
/// Contenders before the stages: `nothing`, fabric-xdpd's program, `no_stage`.
const BEFORE: usize = 3;

fn main() -> ExitCode {
    run::end(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    let wanted =
        |name: &str| arguments.entry.as_ref().is_none_or(|entry| name.starts_with(entry.as_str()));
    let environment = Environment::read(processor::pin()?);
    let mut any = false;
    if wanted(PROGRAMS) {
        // Before there is a network namespace of the benchmark's own: it needs none.
        report::write(&report::path(), &[programs(&environment)?])?;
        any = true;
    }
    for journey in &JOURNEYS {
        let mut found = Vec::new();
        for load in &LOADS {
            let name = format!("stages-{}-{}", journey.name, load.name);
            if wanted(&name) && (!arguments.quick || load.quick) {
                arena::enter()?;
                found.push(measure(journey, load, name, arguments, &environment)?);
            }
        }
        if !found.is_empty() {
            show(journey, &found);
            report::write(&report::path(), &found)?;
            any = true;
        }
    }
    if !any {
        let names: Vec<_> = JOURNEYS.iter().map(|j| format!("stages-{}", j.name)).collect();
        bail!("there is no such entry; take {PROGRAMS} or one of {}", names.join(", "));
    }
    println!("written to target/bench/report.json");
    Ok(())
}

fn programs(environment: &Environment) -> Result<Figures> {
    let mut table = Table::new();
    table.set_header(["program", "instructions", "machine code", "verified", "load"]);
    let mut figures = BTreeMap::new();
    for Loaded { name, translated, compiled_bytes, verified, load_ms } in loaded::all()? {
        table.add_row([
            name.to_owned(),
            translated.to_string(),
            format!("{compiled_bytes} B"),
            format!("{verified} instructions"),
            format!("{load_ms:.1} ms"),
        ]);
        let mut figure = |what: &str, value| figures.insert(format!("{name}, {what}"), value);
        figure("instructions", translated.into());
        figure("machine code, bytes", compiled_bytes.into());
        figure("verified instructions", verified.into());
        figure("load, ms", load_ms);
    }
    println!("{table}");
    Ok(Figures::judged(PROGRAMS, figures, [], BTreeMap::new(), environment.clone()))
}

fn measure(
    journey: &Journey,
    load: &Load,
    name: String,
    arguments: &Arguments,
    environment: &Environment,
) -> Result<Figures> {
    let Load { destinations, flows, .. } = *load;
    let mut staged = Staged::prepare(journey, destinations, flows)?;
    staged.check().with_context(|| name.clone())?;
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 2 } else { 21 });
    let timed = if arguments.quick { 1 << 14 } else { 1 << 17 };
    // Half a turn's frames go to almost every destination.
    let warm = if destinations > 1 << 10 { 1 << 16 } else { 1 << 13 };
    let count = staged.contenders.len();
    let mut times = [false, true].map(|apart| (apart, vec![Vec::new(); count]));
    for round in 1..=rounds {
        staged.beat()?;
        for (apart, times) in &mut times {
            // Everybody starts as often as the others.
            for turn in 0..count {
                let contender = (turn + round as usize) % count;
                let turn = Turn { warm, timed, apart: *apart };
                times[contender].push(staged.turn(contender, turn)?);
            }
        }
        progress(&name, round, rounds);
    }

    let mut figures = BTreeMap::new();
    let mut figure = |name: String, value: f64| figures.insert(name, value);
    let mut whole = 0.0;
    for (apart, times) in &times {
        let unit = if *apart { "ns apart" } else { "ns" };
        let mut add = |what: &str, more: usize, less: usize| -> Result<f64> {
            let Summary { median, iqr } =
                difference(&times[more], &times[less]).context("no rounds")?;
            figure(format!("{what}, {unit}"), median);
            figure(format!("{what}, {unit}, spread"), iqr);
            Ok(median)
        };
        for (place, stage) in journey.stages.iter().enumerate() {
            add(stage.name, BEFORE + place, BEFORE + place - 1)?;
        }
        add("all stages", count - 1, BEFORE - 1)?;
        let program = add("program", 1, 0)?;
        let around = samples::summarize(&times[0]).context("no rounds")?;
        figure(format!("around the program, {unit}"), around.median);
        if !apart {
            whole = program;
        }
    }

    let bar = match (flows, destinations) {
        (Some(_), _) => journey.bar_one_flow,
        (None, 65_536..) => journey.bar_many,
        _ => None,
    };
    if let Some(bar) = bar {
        let word = report::word(whole <= bar);
        println!("{name}: {whole:.1} ns; the bar is at most {bar}: {word}");
    }
    let stages: Vec<_> = journey.stages.iter().map(|stage| stage.name).collect();
    Ok(Figures {
        name,
        figures,
        meets_bar: bar.is_none_or(|bar| whole <= bar),
        settings: report::settings([
            ("journey", journey.name.into()),
            ("title", journey.title.into()),
            ("load", load.name.into()),
            ("stages", stages.into()),
            ("frame_bytes", journey.traffic().size.mean().into()),
            ("destinations", destinations.into()),
            ("flows", flows.into()),
            ("rounds", rounds.into()),
            ("frames_per_turn", timed.into()),
            ("quick", arguments.quick.into()),
        ]),
        environment: environment.clone(),
        timeline: None,
    })
}

/// Summary of `more[i] - less[i]`: what was measured in one round belongs together.
fn difference(more: &[f64], less: &[f64]) -> Option<Summary> {
    let differences: Vec<_> = more.iter().zip(less).map(|(more, less)| more - less).collect();
    samples::summarize(&differences)
}

fn show(journey: &Journey, found: &[Figures]) {
    let mut table = Table::new();
    let loads = found.iter().map(|entry| entry.settings["load"].as_str().unwrap_or_default());
    let header: Vec<_> = [journey.title.to_owned()]
        .into_iter()
        .chain(loads.clone().map(|load| format!("{load}, ns")))
        .chain(loads.map(|load| format!("{load}, apart, ns")))
        .collect();
    table.set_header(header);
    let names = journey.stages.iter().map(|stage| stage.name);
    for name in names.chain(["all stages", "program", "around the program"]) {
        let mut row = vec![match name {
            "program" => format!("{} itself", journey.program),
            _ => name.to_owned(),
        }];
        for unit in ["ns", "ns apart"] {
            row.extend(found.iter().map(|entry| {
                let value = entry.figures.get(&format!("{name}, {unit}"));
                value.map_or(String::new(), |value| format!("{value:.1}"))
            }));
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
}
