//! What programs of a benchmark's own run on: the maps of a running Fabric, as it has filled them.

use anyhow::{Context as _, Result};
use aya::{Ebpf, EbpfLoader, programs::Xdp};
use fabric_common::{reason::Reason, schema::MAPS};
use fabric_user::kernel::{pins::Instance, sizes::Sizes};

/// A running Fabric.
pub trait Ground {
    /// The daemon's sign of life; lasts for a minute.
    ///
    /// # Errors
    /// If the heartbeat program cannot run.
    fn beat(&mut self) -> Result<()>;

    /// One of Fabric's programs.
    ///
    /// # Errors
    /// If there is none of that name.
    fn xdp(&mut self, name: &'static str) -> Result<&mut Xdp>;

    /// Opens an object whose programs use Fabric's maps.
    ///
    /// # Errors
    /// If it does not fit them.
    fn open(&self, object: &[u8]) -> Result<Ebpf>;

    /// Packets that ended with `reason` so far, on any port.
    ///
    /// # Errors
    /// If the counters cannot be read.
    fn ended(&self, reason: Reason) -> Result<u64>;

    /// Forgets what was sent to VTEPs so far, on which the IP identification of the next packet
    /// depends.
    ///
    /// # Errors
    /// If the counters cannot be written.
    fn forget(&mut self) -> Result<()>;
}

/// Opens an object on the maps of an `instance` with these `sizes`.
///
/// # Errors
/// If it does not fit them.
pub fn open(object: &[u8], instance: &Instance, sizes: &Sizes) -> Result<Ebpf> {
    let mut loader = EbpfLoader::new();
    let masks = [("HOSTS_MASK", sizes.hosts - 1), ("HOSTS6_MASK", sizes.hosts6 - 1)];
    for (name, mask) in &masks {
        loader.override_global(name, mask, true);
    }
    for spec in MAPS {
        loader.map_max_entries(spec.name, sizes.entries(spec));
        loader.map_pin_path(spec.name, instance.map(spec.name));
    }
    loader.load(object).context("cannot open an object on the maps of Fabric")
}
