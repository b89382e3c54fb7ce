//! What a port means when somebody breaks or mends a link there: its cable, or a bond with all its cables.

use std::time::{Duration, Instant};

use crate::kernel::interface;
use crate::lab::error::LabError;
use crate::lab::interrupt::NEVER;
use crate::lab::netns::Netns;
use crate::lab::running::Lab;
use crate::lab::tools;
use crate::lab::topology::End;

/// How often a port is looked at that gets its carrier back, and for how long.
const CARRIER_POLL: Duration = Duration::from_millis(10);
const CARRIER_LIMIT: Duration = Duration::from_secs(60);

/// A port, with what is needed to reach it.
pub(super) struct Place {
    pub(super) node: String,
    pub(super) port: String,
    pub(super) netns: Netns,
}

/// A cable by its two ends.
pub(super) struct Cable {
    pub(super) ends: [Place; 2],
    /// Which end is the host's of a bond. The program of the other end's bond runs at the ports of it, where
    /// the kernel takes no second one: for silence the host sends nothing instead.
    bonded_host: Option<usize>,
}

impl Cable {
    /// The ends that lose what arrives there if the cable is silent.
    pub(super) fn deaf(&self) -> &[Place] {
        self.bonded_host.map_or(&self.ends[..], |host| &self.ends[host..=host])
    }

    /// The end that then sends nothing.
    pub(super) fn mute(&self) -> Option<&Place> {
        Some(&self.ends[self.bonded_host?])
    }
}

/// What a port means: its cable, or a bond with all its cables. The ends of the node that is named come first.
pub(super) struct Named {
    pub(super) ends: [Place; 2],
    pub(super) cables: Vec<Cable>,
}

impl Lab {
    /// What a port of a node means.
    pub(super) fn named(&self, node: &str, port: &str) -> Result<Named, LabError> {
        self.node(node)?;
        let topology = self.current_topology()?;
        let is_named = |end: &End| end.node == node && end.port == port;
        // The end that is named, or that is at the node that is named, comes first.
        let places = |mut ends: [&End; 2]| -> Result<[Place; 2], LabError> {
            ends.sort_by_key(|end| end.node != node);
            let place = |end: &End| -> Result<Place, LabError> {
                let netns = self.node(&end.node)?.netns().clone();
                Ok(Place { node: end.node.clone(), port: end.port.clone(), netns })
            };
            Ok([place(ends[0])?, place(ends[1])?])
        };
        let cable = |ends: [&End; 2]| -> Result<Cable, LabError> {
            let ends = places(ends)?;
            let is_bonded = |end: &Place| topology.bonded().any(|host| host.name == end.node);
            Ok(Cable { bonded_host: ends.iter().position(is_bonded), ends })
        };
        let bond = topology.bonded().find(|it| is_named(&it.end) || is_named(&it.switch));
        if let Some(host) = bond {
            let cables = host.cables().map(cable).collect::<Result<_, _>>()?;
            return Ok(Named { ends: places([&host.end, &host.switch])?, cables });
        }
        match topology.cables().find(|ends| ends.iter().any(|end| is_named(end))) {
            Some(ends) => Ok(Named { ends: places(ends)?, cables: vec![cable(ends)?] }),
            None => Err(LabError::UnknownPort {
                node: node.to_owned(),
                port: port.to_owned(),
                known: topology
                    .ports_of(node)
                    .map(|end| end.port.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }
}

impl Place {
    pub(super) fn switch(&self, up: bool) -> Result<(), LabError> {
        let action = if up { "switch on interface" } else { "switch off interface" };
        self.within(action, || interface::set_up(&self.port, up))
    }

    /// Waits until the kernel sends through the port. It comes up to a second after the other end is switched
    /// on (`linkwatch_schedule_work` of `net/core/link_watch.c`); until then the port has a queue that drops
    /// everything, neighbour solicitations too.
    pub(super) fn wait_for_carrier(&self) -> Result<(), LabError> {
        let start = Instant::now();
        self.within("wait for the carrier of", || {
            while !interface::has_carrier(&self.port)? {
                if start.elapsed() > CARRIER_LIMIT {
                    return Err(std::io::ErrorKind::TimedOut.into());
                }
                std::thread::sleep(CARRIER_POLL);
            }
            Ok(())
        })
    }

    /// Has the port send nothing, or what it should.
    pub(super) fn mute(&self, is_mute: bool) -> Result<(), LabError> {
        // A queue without room, or none as ports have it by themselves.
        let queue = if is_mute { "pfifo limit 0" } else { "noqueue" };
        let line = format!("qdisc replace dev {} root {queue}", self.port);
        tools::batch("tc", &[line], Some(&self.netns), &NEVER)
    }

    pub(super) fn within(
        &self,
        action: &'static str,
        work: impl FnOnce() -> std::io::Result<()> + Send,
    ) -> Result<(), LabError> {
        let named = format!("{} of {}", self.port, self.node);
        self.netns.enter(work)?.map_err(LabError::file(action, named))
    }
}
