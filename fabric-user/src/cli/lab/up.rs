//! `fabricctl lab up`: builds a lab and waits until it is ready.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::{NO_LAB, load};
use crate::lab::topology::ControlPlane;
use crate::lab::{Lab, LabError, Options, Unaccelerated};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status:
  0  the lab is up, has converged, and Fabric forwards at every port of its nodes
  1  the lab is up, and what is named has not converged or is left to the kernel
  2  no lab was made, and what could not be taken down again is named")]
pub(super) struct Args {
    /// The picture (TOPOLOGY.dot or .clab.yml); the inventory (TOPOLOGY.toml) lies beside it.
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
    /// Return when everything runs, without waiting until routes and tunnels are there and Fabric forwards.
    #[arg(long)]
    no_wait: bool,
    /// Wait so many seconds at most: a fabric is ready within seconds, and within minutes on a machine that
    /// has much else to do.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

pub(super) fn run(args: Args, cancel: &Arc<AtomicBool>) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let mut progress = |line: &str| eprintln!("{:6.2} s  {line}", start.elapsed().as_secs_f64());
    let (wait, limit) = (!args.no_wait, Duration::from_secs(args.timeout));
    let mut lab = match build(args, cancel, &mut progress) {
        Err(error) if !matches!(error.downcast_ref(), Some(LabError::Interrupted)) => {
            eprintln!("fabricctl: {error:#}");
            return Ok(ExitCode::from(NO_LAB));
        }
        lab => lab?,
    };
    if !wait {
        lab.go_on()?;
        lab.keep();
        let rest = match lab.topology().fabric.control_plane {
            ControlPlane::Bgp => "; BGP converges in the background",
            ControlPlane::Static => "",
        };
        progress(&format!("lab {} is up{rest}", lab.name()));
        return Ok(ExitCode::SUCCESS);
    }
    progress("waiting for routes and tunnels");
    let waited = lab.wait_ready(limit, &mut progress);
    if let Err(LabError::Interrupted) = waited {
        progress("taking down what was made");
        lab.down(&mut |_| {})?;
        return Err(LabError::Interrupted.into());
    }
    lab.keep();
    let left = waited.context(
        "the lab stays up for you to look at, by `fabricctl lab status`; `fabricctl lab down` removes it",
    )?;
    let name = lab.name();
    if left.is_empty() {
        let forwards = if lab.state()?.fabric_xdpd.is_empty() { "the kernel" } else { "Fabric" };
        progress(&format!("lab {name} is up and has converged; {forwards} forwards"));
        return Ok(ExitCode::SUCCESS);
    }
    progress(&format!("lab {name} is up and has converged; to the kernel is left:"));
    for (why, places) in by_reason(&left) {
        eprintln!("          {}: {why}", places.join(", "));
    }
    Ok(ExitCode::FAILURE)
}

/// What is not accelerated by the reason: many ports share one.
fn by_reason(left: &[Unaccelerated]) -> BTreeMap<&str, Vec<String>> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Unaccelerated { node, port, why, .. } in left {
        let place = port.as_ref().map_or_else(|| node.clone(), |port| format!("{node} {port}"));
        reasons.entry(why).or_default().push(place);
    }
    reasons
}

fn build(
    args: Args,
    cancel: &Arc<AtomicBool>,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<Lab> {
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
    Ok(Lab::up(&topology, &options, progress)?)
}

fn sibling(program: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the path of this program")?;
    Ok(own.with_file_name(program))
}
