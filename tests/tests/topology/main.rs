//! Whole fabrics with FRR and fabric-xdpd in network namespaces: one case a file.

mod ageing;
mod anycast;
mod broadcast;
mod ecmp;
mod evpn_on_host;
mod exits;
mod forwarding;
mod frr_facts;
mod frr_restart;
mod learning;
mod link_failure;
mod migration;
mod no_control_plane;
mod oversize;
mod port_added;
mod port_recreated;
mod port_renamed;
mod routed;
mod spine_cut;
mod spoofed;
mod taps;
mod transfer;
mod verify;
mod vni;
