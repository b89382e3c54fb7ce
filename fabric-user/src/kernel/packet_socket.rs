//! Whole frames, put onto an interface and taken from it below all protocols (AF_PACKET, `packet(7)`).

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        AddressFamily, SendFlags, SocketFlags, SocketType,
        addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque},
        bind, send, socket_with, sockopt,
    },
};

use super::{interface, socket_options};

/// `ETH_P_ALL` of `linux/if_ether.h`: frames of every type, also those that are sent.
pub const ALL: u16 = 3;
/// No frame is longer.
const LONGEST: usize = 64 << 10;

/// A socket on one interface, also after the thread has left the network namespace in which it was opened.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens an interface of this thread's network namespace, only to send.
    ///
    /// # Errors
    /// If there is no such interface, or this is not root.
    pub fn sender(interface: &str) -> io::Result<Self> {
        Self::open(interface, 0)
    }

    /// As [`Self::sender`]; frames of an EtherType, or [`ALL`], are received from now on.
    ///
    /// # Errors
    /// As [`Self::sender`].
    pub fn open(interface: &str, ether_type: u16) -> io::Result<Self> {
        Self::of_index(interface::index(interface)?, ether_type)
    }

    /// As [`Self::open`], by the interface's index.
    ///
    /// # Errors
    /// As [`Self::sender`].
    pub fn of_index(ifindex: u32, ether_type: u16) -> io::Result<Self> {
        // Without a type nothing arrives before the socket is bound.
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
        bind(&socket, &Address { ifindex, ether_type })?;
        Ok(Self(socket))
    }

    /// Receives only what comes in, and not what is sent.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn ignore_outgoing(self) -> io::Result<Self> {
        socket_options::ignore_outgoing(&self.0)?;
        Ok(self)
    }

    /// Receives frames with the VLAN tag in its place that the kernel has taken out.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn with_vlan_tags(self) -> io::Result<Self> {
        socket_options::tell_vlan_tags(&self.0)?;
        Ok(self)
    }

    /// Lets the kernel queue so many bytes of frames, whatever the system's limit.
    ///
    /// # Errors
    /// Without root's rights.
    pub fn with_queue(self, bytes: usize) -> io::Result<Self> {
        sockopt::set_socket_recv_buffer_size_force(&self.0, bytes)?;
        Ok(self)
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// What the kernel says, for instance that the frame is too long for the device.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        send(&self.0, frame, SendFlags::empty())?;
        Ok(())
    }

    /// The next frame, if one comes before `deadline`.
    ///
    /// # Errors
    /// What the kernel says, for instance that the interface is down.
    pub fn receive(&self, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        let mut frame = vec![0; LONGEST];
        loop {
            if let Some((length, tag)) = self.receive_now(&mut frame)? {
                let mut frame = frame[..length].to_vec();
                if let Some(tag) = tag
                    && length >= 12
                {
                    frame.splice(12..12, tag);
                }
                return Ok(Some(frame));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return Ok(None);
            }
            let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The length of a frame that is there, of which as much is in `frame` as there is room for, and the
    /// VLAN tag that stood behind its addresses.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn receive_now(&self, frame: &mut [u8]) -> io::Result<Option<(usize, Option<[u8; 4]>)>> {
        let mut control = [0_u64; 16];
        let mut part = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
        // SAFETY: a structure of integers and pointers, for which zero is a valid value, and which points to
        // buffers of these lengths that live until the call returns.
        let (length, room) = unsafe {
            let mut message: libc::msghdr = MaybeUninit::zeroed().assume_init();
            (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = size_of_val(&control);
            let flags = libc::MSG_DONTWAIT;
            (libc::recvmsg(self.0.as_raw_fd(), &raw mut message, flags), message.msg_controllen)
        };
        match usize::try_from(length) {
            Ok(length) => Ok(Some((length.min(frame.len()), tag(&control, room)))),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                error if error.kind() == io::ErrorKind::Interrupted => Ok(None),
                error => Err(error),
            },
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The VLAN tag in a socket's control messages: the only one that this socket asks for is
/// `struct tpacket_auxdata` of `linux/if_packet.h`, behind a `cmsghdr`.
fn tag(control: &[u64], length: usize) -> Option<[u8; 4]> {
    /// `TP_STATUS_VLAN_VALID`
    const VLAN_VALID: u64 = 1 << 4;
    /// The length, level and type of the message, and the structure's 20 bytes.
    const MESSAGE: usize = 16 + 20;
    // Two words of `cmsghdr`; status and length, captured length and offsets, tag and type.
    let [_, _, status, _, rest, ..] = *control else { return None };
    let bytes = rest.to_ne_bytes();
    let [tci, protocol] = [[bytes[0], bytes[1]], [bytes[2], bytes[3]]].map(u16::from_ne_bytes);
    let is_tagged = length >= MESSAGE && status.to_ne_bytes()[0] & VLAN_VALID as u8 != 0;
    let [[a, b], [c, d]] = [protocol.to_be_bytes(), tci.to_be_bytes()];
    is_tagged.then_some([a, b, c, d])
}

/// `struct sockaddr_ll` of an interface and an EtherType.
struct Address {
    ifindex: u32,
    ether_type: u16,
}

// SAFETY: the pointer is to a whole `sockaddr_ll`, which outlives the call.
unsafe impl SocketAddrArg for Address {
    unsafe fn with_sockaddr<R>(
        &self,
        act: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R,
    ) -> R {
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: self.ether_type.to_be(),
            sll_ifindex: self.ifindex.cast_signed(),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        act((&raw const address).cast(), size_of::<libc::sockaddr_ll>() as SocketAddrLen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::live::{PATIENCE, in_namespace, sh};

    /// To everybody, of an EtherType for local experiments.
    fn frame(length: usize) -> Vec<u8> {
        let mut frame = [vec![0xff; 6], vec![2, 0, 0, 0, 0, 1], vec![0x88, 0xb5]].concat();
        frame.resize(length, 7);
        frame
    }

    /// A cable between p1 and p2 that carries frames: until the kernel has seen that both ends are up, it
    /// drops what is sent.
    fn cable() {
        sh("ip link add p1 up type veth peer p2; ip link set p2 up");
        for end in ["p1", "p2"] {
            let up = format!("until ip link show {end} | grep -q 'state UP'; do sleep 0.01; done");
            sh(&format!("timeout {} sh -c \"{up}\"", PATIENCE.as_secs()));
        }
    }

    #[test]
    fn frames_go_from_one_end_to_the_other_and_a_deadline_ends_the_wait() {
        in_namespace(|| async {
            cable();
            let [one, two] = ["p1", "p2"].map(|end| PacketSocket::open(end, 0x88b5).unwrap());
            let one = one.ignore_outgoing().unwrap();
            for length in [60, 1_514] {
                one.send(&frame(length)).unwrap();
                let deadline = Instant::now() + PATIENCE;
                assert_eq!(two.receive(deadline).unwrap(), Some(frame(length)));
            }
            assert_eq!(one.receive(Instant::now()).unwrap(), None);
            assert_eq!(two.receive(Instant::now() + Duration::from_millis(1)).unwrap(), None);
            assert!(one.send(&frame(2_000)).is_err());
        });
    }

    #[test]
    fn a_tag_that_the_kernel_took_out_is_in_its_place_again() {
        in_namespace(|| async {
            cable();
            let all = PacketSocket::open("p2", ALL).unwrap().with_vlan_tags().unwrap();
            let mut tagged = frame(60);
            tagged.splice(12..12, [0x81, 0, 0, 77]);
            PacketSocket::sender("p1").unwrap().send(&tagged).unwrap();
            let deadline = Instant::now() + PATIENCE;
            while all.receive(deadline).unwrap().expect("the frame arrives") != tagged {}
        });
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        assert!(PacketSocket::sender("nowhere").is_err());
        assert!(PacketSocket::of_index(u32::MAX / 2, ALL).is_err());
    }
}
