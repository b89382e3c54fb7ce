//! What do features cost that nobody has switched on?
//!
//! Frames into tunnels and from host to host, once through the packet path as it is and once through a
//! build that does not know hash options, BFD silence, timers of resilient groups, inherited outer
//! fields and isolated ports.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser as _;
use fabric_benches::{
    contest::{self, Arguments, When},
    direction::Direction,
    object::LEAN,
    overlay::{self, Entry},
    report,
};

const NAME: &str = "without-features";

fn main() -> ExitCode {
    contest::end(run(Arguments::parse()))
}

fn run(mut arguments: Arguments) -> Result<()> {
    let object = report::path().with_file_name(NAME).with_extension("o");
    if let Some(folder) = object.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    fs::write(&object, LEAN).with_context(|| format!("cannot write {}", object.display()))?;
    arguments.against.push(object);
    let entry = [Entry::new("features-encap", When::Quick, 1 << 10)];
    for one in overlay::run(Direction::Encapsulate, &entry, &arguments)? {
        let (ratio, spread) = (one.ratios[NAME], one.ratio_spread[NAME]);
        let cost = one.median_ns * (1.0 - 1.0 / ratio);
        let word = if (ratio - 1.0).abs() <= spread { "met" } else { "NOT met" };
        println!(
            "{}: features that are switched off cost {cost:.1} ns ({ratio:.3} times the time without \
             them, spread {spread:.3}); the bar is nothing that can be measured: {word}",
            one.name
        );
    }
    Ok(())
}
