//! What do features cost that nobody has switched on?
//!
//! Frames into tunnels, through the packet path as it is and through builds that do not know one of these
//! or none: hash options, BFD silence, timers of resilient groups, inherited outer fields, isolated ports.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser as _;
use fabric_benches::{
    contest::{self, Arguments},
    direction::Direction,
    object::WITHOUT,
    overlay::{self, Entry},
    report,
    wanted::When,
};

/// The build that knows none of them.
const ALL: &str = "without-any";

fn main() -> ExitCode {
    contest::end(run(Arguments::parse()))
}

fn run(mut arguments: Arguments) -> Result<()> {
    let folder = report::path().with_file_name("without");
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (name, object) in WITHOUT {
        let path = folder.join(name).with_extension("o");
        fs::write(&path, object).with_context(|| format!("cannot write {}", path.display()))?;
        arguments.against.push(path);
    }
    let entry = [Entry::new("features-encap", When::Quick, 1 << 10)];
    for one in overlay::run(Direction::Encapsulate, &entry, &arguments)? {
        for (name, _) in WITHOUT {
            let (ratio, spread) = (one.ratios[name], one.ratio_spread[name]);
            let cost = one.median_ns * (1.0 - 1.0 / ratio);
            // Five small differences add up to one that can be measured.
            let word = match (ratio - 1.0).abs() <= spread {
                _ if name == ALL => "of all five together",
                true => "the bar is nothing that can be measured: met",
                false => "the bar is nothing that can be measured: NOT met",
            };
            println!(
                "{}: {cost:+.1} ns next to {name} ({ratio:.3} times the time, spread {spread:.3}); {word}",
                one.name
            );
        }
    }
    Ok(())
}
