//! Broken links: one that loses its carrier, and one on which nothing arrives though the carrier
//! stays. Both can be undone, and the second one goes with the lab. A bond is all its cables.

mod cables;
mod programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use self::cables::{Cable, Named, Place};
use super::error::LabError;
use super::facts::PortState;
use super::interrupt::NEVER;
use super::render;
use super::running::Lab;
use super::tools;
use crate::kernel::interface;
use crate::kernel::pins::{self, Instance};
use crate::kernel::running::Mode;
use crate::kernel::xdp_link::XdpLink;
use aya::programs::ProgramFd;

/// Below the BPF file system: what keeps links silent, by lab.
const FOLDER: &str = "fabric-lab";

/// A fault that is undone when this is dropped.
#[derive(Debug)]
pub struct Fault<'a> {
    lab: &'a Lab,
    node: String,
    port: String,
    began: Instant,
    mended: bool,
}

impl<'a> Fault<'a> {
    /// Breaks a link as [`Lab::cut`] does.
    ///
    /// # Errors
    /// As [`Lab::cut`].
    pub fn cut(lab: &'a Lab, node: &str, port: &str) -> Result<Self, LabError> {
        Self::of(lab, node, port, Lab::cut_at)
    }

    /// Breaks a link as [`Lab::silence`] does.
    ///
    /// # Errors
    /// As [`Lab::silence`].
    pub fn silence(lab: &'a Lab, node: &str, port: &str) -> Result<Self, LabError> {
        Self::of(lab, node, port, Lab::silence_at)
    }

    fn of(
        lab: &'a Lab,
        node: &str,
        port: &str,
        work: impl FnOnce(&Lab, &str, &str) -> Result<Instant, LabError>,
    ) -> Result<Self, LabError> {
        match work(lab, node, port) {
            Ok(began) => {
                Ok(Self { lab, node: node.into(), port: port.into(), began, mended: false })
            }
            Err(error) => {
                // Work that fails half-way is undone; the first failure explains more.
                let _ = lab.mend(node, port);
                Err(error)
            }
        }
    }

    /// The moment before the link was broken.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Mends the link.
    ///
    /// # Errors
    /// If an end cannot be mended.
    pub fn mend(mut self) -> Result<(), LabError> {
        self.mended = true;
        self.lab.mend(&self.node, &self.port)
    }
}

impl Drop for Fault<'_> {
    fn drop(&mut self) {
        if !self.mended
            && let Err(error) = self.lab.mend(&self.node, &self.port)
        {
            let error = error.with_causes();
            tracing::error!(node = self.node, port = self.port, error, "a link stays broken");
        }
    }
}

impl Lab {
    /// Cuts a link: the port loses its carrier, because its other end is switched off.
    ///
    /// # Errors
    /// If there is no such port or the other end cannot be switched off.
    pub fn cut(&self, node: &str, port: &str) -> Result<(), LabError> {
        self.cut_at(node, port).map(drop)
    }

    fn cut_at(&self, node: &str, port: &str) -> Result<Instant, LabError> {
        let Named { cables, .. } = self.named(node, port)?;
        let began = Instant::now();
        all(cables.iter().map(|cable| cable.ends[1].switch(false)))?;
        Ok(began)
    }

    /// Silences a link: both ends keep their carrier, and whatever arrives at them is lost. It works
    /// below everything, also below fabric-xdpd's own programs, which it replaces for that time; a
    /// fabric-xdpd that starts meanwhile ends it at its port.
    ///
    /// # Errors
    /// If there is no such port or the kernel refuses.
    pub fn silence(&self, node: &str, port: &str) -> Result<(), LabError> {
        self.silence_at(node, port).map(drop)
    }

    fn silence_at(&self, node: &str, port: &str) -> Result<Instant, LabError> {
        pins::mount_bpf_fs()?;
        let folder = folder(self.name());
        fs::create_dir_all(&folder).map_err(LabError::file("create", &folder))?;
        let mut ready = Vec::new();
        let Named { cables, .. } = self.named(node, port)?;
        for end in cables.iter().flat_map(Cable::deaf) {
            let pins = Pins::of(self, end)?;
            end.within("silence interface", || pins.prepare())?;
            let silence = programs::silence().map_err(LabError::file("load", "a program"))?;
            ready.push((end, pins, silence));
        }
        // What takes its time is done: both ends fall silent as one.
        let began = Instant::now();
        cables.iter().filter_map(Cable::mute).try_for_each(|end| end.mute(true))?;
        for (end, pins, silence) in &ready {
            end.within("silence interface", || pins.silence(silence))?;
        }
        Ok(began)
    }

    /// Undoes [`Lab::cut`] and [`Lab::silence`], with the addresses and routes that the kernel forgot when
    /// a port was switched off and that no routing daemon brings back; nothing happens to a link that is whole.
    /// Both ends carry frames when it returns.
    ///
    /// # Errors
    /// If there is no such port or an end cannot be mended.
    pub fn mend(&self, node: &str, port: &str) -> Result<(), LabError> {
        let Named { ends, cables } = self.named(node, port)?;
        let mended = all(cables.iter().map(|cable| self.mend_cable(cable)));
        // Those of a bond, if that is named.
        all(ends.iter().map(|end| end.switch(true)))?;
        all(ends.iter().map(|end| self.configure_anew(end)))?;
        mended?;
        let ports = cables.iter().flat_map(|cable| &cable.ends);
        all(ports.chain(&ends).map(Place::wait_for_carrier))
    }

