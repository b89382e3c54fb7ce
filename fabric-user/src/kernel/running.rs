//! Which XDP program runs on an interface of this network namespace, as the kernel says at this moment.

use std::io;

use aya::programs::XdpMode;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::observe::attributes::{Attributes, header, u32_};

const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const NLM_F_REQUEST: u16 = 1;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const IFLA_XDP_SKB_PROG_ID: u16 = 6;
/// `RTEXT_FILTER_SKIP_STATS`
const SKIP_STATS: u32 = 1 << 3;
/// The kernel's answer has at most a page.
const BUFFER: usize = 32 << 10;

/// Who runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The driver.
    Native,
    /// The kernel, for any driver.
    Generic,
}

impl From<XdpMode> for Mode {
    fn from(mode: XdpMode) -> Self {
        match mode {
            XdpMode::Skb => Self::Generic,
            XdpMode::Default | XdpMode::Driver | XdpMode::Hardware => Self::Native,
        }
    }
}

/// The programs of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Running {
    native: Option<u32>,
    generic: Option<u32>,
}

impl Running {
    /// Number of the program that runs in a mode.
    #[must_use]
    pub const fn program(&self, mode: Mode) -> Option<u32> {
        match mode {
            Mode::Native => self.native,
            Mode::Generic => self.generic,
        }
    }
}

/// Asks the kernel.
#[derive(Debug)]
pub struct Interfaces {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Interfaces {
    /// For the network namespace of this thread.
    ///
    /// # Errors
    /// If the kernel gives no socket.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// The programs of an interface; `None` if there is no such interface.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn running(&mut self, ifindex: u32) -> io::Result<Option<Running>> {
        self.sequence = self.sequence.wrapping_add(1);
        // `nlmsghdr`, `ifinfomsg` with the index in its second word, and one attribute.
        let mut request = [0_u8; 40];
        request[..4].copy_from_slice(&40_u32.to_ne_bytes());
        request[4..6].copy_from_slice(&RTM_GETLINK.to_ne_bytes());
        request[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
        request[8..12].copy_from_slice(&self.sequence.to_ne_bytes());
        request[20..24].copy_from_slice(&ifindex.to_ne_bytes());
        request[32..34].copy_from_slice(&8_u16.to_ne_bytes());
        request[34..36].copy_from_slice(&IFLA_EXT_MASK.to_ne_bytes());
        request[36..40].copy_from_slice(&SKIP_STATS.to_ne_bytes());
        self.socket.send_to(&request, &SocketAddr::new(0, 0), 0)?;
        loop {
            // The answer is there when the question has been sent: nothing may wait for one that is lost.
            let flags = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
            let length = self.socket.recv(&mut &mut self.buffer[..], flags)?;
            let answer = self.buffer.get(..length).and_then(Answer::read);
            match answer.ok_or(io::ErrorKind::InvalidData)? {
                Answer { sequence, answer } if sequence == self.sequence => return answer,
                // To a question that was given up.
                Answer { .. } => {}
            }
        }
    }
}

/// What the kernel says, and to which question.
struct Answer {
    sequence: u32,
    answer: io::Result<Option<Running>>,
}

impl Answer {
    /// `None` if it cannot be read.
    fn read(message: &[u8]) -> Option<Self> {
        let (head, _) = header::<16>(message)?;
        let &[_, _, _, _, low, high, _, _, a, b, c, d, ..] = head;
        let body = message.get(16..)?;
        let answer = match u16::from_ne_bytes([low, high]) {
            RTM_NEWLINK => Ok(Some(programs(header::<16>(body)?.1))),
            NLMSG_ERROR => match u32_(body)?.cast_signed() {
                error if error == -libc::ENODEV => Ok(None),
                error => Err(io::Error::from_raw_os_error(error.wrapping_neg())),
            },
            _ => return None,
        };
        Some(Self { sequence: u32::from_ne_bytes([a, b, c, d]), answer })
    }
}

fn programs(mut link: Attributes<'_>) -> Running {
    let mut running = Running::default();
    let xdp = link.find(|(kind, _)| *kind == IFLA_XDP);
    for (kind, payload) in xdp.into_iter().flat_map(|(_, nested)| Attributes(nested)) {
        match kind {
            IFLA_XDP_DRV_PROG_ID => running.native = u32_(payload),
            IFLA_XDP_SKB_PROG_ID => running.generic = u32_(payload),
            _ => {}
        }
    }
    running
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as u16 + 4).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(16, 0);
        bytes.extend(body);
        bytes
    }

    fn answer(message: &[u8]) -> Option<io::Result<Option<Running>>> {
        Answer::read(message).map(|answer| answer.answer)
    }

    #[test]
    fn a_program_is_told_with_who_runs_it() {
        let generic = attribute(IFLA_XDP_SKB_PROG_ID, &77_u32.to_ne_bytes());
        let xdp = [attribute(2, &[2]), attribute(4, &77_u32.to_ne_bytes()), generic].concat();
        let body = [vec![0; 16], attribute(3, b"swp1\0"), attribute(IFLA_XDP, &xdp)].concat();
        let running = answer(&message(RTM_NEWLINK, &body)).unwrap().unwrap().unwrap();
        assert_eq!(running.program(Mode::Generic), Some(77));
        assert_eq!(running.program(Mode::Native), None);
    }

    #[test]
    fn an_interface_that_is_gone_is_no_error() {
        let body = (-libc::ENODEV).to_ne_bytes();
        assert_eq!(answer(&message(NLMSG_ERROR, &body)).unwrap().unwrap(), None);
        let body = (-libc::EPERM).to_ne_bytes();
        assert!(answer(&message(NLMSG_ERROR, &body)).unwrap().is_err());
    }

    #[test]
    fn an_answer_that_is_cut_off_is_no_answer() {
        let whole = message(NLMSG_ERROR, &(-libc::ENODEV).to_ne_bytes());
        for length in 0..whole.len() {
            assert!(answer(&whole[..length]).is_none(), "of {length} bytes");
        }
    }

    #[test]
    fn the_kernel_knows_the_loopback_interface_and_none_of_the_highest_index() {
        let mut interfaces = Interfaces::open().unwrap();
        assert_eq!(interfaces.running(1).unwrap(), Some(Running::default()));
        assert_eq!(interfaces.running(u32::MAX / 2).unwrap(), None);
    }
}
