//! The sockets that ask.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    Chain, Classifiers, Event, Listing, Netconf, ObserveError, Path, Scope, Source, SourceQuestion,
    classifiers::{ARRIVING, Discipline, LEAVING, is_filter},
    devices::Devices,
    neighbour::{Marks, marks_to_use},
    protocol::Protocol,
    request::{self, Dump},
};
use crate::{
    kernel::tcx::{self, Place},
    netlink::{Client, Message, Request, rtnetlink},
};

/// Asks about the network namespace in which it was opened, also after the thread has left it.
///
/// The kernel works on an answer inside the system calls that ask for it and read it, so they block:
/// for microseconds where one object is meant, for seconds where a bridge has hundreds of thousands of
/// MAC addresses.
pub struct Asker {
    clients: Vec<(Protocol, Client)>,
    devices: Devices,
}

/// How often an interrupted dump is repeated.
const ATTEMPTS: u32 = 16;

impl Asker {
    /// Opens the sockets. Open an [`Observer`](super::Observer) before, or changes may go unnoticed
    /// between a dump and the first event.
    ///
    /// # Errors
    /// If there is no socket.
    pub fn open() -> Result<Self, ObserveError> {
        let mut clients = Vec::new();
        for protocol in Protocol::ALL {
            let client = match protocol {
                Protocol::Route => Client::open(protocol.family()).map(Some),
                _ => Client::open_if_known(protocol.family()),
            };
            let client = client.map_err(ObserveError::asked(|| "listen".into()))?;
            clients.extend(client.map(|client| (protocol, client)));
        }
        Ok(Self { clients, devices: Devices::open()? })
    }

    /// Reads everything that `scope` covers. What changes meanwhile is in it or not: only the events
    /// since before the dump tell, applied after it in their order, so that the last word about each
    /// object is the true one.
    ///
    /// # Errors
    /// If the kernel refuses, or changes faster than it can be read.
    pub fn dump(&mut self, scope: Scope) -> Result<Listing, ObserveError> {
        let mut events = Vec::new();
        self.dump_to(scope, &mut |event| events.push(event))?;
        Ok(Listing { scope, events })
    }

    /// As [`dump`](Self::dump), one object at a time. MAC addresses may come more than once, and such
    /// as have gone meanwhile.
    ///
    /// Returns whether the kernel gave consistent answers. If not, what came is pieced together from many
    /// attempts, and objects that have gone without a message are among it: ask again when the kernel is
    /// quieter.
    ///
    /// # Errors
    /// As [`dump`](Self::dump).
    pub fn dump_to(
        &mut self,
        scope: Scope,
        take: &mut dyn FnMut(Event),
    ) -> Result<bool, ObserveError> {
        let mut consistent = true;
        if scope != Scope::Routing && scope != Scope::Netfilter {
            take(Event::Classifiers(self.classifiers()?));
        }
        for dump in Dump::of(scope) {
            if !matches!(dump, Dump::Links | Dump::NftChains) {
                consistent &= self.dump_one(*dump, take)?;
                continue;
            }
            let mut events = Vec::new();
            consistent &= self.dump_one(*dump, &mut |event| events.push(event))?;
            for mut event in events {
                if let Event::Chain(chain) = &mut event
                    && !chain.acts
                {
                    consistent &= self.look_for_rules(chain)?;
                }
                self.devices.look(&event, take);
                take(event);
            }
            if *dump == Dump::Links {
                self.devices.dump(take)?;
            }
        }
        Ok(consistent)
    }

    /// Asks for the rules of a chain that the kernel seems to have none of: these it counts as they are, and
    /// not as a transaction under way, or one that is only tried (`nft --check`), would leave them. Returns
    /// whether the answer is consistent.
    fn look_for_rules(&mut self, chain: &mut Chain) -> Result<bool, ObserveError> {
        let request = request::rules(chain);
        let what = || "list the rules of a chain".into();
        self.ask(Protocol::Netfilter, request, what, |_| chain.acts = true)
    }

