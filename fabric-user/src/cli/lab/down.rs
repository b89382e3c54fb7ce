//! `fabricctl lab down`: takes a lab down.

use std::process::ExitCode;

use super::{Built, the_only};
use crate::cli::print;
use crate::lab::Lab;

pub(super) fn run(built: Built) -> anyhow::Result<ExitCode> {
    let name = match built.which()?.name {
        Some(name) => name,
        None => match Lab::names() {
            names if names.is_empty() => {
                print::text("no lab is up\n")?;
                return Ok(ExitCode::SUCCESS);
            }
            names => the_only(&names)?.to_owned(),
        },
    };
    let found = if Lab::take_down(&name, &mut |line| eprintln!("{line}"))? {
        "down"
    } else {
        "not up; nothing to do"
    };
    print::text(&format!("lab {name} is {found}\n"))?;
    Ok(ExitCode::SUCCESS)
}
