//! All tables, put together.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{
    RestError,
    answer::{
        AddressRow, DeviceRow, L2vpnRow, PrefixRow, TerminationRow, VlanGroupRow, VlanRow, VrfRow,
    },
    client::Client,
    pages::{Row, all},
    places::{Places, Scope},
};
use crate::audit::{
    model::{
        Address, DEPRECATED, L2vpn, Prefix, RESERVED, Records, Sites, Status, Table, Vlan, Vrf,
        VrfRecord, clean, is_out_of_use,
    },
    networks::{normal, parse},
};

/// What NetBox says of itself.
#[derive(Deserialize)]
struct About {
    #[serde(rename = "netbox-version", default)]
    version: Option<String>,
}

/// Devices that are asked for at a time, so that addresses do not become too long for a proxy.
const AT_A_TIME: usize = 40;
/// The highest VNI.
const HIGHEST: i64 = (1 << 24) - 1;

/// Reads all tables.
pub(super) fn read(client: &Client, devices: &[String]) -> Result<Records, RestError> {
    let about: About = client.get("status", "")?;
    let whole = client.base.whole();
    let said = about.version.as_deref().and_then(|version| version.parse().ok());
    let version = client.version().or(said).ok_or_else(|| RestError::NoVersion(whole.clone()))?;
    if version < super::Version::OLDEST {
        return Err(RestError::Old(whole, version));
    }
    client.set_version(version);
    let mut records = Records {
        source: format!("NetBox {version} at {whole}"),
        version: Some(version.to_string()),
        ..Records::default()
    };
    if version.is_untried() {
        records.doubts.push(format!(
            "NetBox {version} is newer than those that were tried, 3.7 to 4.x; fields that it has \
             moved would be taken for empty ones"
        ));
    }
    let prefixes: Vec<PrefixRow> = all(client, "")?;
    let vrfs: Vec<VrfRow> = optional(all(client, ""), &mut records, Table::Vrfs)?;
    let vlans: Vec<VlanRow> = optional(all(client, ""), &mut records, Table::Vlans)?;
    let groups: Vec<VlanGroupRow> = optional(all(client, ""), &mut records, Table::Groups)?;
    let of_prefixes = prefixes.iter().filter_map(|row| row.scope_type.clone());
    let kinds = of_prefixes.chain(groups.iter().filter_map(|row| row.scope_type.clone())).collect();
    let places = Places::read(client, &kinds, &mut records)?;

    let group_sites: BTreeMap<u64, Sites> = groups
        .iter()
        .map(|group| {
            (group.id, places.of(Scope { kind: group.scope_type.as_deref(), id: group.scope_id }))
        })
        .collect();
    let vlan_places: BTreeMap<u64, usize> =
        vlans.iter().enumerate().map(|(place, vlan)| (vlan.id, place)).collect();
    records.vlans = vlans.into_iter().map(|row| vlan(row, &places, &group_sites)).collect();
    records.vrfs = vrfs
        .into_iter()
        .map(|row| VrfRecord { name: clean(&row.name), rd: row.rd.as_deref().map(clean) })
        .collect();
    let names = vrf_names(&records.vrfs);
    records.prefixes = prefixes
        .into_iter()
        .map(|row| prefix(client, row, &places, &vlan_places, &names))
        .collect::<Result<_, _>>()?;
    records.slugs = places.slugs.clone();
    records.sites = places.slugs.values().cloned().collect();

    let terminations = l2vpns(client, &vlan_places, &mut records)?;
    read_devices(client, devices, &terminations, &places, &mut records)?;
    for (l2vpn, device) in terminations {
        let site = records.devices.get(&device.to_lowercase()).cloned();
        if let Some(l2vpn) = records.l2vpns.get_mut(l2vpn) {
            l2vpn.sites.extend(site);
        }
    }
    read_addresses(client, &mut records)?;
    Ok(records)
}

/// Rows of a table that the comparison can do without: none if they are kept from the token.
pub(super) fn optional<R: Row>(
    rows: Result<Vec<R>, RestError>,
    records: &mut Records,
    table: Table,
) -> Result<Vec<R>, RestError> {
    match rows {
        Err(error) if error.is_about_one_table() => {
            records.lacks(table, error);
            Ok(Vec::new())
        }
        rows => rows,
    }
}

fn status(value: &str) -> Status {
    clean(value).to_lowercase()
}

/// VRFs of the same name are one here: so they are on a box. Names come from the table, or from what refers to it.
fn vrf_names(vrfs: &[VrfRecord]) -> BTreeMap<&str, Vrf> {
    vrfs.iter().map(|vrf| (vrf.name.as_str(), Vrf::named(&vrf.name))).collect()
}

fn vrf_of(reference: Option<super::answer::Reference>, names: &BTreeMap<&str, Vrf>) -> Vrf {
    let Some(reference) = reference else { return Vrf::DEFAULT };
    let name = reference.name.as_deref().map_or_else(|| format!("#{}", reference.id), clean);
    names.get(name.as_str()).cloned().unwrap_or_else(|| Vrf::named(&name))
}

fn vlan(row: VlanRow, places: &Places, groups: &BTreeMap<u64, Sites>) -> Vlan {
    let site = row.site.map(|site| places.site(site.id).map_or(Sites::Unknown, Sites::one));
    let group = || row.group.map(|group| groups.get(&group.id).cloned().unwrap_or(Sites::Unknown));
    Vlan {
        vid: row.vid,
        name: clean(&row.name),
        status: status(&row.status.value),
        sites: site.or_else(group).unwrap_or_default(),
        l2vpn: None,
    }
}

