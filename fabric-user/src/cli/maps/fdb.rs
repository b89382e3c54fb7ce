//! `maps fdb`, with the times of `fdb_times`.

use fabric_common::schema::fdb::{KIND_LOCAL, KIND_OWN, KIND_REMOTE, KIND_SEGMENT};

use crate::{
    cli::{
        contents::FdbEntry,
        row::{Said, ago, rows},
        view::View,
    },
    observe::Mac,
};

rows! {
    /// A MAC address in a bridge domain.
    pub(super) struct MacRow, "no MAC address is known" {
        /// Name of the bridge, with the VLAN if it is VLAN-aware.
        "BRIDGE" bridge: Option<String>,
        /// The bridge's VNI.
        "VNI" vni: Option<u32>,
        /// The address.
        "MAC" mac: Mac,
        /// `local`, `remote`, `segment`, `gateway` or `own`.
        "TYPE" r#type: &'static str,
        /// Port of a local address, VTEP of a remote one, VTEPs of one behind an Ethernet segment, the gateway, `this box` for any other own one.
        "WHERE" r#where: Option<String>,
        /// VLAN ID on the wire of a local address; null for untagged.
        "VLAN" vlan: Option<u16>,
        /// Of a local address: seconds since the kernel last saw a frame of it; null for never.
        "LAST SHOWN" [moving] shown_s: Option<Said<Option<f64>>>,
        /// Index of the bridge domain.
        "DOMAIN" [detail] domain: u32,
        /// Index of the circuit, VTEP or segment.
        "INDEX" [detail] index: u32,
    }
}

/// Sorted by VNI, bridge and MAC.
pub(super) fn rows(view: &View) -> impl Iterator<Item = MacRow> {
    let mut entries: Vec<&FdbEntry> = view.contents.fdb.iter().collect();
    entries.sort_by_key(|entry| (view.vni(entry.domain), entry.domain, entry.mac));
    entries.into_iter().map(|entry| {
        let circuit = view.contents.circuits.get(&entry.index);
        let circuit = circuit.filter(|_| entry.kind == KIND_LOCAL);
        let (kind, place) = match entry.kind {
            KIND_LOCAL => ("local", circuit.map(|circuit| view.port(circuit.port.into()))),
            KIND_REMOTE => ("remote", view.vtep(entry.index).map(|vtep| vtep.to_string())),
            KIND_SEGMENT => {
                let vteps = view.segment(entry.index).iter().map(ToString::to_string).collect();
                ("segment", Some::<Vec<String>>(vteps).map(|vteps| vteps.join(", ")))
            }
            KIND_OWN if entry.index != 0 => ("gateway", Some(view.port(entry.index))),
            KIND_OWN => ("own", Some("this box".into())),
            _ => ("unknown", None),
        };
        MacRow {
            bridge: view.bridge(entry.domain),
            vni: view.vni(entry.domain),
            mac: entry.mac,
            r#type: kind,
            r#where: place,
            vlan: circuit.map(|circuit| circuit.vlan).filter(|vlan| *vlan != 0),
            shown_s: (entry.kind == KIND_LOCAL).then(|| ago(view.since(entry.shown))),
            domain: entry.domain,
            index: entry.index,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{
        table::{Look, Table},
        view::tests::leaf,
    };

    #[test]
    fn macs_are_shown_with_names_and_the_time_since_the_kernel_saw_them() {
        let expected = "\
BRIDGE    VNI  MAC                TYPE    WHERE     VLAN  LAST SHOWN
br200   10200  02:00:00:00:00:01  local   h1           -  never
br200   10200  02:00:00:00:00:02  local   h2          20  2.0 s ago
br200   10200  02:00:00:00:00:03  remote  10.0.0.2     -  -
br200   10200  02:00:00:00:00:04  own     this box     -  -
";
        assert_eq!(Table::of(rows(&leaf())).text(Look::default()), expected);
    }

    #[test]
    fn an_entry_that_refers_to_what_has_just_gone_is_shown_without_it() {
        let mut view = leaf();
        view.contents.circuits.clear();
        view.contents.vteps.clear();
        let text = Table::of(rows(&view)).text(Look::default());
        assert!(text.contains("02:00:00:00:00:03  remote  -"), "{text}");
    }
}
