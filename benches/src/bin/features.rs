//! What do features cost that nobody has switched on?
//!
//! Frames into tunnels, through the packet path as it is and through builds that do not know one of these
//! or none: hash options, BFD silence, timers of resilient groups, inherited outer fields, isolated ports.

use std::{fs, iter, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use fabric_benches::{
    contest::Arguments,
    direction::Direction,
    forwarding::{self, Entry, Through},
    object::WITHOUT,
    report,
    run::{self, When},
};
use fabric_user::kernel::object::OBJECT;

/// The whole packet path once more. Where a program comes to lie in memory makes a difference of a
/// nanosecond or two, which is none of what it knows.
const SAME: &str = "the-same-again";
/// The build that knows none of them.
const ALL: &str = "without-any";

fn main() -> ExitCode {
    run::end(run(Arguments::parse()))
}

fn run(mut arguments: Arguments) -> Result<()> {
    if WITHOUT.is_empty() {
        bail!(
            "there is nothing to compare with in this build; run it by `cargo xtask bench features`"
        );
    }
    let folder = report::path().with_file_name("without");
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (name, object) in iter::once((SAME, OBJECT)).chain(WITHOUT.iter().copied()) {
        let path = folder.join(name).with_extension("o");
        fs::write(&path, object).with_context(|| format!("cannot write {}", path.display()))?;
        arguments.against.push(path);
    }
    let through = Through::Leaf(Direction::Encapsulate);
    let entry = [Entry::new("features-encap", When::Quick, through, 1 << 10)];
    for one in forwarding::run(&entry, &arguments)? {
        let time = |name| one.median_ns / one.ratios[name];
        let (here, there) = (one.median_ns, time(SAME));
        let apart = (here - there).abs() / 2.0;
        println!("{}: the same build in two places differs by {:.1} ns", one.name, 2.0 * apart);
        for &(name, _) in WITHOUT {
            let cost = (here + there) / 2.0 - time(name);
            let noise = apart + here * one.ratio_spread[name];
            // Five small differences add up to one that can be measured.
            let word = match cost <= noise {
                _ if name == ALL => "of all five together",
                true => "the bar is nothing that can be measured: met",
                false => "the bar is nothing that can be measured: NOT met",
            };
            println!("{}: {cost:+.1} ns next to {name} (noise {noise:.1}); {word}", one.name);
        }
    }
    Ok(())
}