    /// Makes the kernel resolve a neighbour, or confirm a stale one, as a packet to it would.
    /// The answer comes as an event.
    ///
    /// One that somebody has written meanwhile stays as it is: the request would make the kernel forget
    /// that it is permanent, and with that its MAC address (`__neigh_update`, `NEIGH_UPDATE_F_USE`), or
    /// who has written it.
    ///
    /// # Errors
    /// If the kernel refuses, for instance because the interface is gone or down.
    pub fn trigger_resolution(
        &mut self,
        ifindex: u32,
        address: IpAddr,
    ) -> Result<(), ObserveError> {
        let what = || format!("resolve {address} on interface {ifindex}");
        let failed = |asked: &Result<bool, ObserveError>, code| {
            asked.as_ref().is_err_and(|error| error.refused() == Some(code))
        };
        let request = request::neighbour(ifindex, address);
        let mut marks = Some(Marks::default());
        let found = self.ask(Protocol::Route, request, what, |message| {
            marks = marks_to_use(message.body);
        });
        let new = failed(&found, libc::ENOENT);
        if !new {
            found?;
        }
        let Some(marks) = marks else {
            return Ok(());
        };
        let request = request::resolve(ifindex, address, new, marks);
        let asked = self.ask(Protocol::Route, request, what, |_| {});
        if new && failed(&asked, libc::EEXIST) {
            return Ok(());
        }
        asked.map(drop)
    }

