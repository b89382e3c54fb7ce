//! fabricctl's commands, one file each: an `Args` that clap reads and a `run` that does it.
//!
//! Commands that show something read the pinned maps ([`contents`]), put names to indexes
//! ([`view`]) and make rows of it ([`row`]), which print as a [`table`] or as JSON. Only `attach` and
//! `detach` talk to the daemon.

mod attach;
mod audit;
mod bypass;
mod check;
pub(crate) mod contents;
pub(crate) mod counters;
mod detach;
mod facts;
mod format;
#[cfg(test)]
mod golden;
pub(crate) mod instance;
pub(crate) mod interfaces;
pub mod lab;
pub mod lookup;
mod maps;
pub(crate) mod namespace;
mod print;
pub(crate) mod routes;
mod row;
mod sources;
mod status;
mod table;
mod uses;
mod verify;
pub(crate) mod view;
mod ways;
pub(crate) mod weights;

use std::process::ExitCode;

use clap::{
    Parser, Subcommand,
    error::{ContextKind, ErrorKind},
};

pub(crate) use interfaces::Interfaces;
pub(crate) use maps::{
    families,
    list::{FILLED, fill},
    role,
};
pub use print::is_broken_pipe;
pub(crate) use status::sight;

/// fabricctl: look at Fabric, and run fabrics in a lab.
#[derive(Debug, Parser)]
#[command(
    name = "fabricctl",
    version,
    about = "Shows what Fabric's XDP programs do and know, switches them, and builds labs",
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show ports, VNIs, VTEPs, and whether everything is in sync and forwarding.
    Status(status::Args),
    /// List the maps, show what is in one, or look something up.
    Maps(maps::Args),
    /// Say which way a packet goes, here and now.
    Lookup(lookup::Args),
    /// Show packets and bytes by port, VNI, VTEP and reason.
    Counters(counters::Args),
    /// Compare what FRR, the kernel and the maps say, and name what differs.
    Verify(verify::Args),
    /// Check a suite of assertions on a fabric: in a lab, on this box, or over ssh.
    Check(check::Args),
    /// Print everything that this box knows, for programs and for later.
    Facts(facts::Args),
    /// Compare NetBox, as the source of truth, with what forwards, and name what differs.
    Audit(audit::Args),
    /// Accelerate ports again that were detached.
    Attach(attach::Args),
    /// Leave ports, or everything, to the kernel.
    Detach(detach::Args),
    /// Hand all traffic to the kernel by one write, without touching a driver.
    Bypass(bypass::Args),
    /// Build a whole fabric in network namespaces and work with it.
    Lab(lab::Args),
}

impl Cli {
    /// Reads the command line. Ends the process if it asks for help, or says what is wrong with it.
    #[must_use]
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            let argument = error.get(ContextKind::InvalidArg);
            if error.kind() == ErrorKind::UnknownArgument
                && argument.is_some_and(|argument| argument.to_string() == "--json")
            {
                eprintln!(
                    "fabricctl: this command has no --json; docs/json.md lists those that do"
                );
                std::process::exit(2);
            }
            error.exit()
        })
    }

    /// Does what the command line asks for; the exit status of the process.
    ///
    /// # Errors
    /// With what could not be done, as one sentence.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Status(args) => status::run(&args),
            Command::Maps(args) => maps::run(&args),
            Command::Lookup(args) => lookup::run(&args),
            Command::Counters(args) => counters::run(&args),
            Command::Verify(args) => Ok(verify::run(&args)),
            Command::Check(args) => check::run(args),
            Command::Facts(args) => facts::run(&args),
            Command::Audit(args) => Ok(audit::run(&args)),
            Command::Attach(args) => attach::run(&args),
            Command::Detach(args) => detach::run(&args),
            Command::Bypass(args) => bypass::run(&args),
            Command::Lab(args) => lab::run(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// `clap` checks an argument's references to others only when its subcommand is used.
    #[test]
    fn arguments_refer_only_to_arguments_that_there_are() {
        Cli::command().debug_assert();
    }
}
