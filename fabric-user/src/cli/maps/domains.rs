//! `maps domains`, with what domains over IPv6 have in `domains6`.

use std::net::IpAddr;

use fabric_common::schema::domains::{
    Domain, FLAG_DF, FLAG_DF_INHERIT, FLAG_IPV6, FLAG_LABEL_INHERIT, FLAG_OVERLAY_ISOLATED,
    FLAG_OVERLAY_LEARNING, FLAG_OVERLAY_LOCKED, FLAG_TOS_INHERIT, FLAG_TTL_INHERIT,
    FLAG_ZERO_CHECKSUM_RX, FLAG_ZERO_CHECKSUM_TX,
};

use crate::{
    cli::{
        row::{OrWord, Said, lasting, rows},
        view::View,
    },
    kernel::clock,
};

rows! {
    /// A bridge domain. What belongs to its tunnel is null without one.
    pub(super) struct DomainRow, "no bridge is accelerated" {
        /// Name of the bridge, with the VLAN if it is VLAN-aware.
        "BRIDGE" bridge: String,
        /// Its VNI.
        "VNI" vni: Option<u32>,
        /// Name of the vxlan device.
        "VXLAN" vxlan: Option<String>,
        /// The local VTEP address; null where each VTEP has its own.
        "LOCAL" local: Option<IpAddr>,
        /// UDP destination port.
        "PORT" udp_port: Option<u16>,
        /// TTL or hop limit of outer headers, or `inherit`.
        "TTL" ttl: Option<Said<OrWord<u8>>>,
        /// TOS or traffic class of outer headers, or `inherit`.
        "TOS" tos: Option<Said<OrWord<u8>>>,
        /// The DF flag of outer headers: `set`, `unset` or `inherit`.
        "DF" df: Option<&'static str>,
        /// The longest inner frame, in bytes, with its tag if it has one there.
        "MAX FRAME" max_frame: Option<u32>,
        /// How often the kernel is shown a frame of each MAC address, in seconds.
        "REFRESH" refresh_s: Said<f64>,
        /// Of a tunnel over IPv6: the flow label, `inherit`, or `by flow`.
        "FLOW LABEL" [detail] flow_label: Option<Said<OrWord<u32>>>,
        /// Of a tunnel over IPv6: UDP checksums are written.
        "CHECKSUM SENT" [detail] checksum_sent: Option<bool>,
        /// Of a tunnel over IPv6: packets without a UDP checksum are not taken.
        "CHECKSUM REQUIRED" [detail] checksum_required: Option<bool>,
        /// Frames keep the tag of the VLAN in the tunnel.
        "TAG INSIDE" [detail] tag_inside: bool,
        /// The kernel learns from its tunnel.
        "LEARNING" [detail] learning: bool,
        /// The vxlan device is an isolated bridge port.
        "ISOLATED" [detail] isolated: bool,
        /// The vxlan device is a locked bridge port.
        "LOCKED" [detail] locked: bool,
        /// Its place in the map.
        "INDEX" [detail] index: u32,
    }
}

pub(super) fn rows(view: &View) -> impl Iterator<Item = DomainRow> {
    view.contents.domains.iter().map(|(index, domain)| {
        let set = |flag| domain.flags & flag != 0;
        let stretched = domain.vni != 0;
        let over_ipv6 = stretched && set(FLAG_IPV6);
        let refresh = clock::time(domain.refresh_jiffies.into(), view.contents.settings.hz);
        DomainRow {
            bridge: view.bridge_name(*index, domain),
            vni: view.vni(*index),
            vxlan: stretched.then(|| view.interfaces.name(view.vxlan(*index))),
            local: view.local(*index),
            udp_port: stretched.then(|| u16::from_be(domain.udp_port_be)),
            ttl: stretched.then(|| ttl(domain)),
            tos: stretched.then(|| tos(domain)),
            df: stretched.then(|| df(domain)),
            max_frame: stretched.then(|| max_tagged(view, *index).unwrap_or(domain.max_frame)),
            refresh_s: lasting(refresh),
            flow_label: over_ipv6.then(|| flow_label(view, *index, domain)),
            checksum_sent: over_ipv6.then(|| !set(FLAG_ZERO_CHECKSUM_TX)),
            checksum_required: over_ipv6.then(|| !set(FLAG_ZERO_CHECKSUM_RX)),
            tag_inside: max_tagged(view, *index).is_some(),
            learning: set(FLAG_OVERLAY_LEARNING),
            isolated: set(FLAG_OVERLAY_ISOLATED),
            locked: set(FLAG_OVERLAY_LOCKED),
            index: *index,
        }
    })
}

