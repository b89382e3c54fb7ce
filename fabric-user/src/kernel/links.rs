//! Attaching programs to interfaces.
//!
//! Links are pinned, so programs stay when the daemon ends, and the next daemon swaps in its own
//! program atomically, without touching the driver's rings.

use std::{collections::BTreeMap, fs, io};

use aya::programs::{
    ProgramError, Xdp, XdpMode,
    links::{FdLink, LinkError, PinnedLink},
    xdp::XdpLink,
};
use thiserror::Error;

use super::pins::Instance;

/// Why a program does not run on an interface.
#[derive(Debug, Error)]
pub enum AttachError {
    /// Somebody else's program is there. It is never replaced.
    #[error(
        "another XDP program holds it; remove that one first (`ip link set dev {0} xdp off`, or its owner)"
    )]
    Foreign(String),
    /// The driver cannot run XDP programs itself.
    #[error(
        "its driver has no native XDP; set `xdp_mode = \"generic\"` to accept the slow variant"
    )]
    NoNativeXdp,
    /// The driver refuses large frames in one buffer.
    #[error("its MTU is too large for the driver's XDP mode ({0}); lower it")]
    Mtu(io::Error),
    /// The interface is gone.
    #[error("the interface does not exist any more")]
    Gone,
    /// The kernel refuses.
    #[error("the kernel refuses to attach: {0}")]
    Refused(#[from] ProgramError),
    /// The pin cannot be handled.
    #[error("cannot pin the link: {0}")]
    Pin(String),
}

/// The links of an instance, by interface index.
#[derive(Debug, Default)]
pub struct Links {
    held: BTreeMap<u32, PinnedLink>,
}

impl Links {
    /// Runs `program` on an interface: swaps it into the pinned link of an earlier daemon, or makes
    /// a new link.
    ///
    /// # Errors
    /// If another program is there, or the driver or kernel refuses.
    pub fn attach(
        &mut self,
        instance: &Instance,
        ifindex: u32,
        name: &str,
        program: &mut Xdp,
        mode: XdpMode,
    ) -> Result<(), AttachError> {
        let pin = instance.link(ifindex);
        self.held.remove(&ifindex);
        if let Ok(pinned) = PinnedLink::from_pin(&pin) {
            match update(program, pinned) {
                Ok(link) => {
                    self.held.insert(ifindex, reopen(link, &pin)?);
                    return Ok(());
                }
                // The link of an interface that has gone (ENOLINK), or of another attach type:
                // only a new one helps.
                Err(error) => {
                    tracing::debug!(ifindex, %error, "the pinned link is defunct, making a new one");
                    fs::remove_file(&pin).map_err(|e| AttachError::Pin(e.to_string()))?;
                }
            }
        }
        let id = program.attach_to_if_index(ifindex, mode).map_err(|e| explain(e, name))?;
        let link = FdLink::try_from(program.take_link(id)?)
            .map_err(|_| AttachError::Pin("this kernel has no BPF links for XDP".into()))?;
        let pinned = link.pin(&pin).map_err(|e| AttachError::Pin(e.to_string()))?;
        self.held.insert(ifindex, pinned);
        Ok(())
    }

    /// Takes the program off an interface.
    ///
    /// # Errors
    /// If the pin cannot be removed.
    pub fn detach(&mut self, instance: &Instance, ifindex: u32) -> Result<(), AttachError> {
        self.held.remove(&ifindex);
        match fs::remove_file(instance.link(ifindex)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(AttachError::Pin(e.to_string())),
            _ => Ok(()),
        }
    }

    /// True if this daemon holds a link on the interface.
    #[must_use]
    pub fn is_attached(&self, ifindex: u32) -> bool {
        self.held.contains_key(&ifindex)
    }

    /// The interfaces on which programs run.
    pub fn attached(&self) -> impl Iterator<Item = u32> + '_ {
        self.held.keys().copied()
    }

    /// Closes all links; programs stay where a pin stays.
    pub fn release(&mut self) {
        self.held.clear();
    }
}

fn update(program: &mut Xdp, pinned: PinnedLink) -> Result<FdLink, ProgramError> {
    let link = XdpLink::try_from(FdLink::from(pinned))
        .map_err(|_: LinkError| ProgramError::UnexpectedProgramType)?;
    let id = program.attach_to_link(link)?;
    let link = program.take_link(id)?;
    FdLink::try_from(link).map_err(|_| ProgramError::UnexpectedProgramType)
}

/// The pin is still there: its link takes the place of the one that was used to update it.
fn reopen(link: FdLink, pin: &std::path::Path) -> Result<PinnedLink, AttachError> {
    drop(link);
    PinnedLink::from_pin(pin).map_err(|e| AttachError::Pin(e.to_string()))
}

fn explain(error: ProgramError, name: &str) -> AttachError {
    let ProgramError::SyscallError(syscall) = &error else {
        return AttachError::Refused(error);
    };
    match syscall.io_error.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => AttachError::Foreign(name.into()),
        Some(libc::EOPNOTSUPP) => AttachError::NoNativeXdp,
        Some(libc::ENODEV) => AttachError::Gone,
        Some(libc::ERANGE | libc::EMSGSIZE) => {
            AttachError::Mtu(io::Error::from_raw_os_error(libc::ERANGE))
        }
        _ => AttachError::Refused(error),
    }
}
