//! Prefixes: `Prefix,Status,…,VRF,…,Scope,VLAN,…,Scope Type,…`, of 3.x with `Site` in place of both.

use super::{CsvError, Sheet, vlans, vrfs};
use crate::audit::{
    model::{ACTIVE, CONTAINER, DEPRECATED, Prefix, RESERVED, Records, Sites, Table},
    networks::{normal, parse},
};

/// What `Scope Type` says of a site; what is there in place of it is a place whose site a file does not say.
const SITE: [&str; 3] = ["dcim.site", "dcim | site", "site"];

pub(super) fn read(sheet: &Sheet, records: &mut Records) -> Result<(), CsvError> {
    let [prefix, status] = sheet.need([&["prefix"], &["status"]])?;
    // "Container" is a German word as well.
    sheet.check_language(status, &[ACTIVE, RESERVED, DEPRECATED], &[CONTAINER])?;
    let (vrf, vlan) = (sheet.find(&["vrf"]), sheet.find(&["vlan"]));
    let site = sheet.find(&["site"]);
    let (scope, kind) = (sheet.find(&["scope"]), sheet.find(&["scope type"]));
    let has_scopes = || sheet.rows().any(|row| row.maybe(scope).is_some());
    if kind.is_none() && site.is_none() && has_scopes() {
        records.lacks(
            Table::Places,
            "the file of prefixes has a scope and not its type; export \"All Data\" and not the \
             current view",
        );
    }
    let mut known = vlans::by_vid(&records.vlans);
    for row in sheet.rows() {
        let network = parse(&row.cell(prefix)).ok_or_else(|| row.wrong(prefix, "no prefix"))?;
        let sites = match (row.maybe(site), row.maybe(scope), row.maybe(kind)) {
            (Some(site), ..) => Sites::one(&site.as_str().into()),
            (None, Some(scope), Some(kind)) if SITE.contains(&kind.to_lowercase().as_str()) => {
                Sites::one(&scope.as_str().into())
            }
            // Without its type it may be a site, but locations and regions have names like that, too.
            (None, Some(_), _) | (None, None, Some(_)) => Sites::Unknown,
            (None, None, None) => Sites::Anywhere,
        };
        let table = row.maybe(vrf).unwrap_or_default();
        let vrf = vrfs::of(row.maybe(vrf), &records.vrfs);
        let vlan = row.maybe(vlan);
        let vlan = vlan.and_then(|label| vlans::of(&label, &sites, &mut known, records));
        let status = row.cell(status).to_lowercase();
        records.prefixes.push(Prefix { network: normal(network), vrf, table, status, vlan, sites });
    }
    Ok(())
}
