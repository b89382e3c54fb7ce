//! `fabricctl lab up`: builds a lab and waits until it is ready.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::load;
use crate::lab::{Lab, LabError, Options};

/// A fabric converges in seconds, and within minutes on a machine that has much else to do.
const CONVERGENCE_LIMIT: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The picture (TOPOLOGY.dot); the inventory (TOPOLOGY.toml) lies beside it.
    topology: PathBuf,
    /// Name of the lab [default: the file's name].
    #[arg(long, value_name = "LAB")]
    name: Option<String>,
    /// The fabric-xdpd to run [default: the one beside this program].
    #[arg(long, value_name = "PATH", conflicts_with = "no_fabric_xdpd")]
    fabric_xdpd: Option<PathBuf>,
    /// Run no fabric-xdpd: the kernel forwards everything.
    #[arg(long)]
    no_fabric_xdpd: bool,
    /// Return when everything runs, without waiting until BGP has converged.
    #[arg(long)]
    no_wait: bool,
}

pub(super) fn run(args: Args, cancel: &Arc<AtomicBool>) -> anyhow::Result<ExitCode> {
    let topology = load(&args.topology)?;
    let fabric_xdpd = match (args.no_fabric_xdpd, args.fabric_xdpd) {
        (true, _) => None,
        (false, Some(path)) => Some(path),
        (false, None) => Some(sibling("fabric-xdpd")?),
    };
    if let Some(path) = fabric_xdpd.as_ref().filter(|path| !path.is_file()) {
        bail!(
            "there is no fabric-xdpd at {}; give another --fabric-xdpd or --no-fabric-xdpd",
            path.display()
        );
    }
    let options = Options { name: args.name, fabric_xdpd, cancel: Arc::clone(cancel) };
    let start = Instant::now();
    let mut progress = |line: &str| eprintln!("{:6.2} s  {line}", start.elapsed().as_secs_f64());
    let mut lab = Lab::up(&topology, &options, &mut progress)?;
    if args.no_wait {
        lab.go_on()?;
        lab.keep();
        progress(&format!("lab {} is up; BGP converges in the background", lab.name()));
        return Ok(ExitCode::SUCCESS);
    }
    progress("waiting for BGP and EVPN to converge");
    match lab.wait_converged(CONVERGENCE_LIMIT) {
        Err(LabError::Interrupted) => {
            progress("taking down what was made");
            lab.down(&mut |_| {})?;
            Err(LabError::Interrupted.into())
        }
        waited => {
            lab.keep();
            waited
                .context("the lab stays up for you to look at; `fabricctl lab down` removes it")?;
            progress(&format!("lab {} is up and has converged", lab.name()));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn sibling(program: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the path of this program")?;
    Ok(own.with_file_name(program))
}
