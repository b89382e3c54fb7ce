//! VLANs: `VID,Name,Site,Group,…,Status,…,L2VPN,…`.

use std::collections::BTreeMap;

use super::{CsvError, Sheet, l2vpns};
use crate::audit::model::{ACTIVE, DEPRECATED, RESERVED, Records, Sites, Table, Vlan};

pub(super) fn read(sheet: &Sheet, records: &mut Records) -> Result<(), CsvError> {
    let [vid, name] = sheet.need([&["vid"], &["name"]])?;
    let (status, site) = (sheet.find(&["status"]), sheet.find(&["site"]));
    let (group, l2vpn) = (sheet.find(&["group"]), sheet.find(&["l2vpn"]));
    if let Some(status) = status {
        sheet.check_language(status, &[ACTIVE, RESERVED, DEPRECATED], &[])?;
    }
    for row in sheet.rows() {
        let number: u16 = row.cell(vid).parse().map_err(|_| row.wrong(vid, "no VLAN ID"))?;
        if !(1..=4094).contains(&number) {
            return Err(row.wrong(vid, "no VLAN ID"));
        }
        let l2vpn = row.maybe(l2vpn).map(|label| l2vpns::of(&label, records));
        // Of a group a file does not say what it is scoped to.
        let sites = match (row.maybe(site), row.maybe(group)) {
            (Some(site), _) => Sites::one(&site.as_str().into()),
            (None, Some(_)) => Sites::Unknown,
            (None, None) => Sites::Anywhere,
        };
        if let Some(place) = l2vpn {
            records.l2vpns[place].vlans.push(records.vlans.len());
        }
        let status =
            row.maybe(status).map_or_else(|| ACTIVE.into(), |status| status.to_lowercase());
        records.vlans.push(Vlan { vid: number, name: row.cell(name), status, sites, l2vpn });
    }
    // What VLANs say of their L2VPNs is enough to compare VNIs.
    if l2vpn.is_some() {
        records.unknown.remove(&Table::L2vpns);
    }
    Ok(())
}

/// Places of VLANs by their numbers.
pub(super) type ByVid = BTreeMap<u16, Vec<usize>>;

/// All that were read.
pub(super) fn by_vid(vlans: &[Vlan]) -> ByVid {
    let mut all = ByVid::new();
    for (place, vlan) in vlans.iter().enumerate() {
        all.entry(vlan.vid).or_default().push(place);
    }
    all
}

/// The VLAN of a prefix's label: `name (vid)`, or a number alone as in imports. Of several with this label it is the
/// one at the prefix's site. One that is in no table is added.
pub(super) fn of(
    label: &str,
    sites: &Sites,
    known: &mut ByVid,
    records: &mut Records,
) -> Option<usize> {
    let (name, vid) = match super::label::numbered(label) {
        Some((name, vid)) => (name.to_owned(), vid),
        None => (String::new(), label.parse().ok()?),
    };
    let vid: u16 = vid.try_into().ok().filter(|vid| (1..=4094).contains(vid))?;
    let same = |vlan: &Vlan| vlan.vid == vid && (name.is_empty() || vlan.name == name);
    let all = known.entry(vid).or_default();
    let found: Vec<usize> = all.iter().copied().filter(|at| same(&records.vlans[*at])).collect();
    let here = found.iter().filter(|at| records.vlans[**at].sites == *sites);
    let here: Vec<usize> = here.copied().collect();
    match (&here[..], &found[..]) {
        ([one], _) | ([], [one]) => Some(*one),
        // It is not known which: none is better than a wrong one.
        ([], [_, ..]) | ([_, ..], _) => None,
        ([], []) => {
            let name = if name.is_empty() { format!("VLAN{vid:04}") } else { name };
            let (status, l2vpn) = (ACTIVE.into(), None);
            all.push(records.vlans.len());
            records.vlans.push(Vlan { vid, name, status, sites: Sites::Unknown, l2vpn });
            all.last().copied()
        }
    }
}
