//! How often interfaces have lost their carriers: what flaps is up whenever somebody looks.

use std::collections::BTreeMap;

use crate::netlink::{
    Client, Family, NetlinkError,
    attributes::{header, text, u32_},
    rtnetlink::{RTM_NEWLINK, all_links},
};

/// By the names of interfaces of the present network namespace, since each was made.
///
/// # Errors
/// If the kernel cannot be asked.
pub(super) fn losses() -> Result<BTreeMap<String, u32>, NetlinkError> {
    let mut all = BTreeMap::new();
    Client::open(Family::Route)?.ask(all_links(), |message| {
        if message.kind == RTM_NEWLINK {
            all.extend(lost(message.body));
        }
    })?;
    Ok(all)
}

/// The name and the number of a link's message (`linux/if_link.h`).
fn lost(message: &[u8]) -> Option<(String, u32)> {
    const IFLA_IFNAME: u16 = 3;
    const IFLA_CARRIER_DOWN_COUNT: u16 = 48;
    let (_, attributes) = header::<16>(message)?;
    let (mut name, mut number) = (None, None);
    for (kind, payload) in attributes {
        match kind {
            IFLA_IFNAME => name = Some(text(payload)),
            IFLA_CARRIER_DOWN_COUNT => number = u32_(payload),
            _ => {}
        }
    }
    Some((name?, number?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::live::{in_namespace, sh};

    #[test]
    fn an_end_loses_its_carrier_whenever_the_other_one_is_switched_off() {
        in_namespace(|| async {
            sh("ip link add p1 type veth peer p2");
            sh("ip link set p1 up; ip link set p2 up");
            let before = losses().unwrap()["p1"];
            sh("for n in 1 2 3; do ip link set p2 down; ip link set p2 up; done");
            assert_eq!(losses().unwrap()["p1"], before + 3);
        });
    }
}
