//! fabricctl: shows Fabric's state and runs the lab.

use std::process::ExitCode;

use fabric_user::cli::{self, Cli};

fn main() -> ExitCode {
    match Cli::read().run() {
        Ok(code) => code,
        // `fabricctl … | head` has what it wanted.
        Err(error) if cli::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fabricctl: {error:#}");
            ExitCode::FAILURE
        }
    }
}
