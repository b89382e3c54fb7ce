//! `fabricctl lookup`: which way a packet goes, here and now.

mod answer;
mod arguments;
mod document;
mod flow;
mod trace;

use std::{net::IpAddr, process::ExitCode};

use anyhow::{Context as _, bail};

use fabric_common::schema::{fdb, ports};

use super::{
    print,
    routes::{self, Span},
    view::View,
};
use crate::{kernel::maps::Maps, mac::Mac};
use answer::{Answer, From, Packet};
pub(super) use arguments::Args;
pub use flow::{Flow, Payload, WITH_PORTS};
pub use trace::{Arrival, Bridged, Leak, Origin, Routed, bridged, routed};

/// Runs `fabricctl lookup`: success if something in the maps matches.
///
/// # Errors
/// If there are no maps, or they do not have what the arguments name.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let payload = args.payload()?;
    let chosen = args.choice.resolve()?;
    let maps = chosen.maps(false)?;
    let view = chosen.view(&maps)?;
    let port = args.port.as_deref().map(|name| slot(&view, name)).transpose()?;
    let arrival = Arrival { port, length: args.length, inner: args.inner };
    let answer = match (args.mac, payload) {
        (Some(mac), payload) => to_mac(args, &maps, &view, &arrival, mac, payload)?,
        (None, Payload::Ip(flow)) => to_address(&maps, &view, &arrival, flow)?,
        (None, Payload::Other { .. }) => bail!("only IP packets are routed; name a MAC by --mac"),
    };
    if args.json {
        print::json(&print::Of::new(chosen.name(), answer.document()))?;
    } else {
        print::text(&answer.text())?;
    }
    Ok(if answer.found() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn slot(view: &View, name: &str) -> anyhow::Result<u32> {
    view.slot(name).with_context(|| {
        format!("{name} is not an accelerated port; `fabricctl maps ports` lists those that are")
    })
}

/// A packet that is routed by the view of the port on which it arrives.
fn to_address<'a>(
    maps: &Maps,
    view: &'a View,
    arrival: &Arrival,
    flow: Flow,
) -> anyhow::Result<Answer<'a>> {
    let port = arrival.port;
    let entry = port.and_then(|slot| Some((slot, view.contents.ports.get(&slot)?)));
    if let Some((slot, _)) = entry.filter(|(_, entry)| entry.role == ports::ROLE_ACCESS) {
        let name = view.port(slot);
        bail!("frames that arrive on {name} are bridged; give the one they are for by --mac");
    }
    demand_inner(view, arrival, &flow)?;
    let arriving =
        view.contents.ports.iter().filter(|(slot, _)| port.is_none_or(|port| port == **slot));
    let mut views: Vec<u16> = arriving.map(|(_, port)| ports::view(port.mac_and_view)).collect();
    if port.is_none() {
        views.retain(|view| *view != 0);
    }
    views.sort_unstable();
    views.dedup();
    let [routing] = views[..] else {
        if views.is_empty() {
            bail!("no port routes packets; the kernel does (`fabricctl maps ports`)");
        }
        bail!("ports route by different views; name the one where the packet arrives by --in");
    };
    let found = &routed(maps, routing, arrival, &flow);
    let ranges = ranges(maps, routing, &flow, found);
    let from = port.map_or(From::Anywhere, From::Port);
    Ok(Answer::routed(view, from, Packet { view: routing, flow: &flow, found, ranges }))
}

/// Refuses a packet that is told apart by headers inside it which are not given.
fn demand_inner(view: &View, arrival: &Arrival, flow: &Flow) -> anyhow::Result<()> {
    if arrival.inner.is_none() && flow.is_told_apart_by_inner(&view.contents.settings) {
        bail!(
            "such packets go by their inner headers here; give the inner packet by --inner \"SRC DST PROTOCOL SPORT DPORT\""
        );
    }
    Ok(())
}

/// Addresses that are answered as that of the packet, in its view and in that of another VRF, where it is not a
/// host that matches.
fn ranges(maps: &Maps, view: u16, flow: &Flow, found: &Routed) -> [Option<Span>; 2] {
    let range = |view, exact: bool, target: Option<u32>| {
        let is_range = target.is_some() && !exact;
        is_range.then(|| routes::around(maps, view, flow.destination)).flatten()
    };
    let leak = found.leak.and_then(|leak| range(leak.view, leak.exact, leak.target));
    [range(view, found.exact, found.target), leak]
}

