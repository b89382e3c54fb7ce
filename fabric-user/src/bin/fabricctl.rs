//! fabricctl: shows Fabric's state and runs the lab.

use std::process::ExitCode;

use clap::Parser;
use fabric_user::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fabricctl: {error:#}");
            ExitCode::FAILURE
        }
    }
}
