//! `[[reach]]`: who reaches whom, and who does not.

use std::net::IpAddr;

use serde::Deserialize;

use super::{
    Kind,
    gateway::{can_fail, can_have, doubled, ping},
};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, Stop, not_asked},
        inventory::Inventory,
        look::Look,
        names::{Known, Names},
        probe::{Connected, Probe, Transport, Within},
        shape::{Shape, shape},
        span::{Span, measured},
    },
    lab::topology::{Host, Service, Switch},
};

shape! {
    /// Each host that asks gets answers from each of the others; or, if none are expected, from none of them. The control
    /// of silence is that the host that asks gets answers from its own gateway, by packets of the same size, and a host that
    /// is asked from its own: of an address, a service or a node nobody can say by this whether it lives. Silence of udp
    /// proves nothing, because a server may take what it does not answer.
    pub(crate) struct Reach: "reach", "[[reach]]\nfrom = \"app*\"\nto = \"app*\"\nsize = 1500\n\n[[reach]]\nfrom = \"web*\"\nto = \"log*\"\nexpect = \"none\"" {
        /// The hosts that ask, or nodes, which send pings from their loopbacks, or in a VRF.
        from: Names = Required,
        /// The VRF in which nodes ask; the default one.
        vrf: Option<String> = None,
        /// The hosts, services or nodes that are asked, or an address.
        to: Names = Required,
        /// Whether answers are expected: all or none.
        expect: Expect = Or("\"all\""),
        /// icmp, tcp or udp.
        proto: Proto = Or("\"icmp\""),
        /// The port, of tcp and udp.
        port: Option<u16> = None,
        /// What counts as answer of tcp and udp: open, or any, also that nobody is at the port.
        answer: Answer = Or("\"open\""),
        /// ipv4 or ipv6.
        family: Family = Or("\"ipv4\""),
        /// Bytes of each IP packet, which may not be fragmented; of icmp. Without it, that of `ping`.
        size: Option<u32> = None,
        /// So many packets are sent; of icmp.
        count: u32 = Or("3"),
        /// Time between two of them.
        interval: Span = Or("\"200ms\""),
        /// The most that may be lost, less than `count`.
        loss: u32 = Or("0"),
        /// The longest round trip; any.
        rtt: Option<Span> = None,
    }
}

/// Whether answers are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    All,
    None,
}

/// What carries the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Proto {
    Icmp,
    Tcp,
    Udp,
}

/// What counts as answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Open,
    Any,
}

/// The family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Family {
    Ipv4,
    Ipv6,
}

/// Who asks.
#[derive(Clone, Debug)]
struct Asker {
    name: String,
    within: Within,
    gateways: Vec<IpAddr>,
}

/// Who has to answer in the same round, so that the silence of others proves something.
#[derive(Clone, Debug)]
struct Control {
    /// The host that asks its own gateway.
    host: String,
    ping: Probe,
}

/// Whom to ask.
#[derive(Clone, Debug)]
struct Target {
    name: String,
    address: IpAddr,
}

impl Kind for Reach {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        match (self.proto, self.port) {
            (Proto::Icmp, Some(_)) => {
                return Err("icmp has no ports; set proto to tcp or udp".into());
            }
            (Proto::Tcp | Proto::Udp, None) => return Err("tcp and udp need a port".into()),
            (Proto::Tcp | Proto::Udp, _) if self.size.is_some() => {
                return Err("size is of icmp alone".into());
            }
            (Proto::Udp, _) if self.expect == Expect::None => {
                return Err(
                    "silence of udp proves nothing, because a server may take what it does not answer; set proto to tcp or icmp"
                        .into(),
                );
            }
            _ => {}
        }
        if let Some(size) = self.size {
            can_have(size, self.family == Family::Ipv6)?;
        }
        can_fail(self.count, self.loss)?;
        let targets = self.targets(inventory)?;
        let mut drafts = Vec::new();
        for asker in self.askers(inventory)? {
            let own = inventory.addresses_of(&asker.name);
            for target in targets.iter().filter(|it| !own.contains(&it.address)) {
                drafts.push(self.draft(inventory, &asker, target)?);
            }
        }
        Ok(drafts)
    }
}

impl Reach {
    fn is_asked(&self, address: IpAddr) -> bool {
        address.is_ipv6() == (self.family == Family::Ipv6)
    }

