//! How what is held is said in a sentence.

use std::fmt::{self, Display, Formatter};

use super::{Hop, Member, Members, Place, Share, Way};

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
            Self::Hops { hops, .. } if hops.is_empty() => f.write_str("left to the kernel"),
            Self::Hops { hops, .. } => f.write_str(&list(hops, |hop| hop.share)),
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
        write!(f, "{} {}", self.port, self.gateway)
    }
}

impl Display for Members {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.members.is_empty() {
            true => f.write_str("left to the kernel"),
            false => f.write_str(&list(&self.members, |member| member.share)),
        }
    }
}

impl Display for Member {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "VTEP {}", self.vtep)
    }
}

/// All of them, with their shares where these are not equal.
fn list<T: Display>(all: &[T], share: impl Fn(&T) -> Share) -> String {
    let buckets = || all.iter().map(|one| share(one).buckets);
    let equal = buckets().max().unwrap_or(0) <= buckets().min().unwrap_or(0) + 1;
    let one = |one: &T| match share(one) {
        Share { buckets, of } if !equal && of > 0 => {
            format!("{one} {:.1} %", f64::from(buckets) * 100.0 / f64::from(of))
        }
        _ => one.to_string(),
    };
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_ways_are_said_as_people_name_them() {
        let port = |vlan| Place::Port { port: "swp11".into(), vlan };
        assert_eq!(port(None).to_string(), "port swp11");
        assert_eq!(port(Some(20)).to_string(), "port swp11, VLAN 20");
        let way = |shares: [u32; 2]| {
            let hop = |(port, buckets): (&str, u32)| Hop {
                port: port.into(),
                gateway: [192, 0, 2, 1].into(),
                share: Share { buckets, of: shares.iter().sum() },
            };
            let hops = ["swp1", "swp2"].into_iter().zip(shares).map(hop).collect();
            Way::Hops { hops, resilient: false }.to_string()
        };
        assert_eq!(way([128, 128]), "swp1 192.0.2.1, swp2 192.0.2.1");
        assert_eq!(way([64, 192]), "swp1 192.0.2.1 25.0 %, swp2 192.0.2.1 75.0 %");
        let none = Way::Hops { hops: Vec::new(), resilient: false };
        assert_eq!(none.to_string(), Way::Kernel.to_string());
    }
}
