//! Which XDP program runs on an interface of this network namespace, as the kernel says at this moment.

use aya::programs::XdpMode;

use crate::netlink::{
    Client, Family, NetlinkError,
    attributes::{Attributes, header, u8_, u32_},
    rtnetlink::{self, RTM_NEWLINK},
};

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

/// What a link's message says about XDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct XdpState {
    /// How programs are attached: `XDP_ATTACHED_*` of `linux/if_link.h`.
    pub(crate) attached: Option<u8>,
    /// Number of the only program.
    pub(crate) program: Option<u32>,
    pub(crate) running: Running,
}

impl XdpState {
    /// Reads `ifinfomsg` and attributes.
    pub(crate) fn read(link: &[u8]) -> Self {
        const IFLA_XDP: u16 = 43;
        const IFLA_XDP_ATTACHED: u16 = 2;
        const IFLA_XDP_PROG_ID: u16 = 4;
        const IFLA_XDP_DRV_PROG_ID: u16 = 5;
        const IFLA_XDP_SKB_PROG_ID: u16 = 6;
        let mut state = Self::default();
        let xdp = header::<16>(link).and_then(|(_, mut it)| it.find(|(kind, _)| *kind == IFLA_XDP));
        for (kind, payload) in xdp.into_iter().flat_map(|(_, nested)| Attributes(nested)) {
            match kind {
                IFLA_XDP_ATTACHED => state.attached = u8_(payload),
                IFLA_XDP_PROG_ID => state.program = u32_(payload),
                IFLA_XDP_DRV_PROG_ID => state.running.native = u32_(payload),
                IFLA_XDP_SKB_PROG_ID => state.running.generic = u32_(payload),
                _ => {}
            }
        }
        state
    }

    /// Whether a program runs in the driver.
    pub(crate) fn is_in_driver(&self) -> bool {
        /// `XDP_ATTACHED_DRV` and `XDP_ATTACHED_MULTI`.
        const IN_DRIVER: [u8; 2] = [1, 4];
        self.attached.is_some_and(|how| IN_DRIVER.contains(&how))
    }
}

/// Asks the kernel.
#[derive(Debug)]
pub struct Interfaces(Client);

impl Interfaces {
    /// For the network namespace of this thread.
    ///
    /// # Errors
    /// If the kernel gives no socket.
    pub fn open() -> Result<Self, NetlinkError> {
        Client::open(Family::Route).map(Self)
    }

    /// The programs of an interface; `None` if there is no such interface.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn running(&mut self, ifindex: u32) -> Result<Option<Running>, NetlinkError> {
        const IFLA_EXT_MASK: u16 = 29;
        /// `RTEXT_FILTER_SKIP_STATS`
        const SKIP_STATS: u32 = 1 << 3;
        let request =
            rtnetlink::one_link(ifindex).attribute(IFLA_EXT_MASK, &SKIP_STATS.to_ne_bytes());
        match self.0.ask_one(request, RTM_NEWLINK) {
            Ok(link) => Ok(link.map(|link| XdpState::read(&link).running)),
            Err(error) if error.refused() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Request;

    /// `ifinfomsg`, a name, and what it says about XDP.
    fn link(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let attribute =
            |request: Request, (kind, payload): &(u16, &[u8])| request.attribute(*kind, payload);
        let xdp = attributes.iter().fold(Request::new(0, 0, &[]), attribute).numbered(0);
        let link = Request::new(0, 0, &[0; 16]).attribute(3, b"swp1\0").attribute(43, &xdp[16..]);
        link.numbered(0)[16..].to_vec()
    }

    #[test]
    fn a_program_is_told_with_who_runs_it() {
        let number = 77_u32.to_ne_bytes();
        let state = XdpState::read(&link(&[(2, &[2]), (4, &number), (6, &number)]));
        assert_eq!(
            (state.attached, state.program, state.is_in_driver()),
            (Some(2), Some(77), false)
        );
        assert_eq!(state.running.program(Mode::Generic), Some(77));
        assert_eq!(state.running.program(Mode::Native), None);
        for how in [1, 4] {
            assert!(XdpState::read(&link(&[(2, &[how]), (5, &number)])).is_in_driver());
        }
    }

    #[test]
    fn a_message_that_is_cut_off_tells_of_no_program() {
        let whole = link(&[(2, &[1]), (5, &77_u32.to_ne_bytes())]);
        for length in 0..whole.len() {
            assert_eq!(XdpState::read(&whole[..length]), XdpState::default(), "of {length} bytes");
        }
    }

    #[test]
    fn the_kernel_knows_the_loopback_interface_and_none_of_the_highest_index() {
        let mut interfaces = Interfaces::open().unwrap();
        assert_eq!(interfaces.running(1).unwrap(), Some(Running::default()));
        assert_eq!(interfaces.running(u32::MAX / 2).unwrap(), None);
    }
}
