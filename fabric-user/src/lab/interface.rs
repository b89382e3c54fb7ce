//! Changes to an interface of the current namespace, through ioctls: no program has to be
//! started, which matters where a virtual machine is without a link meanwhile.
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
/// `ETH_FLAG_TXVLAN | ETH_FLAG_RXVLAN`.
const VLAN_FLAGS: u32 = 1 << 7 | 1 << 8;

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Makes an interface of the current namespace behave like a port with a wire: no transmit
/// checksum and VLAN offload, GRO on.
pub(super) fn make_wirelike(interface: &str) -> io::Result<()> {
    let socket = control_socket()?;
    ethtool(&socket, interface, SET_TX_CHECKSUM, 0)?;
    ethtool(&socket, interface, SET_GRO, 1)?;
    let flags = ethtool(&socket, interface, GET_FLAGS, 0)?;
    ethtool(&socket, interface, SET_FLAGS, flags & !VLAN_FLAGS)?;
    Ok(())
}

/// Switches an interface of the current namespace on or off.
pub(super) fn set_up(interface: &str, up: bool) -> io::Result<()> {
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

/// Whether an interface of the current namespace is up and its other end as well.
pub(super) fn has_carrier(interface: &str) -> io::Result<bool> {
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

fn control_socket() -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?)
}

fn request_for(interface: &str) -> io::Result<libc::ifreq> {
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
