//! What programs of a benchmark's own run on: the maps of a running Fabric, as it has filled them.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use aya::programs::{ProgramFd, Xdp};
use fabric_common::reason::Reason;
use fabric_user::kernel::blocks::Object;

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
    fn open(&self, object: &[u8]) -> Result<Object>;

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

/// A program of another build, on the maps of a running Fabric.
///
/// # Errors
/// If the object does not fit them.
pub fn program_of(ground: &dyn Ground, object: &Path, name: &str) -> Result<ProgramFd> {
    let bytes = fs::read(object).with_context(|| format!("cannot read {}", object.display()))?;
    let mut opened = ground
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
