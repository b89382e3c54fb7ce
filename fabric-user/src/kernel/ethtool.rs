//! What ethtool asks and sets (`linux/ethtool.h`), by an interface's index. The ioctl knows only names, and a
//! name may be another interface's by now.

use std::{
    ffi::c_void,
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::net::netdevice::{index_to_name, name_to_index};

const GET_DRIVER: u32 = 0x03;
const SET_TX_CHECKSUM: u32 = 0x17;
const GET_FLAGS: u32 = 0x25;
const SET_FLAGS: u32 = 0x26;
const GET_GRO: u32 = 0x2b;
const SET_GRO: u32 = 0x2c;
/// How often a name may change hands.
const TRIES: u32 = 4;

/// A socket for the questions, about the network namespace in which it was opened.
#[derive(Debug)]
pub struct Ethtool(OwnedFd);

/// What the kernel reads and writes.
///
/// # Safety
/// The structure that belongs to each command with which it is made.
unsafe trait Structure {}

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// `struct ethtool_drvinfo`, of which only the second field is used.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

// SAFETY: of all commands of this file but GET_DRIVER.
unsafe impl Structure for Value {}
// SAFETY: of GET_DRIVER.
unsafe impl Structure for DriverInfo {}

/// `struct ifreq`, as far as it is used here.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    data: *mut c_void,
    rest: [usize; 2],
}

const _: () = assert!(size_of::<Request>() == size_of::<libc::ifreq>());

impl Ethtool {
    /// Opens a socket.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open() -> io::Result<Self> {
        super::interface::control_socket().map(Self)
    }

    /// The name of the driver.
    ///
    /// # Errors
    /// If there is no such interface, or its driver does not say.
    pub fn driver(&self, ifindex: u32) -> io::Result<String> {
        let info = self.ask(ifindex, || DriverInfo {
            command: GET_DRIVER,
            driver: [0; 32],
            rest: [0; 160],
        })?;
        let length = info.driver.iter().position(|byte| *byte == 0).unwrap_or(info.driver.len());
        Ok(String::from_utf8_lossy(&info.driver[..length]).into_owned())
    }

    /// Whether GRO is on.
    ///
    /// # Errors
    /// If there is no such interface, or its driver does not say.
    pub fn gro(&self, ifindex: u32) -> io::Result<bool> {
        Ok(self.value(ifindex, GET_GRO, 0)? != 0)
    }

    /// Switches GRO on or off.
    ///
    /// # Errors
    /// If there is no such interface, or it refuses.
    pub fn set_gro(&self, ifindex: u32, on: bool) -> io::Result<()> {
        self.value(ifindex, SET_GRO, on.into()).map(drop)
    }

    /// Switches on or off that checksums of what is sent are left to the device.
    ///
    /// # Errors
    /// If there is no such interface, or it refuses.
    pub fn set_tx_checksum(&self, ifindex: u32, on: bool) -> io::Result<()> {
        self.value(ifindex, SET_TX_CHECKSUM, on.into()).map(drop)
    }

    /// The interface's `ETH_FLAG_*`.
    ///
    /// # Errors
    /// If there is no such interface, or its driver knows none (`EOPNOTSUPP`).
    pub fn flags(&self, ifindex: u32) -> io::Result<u32> {
        self.value(ifindex, GET_FLAGS, 0)
    }

    /// Sets the interface's `ETH_FLAG_*`.
    ///
    /// # Errors
    /// If there is no such interface, or it refuses.
    pub fn set_flags(&self, ifindex: u32, flags: u32) -> io::Result<()> {
        self.value(ifindex, SET_FLAGS, flags).map(drop)
    }

    fn value(&self, ifindex: u32, command: u32, data: u32) -> io::Result<u32> {
        Ok(self.ask(ifindex, || Value { command, data })?.data)
    }

    /// Asks under the name that an index has at this moment, and again if the name has changed hands
    /// meanwhile.
    fn ask<T: Structure>(&self, ifindex: u32, question: impl Fn() -> T) -> io::Result<T> {
        for _ in 0..TRIES {
            let name = index_to_name(&self.0, ifindex)?;
            let mut value = question();
            let asked = self.ioctl(&name, &mut value);
            if name_to_index(&self.0, &name) == Ok(ifindex) {
                return asked.map(|()| value);
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    fn ioctl<T: Structure>(&self, interface: &str, value: &mut T) -> io::Result<()> {
        let data = std::ptr::from_mut(value).cast();
        let mut request = Request { name: [0; libc::IFNAMSIZ], data, rest: [0; 2] };
        let name = interface.as_bytes();
        // The last byte stays zero.
        let room = request.name[..libc::IFNAMSIZ - 1].get_mut(..name.len());
        room.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(name);
        // SAFETY: SIOCETHTOOL reads the name, and reads and writes the structure, which lives until after the
        // call.
        let result =
            unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::interface,
        observe::tests::live::{in_namespace, sh},
    };

    #[test]
    fn structures_have_the_kernels_sizes() {
        assert_eq!((size_of::<Value>(), size_of::<DriverInfo>()), (8, 196));
        assert_eq!(
            std::mem::offset_of!(Request, data),
            std::mem::offset_of!(libc::ifreq, ifr_ifru)
        );
    }

    #[test]
    fn a_veth_tells_its_driver_and_what_is_switched_on() {
        in_namespace(|| async {
            sh("ip link add p1 type veth peer p2");
            let (ethtool, ifindex) = (Ethtool::open().unwrap(), interface::index("p1").unwrap());
            assert_eq!(ethtool.driver(ifindex).unwrap(), "veth");
            for on in [true, false] {
                ethtool.set_gro(ifindex, on).unwrap();
                assert_eq!(ethtool.gro(ifindex).unwrap(), on);
            }
            let gone = ethtool.driver(u32::MAX / 2).unwrap_err();
            assert_eq!(gone.raw_os_error(), Some(libc::ENODEV));
        });
    }
}
