//! Taking an instance off: afterwards nothing of Fabric is left but its speed.

use fabric_common::schema::{
    fdb::mac_number,
    ports::{FLAG_HID_TAGS, Port},
};

use super::{
    interface,
    maps::Maps,
    pins::{Instance, PinError},
};

/// Removes programs, links and maps of an instance and gives its interfaces their offloads back. To
/// be called in the instance's network namespace.
///
/// # Errors
/// If a pin cannot be removed.
pub fn detach_all(instance: &Instance) -> Result<(), PinError> {
    let ports: Vec<Port> = Maps::open(instance, false)
        .map(|maps| maps.ports.iter().map(|(_, port)| port).collect())
        .unwrap_or_default();
    instance.remove()?;
    ports.iter().for_each(restore_offloads);
    Ok(())
}

/// Gives an interface the offload back that was switched off for it, if it still exists.
pub fn restore_offloads(port: &Port) {
    if port.flags & FLAG_HID_TAGS == 0 {
        return;
    }
    let mut name = [0_u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the size that the function asks for.
    let found = unsafe { libc::if_indextoname(port.ifindex, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return;
    }
    let length = name.iter().position(|b| *b == 0).unwrap_or(name.len());
    let name = String::from_utf8_lossy(&name[..length]);
    // In another network namespace the index is another interface's.
    if interface::mac_address(&name).map(mac_number).ok()
        != Some(port.mac_and_view & 0xffff_ffff_ffff)
    {
        return;
    }
    if let Err(error) = interface::hide_received_tags(&name) {
        tracing::warn!(port = %name, %error, "cannot switch rxvlan on again");
    }
}
