//! `fabricctl lab render`: prints what devices are configured with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;

use super::{Which, topology_of};
use crate::cli::print;
use crate::lab::topology::Files;
use crate::lab::{Lab, render};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "fabricctl lab render TOPOLOGY [NODE]\n       fabricctl lab render [--name LAB] [NODE]"
)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// The picture (TOPOLOGY.dot or .clab.yml) [default: the lab that is up, as it is now].
    topology: Option<PathBuf>,
    /// The node [default: all].
    node: Option<String>,
}

impl Args {
    /// Picture and node: what stands alone names a node if it is no picture, or if a lab is named.
    fn parts(self) -> anyhow::Result<(Option<PathBuf>, Option<String>, Which)> {
        let Self { which, topology, node } = self;
        let Some(first) = topology else { return Ok((None, None, which)) };
        let is_picture = |path: &Path| Files::of(path).picture.is_file();
        match (node, &which.name) {
            (Some(_), Some(lab)) => {
                bail!("give either a picture or --name {lab}, and one node at most")
            }
            (None, None) if is_picture(&first) => Ok((Some(first), None, which)),
            (None, name) if name.is_some() || !Lab::names().is_empty() => {
                Ok((None, Some(first.to_string_lossy().into_owned()), which))
            }
            (node, _) => Ok((Some(first), node, which)),
        }
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (picture, node, which) = args.parts()?;
    let topology = topology_of(picture.as_deref(), &which)?;
    if let Some(name) = &node
        && topology.node_names().all(|known| known != name)
    {
        let known = topology.node_names().collect::<Vec<_>>().join(", ");
        bail!("topology {} has no node {name}; it has {known}", topology.name);
    }
    let wanted = |name: &str| node.as_deref().is_none_or(|node| node == name);
    let switches = topology.switches.iter().filter(|switch| wanted(&switch.name));
    let hosts = topology.hosts.iter().filter(|host| wanted(&host.name));
    let texts: Vec<String> = switches
        .map(|switch| render::switch_text(&topology, switch))
        .chain(hosts.map(|host| render::host_text(&topology, host)))
        .collect();
    print::text(&texts.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}
