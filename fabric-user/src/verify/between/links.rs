//! MTUs at the two ends of links between these boxes, which are found by the neighbours that each has there.

use std::collections::HashMap;

use super::{Compared, Seen};
use crate::{
    observe::{Event, Link, LinkKind, Mac},
    verify::difference::Kind,
};

pub(super) fn compare(boxes: &[Seen<'_>], found: &mut Compared) {
    let mut ports: HashMap<Mac, Vec<(usize, &Link)>> = HashMap::new();
    for (number, seen) in boxes.iter().enumerate() {
        for link in seen.facts.network.iter().filter_map(port) {
            ports.entry(link.mac.unwrap_or_default()).or_default().push((number, link));
        }
    }
    for (number, seen) in boxes.iter().enumerate() {
        for link in seen.facts.network.iter().filter_map(port) {
            let macs = neighbours(seen, link.ifindex);
            let at = macs.flat_map(|mac| ports.get(&mac).into_iter().flatten());
            // Each pair once, and a neighbour that has this one for a neighbour as well.
            let is_end = |(other, far): &&(usize, &Link)| {
                let back = || neighbours(&boxes[*other], far.ifindex);
                *other > number && link.mac.is_some_and(|mac| back().any(|there| there == mac))
            };
            for (other, far) in at.filter(is_end).filter(|(_, far)| far.mtu != link.mtu) {
                let other = &boxes[*other];
                let [low, high] = if far.mtu < link.mtu { [far, link] } else { [link, far] };
                let at = if far.mtu < link.mtu { other } else { seen };
                found.add(
                    Kind::Port,
                    format!("{} of {} and {} of {}", link.name, seen.name, far.name, other.name),
                    [
                        (&seen.name, format!("{} has MTU {}", link.name, link.mtu)),
                        (&other.name, format!("{} has MTU {}", far.name, far.mtu)),
                    ],
                    "the MTU was set at one end alone: longer packets of that end are lost on the link, and nobody says so",
                    format!("ip link set {} mtu {}, on {}", low.name, high.mtu, at.name),
                );
            }
        }
    }
}

/// What may have a cable: what stands on something else has the MTU of its own, and many have the same address.
pub(super) fn port(event: &Event) -> Option<&Link> {
    match event {
        Event::Link(link) if !link.loopback && link.mac.is_some() => {
            matches!(link.kind, LinkKind::Device | LinkKind::Other(_)).then_some(link)
        }
        _ => None,
    }
}

/// The MAC addresses of an interface's neighbours.
fn neighbours(seen: &Seen<'_>, ifindex: u32) -> impl Iterator<Item = Mac> {
    seen.kernel.neighbours(ifindex)
}