    /// Hosts, or else nodes, which have no gateways.
    fn askers(&self, inventory: &Inventory) -> Result<Vec<Asker>, String> {
        let host = |it: &Host| Asker {
            name: it.name.clone(),
            within: Within::default(),
            gateways: inventory.gateways_of(it),
        };
        match (inventory.hosts(&self.from), inventory.nodes(&self.from)) {
            (Ok(_), _) if self.vrf.is_some() => {
                Err("hosts are in the VRF of their network; vrf is of nodes that ask".into())
            }
            (Ok(hosts), _) => Ok(hosts.into_iter().map(host).collect()),
            (Err(_), Ok(nodes)) => nodes.into_iter().map(|it| self.node(inventory, it)).collect(),
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// A node that asks.
    fn node(&self, inventory: &Inventory, node: &Switch) -> Result<Asker, String> {
        let within = match &self.vrf {
            Some(vrf) if !inventory.topology.tenants_of(node).any(|it| it.name == *vrf) => {
                return Err(format!(
                    "{} has no network of a tenant {vrf}, and so no such VRF",
                    node.name
                ));
            }
            Some(vrf) => Within { vrf: Some(vrf.clone()), address: None },
            // Links have no addresses, by which others could answer.
            None => {
                let mut own = inventory.addresses_of(&node.name).into_iter();
                Within { vrf: None, address: own.find(|it| self.is_asked(*it)) }
            }
        };
        Ok(Asker { name: node.name.clone(), within, gateways: Vec::new() })
    }

    fn targets(&self, inventory: &Inventory) -> Result<Vec<Target>, String> {
        if let Some(address) = self.to.address() {
            return match self.is_asked(address) {
                true => Ok(vec![Target { name: address.to_string(), address }]),
                false => Err(format!("{address} is of the other family; set `family`")),
            };
        }
        let services: Vec<&Service> = inventory.topology.services.iter().collect();
        let of_names = |names: Vec<&String>| {
            names.into_iter().map(|it| (it.clone(), inventory.addresses_of(it))).collect()
        };
        let services = || {
            let picked = self
                .to
                .pick("service", &services, |it| Known { name: &it.name, ..Known::default() });
            picked.map(|all| all.iter().map(|it| (it.name.clone(), it.addresses.clone())).collect())
        };
        let hosts = inventory.hosts(&self.to).map(|all| all.iter().map(|it| &it.name).collect());
        let nodes = || inventory.nodes(&self.to).map(|all| all.iter().map(|it| &it.name).collect());
        // Of what is no name at all it is said which hosts there are.
        let named: Vec<(String, Vec<IpAddr>)> = match hosts {
            Ok(hosts) => of_names(hosts),
            Err(error) => services().or_else(|_| nodes().map(of_names)).map_err(|_| error)?,
        };
        // One that is not asked would pass unseen.
        let has_none = |(_, all): &&(String, Vec<IpAddr>)| !all.iter().any(|it| self.is_asked(*it));
        if let Some((name, _)) = named.iter().find(has_none) {
            let family = if self.family == Family::Ipv6 { "IPv6" } else { "IPv4" };
            return Err(format!("{name} has no {family} address; leave it out by \"!{name}\""));
        }
        let targets = named.into_iter().flat_map(|(name, addresses)| {
            let asked = addresses.into_iter().filter(|it| self.is_asked(*it));
            asked.map(move |address| Target { name: name.clone(), address }).collect::<Vec<_>>()
        });
        Ok(targets.collect())
    }

    /// A ping as the table says.
    fn ping(&self, from: &str, to: IpAddr) -> Probe {
        let mut ping = ping(from, to, self.count, self.interval);
        if let Probe::Ping { size, whole, .. } = &mut ping {
            (*size, *whole) = (self.size, self.size.is_some());
        }
        ping
    }

    fn question(&self, asker: &Asker, to: IpAddr) -> Probe {
        let transport = match self.proto {
            Proto::Icmp => {
                let mut question = self.ping(&asker.name, to);
                if let Probe::Ping { within, .. } = &mut question {
                    within.clone_from(&asker.within);
                }
                return question;
            }
            Proto::Tcp => Transport::Tcp,
            Proto::Udp => Transport::Udp,
        };
        Probe::Connect {
            from: asker.name.clone(),
            within: asker.within.clone(),
            to,
            transport,
            port: self.port.unwrap_or_default(),
        }
    }

    /// Of who asks, and of who is asked if it is a host.
    fn controls(
        &self,
        inventory: &Inventory,
        asker: &Asker,
        target: &Target,
    ) -> Result<Vec<Control>, String> {
        if self.expect == Expect::All {
            return Ok(Vec::new());
        }
        let control = |host: &str, gateways: &[IpAddr]| {
            let gateway = gateways.iter().copied().find(|it| self.is_asked(*it))?;
            Some(Control { host: host.to_owned(), ping: self.ping(host, gateway) })
        };
        let own = control(&asker.name, &asker.gateways).ok_or_else(|| {
            format!(
                "{} has no gateway that could prove that it sends at all, so that `expect = \"none\"` would prove nothing",
                asker.name
            )
        })?;
        let host = inventory.topology.host(&target.name);
        let asked = host.and_then(|it| control(&it.name, &inventory.gateways_of(it)));
        Ok([own].into_iter().chain(asked).collect())
    }

    fn draft(
        &self,
        inventory: &Inventory,
        asker: &Asker,
        target: &Target,
    ) -> Result<Draft, String> {
        let from = asker.name.clone();
        let question = self.question(asker, target.address);
        let controls = self.controls(inventory, asker, target)?;
        let all = [&question].into_iter().chain(controls.iter().map(|it| &it.ping));
        let probes: Vec<Probe> = all.cloned().collect();
        let mut words = vec![match (self.proto, self.port) {
            (Proto::Icmp, _) => "icmp".to_owned(),
            (Proto::Tcp, port) => format!("tcp {}", port.unwrap_or_default()),
            (Proto::Udp, port) => format!("udp {}", port.unwrap_or_default()),
        }];
        words.extend((self.family == Family::Ipv6).then(|| "ipv6".to_owned()));
        words.extend(self.vrf.as_ref().map(|vrf| format!("in {vrf}")));
        words.extend(self.size.map(|size| format!("{size} bytes")));
        words.extend((self.expect == Expect::None).then(|| "none".to_owned()));
        let subject = format!("{from}→{} ({})", target.name, words.join(", "));
        let (table, target) = (self.clone(), target.clone());
        Ok(Draft::asking(&asker.name, subject, probes, move |look| {
            table.judge(&from, &target, &question, &controls, look)
        }))
    }

    fn judge(
        &self,
        from: &str,
        target: &Target,
        question: &Probe,
        controls: &[Control],
        look: &Look<'_>,
    ) -> Judged {
        let answered = match self.proto {
            Proto::Icmp => self.pinged(from, target, question, look),
            Proto::Tcp | Proto::Udp => self.connected(from, target, question, look),
        };
        if controls.is_empty() {
            return answered;
        }
        let actual = match answered {
            // Nobody could ask.
            Err(Stop::NotAsked(why)) => return Err(not_asked(why)),
            Ok(actual) => Some(actual),
            Err(Stop::Failed(finding)) => {
                self.partly(from, question, look)?.then_some(finding.actual)
            }
        };
        if let Some(actual) = actual {
            return Err(Finding::new(
                format!("no answer from {} ({})", target.name, target.address),
                actual,
                "a route leaks between networks or VRFs, or a filter is missing",
                format!("on {from}: traceroute {}", target.address),
            )
            .into());
        }
        for (index, control) in controls.iter().enumerate() {
            if look.pinged(&control.ping)?.received == 0 {
                let either = if index == 0 { " either" } else { "" };
                return Err(not_asked(format!(
                    "{} does not reach its own gateway{either}, so that silence proves nothing",
                    control.host
                )));
            }
        }
        Ok("no answer, while the gateway answered".into())
    }

    /// Whether there was an answer all the same where not all came.
    fn partly(&self, from: &str, question: &Probe, look: &Look<'_>) -> Result<bool, Stop> {
        Ok(match self.proto {
            Proto::Icmp => {
                let pinged = look.pinged(question)?;
                if let (0, Some(said)) = (pinged.received, pinged.too_long) {
                    return Err(not_asked(format!("{from}: {said}, which is no silence")));
                }
                pinged.received > 0
            }
            Proto::Tcp | Proto::Udp => look.connected(question)? != Connected::Silent,
        })
    }

    fn pinged(&self, from: &str, target: &Target, question: &Probe, look: &Look<'_>) -> Judged {
        let pinged = look.pinged(question)?;
        let size = self.size.map(|it| format!(" of {it} bytes")).unwrap_or_default();
        let should = format!(
            "{} answers{size} from {}, {} lost at most",
            pinged.sent, target.address, self.loss
        );
        let next = format!("on {from}: ping {}", target.address);
        if pinged.lost() > self.loss {
            let (actual, likely) = match (&pinged.too_long, &pinged.error) {
                (Some(said), _) => (said.clone(), "a link on the way has a smaller MTU"),
                (None, Some(said)) => (
                    format!("{} lost ({said})", pinged.lost()),
                    "there is no route, or nobody has the address",
                ),
                (None, None) => (
                    format!("{} of {} lost", pinged.lost(), pinged.sent),
                    "packets vanish on the way, or the host does not answer",
                ),
            };
            return Err(Finding::new(should, actual, likely, next).into());
        }
        doubled(&pinged, &should, next.clone())?;
        match (self.rtt, pinged.slowest) {
            (Some(most), Some(slowest)) if slowest > most.0 => Err(Finding::new(
                format!("round trips of {most} at most"),
                measured(slowest),
                "the machines are busy, or packets take a longer way",
                next,
            )
            .into()),
            (_, slowest) => {
                let slowest =
                    slowest.map(|it| format!(", {} at most", measured(it))).unwrap_or_default();
                Ok(format!("{} of {} answered{slowest}", pinged.received, pinged.sent))
            }
        }
    }

    fn connected(&self, from: &str, target: &Target, question: &Probe, look: &Look<'_>) -> Judged {
        let port = self.port.unwrap_or_default();
        let (actual, likely) = match (look.connected(question)?, self.answer) {
            (Connected::Open, _) => return Ok("answered".into()),
            (Connected::Refused, Answer::Any) => {
                return Ok("answered that nobody is at the port".into());
            }
            (Connected::Refused, Answer::Open) => ("refused", "nothing listens at the port"),
            (Connected::Silent, _) => {
                ("no answer", "packets vanish on the way, or a filter drops them")
            }
        };
        Err(Finding::new(
            format!("an answer from {} at port {port}", target.address),
            actual,
            likely,
            format!("on {from}: traceroute {}", target.address),
        )
        .into())
    }
}
