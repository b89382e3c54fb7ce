//! Options of sockets that rustix does not have. One function an option, so that what the kernel reads and
//! writes always fits.

use std::{
    ffi::{c_int, c_void},
    io,
    os::fd::{AsFd, AsRawFd as _},
};

/// `SOL_NETLINK` of `linux/socket.h`.
const SOL_NETLINK: c_int = 270;
/// `NETLINK_ADD_MEMBERSHIP`, `NETLINK_CAP_ACK` and `NETLINK_EXT_ACK` of `linux/netlink.h`.
const ADD_MEMBERSHIP: c_int = 1;
const CAP_ACK: c_int = 10;
const EXT_ACK: c_int = 11;
/// `PACKET_AUXDATA` and `PACKET_IGNORE_OUTGOING` of `linux/if_packet.h`.
const AUXDATA: c_int = 8;
const IGNORE_OUTGOING: c_int = 23;
/// `IPV6_CHECKSUM` of `linux/in6.h`.
const IPV6_CHECKSUM: c_int = 7;
/// `SO_NETNS_COOKIE` of `asm-generic/socket.h`, since Linux 5.14.
const NETNS_COOKIE: c_int = 71;

/// Subscribes a netlink socket to a multicast group.
///
/// # Errors
/// If there is no such group, or it is not for everybody.
pub fn join_group(socket: impl AsFd, group: u32) -> io::Result<()> {
    set(socket, SOL_NETLINK, ADD_MEMBERSHIP, group.cast_signed())
}

/// Has a netlink socket's errors say why, without the request that they are about.
///
/// # Errors
/// Before Linux 4.12.
pub fn explain_errors(socket: impl AsFd) -> io::Result<()> {
    set(&socket, SOL_NETLINK, CAP_ACK, 1)?;
    set(&socket, SOL_NETLINK, EXT_ACK, 1)
}

/// Has a packet socket say which VLAN tag the kernel took out of a frame.
///
/// # Errors
/// If it is no packet socket.
pub fn tell_vlan_tags(socket: impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_PACKET, AUXDATA, 1)
}

/// Has a packet socket receive only what comes in.
///
/// # Errors
/// If it is no packet socket.
pub fn ignore_outgoing(socket: impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_PACKET, IGNORE_OUTGOING, 1)
}

/// Has the kernel compute the checksum of what a raw IPv6 socket sends, `offset` bytes behind the header.
///
/// # Errors
/// If it is no such socket.
pub fn compute_checksum(socket: impl AsFd, offset: u8) -> io::Result<()> {
    set(socket, libc::IPPROTO_IPV6, IPV6_CHECKSUM, offset.into())
}

/// The number of the network namespace that a socket belongs to, which no other one has or will have until
/// the next boot.
///
/// # Errors
/// Before Linux 5.14.
pub fn netns_cookie(socket: impl AsFd) -> io::Result<u64> {
    let mut cookie = [0; 8];
    read(socket, libc::SOL_SOCKET, NETNS_COOKIE, &mut cookie)?;
    Ok(u64::from_ne_bytes(cookie))
}

/// Has an option written into `value`, in whose beginning the kernel looks for which one is meant where there
/// are several; how many bytes there are.
///
/// # Errors
/// What the kernel says.
pub(crate) fn read(
    socket: impl AsFd,
    level: c_int,
    option: c_int,
    value: &mut [u8],
) -> io::Result<usize> {
    let mut length = libc::socklen_t::try_from(value.len()).unwrap_or(libc::socklen_t::MAX);
    let (fd, address) = (socket.as_fd().as_raw_fd(), value.as_mut_ptr().cast());
    // SAFETY: the kernel writes at most `length` bytes, which `value` has.
    let result = unsafe { libc::getsockopt(fd, level, option, address, &raw mut length) };
    check(result).map(|()| length as usize)
}

/// Has a socket receive only what a classic BPF program lets through.
///
/// # Errors
/// If the kernel does not take the program.
pub fn attach_filter(socket: impl AsFd, steps: &[libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(steps.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len, filter: steps.as_ptr().cast_mut() };
    // SAFETY: the program has as many steps as it says, and the kernel only copies them.
    unsafe { set_raw(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program) }
}

fn set(socket: impl AsFd, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the options of this file that come here are integers.
    unsafe { set_raw(socket, level, option, &value) }
}

/// # Safety
/// `value` must be what belongs to the option, and what it points to as long as it says.
unsafe fn set_raw<T>(socket: impl AsFd, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let (address, length) = (std::ptr::from_ref(value).cast::<c_void>(), size_of::<T>());
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel reads `length` bytes of the value, and what the caller vouches for.
    check(unsafe { libc::setsockopt(fd, level, option, address, length as libc::socklen_t) })
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
