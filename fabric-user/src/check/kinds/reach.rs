//! `[[reach]]`: who reaches whom, and who does not.

use std::net::IpAddr;

use serde::Deserialize;

use super::{Kind, gateway::ping};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, not_asked},
        inventory::Inventory,
        look::Look,
        names::{Known, Names},
        probe::{Connected, Probe, Transport},
        shape::{Shape, shape},
        span::{Span, measured},
    },
    lab::topology::{Host, Service, Switch},
};

shape! {
    /// Each host that asks gets answers from each of the others; or, if none are expected, from none of them, while it
    /// does from its own gateway, which is the control.
    pub(crate) struct Reach: "reach", "[[reach]]\nfrom = \"app*\"\nto = \"app*\"\nsize = 1500\n\n[[reach]]\nfrom = \"web*\"\nto = \"log*\"\nexpect = \"none\"" {
        /// The hosts that ask, or nodes, which ask from their loopbacks.
        from: Names = Required,
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
        /// The most that may be lost.
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
    gateways: Vec<IpAddr>,
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
            _ => {}
        }
        let targets = self.targets(inventory)?;
        let mut drafts = Vec::new();
        for asker in self.askers(inventory)? {
            let own = inventory.addresses_of(&asker.name);
            for target in targets.iter().filter(|it| !own.contains(&it.address)) {
                drafts.push(self.draft(&asker, target)?);
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
        let host = |it: &Host| Asker { name: it.name.clone(), gateways: inventory.gateways_of(it) };
        let node = |it: &Switch| Asker { name: it.name.clone(), gateways: Vec::new() };
        match (inventory.hosts(&self.from), inventory.nodes(&self.from)) {
            (Ok(hosts), _) => Ok(hosts.into_iter().map(host).collect()),
            (Err(_), Ok(nodes)) => Ok(nodes.into_iter().map(node).collect()),
            (Err(error), Err(_)) => Err(error),
        }
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
        let targets = named.into_iter().flat_map(|(name, addresses)| {
            let asked = addresses.into_iter().filter(|it| self.is_asked(*it));
            asked.map(move |address| Target { name: name.clone(), address }).collect::<Vec<_>>()
        });
        Ok(targets.collect())
    }

    fn draft(&self, asker: &Asker, target: &Target) -> Result<Draft, String> {
        let from = asker.name.clone();
        let question = match (self.proto, self.port.unwrap_or_default()) {
            (Proto::Icmp, _) => {
                let mut question = ping(&from, target.address, self.count.max(1), self.interval);
                if let Probe::Ping { size, whole, .. } = &mut question {
                    (*size, *whole) = (self.size, self.size.is_some());
                }
                question
            }
            (Proto::Tcp, port) => Probe::Connect {
                from: from.clone(),
                to: target.address,
                transport: Transport::Tcp,
                port,
            },
            (Proto::Udp, port) => Probe::Connect {
                from: from.clone(),
                to: target.address,
                transport: Transport::Udp,
                port,
            },
        };
        let mut probes = vec![question.clone()];
        let control = match self.expect {
            Expect::All => None,
            Expect::None => {
                let gateway = asker.gateways.iter().copied().find(|it| self.is_asked(*it));
                let gateway = gateway.ok_or_else(|| {
                    format!("{from} has no gateway that could prove that it sends at all, so that `expect = \"none\"` would prove nothing")
                })?;
                let control = ping(&from, gateway, self.count.max(1), self.interval);
                probes.push(control.clone());
                Some(control)
            }
        };
        let mut words = vec![match (self.proto, self.port) {
            (Proto::Icmp, _) => "icmp".to_owned(),
            (Proto::Tcp, port) => format!("tcp {}", port.unwrap_or_default()),
            (Proto::Udp, port) => format!("udp {}", port.unwrap_or_default()),
        }];
        words.extend((self.family == Family::Ipv6).then(|| "ipv6".to_owned()));
        words.extend(self.size.map(|size| format!("{size} bytes")));
        words.extend((self.expect == Expect::None).then(|| "none".to_owned()));
        let subject = format!("{from}→{} ({})", target.name, words.join(", "));
        let (table, target) = (self.clone(), target.clone());
        Ok(Draft::asking(&asker.name, subject, probes, move |look| {
            table.judge(&from, &target, &question, control.as_ref(), look)
        }))
    }

    fn judge(
        &self,
        from: &str,
        target: &Target,
        question: &Probe,
        control: Option<&Probe>,
        look: &Look<'_>,
    ) -> Judged {
        let answered = match self.proto {
            Proto::Icmp => self.pinged(from, target, question, look),
            Proto::Tcp | Proto::Udp => self.connected(from, target, question, look),
        };
        let Some(control) = control else { return answered };
        let actual = match answered {
            // Nobody could ask.
            Err(crate::check::finding::Stop::NotAsked(why)) => return Err(not_asked(why)),
            Ok(actual) => Some(actual),
            Err(crate::check::finding::Stop::Failed(finding)) => {
                self.partly(question, look)?.then_some(finding.actual)
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
        let proof = look.pinged(control)?;
        match proof.received {
            0 => Err(not_asked(format!(
                "{from} does not reach its own gateway either, so that silence proves nothing"
            ))),
            _ => Ok("no answer, while the gateway answered".into()),
        }
    }

    /// Whether there was an answer all the same where not all came.
    fn partly(
        &self,
        question: &Probe,
        look: &Look<'_>,
    ) -> Result<bool, crate::check::finding::Stop> {
        Ok(match self.proto {
            Proto::Icmp => look.pinged(question)?.received > 0,
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
