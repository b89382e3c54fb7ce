//! A finding.

/// Something that NetBox and the fabric say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The same in each audit that finds it, and no other's: `KIND/WHICH`.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// Which one, in words.
    pub what: String,
    /// What NetBox says.
    pub netbox: String,
    /// What the fabric says.
    pub fabric: String,
    /// The likely cause.
    pub likely: String,
    /// What to do.
    pub next: String,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An active prefix has no gateway, or nobody forwards to it.
    PrefixWithoutGateway,
    /// A gateway's network is no prefix.
    GatewayOutside,
    /// The VNI of a stretched VLAN is missing on a site.
    VniMissing,
    /// A VLAN has another VNI on a box.
    VniOther,
    /// A prefix is routed and not active.
    RoutedNotActive,
    /// What is reserved or deprecated is in use.
    InUse,
    /// Hosts have addresses outside any prefix.
    HostOutside,
    /// Hosts have addresses of another VLAN's prefix.
    HostElsewhere,
    /// No box has a VRF.
    VrfMissing,
    /// NetBox has no such VRF.
    VrfUnknown,
    /// A prefix is in another VRF.
    VrfOther,
    /// A VRF has another L3VNI.
    L3vniOther,
    /// No box has the VNI of an L2VPN.
    L2vpnMissing,
    /// NetBox has no L2VPN of a VNI.
    L2vpnUnknown,
    /// An L2VPN is carried and not active, or for another VLAN.
    L2vpnOther,
    /// NetBox has something twice.
    Duplicate,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 16] = [
        Self::PrefixWithoutGateway,
        Self::GatewayOutside,
        Self::VniMissing,
        Self::VniOther,
        Self::RoutedNotActive,
        Self::InUse,
        Self::HostOutside,
        Self::HostElsewhere,
        Self::VrfMissing,
        Self::VrfUnknown,
        Self::VrfOther,
        Self::L3vniOther,
        Self::L2vpnMissing,
        Self::L2vpnUnknown,
        Self::L2vpnOther,
        Self::Duplicate,
    ];

    /// As it stands in identifiers and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrefixWithoutGateway => "prefix_without_gateway",
            Self::GatewayOutside => "gateway_outside",
            Self::VniMissing => "vni_missing",
            Self::VniOther => "vni_other",
            Self::RoutedNotActive => "routed_not_active",
            Self::InUse => "in_use",
            Self::HostOutside => "host_outside",
            Self::HostElsewhere => "host_elsewhere",
            Self::VrfMissing => "vrf_missing",
            Self::VrfUnknown => "vrf_unknown",
            Self::VrfOther => "vrf_other",
            Self::L3vniOther => "l3vni_other",
            Self::L2vpnMissing => "l2vpn_missing",
            Self::L2vpnUnknown => "l2vpn_unknown",
            Self::L2vpnOther => "l2vpn_other",
            Self::Duplicate => "duplicate",
        }
    }

    /// An identifier of this kind.
    pub(super) fn id(self, which: impl std::fmt::Display) -> String {
        format!("{}/{which}", self.name())
    }
}
