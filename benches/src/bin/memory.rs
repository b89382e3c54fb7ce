//! How long does this machine's processor wait for memory?
//!
//! A walk over cache lines in random order, where each line says which one is next, so that nothing
//! overlaps. Pages are small, as those of maps are. A table that a packet looks up once cannot cost less
//! than one such step in its size: what an entry of a million MACs costs more than one of a thousand
//! begins with the difference.

use std::{collections::BTreeMap, hint::black_box, process::ExitCode, time::Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use comfy_table::Table;
use fabric_benches::{
    environment::Environment,
    processor,
    report::{self, Figures},
    run, samples,
};
use fabric_common::flow_hash::mix;

/// How long does the processor wait for memory?
#[derive(Parser)]
#[command(name = "memory")]
struct Arguments {
    /// Fewer steps: to see that everything works, not to compare.
    #[arg(long)]
    quick: bool,
}

/// Sizes in KiB, about as the FDB has them with some hundred MACs to two million; with 64k it takes 1,024,
/// with a million 16,384.
const SIZES: [usize; 8] = [16, 256, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768];
/// Bytes of a cache line.
const LINE: usize = 64;
const WORDS: usize = LINE / size_of::<u64>();
/// Bytes of a page.
const PAGE: usize = 4_096;

fn main() -> ExitCode {
    run::end(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    let (rounds, steps) = if arguments.quick { (5, 100_000) } else { (41, 400_000) };
    let environment = Environment::read(processor::pin()?);
    let mut walks: Vec<Walk> =
        SIZES.iter().map(|kib| Walk::new(kib * 1_024)).collect::<Result<_>>()?;
    let mut times = vec![Vec::new(); SIZES.len()];
    for _ in 0..rounds {
        for (walk, times) in walks.iter_mut().zip(&mut times) {
            times.push(walk.step_ns(steps));
        }
    }
    let mut table = Table::new();
    table.set_header(["memory, KiB", "a dependent load, ns", "spread"]);
    let mut figures = BTreeMap::new();
    for (kib, times) in SIZES.iter().zip(&times) {
        let of = samples::summarize(times).context("no rounds")?;
        let shown = [of.median, of.iqr].map(|ns| format!("{ns:.1}"));
        table.add_row([kib.to_string()].into_iter().chain(shown));
        figures.insert(format!("load_{kib}_kib_ns"), of.median);
        figures.insert(format!("load_{kib}_kib_spread_ns"), of.iqr);
    }
    println!("{table}");
    let settings = report::settings([("rounds", rounds.into()), ("steps", steps.into())]);
    let found = Figures::judged("memory", figures, [], settings, environment);
    report::write(&report::path(), &[found])?;
    println!("written to target/bench/report.json");
    Ok(())
}

/// A way through all lines of some memory.
struct Walk {
    memory: Vec<u64>,
    /// The first word of the first line.
    first: usize,
    at: u64,
}

impl Walk {
    fn new(bytes: usize) -> Result<Self> {
        let lines = bytes / LINE;
        ensure!(lines > 1, "a walk needs two lines");
        let mut memory = vec![0_u64; lines * WORDS + PAGE / size_of::<u64>()];
        let start = memory.as_ptr().align_offset(PAGE);
        small_pages(&mut memory[start..start + lines * WORDS])?;
        // One cycle through all lines (Sattolo's algorithm).
        let mut order: Vec<u64> = (0..lines as u64).collect();
        for last in (1..lines).rev() {
            order.swap(last, (mix(last as u64) % last as u64) as usize);
        }
        for (line, next) in order.iter().enumerate() {
            memory[start + line * WORDS] = *next;
        }
        let mut walk = Self { memory, first: start, at: 0 };
        walk.step_ns(lines as u32);
        Ok(walk)
    }

    /// Nanoseconds of a step.
    fn step_ns(&mut self, steps: u32) -> f64 {
        let begin = Instant::now();
        for _ in 0..steps {
            self.at = self.memory[self.first + self.at as usize * WORDS];
        }
        black_box(self.at);
        begin.elapsed().as_nanos() as f64 / f64::from(steps)
    }
}

/// Keeps the kernel from making huge pages of whole ones among these, which maps do not get either.
fn small_pages(memory: &mut [u64]) -> Result<()> {
    let length = size_of_val(memory) / PAGE * PAGE;
    // SAFETY: advice on memory of ours.
    unsafe {
        rustix::mm::madvise(memory.as_mut_ptr().cast(), length, rustix::mm::Advice::LinuxNoHugepage)
    }
    .context("the kernel does not take advice on pages")
}
