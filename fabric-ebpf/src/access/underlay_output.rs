//! Arrives: a finished packet and its length in bytes. Leaves: through the port of its nexthop.

use fabric_common::reason::Reason;

use crate::{
    ending::OrStop,
    journey::{Journey, NexthopRef},
    port_output::port_output,
};

#[inline(always)]
pub fn underlay_output(
    journey: &Journey,
    nexthop: NexthopRef,
    length: u32,
    reason: Reason,
) -> Result<Reason, Reason> {
    port_output(journey, nexthop.port.into(), length).or_stop(Reason::UnderlayOutputNoPort)?;
    Ok(reason)
}
