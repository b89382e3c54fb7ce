//! `[[no_route]]`: a way that is not there.

use super::{
    Kind,
    route::{drafts, prefix},
    ways::Toward,
};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, list, not_asked},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
        sight::Sight,
    },
    observe::Prefix,
};

shape! {
    /// Neither FRR nor the kernel has a route for exactly this prefix, and the maps lead its addresses nowhere else than the
    /// prefix around it does. As a control, FRR and the kernel have another route in the same VRF at the same time.
    pub(crate) struct NoRoute: "no_route", "[[no_route]]\non = \"leaf*\"\nvrf = \"red\"\nprefix = \"10.30.0.0/24\"" {
        /// The nodes that do not have it.
        on: Names = Required,
        /// The prefix, as 10.30.0.0/24.
        prefix: String = Required,
        /// The VRF; the default one.
        vrf: Option<String> = None,
        /// Whether a shorter prefix may lead there, as a default route does.
        shorter: bool = Or("true"),
    }
}

impl Kind for NoRoute {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let prefix = prefix(&self.prefix)?;
        let (asked, vrf) = (self.clone(), self.vrf.as_deref());
        drafts(inventory, &self.on, prefix, vrf, move |node, by_frr, toward, look| {
            asked.judge(node, prefix, by_frr, toward, look)
        })
    }
}

impl NoRoute {
    fn judge(
        &self,
        node: &str,
        prefix: Prefix,
        by_frr: bool,
        toward: &Toward,
        look: &Look<'_>,
    ) -> Judged {
        let sight = look.sight(node)?;
        let vrf = self.vrf.as_deref();
        let name = vrf.unwrap_or("default");
        let table = sight.kernel.table(vrf);
        let table = table.ok_or_else(|| not_asked(format!("{node} has no VRF {name}")))?;
        let nothing = |who: &str| {
            not_asked(format!("{node}: {who} no other route, so that the lack of one says nothing"))
        };
        if sight.kernel.prefixes(table).all(|it| it == prefix) {
            return Err(nothing(&format!("VRF {name} has")));
        }
        if by_frr && sight.routes(vrf)?.all(|it| it.prefix == prefix) {
            return Err(nothing(&format!("FRR's VRF {name} has")));
        }
        let frr = if by_frr { sight.route(vrf, prefix)?.is_some() } else { false };
        let kernel = sight.kernel_route(vrf, prefix).is_some();
        let next = format!("on {node}: vtysh -c 'show ip route {prefix}'");
        let who = match (frr, kernel) {
            (true, true) => Some("FRR and the kernel have it".to_owned()),
            (true, false) => Some("FRR has it, the kernel does not".to_owned()),
            (false, true) => Some("the kernel has it, FRR does not".to_owned()),
            (false, false) => left_over(sight, vrf, prefix, toward),
        };
        let longest = sight.longest(vrf, prefix).filter(|it| it.prefix != prefix);
        let around = longest.map(|it| format!("{} ({})", it.prefix, it.protocol));
        if let Some(who) = who {
            return Err(Finding::new(
                format!("no route for {prefix}"),
                who,
                "somebody announces it, or a route leaks from another VRF",
                next,
            )
            .into());
        }
        match around {
            Some(around) if !self.shorter => Err(Finding::new(
                format!("no way to {prefix}"),
                format!("{around} leads there"),
                "a shorter prefix is announced, as a default route",
                next,
            )
            .into()),
            Some(around) => Ok(format!("no route; {around} is the longest around it")),
            None => Ok("no route".into()),
        }
    }
}

/// Where the maps still lead a prefix that has no route, if it is somewhere else than by the prefix around it.
fn left_over(
    sight: &Sight<'_>,
    vrf: Option<&str>,
    prefix: Prefix,
    toward: &Toward,
) -> Option<String> {
    let maps = toward.maps(sight.held_route(vrf, prefix))?;
    let around = sight.kernel_lookup(vrf, sight.own_address(vrf, prefix)?).unwrap_or_default();
    let around = toward.kernel(&around);
    let more: Vec<&String> = maps.iter().filter(|it| !around.contains(it)).collect();
    (!more.is_empty())
        .then(|| format!("the maps lead to {}, FRR and the kernel do not", list(more)))
}
