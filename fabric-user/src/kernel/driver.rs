//! What ethtool says about an interface, by its index: a name may be another interface's by now.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use super::interface;

const GET_DRIVER: u32 = 0x03;
const GET_GRO: u32 = 0x2b;

/// A socket for the questions, about the network namespace of this thread.
///
/// # Errors
/// If it cannot be made.
pub fn control_socket() -> io::Result<OwnedFd> {
    interface::control_socket()
}

/// Whether GRO is on.
///
/// # Errors
/// If there is no such interface, or its driver does not say.
pub fn gro(socket: &OwnedFd, ifindex: u32) -> io::Result<bool> {
    // `struct ethtool_value`: command and data.
    let mut value = [GET_GRO, 0_u32];
    // SAFETY: the kernel reads and writes the two words of an `ethtool_value`.
    unsafe { ethtool(socket, ifindex, (&raw mut value).cast()) }?;
    Ok(value[1] != 0)
}

/// `struct ethtool_drvinfo`, of which only the second field is used.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

/// The name of the driver.
///
/// # Errors
/// If there is no such interface, or its driver does not say.
pub fn name(socket: &OwnedFd, ifindex: u32) -> io::Result<String> {
    let mut info = DriverInfo { command: GET_DRIVER, driver: [0; 32], rest: [0; 160] };
    // SAFETY: the kernel writes an `ethtool_drvinfo`, whose size the structure has.
    unsafe { ethtool(socket, ifindex, (&raw mut info).cast()) }?;
    let length = info.driver.iter().position(|byte| *byte == 0).unwrap_or(info.driver.len());
    Ok(String::from_utf8_lossy(&info.driver[..length]).into_owned())
}

/// Asks about an interface by the name that it has at this moment.
///
/// # Safety
/// `value` must point to the structure that belongs to the command in its first word.
unsafe fn ethtool(socket: &OwnedFd, ifindex: u32, value: *mut libc::c_char) -> io::Result<()> {
    let name = rustix::net::netdevice::index_to_name(socket, ifindex)?;
    let mut request = interface::request_for(&name)?;
    request.ifr_ifru.ifru_data = value;
    // SAFETY: SIOCETHTOOL reads the name, and what the caller vouches for.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // Another interface may have got the name meanwhile.
    match rustix::net::netdevice::name_to_index(socket, &name) {
        Ok(found) if found == ifindex => Ok(()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_has_the_kernels_size() {
        assert_eq!(size_of::<DriverInfo>(), 196);
    }
}
