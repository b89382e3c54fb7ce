//! Arrives: a finished outer packet. Leaves: through the port of its nexthop.

use fabric_common::reason::Reason;

use super::nexthop_select::Selection;
use crate::{account, maps, packet::Packet};

#[inline(always)]
pub fn underlay_output(packet: &Packet, selection: &Selection) -> Result<Reason, Reason> {
    let port = u32::from(selection.nexthop.port);
    maps::TX_PORTS.redirect(port, 0).map_err(|_| Reason::UnderlayOutputNoPort)?;
    if let Some(counter) = maps::PORT_TX.get_ptr_mut(port) {
        account::add(counter, packet.length());
    }
    Ok(Reason::Encapsulated)
}