    fn mend_cable(&self, cable: &Cable) -> Result<(), LabError> {
        let mut was_silent = false;
        for end in &cable.ends {
            let pins = Pins::of(self, end)?;
            was_silent |= pins.is_silent();
            end.within("mend interface", || pins.mend())?;
            end.switch(true)?;
        }
        match cable.mute().filter(|_| was_silent) {
            Some(end) => end.mute(false),
            None => Ok(()),
        }
    }

    /// Gives a port that is switched on what it is configured with beyond what it has.
    fn configure_anew(&self, end: &Place) -> Result<(), LabError> {
        let topology = self.current_topology()?;
        let (configuration, lone) = match (topology.switch(&end.node), topology.host(&end.node)) {
            (Some(switch), _) => (render::switch(&topology, switch), false),
            (None, Some(host)) => (render::host(&topology, host), host.end.port == end.port),
            (None, None) => return Ok(()),
        };
        let interfaces = self.interfaces(&end.node)?;
        let is_on =
            |port: &str| !matches!(interfaces.state(port), PortState::Off | PortState::Gone);
        let lines = render::anew(&configuration, &end.port, lone, is_on);
        tools::batch("ip", &lines, Some(&end.netns), &NEVER)
    }

    /// Whether the port of a node that has this index was silenced.
    pub(super) fn is_silent(&self, node: &str, ifindex: u32) -> bool {
        let (program, link) = own_pins(self.name(), node, ifindex);
        program.exists() || link.exists()
    }
}

/// Whether all went well; otherwise the first failure, when everything has been tried.
fn all(results: impl Iterator<Item = Result<(), LabError>>) -> Result<(), LabError> {
    results.fold(Ok(()), Result::and)
}

/// Mends all links of a lab that were silenced, when it goes down. Those with fabric-xdpd's programs go
/// with fabric-xdpd's pins.
pub(super) fn forget(lab: &str) -> Result<(), LabError> {
    let folder = folder(lab);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::file("remove", folder)(error))
        }
        _ => {
            // Another lab may have silent links; then it stays.
            let _ = fs::remove_dir(Path::new(pins::BPF_FS).join(FOLDER));
            Ok(())
        }
    }
}

/// Where the program of fabric-xdpd and our own link of a silent port are.
fn own_pins(lab: &str, node: &str, ifindex: u32) -> (PathBuf, PathBuf) {
    let pin = |what: &str| folder(lab).join(format!("{node}-{ifindex}-{what}"));
    (pin("program"), pin("link"))
}

fn folder(lab: &str) -> PathBuf {
    Path::new(pins::BPF_FS).join(FOLDER).join(lab)
}

/// What keeps an interface silent, and what was there before.
struct Pins {
    ifindex: u32,
    /// fabric-xdpd's link on the interface, when it has one.
    fabric_xdpd: PathBuf,
    /// The program that it ran.
    program: PathBuf,
    /// Our own link, when nothing ran on the interface.
    link: PathBuf,
}

impl Pins {
    fn of(lab: &Lab, place: &Place) -> Result<Self, LabError> {
        let named = format!("{} of {}", place.port, place.node);
        let ifindex = place
            .netns
            .enter(|| interface::index(&place.port))?
            .map_err(LabError::file("find interface", named))?;
        let fabric_xdpd = Instance::new(&lab.instance(&place.node))?.link(ifindex);
        let (program, link) = own_pins(lab.name(), &place.node, ifindex);
        Ok(Self { ifindex, fabric_xdpd, program, link })
    }

    fn is_silent(&self) -> bool {
        self.program.exists() || self.link.exists()
    }

    /// Sees to it that a link is there whose program can be replaced.
    fn prepare(&self) -> std::io::Result<()> {
        if self.is_silent() {
            return Ok(());
        }
        if self.fabric_xdpd.exists() {
            programs::pin(XdpLink::from_pin(&self.fabric_xdpd)?.info()?.program, &self.program)
        } else {
            // Behind the allocation of a socket buffer, redirected frames would pass.
            XdpLink::create(programs::placeholder()?, self.ifindex, Mode::Native)?.pin(&self.link)
        }
    }

    fn silence(&self, silence: &ProgramFd) -> std::io::Result<()> {
        let link = if self.program.exists() { &self.fabric_xdpd } else { &self.link };
        XdpLink::from_pin(link)?.update(silence)
    }

    fn mend(&self) -> std::io::Result<()> {
        if self.program.exists() {
            // Without the link, fabric-xdpd has taken its program off, or is gone. With another program
            // in it, a new fabric-xdpd has put its own there.
            if let Ok(link) = XdpLink::from_pin(&self.fabric_xdpd)
                && programs::is_silence(link.info()?.program)?
            {
                link.update(programs::pinned(&self.program)?)?;
            }
            fs::remove_file(&self.program)?;
        }
        if self.link.exists() {
            fs::remove_file(&self.link)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_keeps_nothing_else_from_being_tried_and_the_first_failure_is_told() {
        let mut tried = Vec::new();
        let failure = |what: &str| LabError::Busy(what.to_owned());
        let result = all(["swp1", "swp2", "swp3"].into_iter().map(|port| {
            tried.push(port);
            if port == "swp1" { Ok(()) } else { Err(failure(port)) }
        }));
        assert_eq!(result.expect_err("two failed").to_string(), failure("swp2").to_string());
        assert_eq!(tried, ["swp1", "swp2", "swp3"]);
    }
}
