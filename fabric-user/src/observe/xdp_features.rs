//! What XDP programs may do with a device: the generic netlink family `netdev`
//! (`linux/netdev.h`, Linux 6.3 and later), and without it the driver's name.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    Event, ObserveError,
    attributes::{Attributes, header, text, u16_, u32_, u64_},
    request,
};
use crate::netlink::{self, AsyncListener, Client, NetlinkError, Received};

/// What is known about a device and XDP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum XdpFeatures {
    /// The kernel says: `NETDEV_XDP_ACT_*` bits.
    Announced(u64),
    /// The kernel is too old to say. The driver's name, empty if it does not tell.
    Driver(String),
}

impl XdpFeatures {
    /// `NETDEV_XDP_ACT_BASIC`: programs run in its driver.
    pub const BASIC: u64 = 1;
    /// `NETDEV_XDP_ACT_REDIRECT`: a program on it may send frames elsewhere.
    pub const REDIRECT: u64 = 1 << 1;
    /// `NETDEV_XDP_ACT_NDO_XMIT`: programs elsewhere may send frames out of it.
    pub const NDO_XMIT: u64 = 1 << 2;
}

const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_CMD_DEV_ADD_NTF: u8 = 2;
const NETDEV_CMD_DEV_DEL_NTF: u8 = 3;
const NETDEV_CMD_DEV_CHANGE_NTF: u8 = 4;
/// Bytes that the kernel may queue: thousands of devices.
const QUEUE: usize = 8 << 20;

/// The family's numbers, which the kernel gives out when it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    id: u16,
    /// The multicast group `mgmt`.
    group: u32,
}

impl Family {
    /// Asks for the numbers; none if the kernel has no such family.
    ///
    /// # Errors
    /// If the socket fails.
    pub(super) fn find() -> Result<Option<Self>, ObserveError> {
        const NAME: &[u8] = b"netdev\0";
        const CTRL_ATTR_FAMILY_ID: u16 = 1;
        const CTRL_ATTR_MCAST_GROUPS: u16 = 7;
        let what = || "tell of the netlink family of devices".to_owned();
        let client = Client::open_if_known(netlink::Family::Generic);
        let Some(mut client) = client.map_err(ObserveError::asked(what))? else {
            return Ok(None);
        };
        let (mut id, mut group) = (None, None);
        let answer = client.ask(request::generic_family(NAME), |message| {
            let Some((_, attributes)) = header::<4>(message.body) else { return };
            for (kind, payload) in attributes {
                match kind {
                    CTRL_ATTR_FAMILY_ID => id = u16_(payload),
                    CTRL_ATTR_MCAST_GROUPS => group = group_mgmt(Attributes(payload)),
                    _ => {}
                }
            }
        });
        match answer {
            Ok(_) => Ok(id.zip(group).map(|(id, group)| Self { id, group })),
            Err(NetlinkError::Refused(_)) => Ok(None),
            Err(error) => Err(ObserveError::asked(what)(error)),
        }
    }

    /// Reads the features of all devices.
    ///
    /// # Errors
    /// If the socket fails, or the kernel refuses.
    pub(super) fn dump(self, take: &mut dyn FnMut(Event)) -> Result<(), ObserveError> {
        let what = || "list the XDP features of devices".to_owned();
        let mut client =
            Client::open(netlink::Family::Generic).map_err(ObserveError::asked(what))?;
        let request = request::generic_dump(self.id, NETDEV_CMD_DEV_GET);
        let asked = client.ask(request, |message| {
            if message.kind == self.id {
                decode(message.body).into_iter().for_each(&mut *take);
            }
        });
        asked.map(drop).map_err(ObserveError::asked(what))
    }
}

/// The number of the group `mgmt` in a list of groups.
fn group_mgmt(groups: Attributes<'_>) -> Option<u32> {
    const CTRL_ATTR_MCAST_GRP_NAME: u16 = 1;
    const CTRL_ATTR_MCAST_GRP_ID: u16 = 2;
    let mut groups = groups.map(|(_, group)| {
        let attribute = |wanted| {
            let mut attributes = Attributes(group);
            attributes.find(|(kind, _)| *kind == wanted).map(|(_, payload)| payload)
        };
        let name = attribute(CTRL_ATTR_MCAST_GRP_NAME).map(text);
        (name, attribute(CTRL_ATTR_MCAST_GRP_ID).and_then(u32_))
    });
    groups.find(|(name, _)| name.as_deref() == Some("mgmt"))?.1
}

