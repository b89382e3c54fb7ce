//! Changes to an interface of the current namespace, through ioctls.
//!
//! Features that stand between XDP and the frame:
//! - Checksum offload: a veth has no hardware that would complete a partial checksum after XDP
//!   has taken the frame away from the kernel.
//! - VLAN offload: a tag in the skb's metadata is invisible to XDP.
//! - GRO: frames redirected into a veth are lost unless the receiving end has NAPI, which it gets
//!   from an XDP program or from GRO.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// `ETHTOOL_STXCSUM`, `ETHTOOL_SGRO`, `ETHTOOL_GFLAGS`, `ETHTOOL_SFLAGS` of linux/ethtool.h.
const SET_TX_CHECKSUM: u32 = 0x17;
const SET_GRO: u32 = 0x2c;
const GET_FLAGS: u32 = 0x25;
const SET_FLAGS: u32 = 0x26;
/// `ETH_FLAG_TXVLAN` and `ETH_FLAG_RXVLAN`.
const TX_VLAN: u32 = 1 << 7;
const RX_VLAN: u32 = 1 << 8;

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Makes an interface behave like a port with a wire: no transmit checksum and VLAN offload, GRO on.
///
/// # Errors
/// If there is no such interface or it refuses.
pub fn make_wirelike(interface: &str) -> io::Result<()> {
    let socket = control_socket()?;
    ethtool(&socket, interface, SET_TX_CHECKSUM, 0)?;
    ethtool(&socket, interface, SET_GRO, 1)?;
    let flags = ethtool(&socket, interface, GET_FLAGS, 0)?;
    ethtool(&socket, interface, SET_FLAGS, flags & !(TX_VLAN | RX_VLAN))?;
    Ok(())
}

/// Leaves VLAN tags in the frames that an interface receives, instead of hiding them from XDP. True
/// if that had to be changed.
///
/// # Errors
/// If the driver cannot, or there is no such interface.
pub fn show_received_tags(ifindex: u32) -> io::Result<bool> {
    by_index(ifindex, |socket, interface| {
        let flags = match ethtool(socket, interface, GET_FLAGS, 0) {
            Ok(flags) => flags,
            // A driver that knows no flags has no offload.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(false),
            Err(error) => return Err(error),
        };
        if flags & RX_VLAN == 0 {
            return Ok(false);
        }
        ethtool(socket, interface, SET_FLAGS, flags & !RX_VLAN)?;
        if ethtool(socket, interface, GET_FLAGS, 0)? & RX_VLAN != 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(true)
    })
}

/// Undoes [`show_received_tags`] on the interface with this index, if it has this MAC address: an index
/// may be another interface's by now, in another network namespace too.
///
/// # Errors
/// If it refuses.
pub fn hide_received_tags(ifindex: u32, mac: [u8; 6]) -> io::Result<()> {
    by_index(ifindex, |socket, interface| {
        if mac_address(interface)? != mac {
            return Ok(());
        }
        let flags = ethtool(socket, interface, GET_FLAGS, 0)?;
        ethtool(socket, interface, SET_FLAGS, flags | RX_VLAN).map(|_| ())
    })
}

/// Does something under the name that an index has at this moment, because ioctls know nothing else,
/// and again if the name has changed hands meanwhile.
fn by_index<T>(ifindex: u32, act: impl Fn(&OwnedFd, &str) -> io::Result<T>) -> io::Result<T> {
    const TRIES: u32 = 4;
    let socket = control_socket()?;
    for _ in 0..TRIES {
        let name = rustix::net::netdevice::index_to_name(&socket, ifindex)?;
        let done = act(&socket, &name);
        if rustix::net::netdevice::name_to_index(&socket, &name) == Ok(ifindex) {
            return done;
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// The index of an interface.
///
/// # Errors
/// If there is no such interface.
pub fn index(interface: &str) -> io::Result<u32> {
    Ok(rustix::net::netdevice::name_to_index(&control_socket()?, interface)?)
}

/// The MAC address of an interface.
///
/// # Errors
/// If there is no such interface.
pub fn mac_address(interface: &str) -> io::Result<[u8; 6]> {
    let socket = control_socket()?;
    let mut request = request_for(interface)?;
    // SAFETY: SIOCGIFHWADDR reads the name and writes the address of the request.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just written this member of the union.
    let bytes = unsafe { request.ifr_ifru.ifru_hwaddr.sa_data };
    let mut mac = [0; 6];
    for (to, from) in mac.iter_mut().zip(bytes) {
        *to = from.cast_unsigned();
    }
    Ok(mac)
}

/// Switches an interface on or off.
///
/// # Errors
/// If there is no such interface or it refuses.
pub fn set_up(interface: &str, up: bool) -> io::Result<()> {
    let socket = control_socket()?;
    let mut request = request_for(interface)?;
    let flags = flags(&socket, &mut request)?;
    let wanted = if up { flags | libc::IFF_UP } else { flags & !libc::IFF_UP };
    // The kernel's own field has 16 bits; IFF_UP is among them.
    request.ifr_ifru.ifru_flags = wanted as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads the name and the flags of the request.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether an interface is up and its other end as well.
///
/// # Errors
/// If there is no such interface.
pub fn has_carrier(interface: &str) -> io::Result<bool> {
    let flags = flags(&control_socket()?, &mut request_for(interface)?)?;
    Ok(flags & libc::IFF_RUNNING != 0)
}

fn flags(socket: &impl AsRawFd, request: &mut libc::ifreq) -> io::Result<libc::c_int> {
    // SAFETY: SIOCGIFFLAGS reads the name and writes the flags of the request.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, request as *mut _) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just written this member of the union.
    Ok(libc::c_int::from(unsafe { request.ifr_ifru.ifru_flags }))
}

pub(super) fn control_socket() -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?)
}

pub(super) fn request_for(interface: &str) -> io::Result<libc::ifreq> {
    // SAFETY: ifreq is plain data for which all zero bytes are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    let room = request.ifr_name.len() - 1;
    if interface.len() > room {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    Ok(request)
}

fn ethtool(socket: &impl AsRawFd, interface: &str, command: u32, data: u32) -> io::Result<u32> {
    let mut value = EthtoolValue { command, data };
    let mut request = request_for(interface)?;
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: SIOCETHTOOL reads and writes the ethtool_value that ifru_data points to, which
    // lives until after the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(value.data) }
}
