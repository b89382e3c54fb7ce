//! The journey of `fabric_access`, stage by stage.

use fabric_common::reason::Reason;

use crate::{
    access::{
        access_fit::access_fit, access_output::access_output, bridge_lookup::bridge_lookup,
        frame_guard::frame_guard, nexthop_select::nexthop_select, source_check::source_check,
        underlay_output::underlay_output, vlan_classify, vxlan_output,
    },
    journey::{CircuitRef, Destination, Journey},
    packet::Packet,
    port_input::port_input,
    stop::{Stop, address, after, circuit, frame, stage},
};
use fabric_common::schema::ports::ROLE_ACCESS;

/// From a host: to another local port, or into the tunnel to a VTEP.
#[inline(always)]
pub fn from_host<const UP_TO: u8>(
    packet: &mut Packet,
    journey: &mut Journey,
) -> Result<Reason, Stop> {
    port_input(journey, |role| role == ROLE_ACCESS)?;
    after::<UP_TO>(stage::PORT_INPUT, journey, || [0; 5])?;
    match vlan_classify::tag(packet)? {
        None => {
            let from = vlan_classify::untagged(journey)?;
            from_circuit::<UP_TO>(packet, journey, from)
        }
        Some(tci) => {
            let from = vlan_classify::tagged(journey, tci)?;
            from_circuit::<UP_TO>(packet, journey, from)
        }
    }
}

#[inline(always)]
fn from_circuit<const UP_TO: u8>(
    packet: &mut Packet,
    journey: &mut Journey,
    from: CircuitRef,
) -> Result<Reason, Stop> {
    after::<UP_TO>(stage::VLAN_CLASSIFY, journey, || {
        let [index, entry] = circuit(from);
        [index, entry, journey.tag as u64, journey.tci.into(), 0]
    })?;
    let seen = frame_guard(packet, journey)?;
    let made = |[a, b]: [u64; 2]| {
        let [destination, source, rest] = frame(&seen);
        [a, b, destination, source, rest]
    };
    after::<UP_TO>(stage::FRAME_GUARD, journey, || made(circuit(from)))?;
    let destination = bridge_lookup(journey, from, &seen)?;
    let place = match destination {
        Destination::Local(to) => circuit(to),
        Destination::Vtep(to) => [to.index.into(), address(to.vtep)],
    };
    after::<UP_TO>(stage::BRIDGE_LOOKUP, journey, || made(place))?;
    source_check(journey, from, &seen)?;
    after::<UP_TO>(stage::SOURCE_CHECK, journey, || made(place))?;
    match destination {
        Destination::Local(to) => {
            access_fit(journey, to)?;
            after::<UP_TO>(stage::ACCESS_FIT, journey, || made(circuit(to)))?;
            let reason = access_output(packet, journey, to, Reason::Bridged)?;
            after::<UP_TO>(stage::ACCESS_OUTPUT, journey, || [reason as u64, 0, 0, 0, 0])?;
            Ok(reason)
        }
        Destination::Vtep(to) => {
            let selection = nexthop_select(packet, journey, to, &seen)?;
            after::<UP_TO>(stage::NEXTHOP_SELECT, journey, || {
                let network = &selection.network;
                let [nexthop, vtep] = [address(selection.nexthop), address(to.vtep)];
                [nexthop, vtep, to.index.into(), network.hash, network.tos.into()]
            })?;
            let length = if to.vtep.is_ipv6() {
                vxlan_output::ipv6(packet, journey, to, &selection, &seen)?
            } else {
                vxlan_output::ipv4(packet, journey, to, &selection, &seen)?
            };
            after::<UP_TO>(stage::VXLAN_OUTPUT, journey, || {
                [address(selection.nexthop), 0, 0, 0, 0]
            })?;
            let reason = underlay_output(journey, selection.nexthop, length, Reason::Encapsulated)?;
            after::<UP_TO>(stage::UNDERLAY_OUTPUT, journey, || [reason as u64, 0, 0, 0, 0])?;
            Ok(reason)
        }
    }
}
