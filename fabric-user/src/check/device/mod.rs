//! Who is asked: nodes of a lab, this box, or others by `ssh`.

mod lab_node;
mod local;
mod program;
mod ssh;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use self::{
    lab_node::LabNode,
    local::Local,
    ssh::{Connections, Ssh},
};
use super::{
    case::Case,
    disrupt,
    inventory::Inventory,
    probe::{Probe, Ran},
    run::Source,
    suite::Suite,
};
use crate::{facts::Facts, lab::Lab};

/// A device that can be asked. Errors are sentences.
trait Device: Sync + Send + std::fmt::Debug {
    /// All that it knows.
    fn facts(&self) -> Result<Facts, String>;

    /// Runs a program.
    fn run(&self, probe: &Probe) -> Result<Ran, String>;

    /// The commands that run there for facts, as somebody would type them; none where no command does.
    fn facts_command(&self) -> Option<String>;

    /// The same for a probe.
    fn command(&self, probe: &Probe) -> String {
        program::spelled(&probe.command())
    }
}

/// How devices are reached.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
pub(crate) enum Where {
    /// They are nodes of a lab.
    Lab(Lab),
    /// This box is the node of that name, and others are reached by `ssh`, or left out.
    Boxes {
        /// The node that this box is.
        here: Option<String>,
        /// Others are asked by `ssh`.
        ssh: bool,
        /// The configuration of `ssh`, in place of the user's.
        config: Option<PathBuf>,
    },
}

/// All of them by name.
#[derive(Debug)]
pub(crate) struct Devices {
    all: BTreeMap<String, Box<dyn Device>>,
    /// The suite's file, beside which others lie.
    file: PathBuf,
    /// What may be broken.
    lab: Option<Lab>,
    stop: Arc<AtomicBool>,
}

impl Devices {
    /// The devices of an inventory.
    ///
    /// # Errors
    /// If connections cannot be made ready.
    pub(crate) fn of(
        place: Where,
        suite: &Suite,
        inventory: &Inventory,
        stop: &Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let names: Vec<&str> = inventory.topology.node_names().collect();
        let mut all: BTreeMap<String, Box<dyn Device>> = BTreeMap::new();
        let (mut connections, mut kept) = (None, None);
        match place {
            Where::Lab(lab) => {
                let state = lab.state()?;
                for name in names {
                    let netns = lab.node(name)?.netns().clone();
                    let instance = state.instances.get(name).cloned();
                    let node = LabNode { netns, instance, stop: Arc::clone(stop) };
                    all.insert(name.to_owned(), Box::new(node));
                }
                kept = Some(lab);
            }
            Where::Boxes { here, ssh, config } => {
                if ssh {
                    connections = Some(Arc::new(Connections::new(config)?));
                }
                for name in names {
                    let entry = suite.devices.get(name).cloned().unwrap_or_default();
                    let fabric_xdpd =
                        inventory.topology.switch(name).is_some_and(|it| it.fabric_xdpd);
                    if here.as_deref() == Some(name) {
                        let local =
                            Local { instance: entry.instance, fabric_xdpd, stop: Arc::clone(stop) };
                        all.insert(name.to_owned(), Box::new(local));
                    } else if let Some(connections) = &connections {
                        let ssh = Ssh::new(
                            name,
                            entry,
                            fabric_xdpd,
                            Arc::clone(connections),
                            Arc::clone(stop),
                        );
                        all.insert(name.to_owned(), Box::new(ssh));
                    }
                }
            }
        }
        Ok(Self { all, file: suite.file.clone().into(), lab: kept, stop: Arc::clone(stop) })
    }

    /// What would run where: lines by device.
    pub(crate) fn commands(&self, cases: &[Case]) -> BTreeMap<&str, BTreeSet<String>> {
        let mut lines: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let spares = self.spares().is_some();
        let runs = |case: &&Case| case.skip.is_none() && !(spares && case.disrupts());
        for case in cases.iter().filter(runs) {
            for name in &case.draft.needs {
                if let Some((name, device)) = self.all.get_key_value(name) {
                    lines.entry(name).or_default().extend(device.facts_command());
                }
            }
            for probe in &case.draft.probes {
                if let Some((name, device)) = self.all.get_key_value(probe.device()) {
                    lines.entry(name).or_default().insert(device.command(probe));
                }
            }
        }
        lines
    }
}

impl Source for Devices {
    fn facts(&self, device: &str) -> Result<Facts, String> {
        self.all.get(device).ok_or_else(|| "it is no device".to_owned())?.facts()
    }

    fn run(&self, probe: &Probe) -> Result<Ran, String> {
        if let Probe::Netbox { source, devices } = probe {
            return source.read(devices, &self.file);
        }
        if let (Some(lab), true) = (&self.lab, probe.disrupts()) {
            let facts = |node: &str| self.facts(node).ok();
            return disrupt::run(lab, probe, &facts, &self.stop);
        }
        self.all.get(probe.device()).ok_or_else(|| "it is no device".to_owned())?.run(probe)
    }

    fn leaves_out(&self, device: &str) -> Option<String> {
        let is_known = self.all.contains_key(device);
        (!is_known)
            .then(|| format!("it is about {device}, and only this box is asked; --ssh asks others"))
    }

    fn spares(&self) -> Option<String> {
        let why = "it breaks something, which is done in a lab alone";
        self.lab.is_none().then(|| why.to_owned())
    }
}
