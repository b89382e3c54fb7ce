//! What is asked about devices beside rtnetlink: whether XDP programs can send out of them.

use super::{
    Event, LinkKind, ObserveError, XdpFeatures,
    veth::Veths,
    xdp_features::{Family, Listener},
};

/// Asks about the network namespace in which it was opened.
pub(super) struct Devices {
    /// None if the kernel does not announce features.
    family: Option<Family>,
    veths: Veths,
}

impl Devices {
    /// Opens what it needs.
    ///
    /// # Errors
    /// If there are no sockets.
    pub(super) fn open() -> Result<Self, ObserveError> {
        let veths = Veths::open().map_err(ObserveError::asked(|| "tell of devices".into()))?;
        Ok(Self { family: Family::find()?, veths })
    }

    /// Listens to changes, if the kernel announces them.
    ///
    /// # Errors
    /// If there is no socket.
    pub(super) fn listen(&self) -> Result<Option<Listener>, ObserveError> {
        self.family.map(Listener::open).transpose()
    }

    /// What else there is to know after an event.
    pub(super) fn look(&mut self, event: &Event, take: &mut dyn FnMut(Event)) {
        match event {
            Event::Link(link) => {
                let has_driver = matches!(link.kind, LinkKind::Device | LinkKind::Other(_));
                if self.family.is_none() && has_driver && !link.loopback {
                    let (ifindex, driver) = (link.ifindex, self.veths.driver(link.ifindex));
                    take(Event::XdpFeatures { ifindex, features: XdpFeatures::Driver(driver) });
                }
                self.veths.look(link, take);
            }
            Event::XdpFeatures { ifindex, .. } => {
                if let Some(link) = self.veths.link(*ifindex) {
                    self.veths.look(&link, take);
                }
            }
            _ => {}
        }
    }

    /// The features of all devices that the kernel announces.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn dump(&self, take: &mut dyn FnMut(Event)) -> Result<(), ObserveError> {
        self.family.map_or(Ok(()), |family| family.dump(take))
    }
}
