//! How long does fabric-xdpd take to learn what the kernel knows, how many changes can it follow, how
//! soon does a change arrive in the maps, and how big does it get?

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use fabric_benches::{
    daemon::Arguments,
    processor,
    report::Figures,
    run::{self, When},
    scale::{
        self, Effort,
        macs::{self, Macs},
        prefixes::{self, Prefixes},
    },
};

#[derive(Clone, Copy)]
enum Entry {
    Macs(When, macs::Size),
    Prefixes(When, prefixes::Size),
}

const fn macs(name: &'static str, when: When, macs: u32, vteps: u32, vnis: u32) -> Entry {
    Entry::Macs(when, macs::Size { name, macs, vteps, vnis })
}

const fn prefixes(name: &'static str, when: When, prefixes: u32) -> Entry {
    Entry::Prefixes(when, prefixes::Size { name, prefixes })
}

const ENTRIES: [Entry; 9] = [
    macs("scale-10k-macs", When::Quick, 10_000, 64, 1),
    // The kernel's time to dump a bridge grows with the square of its MACs: each message looks for
    // the place where the one before ended. With a million in one bridge that takes minutes.
    macs("scale-100k-macs", When::Usual, 100_000, 64, 1),
    macs("scale-100-vnis", When::Usual, 100_000, 64, 100),
    macs("scale-512-vteps", When::Usual, 100_000, 512, 1),
    macs("scale-1m-macs", When::All, 1_000_000, 64, 64),
    macs("scale-4094-vnis", When::All, 100_000, 64, 4_094),
    prefixes("scale-10k-prefixes", When::Quick, 10_000),
    prefixes("scale-100k-prefixes", When::Usual, 100_000),
    prefixes("scale-1m-prefixes", When::All, 1_000_000),
];

impl Entry {
    const fn about(&self) -> (&'static str, When) {
        match self {
            Self::Macs(when, size) => (size.name, *when),
            Self::Prefixes(when, size) => (size.name, *when),
        }
    }
}

fn main() -> ExitCode {
    run::end(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<Vec<Figures>> {
    let program = arguments.program()?;
    let effort = Effort::new(arguments.asked.quick);
    // Sender and daemon have a CPU each, if there are two.
    arguments.asked.each(
        &ENTRIES,
        Entry::about,
        processor::shared,
        |entry, environment| match entry {
            Entry::Macs(_, size) => {
                scale::measure(&mut Macs::build(*size)?, &program, effort, environment)
            }
            Entry::Prefixes(_, size) => {
                scale::measure(&mut Prefixes::build(*size)?, &program, effort, environment)
            }
        },
    )
}
