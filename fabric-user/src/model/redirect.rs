//! Which interfaces XDP programs can send frames out of, and on which they can send frames on.
//!
//! A driver needs `ndo_xdp_xmit` for it, and whatever that needs in turn; the kernel drops what is
//! redirected elsewhere without a word to anybody. And where `tc` would look at packets, they are its.

use super::{Policy, compile::Compiler};
use crate::observe::{Link, LinkKind, XdpFeatures};

/// Drivers whose devices take frames from programs on Linux 6.1, once a program runs on them.
const KNOWN: [&str; 17] = [
    "atlantic",
    "bnxt_en",
    "ena",
    "fsl_dpaa2_eth",
    "fsl_enetc",
    "hv_netvsc",
    "i40e",
    "ice",
    "igb",
    "igc",
    "ixgbe",
    "mlx5_core",
    "mvneta",
    "mvpp2",
    "qede",
    "sfc",
    "virtio_net",
];

impl Compiler<'_> {
    /// Whether XDP programs can send frames out of a port; says so if they cannot.
    pub(super) fn is_target(&mut self, port: &Link) -> bool {
        let Some(why) = self.why_not_target(port) else { return true };
        let text =
            format!("port {} {why}: what is to be sent there is left to the kernel", port.name);
        self.problem(Some(port.ifindex), text);
        false
    }

    /// Why XDP programs cannot send frames out of an interface, if so: what follows its name in a
    /// sentence.
    pub(super) fn why_not_target(&self, link: &Link) -> Option<String> {
        if self.network.classifiers(link.ifindex).leaving {
            return Some(format!(
                "has filters of `tc` for what leaves (`tc filter show dev {0} egress`, `bpftool net show \
                 dev {0}`)",
                link.name
            ));
        }
        if link.is_bond()
            && let Some(why) = self.classifying_member(link)
        {
            return Some(why);
        }
        if !self.policy.native {
            return None;
        }
        let by_hand = || is_target_by_hand(self.policy, link);
        let features = self.network.features(link.ifindex);
        let peer = self.network.veth_peer(link.ifindex);
        // A veth announces more than is true. Without a carrier nobody looks at the other end, and nothing
        // is sent there.
        let is_elsewhere = link.is_veth() && link.lower_elsewhere;
        let is_doubtful = is_elsewhere && peer.is_none() && link.up && link.carrier;
        let of_unknown_end = || {
            let text = "is a veth whose other end is in a network namespace that Fabric cannot look \
                        into, and this kernel does not say for certain whether that end takes frames \
                        from XDP programs (list the port in `redirect_targets` if GRO is on there)";
            (!by_hand()).then(|| text.into())
        };
        match (features, &link.kind) {
            (Some(XdpFeatures::Announced(bits)), _) if bits & XdpFeatures::NDO_XMIT == 0 => {
                Some(why_not_announced(link))
            }
            (Some(_), _) if link.is_veth() && peer == Some(false) => Some(why_not_announced(link)),
            (Some(XdpFeatures::Announced(_)), _) if is_doubtful => of_unknown_end(),
            (Some(XdpFeatures::Announced(_)), _) => None,
            (Some(XdpFeatures::Driver(_)), _) if link.is_bond() => self.deaf_member(link),
            (_, LinkKind::Other(_)) if link.is_veth() && peer == Some(true) => None,
            (_, LinkKind::Other(_)) if link.is_veth() => of_unknown_end(),
            (_, LinkKind::Other(kind)) if kind == "tun" => None,
            (Some(XdpFeatures::Driver(driver)), _) if KNOWN.contains(&&**driver) => None,
            (Some(XdpFeatures::Driver(_)), _) if by_hand() => None,
            (Some(XdpFeatures::Driver(driver)), _) => Some(format!(
                "has a driver ({driver}) of which it is not known whether it takes frames from XDP \
                 programs, and this kernel does not say (list the port in `redirect_targets` if it \
                 does)"
            )),
            (None, _) => Some("has not said yet whether it takes frames from XDP programs".into()),
        }
    }

    /// Why XDP programs on an interface cannot send frames on, if so: what follows its name in a
    /// sentence.
    pub(super) fn why_not_source(&self, link: &Link) -> Option<String> {
        const NEEDED: u64 = XdpFeatures::BASIC | XdpFeatures::REDIRECT;
        if self.network.classifiers(link.ifindex).arriving {
            return Some(format!(
                "has filters of `tc` for what arrives (`tc filter show dev {0} ingress`, `bpftool net show \
                 dev {0}`)",
                link.name
            ));
        }
        match self.network.features(link.ifindex) {
            // What does not even run programs says so when one is attached.
            Some(XdpFeatures::Announced(bits))
                if self.policy.native && bits & NEEDED == XdpFeatures::BASIC =>
            {
                Some("has a driver whose XDP programs cannot send frames elsewhere".into())
            }
            _ => None,
        }
    }
}

fn is_target_by_hand(policy: &Policy, link: &Link) -> bool {
    policy.redirect_targets.iter().any(|pattern| pattern.matches(&link.name))
}

fn why_not_announced(link: &Link) -> String {
    if link.is_veth() {
        return "is a veth whose other end does not take frames from XDP programs (`ethtool -K DEVICE \
                gro on` at that end)"
            .into();
    }
    "has a driver that does not take frames from XDP programs".into()
}
