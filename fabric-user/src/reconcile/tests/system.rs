//! A kernel that says what the test wants it to say.

use std::{
    cell::{RefCell, RefMut},
    collections::{BTreeMap, BTreeSet},
    io,
    rc::Rc,
};

use fabric_common::schema::ports::Port;

use crate::kernel::{
    links::{AttachError, Attached},
    pins::PinError,
    system::{BeatError, System},
};

/// Makes the answer to an attachment.
pub(super) type Refusal = fn() -> AttachError;

/// What the kernel holds, and what it was asked for.
#[derive(Default)]
pub(super) struct State {
    /// Programs of this daemon, by interface.
    pub(super) programs: BTreeMap<u32, &'static str>,
    /// Interfaces with programs of an earlier daemon.
    pub(super) earlier: BTreeSet<u32>,
    /// Redirect targets by slot.
    pub(super) targets: BTreeMap<u32, u32>,
    /// Why no program runs on an interface.
    pub(super) refused: BTreeMap<u32, Refusal>,
    /// Interfaces that cannot be redirected to.
    pub(super) no_targets: BTreeSet<u32>,
    /// Interfaces that hide VLAN tags.
    pub(super) hide_tags: BTreeSet<u32>,
    /// Interfaces that hide them again.
    pub(super) restored: BTreeSet<u32>,
    /// What is answered to the question whether programs are in place, and to that for VLAN tags.
    pub(super) errno: Option<i32>,
    /// Interfaces to which programs were attached and from which they were taken, in this order.
    pub(super) asked: Vec<(&'static str, u32)>,
}

/// Shared with the test.
#[derive(Clone, Default)]
pub(super) struct Fake(Rc<RefCell<State>>);

impl Fake {
    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    /// What was asked for since this was last called.
    pub(super) fn asked(&self) -> Vec<(&'static str, u32)> {
        std::mem::take(&mut self.state().asked)
    }

    /// The daemon ends; what it leaves behind is an earlier one's.
    pub(super) fn next_daemon(&self) -> Self {
        let mut state = self.state();
        let programs = std::mem::take(&mut state.programs);
        state.earlier.extend(programs.into_keys());
        self.clone()
    }

    fn answer(&self) -> io::Result<()> {
        self.state().errno.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }
}

impl System for Fake {
    fn attach(
        &mut self,
        ifindex: u32,
        _: &str,
        program: &'static str,
    ) -> Result<Attached, AttachError> {
        let mut state = self.state();
        state.asked.push((program, ifindex));
        if let Some(error) = state.refused.get(&ifindex) {
            return Err(error());
        }
        let before = state.programs.insert(ifindex, program).is_some();
        let kept = state.earlier.remove(&ifindex) || before;
        Ok(if kept { Attached::Kept } else { Attached::Anew })
    }

    fn detach(&mut self, ifindex: u32) -> Result<(), AttachError> {
        let mut state = self.state();
        state.asked.push(("detach", ifindex));
        state.programs.remove(&ifindex);
        state.earlier.remove(&ifindex);
        Ok(())
    }

    fn is_attached(&self, ifindex: u32) -> bool {
        self.state().programs.contains_key(&ifindex)
    }

    fn has_link(&self, ifindex: u32) -> bool {
        self.is_attached(ifindex) || self.state().earlier.contains(&ifindex)
    }

    fn is_in_place(&mut self, ifindex: u32) -> io::Result<bool> {
        self.answer().map(|()| self.is_attached(ifindex))
    }

    fn linked(&self) -> Result<Vec<u32>, PinError> {
        let state = self.state();
        Ok(state.programs.keys().chain(&state.earlier).copied().collect())
    }

    fn target(&self, slot: u32) -> Option<u32> {
        self.state().targets.get(&slot).copied()
    }

    fn set_target(&mut self, slot: u32, ifindex: u32) -> Result<(), AttachError> {
        let mut state = self.state();
        if state.no_targets.contains(&ifindex) {
            return Err(AttachError::Gone);
        }
        state.targets.insert(slot, ifindex);
        Ok(())
    }

    fn show_received_tags(&mut self, ifindex: u32) -> io::Result<bool> {
        self.answer().map(|()| self.state().hide_tags.remove(&ifindex))
    }

    fn restore_offloads(&mut self, port: &Port) {
        if port.flags & fabric_common::schema::ports::FLAG_HID_TAGS != 0 {
            self.state().restored.insert(port.ifindex);
        }
    }

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
