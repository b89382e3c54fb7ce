//! `fabricctl lookup`: which way a packet goes, here and now.

mod answer;
mod arguments;
mod flow;
mod trace;

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use fabric_common::schema::ports;

use super::{print, routes, view::View};
use crate::{kernel::maps::Maps, mac::Mac};
use answer::Answer;
pub(super) use arguments::Args;
pub use flow::{Flow, Payload, WITH_PORTS};
pub use trace::{Arrival, Bridged, Routed, bridged, routed};

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
    if arrival.inner.is_none() && flow.is_told_apart_by_inner(&view.contents.settings) {
        bail!(
            "such packets go by their inner headers here; give the inner packet by --inner \"SRC DST PROTOCOL SPORT DPORT\""
        );
    }
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
    let found = routed(maps, routing, arrival, &flow);
    let prefix = match found.target {
        Some(_) if !found.exact => routes::around(maps, routing, flow.destination),
        _ => None,
    };
    Ok(Answer::routed(view, port, routing, flow, found, prefix))
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
    let named = contents.domains.iter().find(|(_, domain)| {
        args.bridge.as_ref().is_some_and(|name| *name == view.bridge_name(domain))
            || args.vni.is_some_and(|vni| vni == domain.vni)
    });
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
    let found = bridged(maps, domain as u16, circuit, arrival, mac, &payload);
    Ok(Answer::bridged(view, port, domain, mac, payload, found))
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
