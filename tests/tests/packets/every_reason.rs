//! No reason without a test: the compiler refuses a reason that is missing here, and the test runs
//! what is named here and looks whether the reason was really seen.

use fabric_common::reason::Reason;
use fabric_tests::expect::provoked_by;

use crate::{
    access::{
        access_fit, access_output, bridge_lookup, frame_guard, neighbour_answer, nexthop_select,
        source_check, underlay_output, vlan_classify, vxlan_output,
    },
    gateway, ipv6,
    overlay::{
        bridge_deliver, ecn_decap, inner_guard, inner_source, inner_tag, underlay_input,
        vxlan_input,
    },
    port_input,
    transit::{transit_input, transit_output, transit_route},
};

/// The test that provokes a reason; `None` if nothing that the kernel does can.
fn test_of(reason: Reason) -> Option<fn()> {
    let test: fn() = match reason {
        // The verifier asks for a comparison that all packets pass.
        Reason::OutputTruncated => return None,
        Reason::VxlanInputBadChecksum => ipv6::a_wrong_checksum_is_left_to_the_kernel,
        Reason::Bridged => bridge_lookup::a_known_destination_gets_the_frame_as_it_was_sent,
        Reason::Encapsulated => nexthop_select::fragments_of_a_packet_stay_on_one_path,
        Reason::Decapsulated => bridge_deliver::a_known_destination_gets_the_inner_frame,
        Reason::PortInputBypassed => port_input::everything_passes_while_the_bypass_is_on,
        Reason::PortInputHeartbeatExpired => {
            port_input::everything_passes_when_the_heartbeat_has_expired
        }
        Reason::PortInputUnknownPort => {
            port_input::a_port_that_the_maps_do_not_know_passes_everything
        }
        Reason::PortInputTruncated => port_input::a_frame_that_ends_inside_its_headers_passes,
        Reason::VlanClassifyNotMember => vlan_classify::a_vlan_without_a_circuit_passes,
        Reason::VlanClassifyStackedTag => vlan_classify::a_second_tag_or_a_service_tag_passes,
        Reason::FrameGuardSourceMulticast => frame_guard::a_group_address_as_source_is_dropped,
        Reason::FrameGuardSourceZero => frame_guard::a_zero_source_is_dropped,
        Reason::FrameGuardMulticast => {
            frame_guard::broadcast_and_multicast_are_flooded_by_the_kernel
        }
        Reason::FrameGuardArp => frame_guard::unicast_arp_is_left_to_the_kernel,
        Reason::FrameGuardNeighbourDiscovery => {
            frame_guard::unicast_neighbour_discovery_is_left_to_the_kernel
        }
        Reason::FrameGuardControlProtocol => frame_guard::control_protocols_are_left_to_the_kernel,
        Reason::SourceCheckUnknown => source_check::an_unknown_source_passes,
        Reason::SourceCheckMoved => source_check::a_source_that_the_bridge_knows_elsewhere_passes,
        Reason::SourceCheckRefresh => {
            source_check::the_first_frame_of_a_station_passes_and_the_second_is_forwarded
        }
        Reason::BridgeLookupUnknown => {
            bridge_lookup::an_unknown_destination_is_flooded_by_the_kernel
        }
        Reason::BridgeLookupOwnMac => bridge_lookup::frames_for_the_box_itself_pass,
        Reason::BridgeLookupSamePort => {
            bridge_lookup::a_frame_is_not_sent_back_to_the_port_that_it_came_from
        }
        Reason::BridgeLookupIsolated => bridge_lookup::isolated_ports_do_not_reach_each_other,
        Reason::NexthopSelectEmptyGroup => {
            nexthop_select::a_vtep_without_nexthops_is_left_to_the_kernel
        }
        Reason::VxlanOutputTooBig => {
            vxlan_output::a_frame_one_byte_longer_than_the_vxlan_device_carries_passes
        }
        Reason::VxlanOutputUnderlayTooSmall => {
            vxlan_output::a_frame_one_byte_longer_than_the_underlay_carries_passes
        }
        Reason::VxlanOutputNoHeadroom => {
            vxlan_output::without_room_for_the_outer_headers_the_frame_passes
        }
        Reason::AccessFitTooBig => access_fit::a_frame_one_byte_longer_than_the_ports_mtu_passes,
        Reason::AccessFitNotATarget => {
            access_fit::a_frame_to_a_port_that_takes_none_from_programs_passes
        }
        Reason::AccessFitPortDown => access_fit::a_frame_to_a_port_that_is_down_passes,
        Reason::AccessOutputNoHeadroom => access_output::without_room_for_a_tag_the_frame_passes,
        Reason::UnderlayInputNotVxlan => {
            underlay_input::routing_protocols_and_everything_that_is_not_vxlan_pass
        }
        Reason::UnderlayInputFragment => underlay_input::fragments_of_the_outer_packet_pass,
        Reason::UnderlayInputIpOptions => underlay_input::ip_options_pass,
        Reason::UnderlayInputBadChecksum => {
            underlay_input::a_wrong_header_checksum_is_left_to_the_kernel
        }
        Reason::UnderlayInputTruncated => underlay_input::lengths_that_contradict_each_other_pass,
        Reason::UnderlayInputOtherHost => underlay_input::a_packet_for_another_mac_address_passes,
        Reason::VxlanInputInvalidHeader => vxlan_input::any_reserved_bit_passes,
        Reason::VxlanInputUnknownVni => vxlan_input::an_unknown_vni_passes,
        Reason::VxlanInputNotLocal => vxlan_input::a_packet_for_another_address_of_the_box_passes,
        Reason::VxlanInputUnknownVtep => vxlan_input::a_packet_of_an_unknown_vtep_passes,
        Reason::VxlanInputNotUnderlay => {
            vxlan_input::where_the_underlay_does_not_lead_no_tunnel_ends
        }
        Reason::VxlanInputReversePath => {
            vxlan_input::a_vtep_is_heard_at_the_ports_that_its_entry_names
        }
        Reason::EcnDecapNotEctCe => ecn_decap::ipv4_and_ipv6_follow_the_table,
        Reason::EcnDecapTagged => inner_tag::ecn_bits_that_the_kernel_would_write_into_the_tag_pass,
        Reason::InnerGuardSourceMulticast => {
            inner_guard::a_group_address_as_inner_source_is_dropped
        }
        Reason::InnerGuardSourceZero => inner_guard::a_zero_inner_source_is_dropped,
        Reason::InnerGuardMulticast => {
            inner_guard::inner_broadcast_and_multicast_are_flooded_by_the_kernel
        }
        Reason::InnerGuardTagged => inner_guard::an_inner_tag_passes,
        Reason::InnerGuardArp => inner_guard::inner_arp_is_left_to_the_kernel,
        Reason::InnerGuardNeighbourDiscovery => {
            inner_guard::inner_neighbour_discovery_is_left_to_the_kernel
        }
        Reason::InnerGuardControlProtocol => {
            inner_guard::inner_control_protocols_are_left_to_the_kernel
        }
        Reason::InnerSourceUnknown => {
            inner_source::an_inner_source_that_the_kernel_may_learn_passes
        }
        Reason::InnerSourceMoved => {
            inner_source::an_inner_source_that_the_kernel_knows_elsewhere_passes
        }
        Reason::InnerSourceRefresh => {
            inner_source::the_first_frame_of_a_remote_station_passes_and_the_second_is_forwarded
        }
        Reason::InnerGuardLocked => inner_guard::a_tunnel_whose_bridge_port_is_locked_passes,
        Reason::InnerGuardLoop => inner_guard::what_seems_to_come_from_the_vxlan_device_passes,
        Reason::InnerGuardTruncated => {
            inner_guard::an_inner_frame_without_a_whole_ethernet_header_passes
        }
        Reason::BridgeDeliverHairpin => {
            bridge_deliver::what_goes_back_into_the_overlay_by_a_hairpin_is_the_kernels
        }
        Reason::SplitHorizonOverlayToOverlay => {
            bridge_deliver::split_horizon_drops_what_would_go_back_into_the_overlay
        }
        Reason::BridgeDeliverUnknown => {
            bridge_deliver::an_unknown_inner_destination_is_flooded_by_the_kernel
        }
        Reason::BridgeDeliverOwnMac => bridge_deliver::an_inner_frame_for_the_box_itself_passes,
        Reason::BridgeDeliverIsolated => {
            bridge_deliver::an_isolated_tunnel_does_not_reach_an_isolated_port
        }
        Reason::UnderlayOutputNoPort => underlay_output::a_port_without_a_device_drops_the_packet,
        Reason::AccessOutputNoPort => access_output::a_port_without_a_device_drops_the_frame,
        Reason::Routed => transit_route::neighbours_and_prefixes_are_routed,
        Reason::TransitInputNotForwarding => {
            transit_input::a_port_forwards_the_families_that_the_kernel_forwards_there
        }
        Reason::TransitInputBadHeader => transit_input::headers_that_contradict_the_frame_pass,
        Reason::TransitInputOptions => {
            transit_input::options_and_hop_by_hop_headers_are_left_to_the_kernel
        }
        Reason::TransitInputBadChecksum => {
            transit_input::a_wrong_header_checksum_is_left_to_the_kernel
        }
        Reason::TransitInputTtl => transit_input::a_ttl_that_ends_here_is_left_to_the_kernel,
        Reason::TransitInputMartian => transit_input::martian_addresses_pass,
        Reason::TransitInputOtherHost => transit_input::frames_for_others_and_for_groups_pass,
        Reason::TransitInputNeighbourDiscovery => {
            transit_input::unicast_neighbour_discovery_is_left_to_the_kernel
        }
        Reason::TransitRouteLocal => transit_route::packets_for_the_box_itself_pass,
        Reason::TransitRouteNone => transit_route::packets_to_nowhere_pass,
        Reason::TransitRouteUnreachable => {
            transit_route::an_unreachable_route_is_left_to_the_kernel
        }
        Reason::TransitRouteBlackhole => transit_route::blackhole_routes_and_groups_drop,
        Reason::TransitRouteUnresolved => {
            transit_route::a_neighbour_that_is_not_resolved_is_left_to_the_kernel
        }
        Reason::TransitRouteNotAccelerated => {
            transit_route::a_route_that_the_maps_cannot_express_is_left_to_the_kernel
        }
        Reason::TransitOutputSamePort => transit_output::what_would_leave_where_it_came_from_passes,
        Reason::StationLookupUnknown => {
            gateway::a_next_hop_that_its_bridge_does_not_know_is_the_kernels
        }
        Reason::ArpAnswered => {
            neighbour_answer::arp_for_a_host_behind_the_tunnel_is_answered_without_padding
        }
        Reason::NdAnswered => {
            neighbour_answer::neighbour_discovery_for_a_host_behind_the_tunnel_is_answered
        }
        Reason::NeighbourAnswerUnknown => {
            neighbour_answer::whom_the_bridge_does_not_know_behind_the_tunnel_nobody_is_answered_for
        }
        Reason::NeighbourAnswerNotPlain => {
            neighbour_answer::what_says_something_of_its_sender_or_is_not_plain_passes
        }
        Reason::TransitOutputTooBig => transit_output::a_packet_one_byte_longer_than_the_mtu_passes,
    };
    Some(test)
}

#[test]
fn every_reason_is_provoked_by_the_test_that_is_named_for_it() {
    let missing: Vec<_> = Reason::ALL
        .iter()
        .filter(|reason| test_of(**reason).is_some_and(|test| !provoked_by(test).contains(reason)))
        .collect();
    assert!(missing.is_empty(), "not seen in the test that should provoke it: {missing:?}");
}
