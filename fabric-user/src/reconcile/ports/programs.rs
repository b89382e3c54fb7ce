//! The programs on ports.

use fabric_common::schema::{
    fdb::mac_number,
    ports::{FLAG_HID_TAGS, Port, mac},
};

use super::{Ports, Wanted};
use crate::{
    kernel::{
        links::{AttachError, Attached},
        programs::{ACCESS, ROUTED},
        system::System,
    },
    model::{self, Role},
    reconcile::pass::Pass,
};

impl Ports {
    /// Takes programs of their own off ports that have become members of bonds: the kernel lets no
    /// program onto a bond as long as a member has one (`bond_xdp_set`).
    pub(super) fn free_members(&self, pass: &Pass<'_>, system: &mut dyn System) {
        let ports = pass.structure.ports.iter();
        for (ifindex, port) in ports.filter(|(_, port)| port.member_of.is_some()) {
            if !system.has_link(*ifindex) {
                continue;
            }
            match system.detach(*ifindex) {
                Ok(()) => tracing::info!(port = port.name, "a member of a bond: program taken off"),
                Err(error) => tracing::warn!(ifindex, %error, "cannot take the program off"),
            }
        }
    }

    /// Sees to it that a port, whose entry was `old`, runs what it should.
    pub(super) fn run_program(
        &self,
        pass: &mut Pass<'_>,
        system: &mut dyn System,
        wanted: Wanted<'_>,
        old: &Port,
        other_program: bool,
    ) -> Result<(), String> {
        let Wanted { ifindex, port, doubted, .. } = wanted;
        if port.member_of.is_some() {
            return join(pass, system, wanted);
        }
        // A gateway may have been another kind of port, as a macvlan that has left a bridge.
        if port.idle || port.role == Role::Gateway {
            if system.has_link(ifindex) {
                system.detach(ifindex).map_err(|error| error.to_string())?;
                pass.changed(true);
            }
            return Ok(());
        }
        let in_place = system.is_attached(ifindex)
            && !doubted
            && !other_program
            // By the kernel's word, where every word is asked for.
            && (!pass.audit || system.is_in_place(ifindex).unwrap_or_else(|error| is_unsaid(&error)));
        if in_place {
            return Ok(());
        }
        // With the MAC address that the port had it is taken for the same interface, also where nothing of
        // ours runs on it: in another mode, or where the pin has gone.
        let same_mac = mac(old.mac_and_view) == mac_number(port.mac.0);
        attach(pass, system, wanted, same_mac)
    }
}

/// Makes an interface show what the program of its bond has to see: the kernel runs that here.
fn join(pass: &Pass<'_>, system: &mut dyn System, wanted: Wanted<'_>) -> Result<(), String> {
    let Wanted { ifindex, port, slot, doubted } = wanted;
    if (doubted || pass.audit) && show_tags(system, ifindex, port, !doubted)? {
        pass.maps.ports.update(slot, |entry| entry.flags |= FLAG_HID_TAGS);
    }
    Ok(())
}

/// Runs the program on an interface.
fn attach(
    pass: &mut Pass<'_>,
    system: &mut dyn System,
    wanted: Wanted<'_>,
    same_mac: bool,
) -> Result<(), String> {
    let Wanted { ifindex, port, slot, .. } = wanted;
    let hid_tags = show_tags(system, ifindex, port, false)?;
    let program = if port.role == Role::Access { ACCESS } else { ROUTED };
    let attached =
        system.attach(ifindex, &port.name, program).map_err(|error| error.to_string())?;
    tracing::info!(port = port.name, role = ?port.role, ?attached, "program attached");
    pass.changed(true);
    pass.maps.ports.update(slot, |entry| {
        if attached == Attached::Anew {
            (entry.down, entry.bfd) = (1, 0);
            if !same_mac {
                // Another interface, of which the port's past says nothing.
                entry.flags &= !FLAG_HID_TAGS;
            }
        }
        entry.flags |= if hid_tags { FLAG_HID_TAGS } else { 0 };
    });
    pass.outcome.new_ports.insert(ifindex, ifindex);
    Ok(())
}

/// Leaves VLAN tags in the frames that a port receives; true if they were not before. `known` says that it
/// was asked before, so that it may stay unasked.
fn show_tags(
    system: &mut dyn System,
    ifindex: u32,
    port: &model::Port,
    known: bool,
) -> Result<bool, String> {
    let changed = match system.show_received_tags(ifindex) {
        Err(error) if known && is_shortage(&error) => false,
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)) => {
            return Err(AttachError::Gone.to_string());
        }
        Err(error) => {
            return Err(format!(
                "its driver hides VLAN tags from XDP and refuses `ethtool -K {} rxvlan off`: {error}",
                port.name
            ));
        }
        Ok(changed) => changed,
    };
    if changed {
        tracing::info!(port = port.name, "VLAN tags stay in received frames (rxvlan off)");
    }
    Ok(changed)
}

/// There is no answer, be it that the kernel was not asked or that it was silent: that says nothing of what
/// was asked about. Not of drivers, for which waiting in vain is an answer.
fn is_unsaid(error: &std::io::Error) -> bool {
    is_shortage(error) || error.kind() == std::io::ErrorKind::TimedOut
}

/// The daemon could not even ask, for want of descriptors or memory: that says nothing of what it asked
/// about, and what is in use stays in use.
fn is_shortage(error: &std::io::Error) -> bool {
    let shortages = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
    error.raw_os_error().is_some_and(|code| shortages.contains(&code))
}