/// `genlmsghdr` (command, version, reserved: 4 bytes) and attributes.
fn decode(body: &[u8]) -> Option<Event> {
    const NETDEV_A_DEV_IFINDEX: u16 = 1;
    const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
    let (&[command, ..], attributes) = header::<4>(body)?;
    let (mut ifindex, mut bits) = (None, None);
    for (kind, payload) in attributes {
        match kind {
            NETDEV_A_DEV_IFINDEX => ifindex = u32_(payload).filter(|index| *index != 0),
            NETDEV_A_DEV_XDP_FEATURES => bits = u64_(payload),
            _ => {}
        }
    }
    let ifindex = ifindex?;
    match command {
        NETDEV_CMD_DEV_DEL_NTF => Some(Event::XdpFeaturesGone { ifindex }),
        NETDEV_CMD_DEV_GET | NETDEV_CMD_DEV_ADD_NTF | NETDEV_CMD_DEV_CHANGE_NTF => {
            Some(Event::XdpFeatures { ifindex, features: XdpFeatures::Announced(bits?) })
        }
        _ => None,
    }
}

/// Listens to changes.
pub(super) struct Listener {
    socket: AsyncListener,
    family: Family,
}

impl Listener {
    /// Subscribes to the changes of all devices of this network namespace.
    ///
    /// # Errors
    /// If the socket fails.
    pub(super) fn open(family: Family) -> Result<Self, ObserveError> {
        let socket = netlink::Listener::open(netlink::Family::Generic, QUEUE);
        let socket = socket.map_err(ObserveError::socket("open"))?;
        socket.join(family.group).map_err(ObserveError::socket("subscribe to a group of"))?;
        let socket = AsyncListener::watch(socket).map_err(ObserveError::socket("watch"))?;
        Ok(Self { socket, family })
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// If the socket fails.
    pub(super) async fn readable(&self) -> Result<(), ObserveError> {
        self.socket.readable().await.map_err(ObserveError::socket("wait for"))
    }

    /// Takes what is there; true if the kernel has dropped messages.
    ///
    /// # Errors
    /// If the socket fails.
    pub(super) fn read(&mut self, into: &mut VecDeque<Event>) -> Result<bool, ObserveError> {
        let mut lost = false;
        loop {
            match self.socket.receive().map_err(ObserveError::socket("read"))? {
                Received::Nothing => return Ok(lost),
                Received::Lost | Received::TooLong => lost = true,
                Received::Datagram(messages) => {
                    let own = messages.filter(|message| message.kind == self.family.id);
                    into.extend(own.filter_map(|message| decode(message.body)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(command: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![command, 1, 0, 0];
        for (kind, payload) in attributes {
            bytes.extend((payload.len() as u16 + 4).to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(*payload);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn features_come_with_an_answer_and_with_changes_and_go_with_the_device() {
        let attributes: [(u16, &[u8]); 2] =
            [(1, &7_u32.to_ne_bytes()), (3, &0x67_u64.to_ne_bytes())];
        let announced = Event::XdpFeatures { ifindex: 7, features: XdpFeatures::Announced(0x67) };
        for command in [NETDEV_CMD_DEV_GET, NETDEV_CMD_DEV_ADD_NTF, NETDEV_CMD_DEV_CHANGE_NTF] {
            assert_eq!(decode(&message(command, &attributes)), Some(announced.clone()));
        }
        let gone = decode(&message(NETDEV_CMD_DEV_DEL_NTF, &attributes));
        assert_eq!(gone, Some(Event::XdpFeaturesGone { ifindex: 7 }));
        // Queues and page pools have messages of their own.
        assert_eq!(decode(&message(6, &attributes)), None);
    }

    #[test]
    fn a_message_without_device_or_features_says_nothing() {
        let whole = message(1, &[(1, &7_u32.to_ne_bytes()), (3, &0x67_u64.to_ne_bytes())]);
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), None, "of {length} bytes");
        }
    }
}
