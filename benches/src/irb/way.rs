//! The ways of a packet through the gateways of a leaf.

use anyhow::{Result, ensure};
use fabric_user::kernel::programs::{ACCESS, ROUTED};

use super::Gateways;
use crate::{
    flow::{Captured, OUTER},
    outer,
    race::{End, Way},
    underlay::Underlay,
};

/// Where packets come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// From a host into a tunnel of routed packets.
    Into,
    /// Out of such a tunnel to a host.
    Out,
    /// From a router into such a tunnel.
    Border,
    /// From a host of one network of the leaf to one of another.
    Local,
}

impl Through {
    /// Whether packets leave by a tunnel.
    #[must_use]
    pub const fn tunnels(self) -> bool {
        matches!(self, Self::Into | Self::Border)
    }

    /// Whether packets come by a tunnel.
    #[must_use]
    pub const fn is_tunnelled(self) -> bool {
        matches!(self, Self::Out)
    }

    /// The ports.
    #[must_use]
    pub const fn way(self, gateways: &Gateways) -> Way {
        let leaf = &gateways.leaf;
        let (ingress, egress, sink) = match self {
            Self::Into => (leaf.access, leaf.routed, leaf.sink),
            Self::Out => (leaf.routed, leaf.other_access, leaf.other_host),
            Self::Border => (leaf.other_access, leaf.routed, leaf.sink),
            Self::Local => (leaf.access, leaf.other_access, leaf.other_host),
        };
        Way { ingress, egress, sink, end: End::Driver }
    }

    /// Fabric's program.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Into | Self::Local => ACCESS,
            Self::Out | Self::Border => ROUTED,
        }
    }

    /// How many bytes longer a packet leaves than it came.
    #[must_use]
    pub const fn grows(self) -> i64 {
        match self {
            Self::Into | Self::Border => OUTER as i64,
            Self::Out => -(OUTER as i64),
            Self::Local => 0,
        }
    }

    /// The kernel's path, in words for the report.
    #[must_use]
    pub const fn kernel_path(self) -> &'static str {
        match self {
            Self::Into => {
                "bridge with an address, ip_forward, bridge and vxlan device of the L3VNI with \
                 nolearning; static FDB, neighbours and routes; no netfilter, no VRF"
            }
            Self::Out => {
                "UDP tunnel of the L3VNI, its bridge's address, ip_forward, bridge of the host; \
                 static FDB, neighbours and routes; no netfilter, no VRF"
            }
            Self::Border => {
                "routed port, ip_forward, bridge and vxlan device of the L3VNI with nolearning; \
                 static FDB, neighbours and routes; no netfilter, no VRF"
            }
            Self::Local => {
                "bridge with an address, ip_forward, bridge of the other host; static FDB and \
                 neighbours; no netfilter, no VRF"
            }
        }
    }

    /// Compares what arrived through Fabric and through the kernel for the same `packet`, which the kernel must
    /// have routed.
    ///
    /// # Errors
    /// With the first difference.
    pub fn compare(self, ours: &Captured, kernels: &Captured, packet: &[u8]) -> Result<()> {
        let bytes = |of: &Captured| of.bytes[..of.length as usize].to_vec();
        let (ours_bytes, kernels_bytes) = (bytes(ours), bytes(kernels));
        let offered = packet.get(if self.is_tunnelled() { OUTER } else { 0 }..).unwrap_or_default();
        let outer = if self.tunnels() { OUTER } else { 0 };
        let routed = kernels_bytes.get(outer..).unwrap_or_default();
        ensure!(
            routed.len() == offered.len() && routed[..12] != offered[..12],
            "the kernel did not route what was offered"
        );
        match self {
            Self::Into | Self::Border => outer::compare(Underlay::Ipv4, ours, kernels, routed),
            Self::Out | Self::Local => {
                ensure!(ours_bytes == kernels_bytes, "Fabric's packet is not the kernel's");
                Ok(())
            }
        }
    }
}
