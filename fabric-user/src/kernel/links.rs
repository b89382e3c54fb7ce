//! Attaching programs to interfaces.
//!
//! Links are pinned, so programs stay when the daemon ends, and the next daemon swaps in its own
//! program atomically, without touching the driver's rings.
//!
//! A link stays with its interface wherever that goes, and an interface index does not: one that moves
//! to another network namespace takes the program with it and leaves the index to another one. So a
//! pinned link is ours only if it says that it is on the interface of its pin's name, and if that
//! interface says that it runs the link's program. Any other one is let go at once.

use std::{collections::BTreeMap, fs, io, path::Path};

use aya::{
    maps::xdp::XdpMapError,
    programs::{ProgramError, Xdp, XdpMode},
};
use thiserror::Error;

use super::{
    pins::Instance,
    programs::LoadError,
    running::{Interfaces, Mode, Running},
    xdp_link::XdpLink,
};

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
    Refused(#[from] io::Error),
    /// The program is not loaded.
    #[error("the program cannot be used: {0}")]
    Program(#[from] ProgramError),
    /// The program is not there.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It cannot be redirected to.
    #[error("it cannot be written into the map tx_ports: {0}")]
    Target(XdpMapError),
    /// The pin cannot be handled.
    #[error("cannot pin the link: {0}")]
    Pin(String),
}

/// What became of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// The program is in the place of an earlier daemon's, and the interface is the same.
    Kept,
    /// No program of ours was on it.
    Anew,
}

/// The links of an instance, by interface index.
#[derive(Debug, Default)]
pub struct Links {
    held: BTreeMap<u32, XdpLink>,
    interfaces: Option<Interfaces>,
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
        program: &Xdp,
        mode: XdpMode,
    ) -> Result<Attached, AttachError> {
        let (pin, mode) = (instance.link(ifindex), Mode::from(mode));
        let program = program.fd()?;
        self.held.remove(&ifindex);
        if let Ok(link) = XdpLink::from_pin(&pin) {
            // It may go elsewhere between question and answer, so it is asked again afterwards.
            if self.is_at(&link, ifindex, mode)?
                && link.update(program).is_ok()
                && self.is_at(&link, ifindex, mode)?
            {
                self.held.insert(ifindex, link);
                return Ok(Attached::Kept);
            }
            tracing::info!(port = name, ifindex, "the program of before is elsewhere: let go");
            let_go(&link, &pin)?;
        }
        let link = match XdpLink::create(program, ifindex, mode) {
            // What holds the interface may be ours, under the index that the interface had before.
            Err(error) if is_taken(&error) && self.let_go_of_strays(instance)? > 0 => {
                XdpLink::create(program, ifindex, mode)
            }
            result => result,
        };
        let link = link
            .map_err(|error| explain(error, name, || matches!(self.running(ifindex), Ok(None))))?;
        link.pin(&pin).map_err(|e| AttachError::Pin(e.to_string()))?;
        self.held.insert(ifindex, link);
        Ok(Attached::Anew)
    }

    /// Takes the program off an interface, and off the one that had its index before.
    ///
    /// # Errors
    /// If the pin cannot be removed.
    pub fn detach(&mut self, instance: &Instance, ifindex: u32) -> Result<(), AttachError> {
        let pin = instance.link(ifindex);
        match self.held.remove(&ifindex).map_or_else(|| XdpLink::from_pin(&pin), Ok) {
            Ok(link) => let_go(&link, &pin),
            Err(_) => remove(&pin),
        }
    }

    /// Lets go of all pinned links that are not on the interface of their pin's name; how many.
    ///
    /// # Errors
    /// If a pin cannot be removed, or the kernel does not say where a link is.
    pub fn let_go_of_strays(&mut self, instance: &Instance) -> Result<usize, AttachError> {
        let pinned = instance.linked().map_err(|e| AttachError::Pin(e.to_string()))?;
        let mut strays = 0;
        for ifindex in pinned {
            let pin = instance.link(ifindex);
            let Ok(link) = XdpLink::from_pin(&pin) else { continue };
            let is_here = self.is_at(&link, ifindex, Mode::Native)?
                || self.is_at(&link, ifindex, Mode::Generic)?;
            if !is_here {
                tracing::info!(ifindex, "a program is not on its port any more: let go");
                self.held.remove(&ifindex);
                let_go(&link, &pin)?;
                strays += 1;
            }
        }
        Ok(strays)
    }

    /// True if this daemon holds a link on the interface.
    #[must_use]
    pub fn is_attached(&self, ifindex: u32) -> bool {
        self.held.contains_key(&ifindex)
    }

    /// Whether the link that this daemon holds is where it should be, by the kernel's word.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn is_in_place(&mut self, ifindex: u32, mode: XdpMode) -> io::Result<bool> {
        let Some(link) = self.held.remove(&ifindex) else { return Ok(false) };
        let answer = self.is_at(&link, ifindex, mode.into());
        self.held.insert(ifindex, link);
        answer
    }

    /// The interfaces on which programs run.
    pub fn attached(&self) -> impl Iterator<Item = u32> + '_ {
        self.held.keys().copied()
    }

    /// Closes all links; programs stay where a pin stays.
    pub fn release(&mut self) {
        self.held.clear();
    }

    /// Whether a link is on this interface of this namespace, and that runs the link's program.
    fn is_at(&mut self, link: &XdpLink, ifindex: u32, mode: Mode) -> io::Result<bool> {
        let info = match link.info() {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(false),
            info => info?,
        };
        if info.ifindex != ifindex {
            return Ok(false);
        }
        let running = self.running(ifindex)?;
        Ok(running.is_some_and(|running| running.program(mode) == Some(info.program)))
    }

    fn running(&mut self, ifindex: u32) -> io::Result<Option<Running>> {
        let interfaces = match &mut self.interfaces {
            Some(interfaces) => interfaces,
            none => none.insert(Interfaces::open()?),
        };
        Ok(interfaces.running(ifindex)?)
    }
}

