//! `cargo xtask setup`: finds or installs what Fabric is built, run and tested with.

mod debian13;
mod emulator;
mod kernels;
pub(crate) mod netbox;
mod programs;
mod tree;
mod unpacked;

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::{Context as _, Result};

pub(crate) use self::debian13::tree as debian13_tree;
pub(crate) use self::emulator::emulator_folder;
pub(crate) use self::kernels::Kernel;
pub(crate) use self::tree::within as within_debian13;
use crate::toolchain::{
    install,
    locate::{BpfToolchain, cache_folder},
};

/// Finds or installs everything that is needed, and says what it finds and does.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How much to set up.
    #[arg(long, value_enum, default_value_t = Scope::Test)]
    scope: Scope,
}

/// What a set-up is for; each includes the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Scope {
    /// Building: the BPF toolchain.
    Build,
    /// The lab, the demo and the benchmarks: FRR, iproute2 and the programs that look at them.
    Lab,
    /// All tests: Prometheus, virtual machines with other kernels, and Debian 13, too.
    Test,
}

/// Whether an item was there, for the report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Found,
    Installed,
}

/// Tells the user about each item, a line each.
struct Report {
    /// Whether to mention what was found and needs no work.
    thorough: bool,
}

impl Report {
    fn item(&self, state: State, item: &str, place: &str) {
        let word = match state {
            State::Found if !self.thorough => return,
            State::Found => "found",
            State::Installed => "installed",
        };
        println!("{word:>12}  {item}: {place}");
    }

    #[expect(clippy::unused_self, reason = "a step is part of the report like an item")]
    fn step(&self, item: &str, step: &str) {
        println!("{:>12}  {item}: {step}", "setting up");
    }
}

/// Runs the subcommand.
///
/// # Errors
/// If something is missing that cannot be installed here.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    set_up(arguments.scope, &Report { thorough: true })
}

/// Sets up what other subcommands need, and prints only what it has to install.
///
/// # Errors
/// As [`run`].
pub(crate) fn ensure(scope: Scope) -> Result<()> {
    set_up(scope, &Report { thorough: false })
}

fn set_up(scope: Scope, report: &Report) -> Result<()> {
    let cache = cache()?;
    let _lock = lock("setup")?;
    let (state, toolchain) = match BpfToolchain::find() {
        Some(toolchain) => (State::Found, toolchain),
        None => {
            let say = |step: &str| report.step("BPF toolchain", step);
            (State::Installed, install::install(&cache, say)?)
        }
    };
    report.item(state, "BPF toolchain", &toolchain.to_string());
    report.item(state, "bpf-linker", &toolchain.linker().display().to_string());
    if scope >= Scope::Lab {
        programs::set_up(programs::LAB, report)?;
    }
    if scope >= Scope::Test {
        programs::set_up(programs::TESTS, report)?;
        unpacked::PROMETHEUS.set_up(&cache, report)?;
        unpacked::SSHD.set_up(&cache, report)?;
        programs::set_up(programs::EMULATOR, report)?;
        emulator::set_up(&cache, report)?;
        kernels::set_up(Kernel::Linux6_1, &cache, report)?;
        kernels::set_up(Kernel::Linux6_12, &cache, report)?;
        programs::set_up(programs::DEBIAN_13, report)?;
        // Mirrors may lack another release than this machine's. One section of the tests needs each of
        // these, and fails without.
        for done in [kernels::set_up(Kernel::Newest, &cache, report), debian13::set_up(report)] {
            if let Err(error) = done {
                eprintln!("  left out: {error:#}");
            }
        }
    }
    Ok(())
}

/// Keeps others out for as long as the file is open: two set-ups of `what` at once, say of two clones, would install the same
/// things twice.
fn lock(what: &str) -> Result<File> {
    let cache = cache()?;
    fs::create_dir_all(&cache)
        .with_context(|| format!("the cache folder {} cannot be made", cache.display()))?;
    let path = cache.join(format!("{what}.lock"));
    let lock = File::create(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    lock.lock().context("the lock of the set-up cannot be taken")?;
    Ok(lock)
}

/// Fabric's cache folder.
fn cache() -> Result<PathBuf> {
    cache_folder().context("there is no cache folder: set HOME or XDG_CACHE_HOME to a full path")
}
