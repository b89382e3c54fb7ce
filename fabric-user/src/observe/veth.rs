//! Whether the other end of a veth pair takes what an XDP program sends into this end.
//!
//! The receiving end needs NAPI, which it has with GRO or with an XDP program of its own
//! (`veth_xdp_xmit`); without, every frame is dropped in silence. Since Linux 6.3 this end announces it,
//! but not in every order of events: what the other end changes while it is down is not announced
//! when it comes up. So the other end itself is asked, as far as its network namespace can be found.

use std::{
    fs::{self, File},
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{
    Event, Link,
    attributes::{header, u32_},
    decode, request,
};
use crate::{
    hashed::HashMap,
    kernel::{ethtool::Ethtool, running::XdpState},
    netlink::{
        Client, Family, NetlinkError,
        rtnetlink::{self, RTM_NEWLINK, RTM_NEWNSID},
    },
};

/// Where `ip netns` keeps the namespaces that have names.
const NAMED: &str = "/run/netns";

/// What asks about devices of one network namespace.
struct View {
    route: Client,
    ethtool: Ethtool,
}

/// Looks at veths and their other ends.
pub(super) struct Veths {
    here: View,
    /// Where namespaces were found, by the number that they have here.
    found: HashMap<i32, PathBuf>,
}

impl Veths {
    /// Looks at those of this network namespace.
    ///
    /// # Errors
    /// If a socket cannot be made.
    pub(super) fn open() -> Result<Self, NetlinkError> {
        Ok(Self { here: View::open()?, found: HashMap::default() })
    }

    /// The name of an interface's driver, empty if it does not tell.
    pub(super) fn driver(&self, ifindex: u32) -> String {
        self.here.ethtool.driver(ifindex).unwrap_or_default()
    }

    /// An interface as it is now.
    pub(super) fn link(&mut self, ifindex: u32) -> Option<Link> {
        self.here.link(ifindex).map(|(link, _)| link)
    }

    /// What is known about the other end of a veth, and if that is here as well, what it has to know
    /// about this one.
    pub(super) fn look(&mut self, link: &Link, take: &mut dyn FnMut(Event)) {
        if !link.is_veth() {
            return;
        }
        let ifindex = link.ifindex;
        let Some(peer) = link.lower else {
            return take(Event::VethPeer { ifindex, receives: None });
        };
        if !link.lower_elsewhere {
            take(Event::VethPeer { ifindex, receives: self.here.receives(peer) });
            take(Event::VethPeer { ifindex: peer, receives: self.here.receives(ifindex) });
            return;
        }
        // Without a carrier nothing is sent, and when there is one again there is a message.
        let alive = link.up && link.carrier;
        let namespace = link.lower_namespace.filter(|_| alive);
        let receives = namespace.and_then(|id| self.receives_elsewhere(id, peer));
        take(Event::VethPeer { ifindex, receives });
    }

    fn receives_elsewhere(&mut self, id: i32, ifindex: u32) -> Option<bool> {
        let known = self.found.get(&id).cloned();
        let known = known.and_then(|path| Some((self.open_if(&path, id)?, path)));
        let (namespace, path) = match known {
            Some(known) => known,
            None => self.search(id)?,
        };
        self.found.insert(id, path);
        // A thread that has entered it, so that ours stays where it is.
        let asked = thread::Builder::new().name("veth".into()).spawn(move || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), network).ok()?;
            View::open().ok()?.receives(ifindex)
        });
        asked.ok()?.join().ok()?
    }

    /// Finds the namespace with a number: among those with names, else among those of processes.
    fn search(&mut self, id: i32) -> Option<(File, PathBuf)> {
        let entries = |folder: &str| fs::read_dir(folder).into_iter().flatten().flatten();
        let named = entries(NAMED).map(|entry| entry.path());
        let of_processes = entries("/proc")
            .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
            .map(|entry| entry.path().join("ns/net"));
        let mut seen = std::collections::BTreeSet::new();
        named
            .chain(of_processes)
            .filter(|path| fs::metadata(path).is_ok_and(|found| seen.insert(found.ino())))
            .find_map(|path| Some((self.open_if(&path, id)?, path)))
    }

    /// The namespace at a path, if it has this number.
    fn open_if(&mut self, path: &Path, id: i32) -> Option<File> {
        let namespace = File::open(path).ok()?;
        (self.here.number_of(&namespace) == Some(id)).then_some(namespace)
    }
}

impl View {
    /// Of this thread's network namespace.
    fn open() -> Result<Self, NetlinkError> {
        let ethtool = Ethtool::open().map_err(NetlinkError::socket("open"))?;
        Ok(Self { route: Client::open(Family::Route)?, ethtool })
    }

    /// Whether an end of a veth pair takes what programs send to it; none if there is no such interface.
    fn receives(&mut self, ifindex: u32) -> Option<bool> {
        if self.ethtool.gro(ifindex).ok()? {
            return Some(true);
        }
        let (_, native) = self.link(ifindex)?;
        Some(native)
    }

    /// An interface, and whether an XDP program runs in its driver.
    fn link(&mut self, ifindex: u32) -> Option<(Link, bool)> {
        let body = self.route.ask_one(rtnetlink::one_link(ifindex), RTM_NEWLINK).ok()??;
        match decode(RTM_NEWLINK, 0, &body) {
            Ok(Some(Event::Link(link))) => Some((link, XdpState::read(&body).is_in_driver())),
            _ => None,
        }
    }

    /// The number that a namespace has here.
    fn number_of(&mut self, namespace: &File) -> Option<i32> {
        const NETNSA_NSID: u16 = 1;
        let request = request::namespace_number(namespace.as_raw_fd());
        let body = self.route.ask_one(request, RTM_NEWNSID).ok()??;
        let (_, mut attributes) = header::<4>(&body)?;
        let (_, number) = attributes.find(|(kind, _)| *kind == NETNSA_NSID)?;
        u32_(number).map(u32::cast_signed)
    }
}