    /// What the kernel has learned about the way from a VTEP address of this box to another one, in a VRF of this
    /// interface index or outside VRFs; none if that is nothing, or if there is no way.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn path(
        &mut self,
        local: IpAddr,
        remote: IpAddr,
        vrf: Option<u32>,
    ) -> Result<Option<Path>, ObserveError> {
        let request = request::path(local, remote, vrf);
        let what = || format!("say how it sends packets from {local} to {remote}");
        let mut found = None;
        let asked = self.ask(Protocol::Route, request, what, |message| {
            found = found.or_else(|| Path::decode(message.body));
        });
        match asked {
            Ok(_) => Ok(found),
            Err(ObserveError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// From which address the kernel would send; none if there is no way, or no address.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn source(&mut self, question: SourceQuestion) -> Result<Option<Source>, ObserveError> {
        let what = || format!("say from which address it sends packets to {}", question.remote);
        let mut found = None;
        let asked = self.ask(Protocol::Route, request::source(question), what, |message| {
            found = found.or_else(|| Source::decode(message.body));
        });
        match asked {
            Ok(_) => Ok(found),
            Err(ObserveError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The interfaces of which `tc` classifies packets.
    fn classifiers(&mut self) -> Result<BTreeMap<u32, Classifiers>, ObserveError> {
        let mut found = BTreeMap::<u32, Classifiers>::new();
        for Discipline { ifindex, is_both } in self.disciplines()? {
            let classifiers = Classifiers {
                arriving: self.has_filters(ifindex, ARRIVING)?,
                leaving: is_both && self.has_filters(ifindex, LEAVING)?,
            };
            found.insert(ifindex, classifiers);
        }
        if tcx::is_known() {
            for ifindex in self.interfaces()? {
                let [arriving, leaving] = [Place::Arriving, Place::Leaving].map(|place| {
                    tcx::is_used(ifindex, place).unwrap_or_else(|error| {
                        tracing::warn!(%error, ifindex, "BPF programs of tc may look at its packets");
                        true
                    })
                });
                let classifiers = found.entry(ifindex).or_default();
                classifiers.arriving |= arriving;
                classifiers.leaving |= leaving;
            }
        }
        found.retain(|_, classifiers| *classifiers != Classifiers::default());
        Ok(found)
    }

    fn disciplines(&mut self) -> Result<Vec<Discipline>, ObserveError> {
        let mut found = Vec::new();
        let request = request::disciplines();
        let asked = self.ask(
            Protocol::Route,
            request,
            || "list queueing disciplines".into(),
            |it| {
                found.extend(Discipline::read(it.body).ok().flatten());
            },
        );
        unless_gone(asked)?;
        Ok(found)
    }

    /// Whether there are filters at a place of an interface; not so on one that has gone. Where the kernel
    /// cannot list them there are some.
    fn has_filters(&mut self, ifindex: u32, place: u32) -> Result<bool, ObserveError> {
        let mut found = false;
        let request = request::filters(ifindex, place);
        let what = || format!("list the filters of interface {ifindex}");
        let asked = self.ask(Protocol::Route, request, what, |message| {
            found |= message.kind == rtnetlink::RTM_NEWTFILTER && is_filter(message.body);
        });
        match unless_gone(asked) {
            Err(error @ ObserveError::Refused { .. }) => {
                tracing::warn!(%error, "they may look at its packets");
                Ok(true)
            }
            asked => asked.map(|()| found),
        }
    }

    fn interfaces(&mut self) -> Result<Vec<u32>, ObserveError> {
        let mut found = Vec::new();
        let what = || "list interfaces".into();
        self.ask(Protocol::Route, rtnetlink::all_links(), what, |message| {
            found.extend(rtnetlink::link_of(message).map(|link| link.ifindex));
        })?;
        Ok(found)
    }

    fn dump_one(&mut self, dump: Dump, take: &mut dyn FnMut(Event)) -> Result<bool, ObserveError> {
        let (mut all, mut last) = (BTreeMap::new(), Vec::new());
        for _ in 0..ATTEMPTS {
            // Of MAC addresses there can be a million, and the kernel removes none without a message. So
            // they are not kept until the answer turns out to be consistent.
            if dump == Dump::Fdb {
                if self.attempt(dump, take)? {
                    return Ok(true);
                }
                continue;
            }
            let mut events = Vec::new();
            if self.attempt(dump, &mut |event| events.push(event))? {
                events.into_iter().for_each(take);
                return Ok(true);
            }
            if dump.is_told_of() {
                last = events;
                continue;
            }
            all.extend(events.into_iter().filter_map(|event| Some((number(&event)?, event))));
        }
        if dump.is_told_of() {
            last.into_iter().for_each(take);
            return Ok(false);
        }
        if !dump.can_be_pieced() {
            return Err(ObserveError::Restless { what: format!("{dump:?}"), attempts: ATTEMPTS });
        }
        all.into_values().for_each(take);
        Ok(false)
    }

    /// Dumps once. Returns whether the answer is consistent.
    fn attempt(&mut self, dump: Dump, take: &mut dyn FnMut(Event)) -> Result<bool, ObserveError> {
        let request = dump.request();
        let what = || format!("list {dump:?}");
        let protocol = dump.protocol();
        let event =
            |message: &Message<'_>| protocol.event(message).into_iter().for_each(&mut *take);
        match self.ask(protocol, request, what, event) {
            Err(ObserveError::Refused { error, .. }) if dump.is_missing(error.code) => Ok(true),
            asked => asked,
        }
    }

    /// Sends a request and reads its answer to the end. Returns whether the answer is consistent; of a
    /// family that the kernel was built without there is nothing.
    fn ask(
        &mut self,
        protocol: Protocol,
        request: Request,
        what: impl Fn() -> String,
        take: impl FnMut(&Message<'_>),
    ) -> Result<bool, ObserveError> {
        match self.clients.iter_mut().find(|(each, _)| *each == protocol) {
            Some((_, client)) => client.ask(request, take).map_err(ObserveError::asked(what)),
            None => Ok(true),
        }
    }
}

/// Nothing is no error: of an interface that went meanwhile, or in a kernel without `tc`.
fn unless_gone(asked: Result<bool, ObserveError>) -> Result<(), ObserveError> {
    const GONE: [i32; 4] = [libc::ENODEV, libc::EINVAL, libc::ENOENT, libc::EOPNOTSUPP];
    match asked {
        Err(ObserveError::Refused { error, .. }) if GONE.contains(&error.code) => Ok(()),
        asked => asked.map(drop),
    }
}

/// What an object is called by, where that is a number.
const fn number(event: &Event) -> Option<u32> {
    match event {
        Event::Link(link) => Some(link.ifindex),
        Event::BridgePort(port) => Some(port.ifindex),
        Event::BridgeVlans { ifindex, .. } => Some(*ifindex),
        Event::Nexthop(nexthop) => Some(nexthop.id),
        // 0 is no interface's index.
        Event::Netconf(Netconf { ifindex: None, .. }) => Some(0),
        Event::Netconf(Netconf { ifindex, .. }) => *ifindex,
        _ => None,
    }
}
