//! Rows as NetBox answers them, of all versions alike.
//!
//! A field that one version lacks, or leaves out by request, is none. What every version has is required, so that an
//! answer of something else is not taken for an empty NetBox.

use serde::Deserialize;

use super::pages::Row;

/// A choice: what is stored, and what is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    pub(super) value: String,
}

/// Another object, as far as it is told of here.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    pub(super) id: u64,
    /// Of VRFs, sites, devices.
    #[serde(default)]
    pub(super) name: Option<String>,
}

/// A prefix.
#[derive(Debug, Deserialize)]
pub(super) struct PrefixRow {
    pub(super) id: u64,
    pub(super) prefix: String,
    pub(super) status: Choice,
    pub(super) vrf: Option<Reference>,
    pub(super) vlan: Option<Reference>,
    /// Up to 4.1.
    pub(super) site: Option<Reference>,
    /// Since 4.2.
    pub(super) scope_type: Option<String>,
    pub(super) scope_id: Option<u64>,
}

/// A VLAN.
#[derive(Debug, Deserialize)]
pub(super) struct VlanRow {
    pub(super) id: u64,
    pub(super) vid: u16,
    pub(super) name: String,
    pub(super) status: Choice,
    pub(super) site: Option<Reference>,
    pub(super) group: Option<Reference>,
}

/// A group of VLANs.
#[derive(Debug, Deserialize)]
pub(super) struct VlanGroupRow {
    pub(super) id: u64,
    pub(super) scope_type: Option<String>,
    pub(super) scope_id: Option<u64>,
}

/// A VRF.
#[derive(Debug, Deserialize)]
pub(super) struct VrfRow {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) rd: Option<String>,
}

/// An L2VPN.
#[derive(Debug, Deserialize)]
pub(super) struct L2vpnRow {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) identifier: Option<i64>,
    pub(super) r#type: Option<Choice>,
    /// Since 4.3.
    pub(super) status: Option<Choice>,
}

/// What is in an L2VPN.
#[derive(Debug, Deserialize)]
pub(super) struct TerminationRow {
    pub(super) id: u64,
    pub(super) l2vpn: Reference,
    pub(super) assigned_object_type: Option<String>,
    pub(super) assigned_object_id: Option<u64>,
    pub(super) assigned_object: Option<Assigned>,
}

/// A VLAN, or an interface with its device.
#[derive(Debug, Deserialize)]
pub(super) struct Assigned {
    #[serde(default)]
    pub(super) device: Option<Reference>,
}

/// An IP address.
#[derive(Debug, Deserialize)]
pub(super) struct AddressRow {
    pub(super) id: u64,
    pub(super) address: String,
    pub(super) vrf: Option<Reference>,
    pub(super) status: Choice,
}

/// A device.
#[derive(Debug, Deserialize)]
pub(super) struct DeviceRow {
    pub(super) id: u64,
    pub(super) name: Option<String>,
    pub(super) site: Reference,
}

/// A site.
#[derive(Debug, Deserialize)]
pub(super) struct SiteRow {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) region: Option<Reference>,
    pub(super) group: Option<Reference>,
}

/// A location.
#[derive(Debug, Deserialize)]
pub(super) struct LocationRow {
    pub(super) id: u64,
    pub(super) site: Reference,
}

/// A region.
#[derive(Debug, Deserialize)]
pub(super) struct RegionRow {
    pub(super) id: u64,
    pub(super) parent: Option<Reference>,
}

/// A group of sites.
#[derive(Debug, Deserialize)]
pub(super) struct SiteGroupRow {
    pub(super) id: u64,
    pub(super) parent: Option<Reference>,
}

macro_rules! tables {
    ($($row:ident: $table:literal, $fields:literal;)+) => {
        $(impl Row for $row {
            const TABLE: &'static str = $table;
            const FIELDS: &'static str = $fields;

            fn id(&self) -> u64 {
                self.id
            }
        })+
    };
}

tables! {
    PrefixRow: "ipam/prefixes", "id,prefix,status,vrf,vlan,site,scope_type,scope_id";
    VlanRow: "ipam/vlans", "id,vid,name,status,site,group";
    VlanGroupRow: "ipam/vlan-groups", "id,scope_type,scope_id";
    VrfRow: "ipam/vrfs", "id,name,rd";
    L2vpnRow: "vpn/l2vpns", "id,name,identifier,type,status";
    TerminationRow: "vpn/l2vpn-terminations", "id,l2vpn,assigned_object_type,assigned_object_id,assigned_object";
    AddressRow: "ipam/ip-addresses", "id,address,vrf,status";
    DeviceRow: "dcim/devices", "id,name,site";
    SiteRow: "dcim/sites", "id,name,slug,region,group";
    LocationRow: "dcim/locations", "id,site";
    RegionRow: "dcim/regions", "id,parent";
    SiteGroupRow: "dcim/site-groups", "id,parent";
}
