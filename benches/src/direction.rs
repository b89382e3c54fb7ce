//! The three ways of a frame through a leaf that are measured against the kernel's.

use anyhow::{Context as _, Result, ensure};
use fabric_common::reason::Reason;
use fabric_user::kernel::programs::{ACCESS, ROUTED};

use crate::{
    flow::Captured,
    leaf::{Leaf, Plan, Site},
    outer,
    race::{End, Way},
    underlay::Underlay,
};

/// Where frames come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a host into a tunnel.
    Encapsulate,
    /// Out of a tunnel to a host.
    Decapsulate,
    /// From host to host on one leaf.
    Bridge,
}

impl Direction {
    /// Who is where when frames go to `destinations` stations and there are `vteps` VTEPs, over
    /// IPv4.
    #[must_use]
    pub const fn plan(self, destinations: u32, vteps: u32) -> Plan {
        let (destinations_at, sources_at) = match self {
            Self::Encapsulate => (Site::Remote, Site::Access),
            Self::Decapsulate => (Site::Access, Site::Remote),
            Self::Bridge => (Site::OtherAccess, Site::Access),
        };
        Plan { destinations, destinations_at, sources_at, vteps, underlay: Underlay::Ipv4 }
    }

    /// The ports.
    #[must_use]
    pub const fn way(self, leaf: &Leaf) -> Way {
        let (ingress, egress, sink) = match self {
            Self::Encapsulate => (leaf.access, leaf.routed, leaf.sink),
            Self::Decapsulate => (leaf.routed, leaf.access, leaf.host),
            Self::Bridge => (leaf.access, leaf.other_access, leaf.other_host),
        };
        Way { ingress, egress, sink, end: End::Driver }
    }

    /// Fabric's program.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Encapsulate | Self::Bridge => ACCESS,
            Self::Decapsulate => ROUTED,
        }
    }

    /// How Fabric counts a frame that it forwarded.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Encapsulate => Reason::Encapsulated,
            Self::Decapsulate => Reason::Decapsulated,
            Self::Bridge => Reason::Bridged,
        }
    }

    /// How many bytes longer a frame leaves than it came.
    #[must_use]
    pub const fn grows(self, underlay: Underlay) -> i64 {
        let outer = underlay.outer() as i64;
        match self {
            Self::Encapsulate => outer,
            Self::Decapsulate => -outer,
            Self::Bridge => 0,
        }
    }

    /// The kernel's path, in words for the report.
    #[must_use]
    pub const fn kernel_path(self) -> &'static str {
        match self {
            Self::Encapsulate => {
                "bridge with learning on the access port; vxlan device with nolearning; static FDB, \
                 neighbours and routes; IPv6 off but in the underlay, multicast snooping off"
            }
            Self::Decapsulate => {
                "IP input and UDP tunnel; vxlan device with nolearning, as bridge port without \
                 learning; static FDB; IPv6 off but in the underlay, multicast snooping off"
            }
            Self::Bridge => {
                "bridge with learning on the access port; static FDB; IPv6 and multicast snooping \
                 off"
            }
        }
    }

    /// Compares what arrived through Fabric and through the kernel for the same `packet`.
    ///
    /// # Errors
    /// With the first difference.
    pub fn compare(
        self,
        underlay: Underlay,
        ours: &Captured,
        kernels: &Captured,
        packet: &[u8],
    ) -> Result<()> {
        if self == Self::Encapsulate {
            return outer::compare(underlay, ours, kernels, packet);
        }
        let tunnelled = if self == Self::Decapsulate { underlay.outer() } else { 0 };
        let frame = packet.get(tunnelled..).context("the packet is too short")?;
        for (who, arrived) in [("Fabric", ours), ("the kernel", kernels)] {
            let bytes = arrived.bytes.get(..arrived.length as usize).unwrap_or_default();
            ensure!(
                bytes == frame,
                "{who} delivered another frame ({} bytes instead of {})",
                bytes.len(),
                frame.len()
            );
        }
        Ok(())
    }
}
