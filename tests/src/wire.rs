//! The other end of a port: frames go in and come out as they are on the wire (AF_PACKET).

use std::{
    io,
    mem::{MaybeUninit, size_of_val, zeroed},
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::device;

/// A raw socket on one device. It outlives the namespace that it was opened in.
#[derive(Debug)]
pub struct Wire {
    socket: OwnedFd,
}

/// `ETH_P_ALL` of `linux/if_ether.h`.
const ALL: u16 = 3;
/// `PACKET_AUXDATA`, `PACKET_IGNORE_OUTGOING` of `linux/if_packet.h`.
const OPTIONS: [libc::c_int; 2] = [8, 23];

/// `struct tpacket_auxdata` of `linux/if_packet.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Auxiliary {
    status: u32,
    _lengths: [u32; 2],
    _offsets: [u16; 2],
    tci: u16,
    protocol: u16,
}

/// `TP_STATUS_VLAN_VALID` of `linux/if_packet.h`.
const VLAN_VALID: u32 = 1 << 4;

impl Wire {
    /// Opens the wire at a device of this thread's namespace.
    ///
    /// # Errors
    /// If there is no such device, or this is not root.
    pub fn open(device: &str) -> Result<Self> {
        let index = device::index(device)?;
        Self::of_index(index).with_context(|| format!("cannot open a raw socket on {device}"))
    }

    fn of_index(index: u32) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no memory is passed. Protocol 0: nothing arrives before the socket is bound.
        let socket = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        check(socket)?;
        // SAFETY: a descriptor of our own that nobody else closes.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        for option in OPTIONS {
            let on: libc::c_int = 1;
            // SAFETY: the value lives until the call returns.
            check(unsafe {
                libc::setsockopt(
                    socket.as_raw_fd(),
                    libc::SOL_PACKET,
                    option,
                    ptr::from_ref(&on).cast(),
                    size_of_val(&on) as u32,
                )
            })?;
        }
        // SAFETY: a structure of integers, for which zero is a valid value.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ALL.to_be();
        address.sll_ifindex = index as i32;
        // SAFETY: the address lives until the call returns.
        check(unsafe {
            libc::bind(
                socket.as_raw_fd(),
                ptr::from_ref(&address).cast(),
                size_of_val(&address) as u32,
            )
        })?;
        Ok(Self { socket })
    }

    /// Sends a frame to the port.
    ///
    /// # Errors
    /// What the kernel says, for instance that the frame is too long for the device.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        rustix::io::write(&self.socket, frame)
            .with_context(|| format!("cannot send {} bytes", frame.len()))?;
        Ok(())
    }

    /// The next frame that the port sent, or `None` if there is none until `deadline`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn receive(&self, deadline: Instant) -> Result<Option<Vec<u8>>> {
        loop {
            match self.receive_now() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other.map(Some).context("cannot receive"),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return Ok(None);
            }
            let timeout = Timespec::try_from(left).context("the deadline is too far away")?;
            let mut events = [PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)];
            poll(&mut events, Some(&timeout)).context("cannot wait for frames")?;
        }
    }

    /// One frame, the VLAN tag back in its place that the kernel took out.
    fn receive_now(&self) -> io::Result<Vec<u8>> {
        let mut frame = vec![0_u8; 9_216];
        let mut control = [MaybeUninit::<u64>::uninit(); 16];
        let mut part = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
        // SAFETY: a structure of integers and pointers, for which zero is a valid value.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: all buffers live until the call returns.
        let length = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, 0) };
        frame.truncate(usize::try_from(length).map_err(|_| io::Error::last_os_error())?);
        // SAFETY: the kernel filled the message, and its control buffer is aligned.
        let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        if !header.is_null() {
            // SAFETY: the only control message of this socket is the one asked for.
            let auxiliary: Auxiliary =
                unsafe { libc::CMSG_DATA(header).cast::<Auxiliary>().read_unaligned() };
            if auxiliary.status & VLAN_VALID != 0 && frame.len() >= 12 {
                let tag = [auxiliary.protocol.to_be_bytes(), auxiliary.tci.to_be_bytes()];
                frame.splice(12..12, tag.concat());
            }
        }
        Ok(frame)
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
