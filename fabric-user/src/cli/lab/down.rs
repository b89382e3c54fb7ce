//! `fabricctl lab down`: takes a lab down.

use std::process::ExitCode;

use super::{Which, the_only_lab};
use crate::lab::Lab;

pub(super) fn run(which: Which) -> anyhow::Result<ExitCode> {
    let name = match which.name {
        Some(name) => name,
        None => match Lab::names().as_slice() {
            [] => {
                println!("no lab is up");
                return Ok(ExitCode::SUCCESS);
            }
            _ => the_only_lab()?,
        },
    };
    if Lab::take_down(&name, &mut |line| eprintln!("{line}"))? {
        println!("lab {name} is down");
    } else {
        println!("lab {name} is not up; nothing to do");
    }
    Ok(ExitCode::SUCCESS)
}
