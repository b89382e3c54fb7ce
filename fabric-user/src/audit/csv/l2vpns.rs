//! L2VPNs: `Name,Slug,Identifier,Type,Status,…`. VLANs say themselves in which they are.

use super::{CsvError, Sheet};
use crate::audit::model::{ACTIVE, L2vpn, Records};

/// What NetBox shows of its types that are VXLANs, and what it stores.
const VXLAN: [&str; 3] = ["vxlan", "vxlan-evpn", "vxlan evpn"];

pub(super) fn read(sheet: &Sheet, records: &mut Records) -> Result<(), CsvError> {
    let [name, identifier] = sheet.need([&["name"], &["identifier"]])?;
    let (kind, status) = (sheet.find(&["type"]), sheet.find(&["status"]));
    if let Some(status) = status {
        sheet.check_language(status, &[ACTIVE, "planned", "decommissioning"], &[])?;
    }
    for row in sheet.rows() {
        let vni = match row.cell(identifier) {
            cell if cell.is_empty() => None,
            cell => Some(cell.parse().map_err(|_| row.wrong(identifier, "no number"))?),
        };
        let kind = row.maybe(kind).map(|kind| kind.to_lowercase());
        records.l2vpns.push(L2vpn {
            name: row.cell(name),
            identifier: vni.filter(|vni| (1..1 << 24).contains(vni)),
            is_vxlan: kind.is_none_or(|kind| VXLAN.contains(&kind.as_str())),
            status: row.maybe(status).map(|status| status.to_lowercase()),
            ..L2vpn::default()
        });
    }
    Ok(())
}

/// The L2VPN of a VLAN's label: `name (identifier)`, or `name`. One that is in no table is added.
pub(super) fn of(label: &str, records: &mut Records) -> usize {
    let (name, identifier) = match super::label::numbered(label) {
        Some((name, identifier)) => (name, Some(identifier)),
        None => (label, None),
    };
    let is_it = |l2vpn: &L2vpn| {
        (identifier.is_none() || l2vpn.identifier == identifier) && l2vpn.name == name
    };
    if let Some(place) = records.l2vpns.iter().position(is_it) {
        return place;
    }
    let l2vpn = L2vpn { name: name.into(), identifier, is_vxlan: true, ..L2vpn::default() };
    records.l2vpns.push(l2vpn);
    records.l2vpns.len() - 1
}
