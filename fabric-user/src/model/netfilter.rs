//! Chains of netfilter, as far as they see packets that Fabric would forward.
//!
//! XDP comes before every hook (`__netif_receive_skb_core`), so whatever a chain may do to a packet is not
//! done when Fabric forwards it. Which hooks packets pass in the kernel:
//!
//! | packets | hooks |
//! |---|---|
//! | all | ingress of the interfaces that receive them, egress of those that send them |
//! | routed | prerouting, forward, postrouting of their family (`ip_rcv`, `ip_forward`, `ip_output`) |
//! | routed to the device of a VRF, which routes them on | output of their family, and postrouting once more (`vrf_ip_local_out`, `vrf_ip6_local_out`) |
//! | bridged | the same of the family bridge (`br_handle_frame`, `__br_forward`); with br_netfilter also of IPv4 and IPv6 (`br_nf_pre_routing` and its siblings) |
//! | for a gateway of a bridge, and from it | input and output of the family bridge as well (`br_pass_frame_up`, `__br_forward`) |
//! | answers to ARP | output of the family ARP (`arp_xmit`) |
//! | of tunnels, sent | output, postrouting (`ip_local_out`, `ip_output`) |
//! | of tunnels, received | prerouting, input (`ip_rcv`, `ip_local_deliver`) |

use std::collections::BTreeSet;

use crate::observe::{Chain, ChainFamily, ChainKind, Hook};

/// What nftables has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Nftables {
    chains: BTreeSet<Chain>,
    dormant: BTreeSet<(ChainFamily, String)>,
}

impl Nftables {
    pub(super) fn add(&mut self, chain: Chain) -> bool {
        self.chains.insert(chain)
    }

    pub(super) fn add_dormant(&mut self, family: ChainFamily, table: String) -> bool {
        self.dormant.insert((family, table))
    }

    /// Whether some chain is for interfaces, which the kernel knows by more than their names.
    pub(super) fn is_at_interfaces(&self) -> bool {
        self.chains.iter().any(|chain| matches!(chain.hook, Hook::Ingress | Hook::Egress))
    }

    /// Those that may do something to packets.
    pub(super) fn acting(&self) -> impl Iterator<Item = &Chain> {
        self.chains.iter().filter(|chain| {
            chain.acts
                && (self.dormant.is_empty()
                    || !self.dormant.contains(&(chain.family, chain.table.clone())))
        })
    }
}

impl Chain {
    /// It is for IPv6 packets, or for IPv4 packets.
    fn is_for(&self, v6: bool) -> bool {
        match self.family {
            ChainFamily::Ip => !v6,
            ChainFamily::Ip6 => v6,
            ChainFamily::Inet => true,
            ChainFamily::Bridge | ChainFamily::Netdev | ChainFamily::Arp => false,
        }
    }

    /// It is at a hook that what passes through this box meets.
    const fn is_on_the_way(&self) -> bool {
        matches!(self.hook, Hook::Prerouting | Hook::Forward | Hook::Postrouting)
    }

    /// It sees packets of a family that are routed.
    pub(super) fn sees_routed(&self, v6: bool) -> bool {
        self.is_for(v6) && self.is_on_the_way()
    }

    /// It sees packets of a family that the device of a VRF routes on (`vrf_ip_local_out`), beside those that
    /// see all that are routed.
    pub(super) fn sees_leaked(&self, v6: bool) -> bool {
        self.is_for(v6) && self.hook == Hook::Output
    }

    /// It sees frames that are bridged.
    pub(super) fn sees_bridged(&self) -> bool {
        self.family == ChainFamily::Bridge && self.is_on_the_way()
    }

    /// It sees frames that are for a bridge itself or come from it: a gateway's.
    pub(super) fn sees_gateways(&self) -> bool {
        self.family == ChainFamily::Bridge && matches!(self.hook, Hook::Input | Hook::Output)
    }

    /// It sees ARP that the kernel sends, answers for others among it (`arp_xmit`).
    pub(super) fn sees_arp_sent(&self) -> bool {
        self.family == ChainFamily::Arp && self.hook == Hook::Output
    }

    /// It is at an interface of this name.
    pub(super) fn is_at(&self, interface: &str) -> bool {
        self.devices.iter().any(|device| match device.strip_suffix('*') {
            Some(begin) => interface.starts_with(begin),
            None => device == interface,
        })
    }

    /// It may send elsewhere what a vxlan device sends over a family.
    pub(super) fn moves_sent(&self, v6: bool) -> bool {
        self.is_for(v6)
            && self.kind != ChainKind::Filter
            && matches!(self.hook, Hook::Output | Hook::Postrouting)
    }

    /// It may take elsewhere what arrives for a vxlan device over a family. The addresses of the first
    /// packet count for all of its flow, but the two directions of a tunnel are two flows.
    pub(super) fn moves_received(&self, v6: bool) -> bool {
        self.is_for(v6)
            && self.kind != ChainKind::Filter
            && matches!(self.hook, Hook::Prerouting | Hook::Input)
    }

    /// It may refuse packets of tunnels over a family, and does not lead them elsewhere.
    pub(super) fn filters_tunnels(&self, v6: bool) -> bool {
        self.is_for(v6)
            && self.kind == ChainKind::Filter
            && matches!(
                self.hook,
                Hook::Prerouting | Hook::Input | Hook::Output | Hook::Postrouting
            )
    }
}
