//! How what is held is said in a sentence.

use std::fmt::{self, Display, Formatter};

use super::{Hop, Member, Place, Way};

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { port, vlan: None } => write!(f, "port {port}"),
            Self::Port { port, vlan: Some(vlan) } => write!(f, "port {port}, VLAN {vlan}"),
            Self::Vtep(vtep) => write!(f, "VTEP {vtep}"),
            Self::Segment(group) => write!(f, "Ethernet segment (nexthop group {group})"),
            Self::Gateway(gateway) => write!(f, "gateway {gateway}"),
            Self::Own => f.write_str("this box"),
            Self::Nowhere => f.write_str("something that is not there"),
        }
    }
}

impl Display for Way {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hops(hops) if hops.is_empty() => f.write_str("left to the kernel"),
            Self::Hops(hops) => f.write_str(&list(hops)),
            Self::Local => f.write_str("this box"),
            Self::Kernel => f.write_str("left to the kernel"),
            Self::Dropped => f.write_str("dropped"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Connected => f.write_str("on the link, not resolved"),
            Self::View(view) => write!(f, "as in {view}"),
        }
    }
}

impl Display for Hop {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.port, self.gateway, share(self.weight))
    }
}

impl Display for Member {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "VTEP {}{}", self.vtep, share(self.weight))
    }
}

fn share(weight: Option<u32>) -> String {
    match weight {
        Some(1) => String::new(),
        Some(weight) => format!(" weight {weight}"),
        None => " with a share of its own".into(),
    }
}

/// All of them, with commas between.
pub(crate) fn list<T: Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_ways_are_said_as_people_name_them() {
        let port = |vlan| Place::Port { port: "swp11".into(), vlan };
        assert_eq!(port(None).to_string(), "port swp11");
        assert_eq!(port(Some(20)).to_string(), "port swp11, VLAN 20");
        let hop =
            |port: &str, weight| Hop { port: port.into(), gateway: [192, 0, 2, 1].into(), weight };
        let way = Way::Hops(vec![hop("swp1", Some(1)), hop("swp2", Some(3))]);
        assert_eq!(way.to_string(), "swp1 192.0.2.1, swp2 192.0.2.1 weight 3");
        assert_eq!(Way::Hops(Vec::new()).to_string(), Way::Kernel.to_string());
    }
}
