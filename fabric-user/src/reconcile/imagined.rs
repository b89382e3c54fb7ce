//! The maps as a daemon would fill empty ones: what those in use are compared with.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use fabric_common::schema::ports::Port;

use super::{Outcome, Reconciler};
use crate::{
    kernel::{
        links::{AttachError, Attached},
        maps::{Maps, OpenError},
        pins::PinError,
        system::{BeatError, System},
    },
    model::{Answers, Desired, Macs, Routes},
    settings::Settings,
};

/// Fills maps in plain memory, which no program reads, with what they should hold. `hz` is the kernel's timer
/// frequency. With them, what found no room there.
///
/// # Errors
/// If there is not so much memory.
pub fn imagine(
    desired: Desired,
    settings: &Settings,
    hz: u32,
) -> Result<(Maps, Outcome), OpenError> {
    let maps = Maps::in_memory(&settings.sizes())?;
    let mut reconciler = Reconciler::take_over(Willing::default(), maps, settings, hz);
    let Desired { structure, routes, fdb, answers } = desired;
    let macs = Macs::All(fdb.into_iter().collect());
    let outcome = reconciler.apply(&structure, &Routes::All(routes), macs, &Answers::All(answers));
    Ok((reconciler.maps, outcome))
}

/// A kernel that takes everything.
#[derive(Debug, Default)]
struct Willing {
    attached: BTreeSet<u32>,
    targets: BTreeMap<u32, u32>,
}

impl System for Willing {
    fn attach(&mut self, ifindex: u32, _: &str, _: &'static str) -> Result<Attached, AttachError> {
        let is_new = self.attached.insert(ifindex);
        Ok(if is_new { Attached::Anew } else { Attached::Kept })
    }

    fn detach(&mut self, ifindex: u32) -> Result<(), AttachError> {
        self.attached.remove(&ifindex);
        Ok(())
    }

    fn is_attached(&self, ifindex: u32) -> bool {
        self.attached.contains(&ifindex)
    }

    fn has_link(&self, ifindex: u32) -> bool {
        self.is_attached(ifindex)
    }

    fn is_in_place(&mut self, ifindex: u32) -> io::Result<bool> {
        Ok(self.is_attached(ifindex))
    }

    fn linked(&self) -> Result<Vec<u32>, PinError> {
        Ok(self.attached.iter().copied().collect())
    }

    fn target(&self, slot: u32) -> Option<u32> {
        self.targets.get(&slot).copied()
    }

    fn set_target(&mut self, slot: u32, ifindex: u32) -> Result<(), AttachError> {
        self.targets.insert(slot, ifindex);
        Ok(())
    }

    fn show_received_tags(&mut self, _: u32) -> io::Result<bool> {
        Ok(false)
    }

    fn restore_offloads(&mut self, _: &Port) {}

    fn beat(&mut self) -> Result<(), BeatError> {
        Ok(())
    }

    fn remove_other_versions(&mut self) -> Result<(), PinError> {
        Ok(())
    }

    fn detach_all(&mut self) -> Result<(), PinError> {
        Ok(())
    }
}
