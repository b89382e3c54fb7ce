//! `[[mtu]]`: the longest packet.

use super::{Kind, gateway::ping};
use crate::check::{
    case::Draft,
    finding::{Finding, Judged},
    inventory::Inventory,
    look::Look,
    names::Names,
    probe::Probe,
    shape::{Shape, shape},
    span::Span,
};

shape! {
    /// A packet of so many bytes that may not be fragmented arrives and is answered, and one of a byte more is refused
    /// with an error and not lost in silence.
    pub(crate) struct Mtu: "mtu", "[[mtu]]\nfrom = \"app01\"\nto = \"app06\"\nsize = 1500" {
        /// The hosts that send.
        from: Names = Required,
        /// The hosts that answer.
        to: Names = Required,
        /// Bytes of the longest IP packet; the MTU of hosts in the topology.
        size: Option<u32> = None,
        /// So many packets of each size are sent.
        count: u32 = Or("2"),
    }
}

impl Kind for Mtu {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let bytes = self.size.unwrap_or(inventory.topology.fabric.host_mtu);
        let (from, to) = (inventory.hosts(&self.from)?, inventory.hosts(&self.to)?);
        let pairs = from.iter().flat_map(|one| to.iter().map(move |other| (one, other)));
        let draft = |(one, other): (&&crate::lab::topology::Host, &&crate::lab::topology::Host)| {
            let of = |bytes: u32| {
                let interval = Span(std::time::Duration::from_millis(200));
                let mut probe = ping(&one.name, other.address.into(), self.count.max(1), interval);
                if let Probe::Ping { size, whole, .. } = &mut probe {
                    (*size, *whole) = (Some(bytes), true);
                }
                probe
            };
            let [fits, exceeds] = [of(bytes), of(bytes + 1)];
            let subject = format!("{}→{} ({bytes} bytes)", one.name, other.name);
            let name = one.name.clone();
            Draft::asking(&one.name, subject, vec![fits.clone(), exceeds.clone()], move |look| {
                judge(&name, bytes, [&fits, &exceeds], look)
            })
        };
        Ok(pairs.filter(|(one, other)| one.name != other.name).map(draft).collect())
    }
}

fn judge(from: &str, bytes: u32, [fits, exceeds]: [&Probe; 2], look: &Look<'_>) -> Judged {
    let should = format!("{bytes} bytes arrive, and {} are refused with an error", bytes + 1);
    let (short, long) = (look.pinged(fits)?, look.pinged(exceeds)?);
    let next = format!("on {from}: {}", fits.command().join(" "));
    if let Some(said) = &short.too_long {
        let actual = format!("{bytes} bytes are refused: {said}");
        return Err(Finding::new(
            should,
            actual,
            "a link on the way, or the host's own, has a smaller MTU",
            next,
        )
        .into());
    }
    if short.received == 0 {
        let actual = format!("none of {} packets of {bytes} bytes is answered", short.sent);
        return Err(Finding::new(
            should,
            actual,
            "the underlay's MTU leaves no room for the tunnel's headers, or there is no way at all",
            next,
        )
        .into());
    }
    let next = format!("on {from}: {}", exceeds.command().join(" "));
    match (long.received, long.too_long) {
        (0, Some(said)) => Ok(said),
        (0, None) => Err(Finding::new(
            should,
            format!("{} bytes are lost without a word", bytes + 1),
            "an error message is filtered, or a bridge drops what is too long",
            next,
        )
        .into()),
        (_, _) => Err(Finding::new(
            should,
            format!("{} bytes arrive as well", bytes + 1),
            "the MTU is larger than it was planned",
            next,
        )
        .into()),
    }
}