/// A frame in the bridge domain that is named, or of the port where it arrives.
fn to_mac<'a>(
    args: &Args,
    maps: &Maps,
    view: &'a View,
    arrival: &Arrival,
    mac: Mac,
    payload: Payload,
) -> anyhow::Result<Answer<'a>> {
    let port = arrival.port;
    let contents = &view.contents;
    let circuit = port.map(|slot| {
        let circuit = match args.vlan {
            Some(vlan) => contents.vlans.get(&(slot, vlan)).copied(),
            None => contents.ports.get(&slot).map(|port| port.untagged_circuit.into()),
        };
        circuit.filter(|circuit| *circuit != 0).with_context(|| {
            let name = view.port(slot);
            match args.vlan {
                Some(vlan) => format!("frames of VLAN {vlan} are not accelerated on {name}"),
                None => format!("untagged frames are not accelerated on {name}; give a --vlan"),
            }
        })
    });
    let circuit = circuit.transpose()?;
    let of_circuit = circuit.and_then(|circuit| contents.circuits.get(&circuit));
    let mut bridges =
        contents.domains.iter().filter(|(_, domain)| !ports::is_tunnel(domain.bridge));
    let named = bridges.find(|(index, domain)| {
        args.bridge.as_ref().is_some_and(|name| *name == view.bridge_name(**index, domain))
            || args.vni.is_some_and(|vni| vni == domain.vni)
    });
    let of_vni = contents.domains.values().filter(|domain| {
        !ports::is_tunnel(domain.bridge) && args.vni.is_some_and(|vni| vni == domain.vni)
    });
    if args.bridge.is_none() && of_circuit.is_none() && of_vni.count() > 1 {
        bail!("several VLANs have that VNI; name the bridge with its VLAN by --bridge");
    }
    let domain = match (named, of_circuit) {
        (Some((domain, _)), Some(circuit)) if *domain != u32::from(circuit.domain) => {
            bail!("frames that arrive there are not in that bridge; leave out --in or the bridge")
        }
        (Some((domain, _)), _) => *domain,
        (None, Some(circuit)) if args.bridge.is_none() && args.vni.is_none() => {
            circuit.domain.into()
        }
        _ if args.bridge.is_some() || args.vni.is_some() => {
            bail!("no accelerated bridge has that name or VNI; `fabricctl maps domains` lists them")
        }
        _ => bail!("name the bridge of the MAC by --bridge, --vni or --in"),
    };
    let vtep = args.from_vtep.map(|vtep| known(view, domain, vtep)).transpose()?;
    let (from, origin) = match (vtep, port, circuit) {
        (Some(vtep), ..) => (From::Vtep(vtep), Origin::Tunnel),
        (_, Some(port), Some(circuit)) => (From::Port(port), Origin::Circuit(circuit)),
        _ => (From::Anywhere, Origin::AnyPort),
    };
    let found = bridged(maps, domain as u16, origin, arrival, mac, &payload);
    if let (Some(_), Payload::Ip(flow)) = (&found.routed, &payload) {
        demand_inner(view, arrival, flow)?;
    }
    let ranges = match (&found.routed, &payload, found.target) {
        (Some(routed), Payload::Ip(flow), Some(target)) => {
            let (_, gateway) = fdb::split_target(target);
            ranges(maps, ports::view(maps.ports.get(gateway).mac_and_view), flow, routed)
        }
        _ => [None; 2],
    };
    Ok(Answer::bridged(view, from, domain, mac, &payload, &found, ranges))
}

/// A VTEP out of whose tunnel frames of a domain may come.
fn known(view: &View, domain: u32, vtep: IpAddr) -> anyhow::Result<IpAddr> {
    if view.vni(domain).is_none() {
        bail!("that bridge has no tunnel");
    }
    if !view.contents.vteps.values().any(|known| known.remote() == vtep) {
        bail!(
            "{vtep} is not a VTEP that is known; the kernel gets what it sends (`fabricctl maps vteps`)"
        );
    }
    Ok(vtep)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden;

    #[test]
    fn a_packet_that_arrives_where_frames_are_bridged_needs_a_mac() {
        let (maps, view) = golden::maps();
        let address = |text: &str| text.parse().unwrap();
        let (source, destination) = (address("10.9.0.1"), address("10.9.0.2"));
        let flow = Flow { source, destination, protocol: 1, ports: None, flow_label: 0 };
        let on = |port| {
            let arrival = Arrival { port: Some(port), ..Arrival::default() };
            to_address(&maps, &view, &arrival, flow)
        };
        assert!(on(1).is_ok());
        let error = on(3).map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            error,
            "frames that arrive on h1 are bridged; give the one they are for by --mac"
        );
    }
}