/// Why the kernel does not attach to the interface `name`, by its answer.
fn explain(error: io::Error, name: &str, is_gone: impl FnOnce() -> bool) -> AttachError {
    match error.raw_os_error() {
        _ if is_taken(&error) => AttachError::Foreign(name.into()),
        Some(libc::EOPNOTSUPP) => AttachError::NoNativeXdp,
        Some(libc::ENODEV) => AttachError::Gone,
        Some(libc::ERANGE | libc::EMSGSIZE) => AttachError::Mtu(error),
        // What the kernel says of an interface that is not there (`bpf_xdp_link_attach`).
        Some(libc::EINVAL) if is_gone() => AttachError::Gone,
        _ => AttachError::Refused(error),
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EEXIST))
}

/// Takes the program off, wherever it is: the kernel frees a link whose pin is gone only when it finds
/// the time.
fn let_go(link: &XdpLink, pin: &Path) -> Result<(), AttachError> {
    if let Err(error) = link.detach() {
        tracing::debug!(pin = %pin.display(), %error, "the link cannot be detached");
    }
    remove(pin)
}

fn remove(pin: &Path) -> Result<(), AttachError> {
    match fs::remove_file(pin) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(AttachError::Pin(e.to_string())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_answers_to_an_attachment_becomes_what_an_operator_can_do_about_it() {
        let say = |errno, is_gone: bool| {
            explain(io::Error::from_raw_os_error(errno), "swp1", || is_gone).to_string()
        };
        for taken in [libc::EBUSY, libc::EEXIST] {
            assert!(say(taken, false).contains("ip link set dev swp1 xdp off"));
        }
        assert!(say(libc::EOPNOTSUPP, false).contains("no native XDP"));
        for large in [libc::ERANGE, libc::EMSGSIZE] {
            assert!(say(large, false).contains("MTU is too large"));
        }
        assert_eq!(say(libc::ENODEV, false), AttachError::Gone.to_string());
        assert_eq!(say(libc::EINVAL, true), AttachError::Gone.to_string());
        for refused in [libc::EINVAL, libc::ENOENT, libc::EPERM, libc::ENOMEM] {
            assert!(say(refused, false).contains("the kernel refuses to attach"));
        }
    }
}
