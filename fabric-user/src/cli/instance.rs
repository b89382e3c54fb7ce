//! Which instance a command is about, and its maps.

use std::{fs, os::unix::net::UnixStream, path::PathBuf};

use anyhow::{Context as _, bail};
use aya::maps::MapInfo;
use fabric_common::schema::{MAPS, VERSION};

use super::{contents::Contents, interfaces::Interfaces, namespace, view::View};
use crate::{
    daemon::state::State,
    kernel::{
        blocks,
        maps::Maps,
        pins::{BPF_FS, Instance, instances},
        schema_check,
    },
};

/// Name of the instance unless one is given.
const DEFAULT: &str = "default";
/// Where daemons have their sockets and states unless another folder is given.
const RUN_FOLDER: &str = "/run/fabric";

/// The flags that choose an instance.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Choice {
    /// Name of the instance [default: default]
    #[arg(long, value_name = "NAME", env = "FABRIC_INSTANCE", hide_env_values = true)]
    pub(crate) instance: Option<String>,
    /// Folder of fabric-xdpd's socket and state
    #[arg(long, value_name = "FOLDER", default_value = RUN_FOLDER, hide_default_value = true)]
    run_folder: PathBuf,
}

/// An instance, whether it has maps or not.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) instance: Instance,
    run_folder: PathBuf,
}

impl Choice {
    /// The instance.
    ///
    /// # Errors
    /// If the name is not usable, we are not root, or pins cannot be seen from here.
    pub(crate) fn resolve(&self) -> anyhow::Result<Chosen> {
        if !rustix::process::geteuid().is_root() {
            bail!("only root can see Fabric's maps; run it by sudo");
        }
        if namespace::has_hidden_sys() {
            bail!(
                "{BPF_FS} is hidden here, because `ip netns exec` mounts another /sys; use `nsenter --net=/run/netns/NAME` instead, or no namespace at all"
            );
        }
        Ok(Chosen { instance: Instance::new(self.name())?, run_folder: self.run_folder.clone() })
    }

    /// The instance's name.
    pub(crate) fn name(&self) -> &str {
        self.instance.as_deref().unwrap_or(DEFAULT)
    }

    /// All instances that have pins.
    ///
    /// # Errors
    /// As [`Self::resolve`], or if the folder cannot be read.
    pub(crate) fn every(&self) -> anyhow::Result<Vec<Chosen>> {
        self.resolve()?;
        let chosen = |instance| Chosen { instance, run_folder: self.run_folder.clone() };
        Ok(instances()?.into_iter().map(chosen).collect())
    }
}

impl Chosen {
    /// One by its name, whose daemon has its files in the usual folder.
    ///
    /// # Errors
    /// If the name is not usable.
    pub(crate) fn at(name: &str) -> anyhow::Result<Self> {
        Ok(Self { instance: Instance::new(name)?, run_folder: PathBuf::from(RUN_FOLDER) })
    }

    /// One that has neither maps nor a daemon.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self { instance: Instance::new(name).unwrap(), run_folder: PathBuf::new() }
    }

    /// The instance's name.
    pub(crate) fn name(&self) -> &str {
        self.instance.name()
    }

    /// A file of the instance in the run folder.
    pub(crate) fn run_file(&self, extension: &str) -> PathBuf {
        self.run_folder.join(format!("{}.{extension}", self.name()))
    }

    /// Process of the daemon that listens on the instance's socket.
    pub(crate) fn daemon(&self) -> Option<u32> {
        let stream = UnixStream::connect(self.run_file("sock")).ok()?;
        let peer = rustix::net::sockopt::socket_peercred(&stream).ok()?;
        Some(peer.pid.as_raw_nonzero().get().cast_unsigned())
    }

    /// The daemon's last word; `None` if there is none or it is not understood.
    pub(crate) fn state(&self) -> Option<State> {
        State::read(&self.run_file("json")).ok().flatten()
    }

    /// Opens the maps.
    ///
    /// # Errors
    /// If there are none, or they are not of this version.
    pub(crate) fn maps(&self, writable: bool) -> anyhow::Result<Maps> {
        self.require()?;
        let cpus = blocks::cpus()?;
        for spec in MAPS {
            let path = self.instance.map(spec.name);
            let info = MapInfo::from_pin(&path)
                .with_context(|| format!("cannot open the map {}", path.display()))?;
            let entries = spec.entries(info.value_size(), info.max_entries(), cpus);
            schema_check::check(&path, spec, entries, cpus)?;
        }
        Ok(Maps::open(&self.instance, writable)?)
    }

    /// Copies what is in the maps and puts names to it.
    ///
    /// # Errors
    /// As [`Self::maps`], or if the interfaces cannot be listed.
    pub(crate) fn view(&self, maps: &Maps) -> anyhow::Result<View> {
        let contents = Contents::read(maps);
        let interfaces = self.interfaces(&contents)?;
        Ok(View::new(contents, interfaces))
    }

    /// The interfaces of the network namespace for which the maps are.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub(crate) fn interfaces(&self, contents: &Contents) -> anyhow::Result<Interfaces> {
        namespace::interfaces(self.daemon(), &contents.ports)
    }

    /// Says why there are no maps, if there are none.
    ///
    /// # Errors
    /// With what is there instead.
    pub(crate) fn require(&self) -> anyhow::Result<()> {
        if self.instance.exists() {
            return Ok(());
        }
        let name = self.name();
        let versions: Vec<String> = fs::read_dir(self.instance.folder().join("maps"))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        if !versions.is_empty() {
            bail!(
                "the maps of instance {name} have the layout {}, and this fabricctl knows v{VERSION}; use the one that came with the running fabric-xdpd",
                versions.join(", ")
            );
        }
        let others: Vec<String> = instances()?
            .iter()
            .filter(|other| other.exists())
            .map(|other| other.name().to_owned())
            .collect();
        if others.is_empty() {
            bail!("instance {name} has no maps; start fabric-xdpd");
        }
        bail!(
            "instance {name} has no maps; choose one that has by --instance: {}",
            others.join(", ")
        )
    }
}
