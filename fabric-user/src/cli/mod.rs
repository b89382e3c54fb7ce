//! fabricctl's commands, one file each: an `Args` that clap reads and a `run` that does it.

pub mod lab;

use clap::{Parser, Subcommand};

/// fabricctl: look at Fabric, and run fabrics in a lab.
#[derive(Debug, Parser)]
#[command(name = "fabricctl", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build a whole fabric in network namespaces and work with it.
    Lab(lab::Args),
}

impl Cli {
    /// Does what the command line asks for; the exit status of the process.
    pub fn run(self) -> anyhow::Result<std::process::ExitCode> {
        match self.command {
            Command::Lab(args) => lab::run(args),
        }
    }
}
