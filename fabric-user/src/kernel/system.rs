//! What the sync needs of the kernel beside the maps' memory: programs on interfaces, redirect targets,
//! offloads, the heartbeat.

use std::io;

use aya::programs::{ProgramError, XdpMode};
use fabric_common::schema::{ports::Port, settings};
use thiserror::Error;

use super::{
    detach, heartbeat, interface,
    links::{AttachError, Attached, Links},
    maps::{Maps, OpenError, mapped},
    netns,
    pins::{Instance, PinError},
    programs::{HEARTBEAT, LoadError, Programs},
};
use crate::settings::Settings;

/// Why an instance cannot be used.
#[derive(Debug, Error)]
pub enum StartError {
    /// Programs or maps cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Maps cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Pins cannot be changed.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// Which network namespace this is is not known.
    #[error("the kernel does not tell network namespaces apart (SO_NETNS_COOKIE): {0}")]
    Network(#[source] io::Error),
    /// The heartbeat program does not run.
    #[error(transparent)]
    Heartbeat(#[from] BeatError),
}

/// Why there is no sign of life.
#[derive(Debug, Error)]
#[error("cannot run the heartbeat program: {0}")]
pub enum BeatError {
    /// The program is not there.
    Load(#[from] LoadError),
    /// The kernel does not run it.
    Run(#[from] ProgramError),
}

/// The kernel, as far as it is asked by system calls. Tests have another one.
pub trait System {
    /// Runs a program on an interface, in the place of an earlier daemon's if there is one.
    ///
    /// # Errors
    /// If another program is there, or the driver or kernel refuses.
    fn attach(
        &mut self,
        ifindex: u32,
        name: &str,
        program: &'static str,
    ) -> Result<Attached, AttachError>;

    /// Takes the program off an interface.
    ///
    /// # Errors
    /// If its pin cannot be removed.
    fn detach(&mut self, ifindex: u32) -> Result<(), AttachError>;

    /// Whether this daemon has put a program on an interface.
    fn is_attached(&self, ifindex: u32) -> bool;

    /// Whether this daemon or an earlier one has.
    fn has_link(&self, ifindex: u32) -> bool;

    /// Whether that program is where it should be, by the kernel's word.
    ///
    /// # Errors
    /// If the kernel does not say.
    fn is_in_place(&mut self, ifindex: u32) -> io::Result<bool>;

    /// Interfaces on which this daemon or an earlier one has put programs.
    ///
    /// # Errors
    /// If the folder of the pins cannot be read.
    fn linked(&self) -> Result<Vec<u32>, PinError>;

    /// The interface to which a slot redirects.
    fn target(&self, slot: u32) -> Option<u32>;

    /// Makes a slot redirect to an interface.
    ///
    /// # Errors
    /// If there is no such interface, or the kernel refuses.
    fn set_target(&mut self, slot: u32, ifindex: u32) -> Result<(), AttachError>;

    /// Leaves VLAN tags in the frames that an interface receives; true if that had to be changed.
    ///
    /// # Errors
    /// If the driver cannot, or there is no such interface.
    fn show_received_tags(&mut self, ifindex: u32) -> io::Result<bool>;

    /// Gives an interface the offload back that was switched off for it.
    fn restore_offloads(&mut self, port: &Port);

    /// Gives a sign of life.
    ///
    /// # Errors
    /// If the kernel does not run the program.
    fn beat(&mut self) -> Result<(), BeatError>;

    /// Removes maps of other schema versions.
    ///
    /// # Errors
    /// If a pin cannot be removed.
    fn remove_other_versions(&mut self) -> Result<(), PinError>;

    /// Removes programs, links and maps: the kernel forwards everything again.
    ///
    /// # Errors
    /// If a pin cannot be removed.
    fn detach_all(&mut self) -> Result<(), PinError>;
}

/// The loaded programs of an instance and their links.
pub struct Loaded {
    instance: Instance,
    /// The programs.
    pub programs: Programs,
    links: Links,
    mode: XdpMode,
}

impl Loaded {
    /// Loads the programs against the pinned maps; with these, and the kernel's timer frequency.
    ///
    /// # Errors
    /// If programs or maps cannot be used; what runs goes on running then.
    pub fn open(instance: Instance, settings: &Settings) -> Result<(Self, Maps, u32), StartError> {
        let network = netns::cookie().map_err(StartError::Network)?;
        remove_strangers(&instance, network)?;
        let mut programs = Programs::load(&instance, &settings.sizes())?;
        let maps = Maps::open(&instance, true)?;
        let hz = match maps.settings.get(0).hz {
            0 => {
                let heartbeat = programs.get(HEARTBEAT)?;
                heartbeat::measure_frequency(heartbeat, &maps).map_err(BeatError::Run)?
            }
            known => known,
        };
        let mut links = Links::default();
        // Frames of an interface that is in another network namespace by now are nothing of ours.
        if let Err(error) = links.let_go_of_strays(&instance) {
            tracing::warn!(%error, "cannot see where the programs are that run");
        }
        maps.settings.update(0, |value| value.network = network);
        Ok((Self { instance, programs, links, mode: settings.xdp_mode.into() }, maps, hz))
    }
}

/// Removes what is pinned if it belongs to another network namespace than this one, as after a node
/// that was made anew: its interfaces are others, whatever their indexes are.
fn remove_strangers(instance: &Instance, network: u64) -> Result<(), PinError> {
    if !instance.exists() {
        return Ok(());
    }
    // What cannot be read is of another layout, and named as such afterwards.
    let Ok(theirs) = mapped::<settings::Settings>(instance, "settings", false) else {
        return Ok(());
    };
    let of = theirs.get(0).network;
    if of != network {
        tracing::warn!(
            "the pinned maps and programs are of another network namespace (cookie {of}, this one \
             has {network}): they are removed, and everything begins anew"
        );
        instance.remove()?;
    }
    Ok(())
}

impl System for Loaded {
    fn attach(
        &mut self,
        ifindex: u32,
        name: &str,
        program: &'static str,
    ) -> Result<Attached, AttachError> {
        let program = self.programs.get(program)?;
        self.links.attach(&self.instance, ifindex, name, program, self.mode)
    }

    fn detach(&mut self, ifindex: u32) -> Result<(), AttachError> {
        self.links.detach(&self.instance, ifindex)
    }

    fn is_attached(&self, ifindex: u32) -> bool {
        self.links.is_attached(ifindex)
    }

    fn has_link(&self, ifindex: u32) -> bool {
        self.links.is_attached(ifindex) || self.instance.link(ifindex).exists()
    }

    fn is_in_place(&mut self, ifindex: u32) -> io::Result<bool> {
        self.links.is_in_place(ifindex, self.mode)
    }

    fn linked(&self) -> Result<Vec<u32>, PinError> {
        self.instance.linked()
    }

    fn target(&self, slot: u32) -> Option<u32> {
        self.programs.tx_ports.get(slot, 0).ok().map(|target| target.if_index)
    }

    fn set_target(&mut self, slot: u32, ifindex: u32) -> Result<(), AttachError> {
        let set = self.programs.tx_ports.set(slot, ifindex, None, 0);
        set.map_err(|error| match cause(&error) {
            // `__dev_map_alloc_node` finds no such interface.
            Some(libc::EINVAL | libc::ENODEV) => AttachError::Gone,
            _ => AttachError::Target(error),
        })
    }

    fn show_received_tags(&mut self, ifindex: u32) -> io::Result<bool> {
        interface::show_received_tags(ifindex)
    }

    fn restore_offloads(&mut self, port: &Port) {
        detach::restore_offloads(port);
    }

    fn beat(&mut self) -> Result<(), BeatError> {
        Ok(heartbeat::beat(self.programs.get(HEARTBEAT)?)?)
    }

    fn remove_other_versions(&mut self) -> Result<(), PinError> {
        self.instance.remove_other_versions()
    }

    fn detach_all(&mut self) -> Result<(), PinError> {
        self.links.release();
        detach::detach_all(&self.instance)
    }
}

/// The system's own answer behind an error.
fn cause(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        source = error.source();
    }
    None
}
