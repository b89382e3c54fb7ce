//! `cargo xtask build`: what a user runs, from a fresh clone.

use anyhow::Result;

use crate::{
    process,
    setup::{self, Scope},
    workspace,
};

/// Builds fabric-xdpd and fabricctl, after setting up what is missing for that.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Build with optimisations.
    #[arg(long)]
    release: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// If the set-up or the build fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(Scope::Build)?;
    let mut build = workspace::cargo();
    build.arg("build");
    if arguments.release {
        build.arg("--release");
    }
    process::run(&mut build)
}