/// The longest frame with the tag that it has in the tunnel, if it has one.
fn max_tagged(view: &View, index: u32) -> Option<u32> {
    let beside = view.contents.domains6.get(&index);
    beside.map(|beside| beside.max_tagged).filter(|longest| *longest != 0)
}

const INHERIT: &str = "inherit";

fn word<T>(word: &'static str) -> Said<OrWord<T>> {
    Said::new(word, OrWord::Word(word))
}

fn ttl(domain: &Domain) -> Said<OrWord<u8>> {
    match domain.flags & FLAG_TTL_INHERIT {
        0 => Said::new(domain.ttl.to_string(), OrWord::Number(domain.ttl)),
        _ => word(INHERIT),
    }
}

fn tos(domain: &Domain) -> Said<OrWord<u8>> {
    match domain.flags & FLAG_TOS_INHERIT {
        0 => Said::new(format!("{:#04x}", domain.tos), OrWord::Number(domain.tos)),
        _ => word(INHERIT),
    }
}

const fn df(domain: &Domain) -> &'static str {
    match domain.flags & (FLAG_DF | FLAG_DF_INHERIT) {
        0 => "unset",
        FLAG_DF => "set",
        _ => INHERIT,
    }
}

fn flow_label(view: &View, index: u32, domain: &Domain) -> Said<OrWord<u32>> {
    let label = view.contents.domains6.get(&index).map_or(0, |beside| beside.label_be);
    match u32::from_be(label) {
        _ if domain.flags & FLAG_LABEL_INHERIT != 0 => word(INHERIT),
        0 => word("by flow"),
        label => Said::new(format!("{label:#07x}"), OrWord::Number(label)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use fabric_common::{
        halves,
        schema::{domains::FLAG_IN_USE, domains6::Domain6, vteps::Vtep},
    };

    use super::*;
    use crate::cli::{
        maps::vteps,
        table::{Look, Table},
        view::tests::leaf,
    };

    #[test]
    fn a_domain_over_ipv6_is_shown_with_its_label_and_checksums() {
        let mut view = leaf();
        let local = halves::of(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        let remote = halves::of(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));
        let domain = view.contents.domains.get_mut(&1).expect("the leaf has it");
        domain.local_be = 0;
        domain.flags = FLAG_IN_USE | FLAG_IPV6 | FLAG_ZERO_CHECKSUM_TX;
        let beside = Domain6 { local, label_be: 0xabcd_u32.to_be(), ..Domain6::default() };
        view.contents.domains6 = [(1, beside)].into();
        view.contents.vteps = [(1, Vtep::new6(local, remote, 1))].into();

        let domain = rows(&view).next().expect("the leaf has a bridge");
        assert_eq!(domain.local, Some("2001:db8::1".parse().unwrap()));
        let said = serde_json::to_value(&domain).unwrap();
        assert_eq!(said["flow_label"], 0xabcd);
        assert_eq!(
            (&said["checksum_sent"], &said["checksum_required"]),
            (&false.into(), &true.into())
        );
        let text = Table::of([domain]).text(Look { width: None, verbose: true });
        assert!(text.contains("  0x0abcd     -              yes  "), "{text}");
        let expected = "\
VTEP         LOCAL        MACS  REACHABLE VIA
2001:db8::2  2001:db8::1     1  swp1, swp2
";
        assert_eq!(Table::of(vteps::rows(&view)).text(Look::default()), expected);
    }
}
