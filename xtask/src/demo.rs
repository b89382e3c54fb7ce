//! `cargo xtask demo`: the main job, end to end.

use std::ffi::OsString;

use anyhow::Result;

use crate::{
    process,
    setup::{self, Scope},
    workspace,
};

/// Shows the main job: two sites with real FRR, a stretched VLAN, a VM that moves, and a report.
///
/// Sets up what is missing, builds with optimisations, and runs as root.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Leave the lab running at the end and print what to try.
    #[arg(long)]
    keep: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// If the set-up or the build fails, or the demo breaks a promise.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(Scope::Lab)?;
    println!("building fabric-xdpd, fabricctl and the demo");
    let mut build = workspace::cargo();
    build.args(["build", "--release", "--package", "fabric-user", "--bins"]);
    build.args(["--package", "fabric-tests", "--example", "demo"]);
    process::run(&mut process::bound_to_us(&build))?;
    let program = workspace::target_folder()?.join("release/examples/demo");
    let mut demo = std::process::Command::new(program);
    demo.current_dir(workspace::root());
    if arguments.keep {
        demo.arg(OsString::from("--keep"));
    }
    // In the place of this process, so that whoever interrupts it interrupts the demo, which takes its
    // lab down.
    process::become_it(&mut demo)
}