fn prefix(
    client: &Client,
    row: PrefixRow,
    places: &Places,
    vlans: &BTreeMap<u64, usize>,
    vrfs: &BTreeMap<&str, Vrf>,
) -> Result<Prefix, RestError> {
    let network = parse(&row.prefix).ok_or_else(|| {
        let why = format!("prefix {} is `{}`, which is none", row.id, clean(&row.prefix));
        RestError::Form(client.base.table(PrefixRow::TABLE), why)
    })?;
    let site = row.site.map(|site| places.site(site.id).map_or(Sites::Unknown, Sites::one));
    let scope = Scope { kind: row.scope_type.as_deref(), id: row.scope_id };
    Ok(Prefix {
        network: normal(network),
        table: row.vrf.as_ref().map(|vrf| vrf.id.to_string()).unwrap_or_default(),
        vrf: vrf_of(row.vrf, vrfs),
        status: status(&row.status.value),
        vlan: row.vlan.and_then(|vlan| vlans.get(&vlan.id).copied()),
        sites: site.unwrap_or_else(|| places.of(scope)),
    })
}

/// Reads L2VPNs and puts VLANs into them.
///
/// # Returns
/// Places of L2VPNs with names of devices whose interfaces are in them.
fn l2vpns(
    client: &Client,
    vlans: &BTreeMap<u64, usize>,
    records: &mut Records,
) -> Result<Vec<(usize, String)>, RestError> {
    let rows: Vec<L2vpnRow> = optional(all(client, ""), records, Table::L2vpns)?;
    let terminations: Vec<TerminationRow> = match records.has(Table::L2vpns) {
        true => optional(all(client, ""), records, Table::L2vpns)?,
        false => Vec::new(),
    };
    let places: BTreeMap<u64, usize> =
        rows.iter().enumerate().map(|(place, row)| (row.id, place)).collect();
    records.l2vpns = rows.into_iter().map(l2vpn).collect();
    let mut devices = Vec::new();
    for termination in terminations {
        let Some(place) = places.get(&termination.l2vpn.id).copied() else { continue };
        match termination.assigned_object_type.as_deref() {
            Some("ipam.vlan") => {
                let vlan = termination.assigned_object_id.and_then(|id| vlans.get(&id).copied());
                let Some(vlan) = vlan else { continue };
                records.l2vpns[place].vlans.push(vlan);
                records.vlans[vlan].l2vpn = Some(place);
            }
            Some("dcim.interface") => {
                records.l2vpns[place].interfaces += 1;
                let device = termination.assigned_object.and_then(|object| object.device?.name);
                devices.extend(device.map(|device| (place, clean(&device))));
            }
            // Where a virtual machine runs is not read.
            Some("virtualization.vminterface") => records.l2vpns[place].interfaces += 1,
            _ => {}
        }
    }
    Ok(devices)
}

fn l2vpn(row: L2vpnRow) -> L2vpn {
    let identifier = row.identifier.filter(|id| (1..=HIGHEST).contains(id));
    L2vpn {
        name: clean(&row.name),
        identifier: identifier.and_then(|id| id.try_into().ok()),
        is_vxlan: row
            .r#type
            .is_some_and(|kind| matches!(kind.value.as_str(), "vxlan" | "vxlan-evpn")),
        status: row.status.map(|row| status(&row.value)),
        ..L2vpn::default()
    }
}

fn read_devices(
    client: &Client,
    wanted: &[String],
    terminations: &[(usize, String)],
    places: &Places,
    records: &mut Records,
) -> Result<(), RestError> {
    // A box may say its domain as well, and NetBox may not.
    let short = wanted.iter().filter_map(|name| name.split('.').next());
    let terminations = terminations.iter().map(|(_, device)| device.as_str());
    let wanted = wanted.iter().map(String::as_str).chain(short).chain(terminations);
    let wanted: Vec<&str> = wanted.collect::<BTreeSet<_>>().into_iter().collect();
    for some in wanted.chunks(AT_A_TIME) {
        let filter: Vec<String> = some
            .iter()
            .map(|name| format!("name__ie={}", utf8_percent_encode(name, NON_ALPHANUMERIC)))
            .collect();
        let rows: Vec<DeviceRow> =
            optional(all(client, &filter.join("&")), records, Table::Devices)?;
        for row in rows {
            let (Some(name), Some(site)) = (row.name, places.site(row.site.id)) else { continue };
            records.place_device(&clean(&name), site.clone());
        }
        if !records.has(Table::Devices) {
            break;
        }
    }
    Ok(())
}

fn read_addresses(client: &Client, records: &mut Records) -> Result<(), RestError> {
    let filter = format!("status={RESERVED}&status={DEPRECATED}");
    let rows: Vec<AddressRow> = optional(all(client, &filter), records, Table::Addresses)?;
    let names = vrf_names(&records.vrfs);
    let mut addresses = Vec::new();
    for row in rows {
        let status = status(&row.status.value);
        if !is_out_of_use(&status) {
            continue;
        }
        let address = parse(&row.address).ok_or_else(|| {
            let why = format!("address {} is `{}`, which is none", row.id, clean(&row.address));
            RestError::Form(client.base.table(AddressRow::TABLE), why)
        })?;
        addresses.push(Address { address: address.address, vrf: vrf_of(row.vrf, &names), status });
    }
    records.addresses = addresses;
    Ok(())
}
