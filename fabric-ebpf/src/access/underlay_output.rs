//! Arrives: a finished packet. Leaves: through the port of its nexthop.

use fabric_common::reason::Reason;

use crate::{account, journey::NexthopRef, maps, packet::Packet};

#[inline(always)]
pub fn underlay_output(
    packet: &Packet,
    nexthop: NexthopRef,
    reason: Reason,
) -> Result<Reason, Reason> {
    let port = u32::from(nexthop.port);
    maps::TX_PORTS.redirect(port, 0).map_err(|_| Reason::UnderlayOutputNoPort)?;
    if let Some(counter) = maps::PORT_TX.get_ptr_mut(port) {
        account::add(counter, packet.length());
    }
    Ok(reason)
}
