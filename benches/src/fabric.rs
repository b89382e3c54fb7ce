//! Fabric with what a benchmark wants to be in the maps: fabric-xdpd's reconciler writes it, as ever.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use aya::programs::{ProgramFd, Xdp, XdpMode, xdp::XdpLink};
use fabric_common::reason::Reason;
use fabric_user::{
    kernel::{
        blocks::{self, Object},
        maps::Maps,
        pins::Instance,
        sizes::Sizes,
    },
    model::{Answers, Desired, Macs, Routes},
    reconcile::{Outcome, Reconciler},
    settings::Settings,
};

/// A running Fabric.
pub struct Fabric {
    instance: Instance,
    sizes: Sizes,
    reconciler: Reconciler,
}

impl Fabric {
    /// Loads, attaches and fills everything.
    ///
    /// # Errors
    /// If the kernel refuses a program, or a map an entry.
    pub fn start(desired: Desired) -> Result<Self> {
        let Desired { structure, routes, fdb, answers } = desired;
        let defaults = Settings::default();
        let settings = Settings {
            instance: "bench".into(),
            fdb_entries: defaults.fdb_entries.max(fdb.len() as u32),
            // The first entry of a map is never used.
            host_entries: defaults.host_entries.max(routes.len() as u32 + 1),
            heartbeat_timeout_ms: 60_000,
            seed: Some(0x5eed),
            ..defaults
        };
        let instance = Instance::new(&settings.instance)?;
        let sizes = settings.sizes();
        let mut reconciler = Reconciler::new(instance.clone(), &settings)?;
        let macs = Macs::All(fdb.into_iter().collect());
        let Outcome { full, unusable, .. } =
            reconciler.apply(&structure, &Routes::All(routes), macs, &Answers::All(answers));
        ensure!(
            full.is_empty() && unusable.is_empty(),
            "not all has found room: {full:?} {unusable:?}"
        );
        let mut fabric = Self { instance, sizes, reconciler };
        fabric.liven()?;
        Ok(fabric)
    }

    /// Says what fabric-xdpd's thread for link events would say of the ports, and what the packet path
    /// would have said of the stations after a first frame of each: that would be the kernel's.
    fn liven(&mut self) -> Result<()> {
        let ports = &self.maps().ports;
        let used = ports.iter().filter(|(_, port)| port.ifindex != 0).map(|(slot, _)| slot);
        for slot in used.collect::<Vec<_>>() {
            ports.update(slot, |port| port.down = 0);
        }
        self.reconciler.wake();
        self.beat()?;
        let settings = self.maps().settings.get(0);
        let now = (settings.deadline - u64::from(settings.timeout_jiffies)) as u32;
        let fdb = self.maps().fdb_table().table();
        for (key, ..) in fdb.iter() {
            fdb.show(key, now);
        }
        Ok(())
    }

    /// The maps.
    #[must_use]
    pub const fn maps(&self) -> &Maps {
        &self.reconciler.maps
    }

    /// The daemon's sign of life; lasts for a minute.
    ///
    /// # Errors
    /// If the heartbeat program cannot run.
    pub fn beat(&mut self) -> Result<()> {
        Ok(self.reconciler.beat()?)
    }

    /// One of Fabric's programs.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn xdp(&mut self, name: &'static str) -> Result<&mut Xdp> {
        Ok(self.reconciler.system.programs.get(name)?)
    }

    /// Runs one of Fabric's programs on an interface until the link is dropped.
    ///
    /// # Errors
    /// If the interface takes no program.
    pub fn attach_for_now(&mut self, index: u32, program: &'static str) -> Result<XdpLink> {
        let program = self.xdp(program)?;
        let link = program.attach_to_if_index(index, XdpMode::Driver)?;
        Ok(program.take_link(link)?)
    }

    /// Opens an object whose programs use Fabric's maps.
    ///
    /// # Errors
    /// If it does not fit them.
    pub fn open(&self, object: &[u8]) -> Result<Object> {
        Ok(blocks::open(object, &self.instance, &self.sizes)?)
    }

    /// A program of another build, on the same maps.
    ///
    /// # Errors
    /// If the object does not fit them.
    pub fn program_of(&self, object: &Path, name: &str) -> Result<ProgramFd> {
        let bytes =
            fs::read(object).with_context(|| format!("cannot read {}", object.display()))?;
        let mut opened = self
            .open(&bytes)
            .with_context(|| format!("cannot open the object {}", object.display()))?;
        let program: &mut Xdp = opened
            .ebpf
            .program_mut(name)
            .with_context(|| format!("{} has no program {name}", object.display()))?
            .try_into()?;
        program.load()?;
        Ok(program.fd()?.try_clone()?)
    }

    /// Packets that ended with `reason` so far, on any port.
    #[must_use]
    pub fn ended(&self, reason: Reason) -> u64 {
        self.maps().ended_anywhere(reason)
    }

    /// Forgets what was sent to VTEPs so far, on which the IP identification of the next packet
    /// depends.
    pub fn forget(&self) {
        let Maps { vteps, vtep_traffic, .. } = self.maps();
        let used = vteps.iter().filter(|(_, vtep)| vtep.in_use());
        used.for_each(|(index, _)| vtep_traffic.reset(index));
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        // The mount is the benchmark's own and goes with the process; this only keeps order.
        let _gone = self.instance.remove();
    }
}
