//! Every way in which a packet leaves the pipeline.
//!
//! A packet gets exactly one reason, counted with the port it came from. Numbers are part of the
//! schema: never renumber, never reuse. Names are `<stage>_<why>`.

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Forwarded by the fast path.
    Redirect,
    /// Handed to the kernel unchanged.
    Pass,
    /// Dropped, as the kernel would have done.
    Drop,
    /// Answered, as the kernel would have done: the packet has become the answer, and leaves by the port that it
    /// came from.
    Reply,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $text:literal, $verdict:ident;)+) => {
        /// Why a packet left the pipeline.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $name = $number,)+ }

        impl Reason {
            /// All reasons in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name that counters, tables and metrics show.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What the packet path does with the packet.
            #[inline(always)]
            #[must_use]
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$name => Verdict::$verdict,)+ }
            }

            /// One sentence for people.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

reasons! {
    /// Forwarded from one local port to another.
    Bridged = 1, "bridged", Redirect;
    /// Forwarded into a VXLAN tunnel.
    Encapsulated = 2, "encapsulated", Redirect;
    /// Forwarded out of a VXLAN tunnel to a local port.
    Decapsulated = 3, "decapsulated", Redirect;

    /// The bypass switch is on: all traffic goes to the kernel.
    PortInputBypassed = 4, "port_input_bypassed", Pass;
    /// The daemon's heartbeat is older than allowed, so the maps may be stale.
    PortInputHeartbeatExpired = 5, "port_input_heartbeat_expired", Pass;
    /// The port is not in the ports map, or has another role than its program.
    PortInputUnknownPort = 6, "port_input_unknown_port", Pass;
    /// The frame is shorter than the headers that it announces.
    PortInputTruncated = 7, "port_input_truncated", Pass;

    /// The VLAN, or untagged traffic, is not accelerated on this port.
    VlanClassifyNotMember = 8, "vlan_classify_not_member", Pass;
    /// The frame has a second tag, or a service tag (802.1ad).
    VlanClassifyStackedTag = 9, "vlan_classify_stacked_tag", Pass;

    /// The source MAC is a group address; the kernel's bridge drops such frames too.
    FrameGuardSourceMulticast = 10, "frame_guard_source_multicast", Drop;
    /// The source MAC is zero; the kernel's bridge drops such frames too.
    FrameGuardSourceZero = 11, "frame_guard_source_zero", Drop;
    /// Broadcast or multicast, which the kernel floods.
    FrameGuardMulticast = 12, "frame_guard_multicast", Pass;
    /// ARP, which the kernel may suppress, answer or learn from.
    FrameGuardArp = 13, "frame_guard_arp", Pass;
    /// IPv6 neighbour discovery, which the kernel may suppress, answer or learn from.
    FrameGuardNeighbourDiscovery = 14, "frame_guard_neighbour_discovery", Pass;
    /// A link-local control protocol such as LLDP, LACP or 802.1X.
    FrameGuardControlProtocol = 15, "frame_guard_control_protocol", Pass;

    /// The bridge does not know the source MAC yet and has to learn it.
    SourceCheckUnknown = 16, "source_check_unknown", Pass;
    /// The bridge knows the source MAC at another place and has to move it.
    SourceCheckMoved = 17, "source_check_moved", Pass;
    /// One frame per quarter of the ageing time, which keeps the bridge's entry fresh.
    SourceCheckRefresh = 18, "source_check_refresh", Pass;

    /// The destination MAC is not in the FDB; the kernel floods it.
    BridgeLookupUnknown = 19, "bridge_lookup_unknown", Pass;
    /// The destination MAC is this box's own.
    BridgeLookupOwnMac = 20, "bridge_lookup_own_mac", Pass;
    /// The destination is behind the port that the frame came from.
    BridgeLookupSamePort = 21, "bridge_lookup_same_port", Pass;
    /// Both ports are isolated from each other.
    BridgeLookupIsolated = 22, "bridge_lookup_isolated", Pass;

    /// The group that the VTEP or the route leads to has no usable nexthop.
    NexthopSelectEmptyGroup = 23, "nexthop_select_empty_group", Pass;
    /// The frame does not fit the vxlan device, or is too long for a UDP checksum here.
    VxlanOutputTooBig = 24, "vxlan_output_too_big", Pass;
    /// The driver leaves too little room in front of the frame for the outer headers.
    VxlanOutputNoHeadroom = 25, "vxlan_output_no_headroom", Pass;
    /// The frame does not fit the local port.
    AccessFitTooBig = 26, "access_fit_too_big", Pass;
    /// The driver leaves too little room in front of the frame for a VLAN tag.
    AccessOutputNoHeadroom = 27, "access_output_no_headroom", Pass;

    /// Not a VXLAN packet: routing, BGP, BFD, ARP and all else that the box itself handles.
    UnderlayInputNotVxlan = 28, "underlay_input_not_vxlan", Pass;
    /// The outer packet is a fragment.
    UnderlayInputFragment = 29, "underlay_input_fragment", Pass;
    /// The outer packet has IP options, or a header that says that it is too short.
    UnderlayInputIpOptions = 30, "underlay_input_ip_options", Pass;
    /// The checksum of the outer IP header is wrong (RFC 1812 §5.2.2); the kernel drops and counts it.
    UnderlayInputBadChecksum = 31, "underlay_input_bad_checksum", Pass;
    /// The lengths of the outer headers contradict the frame.
    UnderlayInputTruncated = 32, "underlay_input_truncated", Pass;

    /// The VXLAN flags are not exactly the I flag, or reserved bits are set.
    VxlanInputInvalidHeader = 33, "vxlan_input_invalid_header", Pass;
    /// No accelerated VNI of this box has this number and UDP port.
    VxlanInputUnknownVni = 34, "vxlan_input_unknown_vni", Pass;
    /// The outer destination is not the local address of this VNI.
    VxlanInputNotLocal = 35, "vxlan_input_not_local", Pass;
    /// The outer source is not a VTEP that the control plane told of.
    VxlanInputUnknownVtep = 36, "vxlan_input_unknown_vtep", Pass;
    /// Congestion was marked outside, but the inner packet cannot carry the mark (RFC 6040 §4.2); the
    /// kernel drops, counts and logs it.
    EcnDecapNotEctCe = 37, "ecn_decap_not_ect_ce", Pass;

    /// The inner source MAC is a group address.
    InnerGuardSourceMulticast = 38, "inner_guard_source_multicast", Drop;
    /// The inner source MAC is zero.
    InnerGuardSourceZero = 39, "inner_guard_source_zero", Drop;
    /// The inner destination is broadcast or multicast, which the kernel floods.
    InnerGuardMulticast = 40, "inner_guard_multicast", Pass;
    /// The inner frame carries a VLAN tag (RFC 7348 §6.1) of a VLAN that no tunnel brings with one, or two tags.
    InnerGuardTagged = 41, "inner_guard_tagged", Pass;
    /// The inner frame is ARP.
    InnerGuardArp = 42, "inner_guard_arp", Pass;
    /// The inner frame is IPv6 neighbour discovery.
    InnerGuardNeighbourDiscovery = 43, "inner_guard_neighbour_discovery", Pass;
    /// The inner frame is a link-local control protocol.
    InnerGuardControlProtocol = 44, "inner_guard_control_protocol", Pass;
    /// The kernel learns from this tunnel and does not know the inner source MAC yet.
    InnerSourceUnknown = 45, "inner_source_unknown", Pass;
    /// The inner frame is shorter than the headers that it announces.
    InnerGuardTruncated = 46, "inner_guard_truncated", Pass;

    /// What came from a VTEP would go back to a VTEP of the same VNI (RFC 7432 §12).
    SplitHorizonOverlayToOverlay = 47, "split_horizon_overlay_to_overlay", Drop;
    /// The inner destination MAC is not in the FDB; the kernel floods it.
    BridgeDeliverUnknown = 48, "bridge_deliver_unknown", Pass;
    /// The inner destination MAC is this box's own.
    BridgeDeliverOwnMac = 49, "bridge_deliver_own_mac", Pass;
    /// The destination port is isolated and so is the tunnel.
    BridgeDeliverIsolated = 50, "bridge_deliver_isolated", Pass;

    /// The outer Ethernet destination of VXLAN is not this port's address.
    UnderlayInputOtherHost = 51, "underlay_input_other_host", Pass;
    /// The underlay port that was chosen is not in the device map any more.
    UnderlayOutputNoPort = 52, "underlay_output_no_port", Drop;
    /// The local port that was chosen is not in the device map any more.
    AccessOutputNoPort = 53, "access_output_no_port", Drop;

    /// Routed from one port to another.
    Routed = 54, "routed", Redirect;
    /// The kernel does not forward what arrives on this port, or the maps cannot say whereto.
    TransitInputNotForwarding = 55, "transit_input_not_forwarding", Pass;
    /// The IP header contradicts itself or the frame's length (RFC 1812 §5.2.2).
    TransitInputBadHeader = 56, "transit_input_bad_header", Pass;
    /// The packet has IP options or a hop-by-hop header.
    TransitInputOptions = 57, "transit_input_options", Pass;
    /// The checksum of the IP header is wrong (RFC 1812 §5.2.2); the kernel drops and counts it.
    TransitInputBadChecksum = 58, "transit_input_bad_checksum", Pass;
    /// TTL or hop limit end here; the kernel answers if the packet is not for this box.
    TransitInputTtl = 59, "transit_input_ttl", Pass;
    /// An address that routers do not forward (RFC 1812 §5.3.7), or this box's own as source.
    TransitInputMartian = 60, "transit_input_martian", Pass;
    /// For this box itself: BGP, BFD, SSH and all else that the kernel handles.
    TransitRouteLocal = 61, "transit_route_local", Pass;
    /// No route leads there; the kernel answers.
    TransitRouteNone = 62, "transit_route_none", Pass;
    /// The route says unreachable or prohibit; the kernel answers.
    TransitRouteUnreachable = 63, "transit_route_unreachable", Pass;
    /// The route or nexthop discards silently.
    TransitRouteBlackhole = 64, "transit_route_blackhole", Drop;
    /// The destination is on a link, but its neighbour entry cannot be used now; the kernel resolves it.
    TransitRouteUnresolved = 65, "transit_route_unresolved", Pass;
    /// The route is one that the maps cannot express, or the maps are changing in the moment of the lookup.
    TransitRouteNotAccelerated = 66, "transit_route_not_accelerated", Pass;
    /// The packet would leave where it came from; the kernel may send a redirect.
    TransitOutputSamePort = 67, "transit_output_same_port", Pass;
    /// The packet does not fit the port; the kernel fragments or answers.
    TransitOutputTooBig = 68, "transit_output_too_big", Pass;
    // VXLAN over IPv6.
    /// The UDP checksum over IPv6 is wrong, or 0 and the vxlan device does not accept that.
    VxlanInputBadChecksum = 69, "vxlan_input_bad_checksum", Pass;
    /// The device of the destination's port takes no frames from XDP programs; the kernel sends.
    AccessFitNotATarget = 70, "access_fit_not_a_target", Pass;
    /// The destination's port has no carrier or is switched off.
    AccessFitPortDown = 71, "access_fit_port_down", Pass;
    // What a tunnel brings and its bridge port decides on.
    /// The tunnel's bridge port is locked: the kernel has to look whether the inner source MAC may send.
    InnerGuardLocked = 72, "inner_guard_locked", Pass;
    /// The inner source MAC is the vxlan device's own, which the kernel takes for a loop.
    InnerGuardLoop = 73, "inner_guard_loop", Pass;
    // Routing for hosts that the kernel answers for.
    /// Unicast neighbour discovery, which the kernel may answer for somebody else (`proxy_ndp`).
    TransitInputNeighbourDiscovery = 74, "transit_input_neighbour_discovery", Pass;
    // Where tunnels may end.
    /// No tunnel ends at this port: the underlay does not lead over it, or it is in a VRF.
    VxlanInputNotUnderlay = 75, "vxlan_input_not_underlay", Pass;
    /// The kernel would not accept this VTEP's packets from this port (rp_filter, rules), or decides itself.
    VxlanInputReversePath = 76, "vxlan_input_reverse_path", Pass;
    /// What came from a VTEP goes back into the overlay, because the tunnel's bridge port is in hairpin mode.
    BridgeDeliverHairpin = 77, "bridge_deliver_hairpin", Pass;
    // What was counted with reasons of other names.
    /// The Ethernet destination of what is to be routed, VXLAN aside, is not this port's address.
    TransitInputOtherHost = 78, "transit_input_other_host", Pass;
    /// The packet became shorter than its headers before they could be written, which no driver does.
    OutputTruncated = 79, "output_truncated", Drop;
    /// The frame fits the vxlan device, but the packet around it is longer than the underlay carries.
    VxlanOutputUnderlayTooSmall = 80, "vxlan_output_underlay_too_small", Pass;
    // Of a tunnel from which the kernel learns, beside what it does not know.
    /// The kernel knows the inner source MAC at another place and has to move it, or to drop the frame.
    InnerSourceMoved = 81, "inner_source_moved", Pass;
    /// One frame per quarter of the ageing time, which keeps the kernel's entries for the inner source fresh.
    InnerSourceRefresh = 82, "inner_source_refresh", Pass;
    // Routing to a network of a bridge.
    /// The bridge behind which the next hop is does not know its MAC address and floods, or it is its own.
    StationLookupUnknown = 83, "station_lookup_unknown", Pass;
    // ARP and neighbour discovery for hosts behind tunnels (RFC 9161).
    /// An ARP request for a host behind a tunnel, answered for it.
    ArpAnswered = 84, "arp_answered", Reply;
    /// A neighbour solicitation for a host behind a tunnel, answered for it.
    NdAnswered = 85, "nd_answered", Reply;
    /// An ARP request or neighbour solicitation for an address that no neighbour entry has, or none of a MAC
    /// address behind a tunnel; the kernel floods it, or answers itself.
    NeighbourAnswerUnknown = 86, "neighbour_answer_unknown", Pass;
    /// ARP or neighbour discovery that is not asking in the plain way: gratuitous, a probe, duplicate address
    /// detection, with other options, or from whom the kernel has to learn; the kernel decides.
    NeighbourAnswerNotPlain = 87, "neighbour_answer_not_plain", Pass;
    // VLAN tags inside tunnels.
    /// The inner frame has a tag and the outer header a congestion mark or ECT(1): the kernel takes bytes of the tag for
    /// those with the inner ECN bits.
    EcnDecapTagged = 88, "ecn_decap_tagged", Pass;
}

impl Reason {
    /// The reason with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| *r as u8 == number)
    }
}

/// Size of one port's row in the `reasons` map; a power of two, so that the index is a shift.
pub const REASONS: u32 = 128;

const _: () = {
    let mut i = 0;
    while i < Reason::ALL.len() {
        assert!((Reason::ALL[i] as u32) < REASONS && Reason::ALL[i] as usize == i + 1);
        i += 1;
    }
};
