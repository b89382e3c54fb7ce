//! `fabricctl detach`: ports, or everything, are left to the kernel.
//!
//! The daemon does it if it runs, because it would put back what others take off. Without one, a
//! program goes with the pin of its link.

use std::{fs, io, process::ExitCode};

use anyhow::{Context as _, bail};

use super::{
    attach::{Document, request, say},
    contents::Contents,
    format::count,
    instance::{Choice, Chosen},
    print::{self, Of},
};
use crate::daemon::Request;

/// Arguments of `fabricctl detach`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ports to leave to the kernel
    #[arg(required_unless_present_any = ["all", "every_instance"])]
    ports: Vec<String>,
    /// All programs, links and maps of the instance
    #[arg(long, conflicts_with = "ports")]
    all: bool,
    /// Those of every instance on this machine
    #[arg(long, conflicts_with_all = ["ports", "instance"])]
    every_instance: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    choice: Choice,
}

/// Runs `fabricctl detach`.
///
/// # Errors
/// If something cannot be taken off.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.every_instance {
        for chosen in args.choice.every()? {
            let done = format!("{}: {}", chosen.name(), everything(&chosen)?);
            if args.json {
                print::json_line(&Of::new(chosen.name(), Document { done: &done }))?;
            } else {
                print::text(&format!("{done}\n"))?;
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = args.choice.resolve()?;
    let done = if args.all { everything(&chosen)? } else { ports(&chosen, &args.ports)? };
    say(&chosen, &done, args.json)?;
    Ok(ExitCode::SUCCESS)
}

fn everything(chosen: &Chosen) -> anyhow::Result<String> {
    let asked = request(chosen, &Request::Detach(Vec::new()))?;
    let folder = chosen.instance.folder();
    if asked.is_none() {
        forget(chosen)?;
        if !folder.exists() {
            return Ok(format!("instance {} has no programs or maps", chosen.name()));
        }
    }
    // Also after the daemon: it removes what it uses, and an older one may have left more.
    let links = chosen.instance.linked()?.len();
    crate::kernel::detach::detach_all(&chosen.instance)?;
    Ok(asked.unwrap_or_else(|| {
        format!("all programs and maps are off ({}); the kernel forwards", count(links, "port"))
    }))
}

/// Removes what a daemon that has gone left in the run folder. The lock stays: removing it could
/// let two daemons start at once.
fn forget(chosen: &Chosen) -> anyhow::Result<()> {
    for extension in ["json", "premises.json", "sock"] {
        let path = chosen.run_file(extension);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn ports(chosen: &Chosen, names: &[String]) -> anyhow::Result<String> {
    if let Some(done) = request(chosen, &Request::Detach(names.to_vec()))? {
        return Ok(done);
    }
    let contents = Contents::read(&chosen.maps(false)?);
    let interfaces = chosen.interfaces(&contents)?;
    let linked = chosen.instance.linked()?;
    let mut indexes = Vec::new();
    for name in names {
        match interfaces.named(name).map(|interface| interface.link.ifindex) {
            None => bail!("there is no interface {name}"),
            Some(ifindex) if !linked.contains(&ifindex) => {
                bail!("no program of instance {} is on port {name}", chosen.name());
            }
            Some(ifindex) => indexes.push(ifindex),
        }
    }
    for ifindex in indexes {
        let pin = chosen.instance.link(ifindex);
        fs::remove_file(&pin).with_context(|| format!("cannot remove {}", pin.display()))?;
    }
    Ok(format!(
        "left to the kernel: {}; fabric-xdpd does not run, and attaches again what it finds when it is started",
        names.join(", ")
    ))
}
