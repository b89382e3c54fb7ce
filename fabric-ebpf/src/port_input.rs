//! Arrives: a packet from any port. Leaves: the port's slot and the settings.
//!
//! Passes everything while the bypass is on, when the daemon's heartbeat is too old (the maps may
//! be stale, the kernel is not), and from ports that the maps do not know in this role.

use core::hint::cold_path;

use aya_ebpf::helpers::bpf_jiffies64;
use fabric_common::{
    reason::Reason,
    schema::ports::{self, Port},
};

use crate::{
    ending::stop,
    journey::Journey,
    maps::{self, limits},
    packet::Packet,
};

#[inline(always)]
pub fn port_input(journey: &mut Journey, is_role: impl Fn(u8) -> bool) -> Result<(), Reason> {
    let settings = maps::SETTINGS.get(0);
    if settings.bypass != 0 {
        return stop(Reason::PortInputBypassed);
    }
    // SAFETY: the helper only reads the kernel's clock.
    let now = unsafe { bpf_jiffies64() };
    if now > settings.deadline {
        return stop(Reason::PortInputHeartbeatExpired);
    }
    if !is_role(journey.entry.role) {
        return stop(Reason::PortInputUnknownPort);
    }
    journey.now = now;
    journey.settings = settings;
    journey.fdb_mask = settings.fdb_mask & limits::fdb_mask();
    Ok(())
}

/// Whether a frame is for this port's own MAC address, and not for another station's or for a group of
/// stations, whose packets are not for a router (RFC 1812 §5.3.4).
#[inline(always)]
pub fn is_for_port(packet: &Packet, journey: &Journey) -> bool {
    let destination = packet.read::<u64>(0).unwrap_or(0);
    ports::mac(destination) == ports::mac(journey.entry.mac_and_view)
}

/// The entry of an interface, if the maps know it.
#[inline(always)]
pub fn find_port(ifindex: u32) -> Option<&'static Port> {
    let port = maps::port(ports::slot(ifindex, 0, limits::ports_mask()));
    if port.ifindex == ifindex {
        return Some(port);
    }
    cold_path();
    match find_elsewhere(ifindex) {
        0 => None,
        slot => Some(maps::port(slot)),
    }
}

/// The slot of an interface that does not stand in its first one; 0 if there is none. A subprogram, so
/// that who stands in the first one pays nothing for it.
#[inline(never)]
fn find_elsewhere(ifindex: u32) -> u32 {
    for probe in 1..ports::PROBES {
        let slot = ports::slot(ifindex, probe, limits::ports_mask());
        if maps::port(slot).ifindex == ifindex {
            return slot;
        }
    }
    0
}
