//! Changes to an interface of the current namespace.
//!
//! Features that stand between XDP and the frame:
//! - Checksum offload: a veth has no hardware that would complete a partial checksum after XDP
//!   has taken the frame away from the kernel.
//! - VLAN offload: a tag in the skb's metadata is invisible to XDP.
//! - GRO: frames redirected into a veth are lost unless the receiving end has NAPI, which it gets
//!   from an XDP program or from GRO.

use std::{io, os::fd::OwnedFd};

use super::ethtool::Ethtool;
use crate::{
    netlink::{Client, Family, NetlinkError, rtnetlink},
    observe::{Event, Link, decode},
};

/// `ETH_FLAG_TXVLAN` and `ETH_FLAG_RXVLAN` of `linux/ethtool.h`.
const TX_VLAN: u32 = 1 << 7;
const RX_VLAN: u32 = 1 << 8;

/// Makes an interface behave like a port with a wire: no transmit checksum and VLAN offload, GRO on.
///
/// # Errors
/// If there is no such interface or it refuses.
pub fn make_wirelike(interface: &str) -> io::Result<()> {
    let (ethtool, ifindex) = (Ethtool::open()?, index(interface)?);
    ethtool.set_tx_checksum(ifindex, false)?;
    ethtool.set_gro(ifindex, true)?;
    let flags = ethtool.flags(ifindex)?;
    ethtool.set_flags(ifindex, flags & !(TX_VLAN | RX_VLAN))
}

/// Leaves VLAN tags in the frames that an interface receives, instead of hiding them from XDP. True
/// if that had to be changed.
///
/// # Errors
/// If the driver cannot, or there is no such interface.
pub fn show_received_tags(ifindex: u32) -> io::Result<bool> {
    let ethtool = Ethtool::open()?;
    let flags = match ethtool.flags(ifindex) {
        Ok(flags) => flags,
        // A driver that knows no flags has no offload.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(false),
        Err(error) => return Err(error),
    };
    if flags & RX_VLAN == 0 {
        return Ok(false);
    }
    ethtool.set_flags(ifindex, flags & !RX_VLAN)?;
    if ethtool.flags(ifindex)? & RX_VLAN != 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(true)
}

/// Undoes [`show_received_tags`] on the interface with this index, if it has this MAC address: an index
/// may be another interface's by now, in another network namespace too.
///
/// # Errors
/// If it refuses.
pub fn hide_received_tags(ifindex: u32, mac: [u8; 6]) -> io::Result<()> {
    if link(ifindex)?.mac.map(|own| own.0) != Some(mac) {
        return Ok(());
    }
    let ethtool = Ethtool::open()?;
    ethtool.set_flags(ifindex, ethtool.flags(ifindex)? | RX_VLAN)
}

/// The index of an interface.
///
/// # Errors
/// If there is no such interface.
pub fn index(interface: &str) -> io::Result<u32> {
    Ok(rustix::net::netdevice::name_to_index(&control_socket()?, interface)?)
}

/// The name of an interface.
///
/// # Errors
/// If there is no such interface.
pub fn name(ifindex: u32) -> io::Result<String> {
    Ok(rustix::net::netdevice::index_to_name(&control_socket()?, ifindex)?)
}

/// The MAC address of an interface.
///
/// # Errors
/// If there is no such interface, or it has none.
pub fn mac_address(interface: &str) -> io::Result<[u8; 6]> {
    let mac = link(index(interface)?)?.mac.ok_or(io::ErrorKind::Unsupported)?;
    Ok(mac.0)
}

/// Switches an interface on or off.
///
/// # Errors
/// If there is no such interface or it refuses.
pub fn set_up(interface: &str, up: bool) -> io::Result<()> {
    let request = rtnetlink::switch_link(index(interface)?, up);
    Client::open(Family::Route)?.ask(request, |_| {})?;
    Ok(())
}

/// Whether an interface is up and its other end as well.
///
/// # Errors
/// If there is no such interface.
pub fn has_carrier(interface: &str) -> io::Result<bool> {
    let link = link(index(interface)?)?;
    Ok(link.up && link.carrier)
}

fn link(ifindex: u32) -> io::Result<Link> {
    let mut client = Client::open(Family::Route)?;
    let answer = client.ask_one(rtnetlink::one_link(ifindex), rtnetlink::RTM_NEWLINK)?;
    match answer.map(|body| decode(rtnetlink::RTM_NEWLINK, 0, &body)) {
        Some(Ok(Some(Event::Link(link)))) => Ok(link),
        _ => Err(NetlinkError::CutOff.into()),
    }
}

pub(super) fn control_socket() -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::live::{in_namespace, sh};

    #[test]
    fn an_interface_is_switched_on_and_off_and_has_a_carrier_with_its_other_end() {
        in_namespace(|| async {
            sh("ip link add p1 address 02:00:00:00:00:01 type veth peer p2");
            assert_eq!(mac_address("p1").unwrap(), [2, 0, 0, 0, 0, 1]);
            set_up("p1", true).unwrap();
            assert!(!has_carrier("p1").unwrap());
            set_up("p2", true).unwrap();
            assert!(has_carrier("p1").unwrap());
            set_up("p1", false).unwrap();
            assert!(!has_carrier("p1").unwrap());
            for missing in [set_up("p3", true).err(), has_carrier("p3").err()] {
                assert_eq!(missing.unwrap().raw_os_error(), Some(libc::ENODEV));
            }
        });
    }

    #[test]
    fn offloads_come_back_to_the_interface_that_had_them_and_to_no_other() {
        in_namespace(|| async {
            sh("ip link add p1 address 02:00:00:00:00:01 type veth peer p2");
            let (ethtool, ifindex) = (Ethtool::open().unwrap(), index("p1").unwrap());
            let hidden = || ethtool.flags(ifindex).unwrap() & RX_VLAN != 0;
            assert!(hidden() && show_received_tags(ifindex).unwrap());
            assert!(!hidden() && !show_received_tags(ifindex).unwrap());
            hide_received_tags(ifindex, [2, 0, 0, 0, 0, 2]).unwrap();
            assert!(!hidden());
            hide_received_tags(ifindex, [2, 0, 0, 0, 0, 1]).unwrap();
            assert!(hidden());
            make_wirelike("p1").unwrap();
            assert!(!hidden() && ethtool.gro(ifindex).unwrap());
        });
    }
}
