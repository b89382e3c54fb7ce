//! The order in which messages about different objects arrive makes no difference.

use std::collections::{BTreeMap, VecDeque};

use super::{incremental::Incremental, recorded, world};
use crate::{
    model::*,
    observe::{recording::Line, tests::random::Random, *},
};

/// The messages about each object that still count.
#[derive(Default)]
pub(super) struct Objects(BTreeMap<String, VecDeque<Event>>);

/// Name of the object that an event is about.
fn object(event: &Event) -> String {
    match event {
        Event::Link(link) => format!("link {}", link.ifindex),
        Event::LinkGone { ifindex } | Event::BridgePortGone { ifindex } => {
            format!("link {ifindex}")
        }
        Event::BridgePort(port) => format!("link {}", port.ifindex),
        Event::BridgeVlans { ifindex, .. } => format!("link {ifindex}"),
        Event::VlanStates(states) => format!("vlans {}", states.ifindex),
        Event::VniFilter(filter) | Event::VniFilterGone(filter) => format!("vnis {}", filter.vxlan),
        Event::BridgeMac(entry) => {
            format!("mac {} {} {}", entry.bridge, entry.vlan, entry.mac)
        }
        Event::BridgeMacGone { bridge, vlan, mac } => format!("mac {bridge} {vlan} {mac}"),
        Event::TunnelMac(entry) | Event::TunnelMacGone(entry) => match entry.mac == Mac::ZERO {
            true => format!("flood {} {:?} {:?}", entry.vxlan, entry.source_vni, entry.target),
            false => format!("tunnel {} {:?} {}", entry.vxlan, entry.source_vni, entry.mac),
        },
        Event::OwnMac { ifindex, mac } | Event::OwnMacGone { ifindex, mac } => {
            format!("own mac {ifindex} {mac}")
        }
        Event::Neighbour(n) => format!("routing neighbour {} {}", n.ifindex, n.address),
        Event::NeighbourGone { ifindex, address } => {
            format!("routing neighbour {ifindex} {address}")
        }
        Event::Route(route)
        | Event::RouteAppended(route)
        | Event::RoutePrepended(route)
        | Event::RouteGone(route) => format!("routing route {:?}", route.key),
        Event::Rule(rule) | Event::RuleGone(rule) => {
            format!("rules {} {}", rule.v6, rule.priority)
        }
        Event::Netconf(Netconf { v6, ifindex, .. }) => format!("netconf {v6} {ifindex:?}"),
        Event::NetconfGone { v6, ifindex } => format!("netconf {v6} {:?}", Some(ifindex)),
        Event::Classifiers(_) | Event::ClassifiersChanged => "classifiers".into(),
        Event::AddressChanged { ifindex } => format!("addresses {ifindex}"),
        Event::XdpFeatures { ifindex, .. } | Event::XdpFeaturesGone { ifindex } => {
            format!("features {ifindex}")
        }
        // What is known of the other end goes with the link.
        Event::VethPeer { ifindex, .. } => format!("link {ifindex}"),
        Event::Nexthop(nexthop) => format!("routing nexthop {}", nexthop.id),
        Event::NexthopGone { id } => format!("routing nexthop {id}"),
        Event::Learned(learned) => format!("routing learned {}", learned.destination),
        Event::IpsecPolicy(IpsecPolicy { index, .. }) | Event::IpsecPolicyGone { index } => {
            format!("ipsec {index}")
        }
        Event::IpsecPoliciesGone { .. } | Event::IpsecDefaults(_) => "ipsec".into(),
        Event::Chain(_) | Event::DormantTable { .. } | Event::NetfilterChanged => {
            "netfilter".into()
        }
    }
}

impl Objects {
    /// Those of events that are each about another one.
    pub(super) fn of(events: Vec<Event>) -> Self {
        let (mut objects, count) = (Self::default(), events.len());
        events.into_iter().for_each(|event| objects.add(event));
        assert_eq!(objects.0.len(), count, "each message is about another object");
        objects
    }

    fn add(&mut self, event: Event) {
        let queue = self.0.entry(object(&event)).or_default();
        // A link and the bridge both describe a bridge port: the last word of each counts.
        let about_port = |event: &Event| matches!(event, Event::BridgePort(_));
        // These messages do not say everything about their object.
        let partial = matches!(
            event,
            Event::RouteAppended(_)
                | Event::RoutePrepended(_)
                | Event::RouteGone(_)
                | Event::Rule(_)
                | Event::RuleGone(_)
                | Event::Netconf(_)
                | Event::VniFilter(_)
                | Event::VniFilterGone(_)
        );
        if !partial {
            queue.retain(|earlier| about_port(earlier) != about_port(&event));
        }
        queue.push_back(event);
    }

    fn read(&mut self, line: Line) {
        match line {
            Line::Event(event) => self.add(event),
            Line::Listing(listing) => {
                self.0.retain(|name, _| {
                    listing.scope == Scope::Routing && !name.starts_with("routing")
                });
                listing.events.into_iter().for_each(|event| self.add(event));
            }
            Line::Step(_) | Line::Lost => {}
        }
    }

    /// One of the possible orders, applied event by event.
    pub(super) fn shuffled(&self, random: &mut Random) -> Desired {
        let mut queues: Vec<_> = self.0.values().cloned().collect();
        let mut follower = Incremental::new(Policy::default());
        while !queues.is_empty() {
            let at = random.below(queues.len());
            match queues[at].pop_front() {
                Some(event) => {
                    follower.apply(event);
                }
                None => drop(queues.swap_remove(at)),
            }
        }
        follower.desired()
    }
}

#[test]
fn any_order_of_a_leafs_messages_gives_the_same_result() {
    let objects = Objects::of(world::leaf_events());
    let expected = world::leaf().desired();
    assert_eq!(expected.fdb.len(), 2);
    let mut random = Random(0x0fab);
    for _ in 0..500 {
        assert_eq!(objects.shuffled(&mut random), expected);
    }
}

#[test]
fn any_order_of_recorded_messages_gives_what_their_own_order_gave() {
    let mut random = Random(0xfab2);
    for recording in [recorded::LEAF, recorded::VLAN_AWARE] {
        let mut objects = Objects::default();
        let mut follower = Incremental::new(Policy::default());
        let mut steps = 0;
        for line in recorded::lines(recording) {
            if let Line::Step(name) = &line {
                steps += 1;
                for _ in 0..20 {
                    assert_eq!(objects.shuffled(&mut random), follower.desired(), "before: {name}");
                }
            }
            match line.clone() {
                Line::Event(event) => drop(follower.apply(event)),
                Line::Listing(listing) => drop(follower.replace(listing)),
                Line::Step(_) | Line::Lost => {}
            }
            objects.read(line);
        }
        assert_eq!(objects.shuffled(&mut random), compile(&follower.network, &Policy::default()));
        assert!(steps > 5);
    }
}
