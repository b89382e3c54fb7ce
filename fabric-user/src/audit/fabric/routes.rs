//! Routes of a VRF, as far as an audit asks for them.

use crate::{
    audit::networks::{is_local, last},
    observe::Prefix,
};

/// Prefixes that packets are sent on to, sorted.
#[derive(Clone, Debug, Default)]
pub struct Routes(Vec<(Prefix, bool)>);

impl Routes {
    /// Takes prefixes with whether they are connected.
    pub(super) fn of(routes: impl IntoIterator<Item = (Prefix, bool)>) -> Self {
        let mut routes: Vec<_> = routes
            .into_iter()
            .filter(|(prefix, _)| !is_local(prefix.address) || prefix.length == 0)
            .collect();
        routes.sort_unstable();
        routes.dedup();
        Self(routes)
    }

    fn from(&self, prefix: Prefix) -> &[(Prefix, bool)] {
        &self.0[self.0.partition_point(|(route, _)| *route < prefix)..]
    }

    /// Whether there is a route for exactly this prefix.
    #[must_use]
    pub fn has(&self, prefix: Prefix) -> bool {
        self.from(prefix).first().is_some_and(|(route, _)| *route == prefix)
    }

    /// Prefixes in this one that there are routes for, and itself.
    pub fn inside(&self, prefix: Prefix) -> impl Iterator<Item = Prefix> {
        let (last, is_v4) = (last(prefix), prefix.address.is_ipv4());
        let all = self.from(prefix).iter().map(|(route, _)| *route);
        all.take_while(move |route| route.address <= last && route.address.is_ipv4() == is_v4)
    }

    /// Whether there is one that leads to another box.
    #[must_use]
    pub fn leads_away(&self, prefix: Prefix) -> bool {
        self.from(prefix)
            .iter()
            .take_while(|(route, _)| *route == prefix)
            .any(|(_, connected)| !connected)
    }

    /// Whether there is a route for this prefix or for some of its addresses.
    #[must_use]
    pub fn reaches_into(&self, prefix: Prefix) -> bool {
        self.inside(prefix).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::networks::parse;

    #[test]
    fn routes_are_found_by_prefix_and_inside_of_it() {
        let prefix = |text| parse(text).unwrap();
        let all = [
            "0.0.0.0/0",
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.1.2.7/32",
            "2001:db8::/64",
            "fe80::/64",
        ];
        let routes = Routes::of(all.map(|text| (prefix(text), text.ends_with("/24"))));
        assert!(routes.has(prefix("10.1.0.0/16")) && routes.leads_away(prefix("10.1.0.0/16")));
        assert!(routes.has(prefix("10.1.2.0/24")) && !routes.leads_away(prefix("10.1.2.0/24")));
        assert!(!routes.has(prefix("10.1.2.0/25")) && routes.reaches_into(prefix("10.1.2.0/25")));
        assert!(!routes.reaches_into(prefix("10.1.2.128/25")));
        assert!(!routes.reaches_into(prefix("10.1.3.0/24")));
        assert!(routes.reaches_into(prefix("2001:db8::/32")));
        assert!(!routes.reaches_into(prefix("2001:db9::/32")));
        assert!(!routes.has(prefix("fe80::/64")));
        assert!(routes.has(prefix("0.0.0.0/0")));
    }
}
