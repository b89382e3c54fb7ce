//! Taking an instance off: afterwards nothing of Fabric is left but its speed.

use fabric_common::schema::ports::{FLAG_HID_TAGS, Port};

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
    // As `fdb::mac_number` has made it.
    let [a, b, c, d, e, f, _, _] = port.mac_and_view.to_le_bytes();
    let mac = [a, b, c, d, e, f];
    match interface::hide_received_tags(port.ifindex, mac) {
        Err(error) if !matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)) => {
            tracing::warn!(ifindex = port.ifindex, %error, "cannot switch rxvlan on again");
        }
        // An interface that is gone has taken its offloads with it.
        _ => {}
    }
}
