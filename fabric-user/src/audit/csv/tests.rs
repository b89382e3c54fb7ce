//! Exports as NetBox writes them, of 3.7 and 4.7, and tables that people write.

use std::fs;

use super::*;
use crate::audit::model::{Sites, Table, Vrf};

const PREFIXES_4_7: &str = "\
Prefix,Status,Children,VRF,Utilization,Tenant,Scope,VLAN,Role,Description,ID,Prefix (Flat),Tenant Group,Scope Type,\
VLAN Group,Pool,Marked Utilized,Contacts,Comments,Tags,Created,Last updated,Owner Group,Owner,Depth\r\n\
10.0.0.0/8,Container,3,Global,0.0%,,,,,,1,10.0.0.0/8,,,,False,False,,,,2026-11-01,2026-11-01,,,0\r\n\
10.30.0.0/24,Reserved,0,Global,0.0%,,Site-02,log (300),,,4,10.30.0.0/24,,dcim.site,,False,False,,\"a\r\nb\",,2026-11-01,2026-11-01,,,1\r\n\
10.200.0.0/24,Active,0,tenant-a (65100:1),0.0%,,Hall,app (200),,,5,10.200.0.0/24,,dcim.location,,False,False,,,,2026-11-01,2026-11-01,,,1\r\n";

const PREFIXES_3_7: &str = "\
Prefix,Status,Children,VRF,Utilization,Tenant,Site,VLAN,Role,Description,ID,Prefix (Flat),Tenant Group,VLAN Group,\
Pool,Marked Utilized,Comments,Tags,Created,Last updated,Depth\r\n\
10.30.0.0/24,Reserved,0,—,0.0%,—,Site-02,log (300),—,—,4,10.30.0.0/24,—,—,False,False,,,2026-11-01,2026-11-01,1\r\n";

const VLANS_4_7: &str = "\
VID,Name,Site,Group,Prefixes,Tenant,Status,Role,Description,ID,Tenant Group,Q-in-Q role,Q-in-Q SVLAN,Comments,Tags,\
L2VPN,Created,Last updated,Owner Group,Owner\r\n\
200,app,,,\"10.200.0.0/24\r\n10.201.0.0/24\",,Active,,,1,,,,,,app (10200),2026-11-01,2026-11-01,,\r\n\
300,log,Site-02,,10.30.0.0/24,,Active,,,2,,,,,,,2026-11-01,2026-11-01,,\r\n\
300,log,Site-03,halls,,,Deprecated,,,3,,,,,,log (x) (10300),2026-11-01,2026-11-01,,\r\n";

/// Files in a folder of their own, which goes with them.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("fabric-audit-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn prefixes(folder: &Folder, text: &str) -> Result<Records, CsvError> {
    read(&Files { prefixes: folder.file("prefixes.csv", text), ..Files::default() })
}

fn told(records: &Records) -> Vec<String> {
    let prefix = |prefix: &crate::audit::model::Prefix| {
        let vlan =
            prefix.vlan.map_or_else(|| "no VLAN".into(), |vlan| records.vlans[vlan].to_string());
        format!("{} {} {} {vlan} {:?}", prefix.network, prefix.status, prefix.vrf, prefix.sites)
    };
    records.prefixes.iter().map(prefix).collect()
}

#[test]
fn exports_of_4_7_are_read_with_their_labels_scopes_and_line_breaks() {
    let folder = Folder::new("4.7");
    let records = read(&Files {
        prefixes: folder.file("prefixes.csv", PREFIXES_4_7),
        vlans: Some(folder.file("vlans.csv", VLANS_4_7)),
        ..Files::default()
    })
    .unwrap();
    assert_eq!(
        told(&records),
        [
            "10.0.0.0/8 container the default VRF no VLAN Anywhere",
            "10.30.0.0/24 reserved the default VRF VLAN log (300) At({\"Site-02\"})",
            "10.200.0.0/24 active VRF tenant-a VLAN app (200) Unknown",
        ]
    );
    assert_eq!(records.vlans.len(), 3);
    assert_eq!(records.prefixes[1].vlan, Some(1), "the one at its own site");
    let l2vpns: Vec<_> =
        records.l2vpns.iter().map(|l2vpn| (l2vpn.identifier, &l2vpn.vlans[..])).collect();
    assert_eq!(l2vpns, [(Some(10200), &[0][..]), (Some(10300), &[2][..])]);
    assert_eq!(records.vlans[0].sites, Sites::Anywhere);
    assert!(
        records.has(Table::L2vpns) && !records.has(Table::Vrfs) && !records.has(Table::Devices)
    );
}

#[test]
fn the_export_of_3_7_has_sites_and_dashes_for_nothing() {
    let folder = Folder::new("3.7");
    let records = prefixes(&folder, PREFIXES_3_7).unwrap();
    assert_eq!(
        told(&records),
        ["10.30.0.0/24 reserved the default VRF VLAN log (300) At({\"Site-02\"})"]
    );
    let without = &records.unknown[&Table::Vlans];
    assert_eq!(
        without,
        "VLANs are not read, so VNIs, and hosts in another VLAN's prefix, are not compared: no \
         file of them was given \
         by --vlans"
    );
}

#[test]
fn a_table_in_the_form_of_imports_is_read_as_well() {
    let folder = Folder::new("import");
    let text = "\u{feff}status;prefix;vrf;vlan;scope_type\nactive;10.1.0.0/24;red;200;\nactive;10.2.0.0/24;;;dcim.site\n";
    let records = prefixes(&folder, text).unwrap();
    assert_eq!(
        told(&records),
        [
            "10.1.0.0/24 active VRF red VLAN VLAN0200 (200) Anywhere",
            "10.2.0.0/24 active the default VRF no VLAN Unknown",
        ]
    );
    assert_eq!(records.prefixes[0].vrf, Vrf::named("red"));
}

#[test]
fn the_other_tables_are_read() {
    let folder = Folder::new("others");
    let records = read(&Files {
        prefixes: folder.file("p.csv", "Prefix,Status,VRF\n10.1.0.0/24,Active,blue (old)\n"),
        vrfs: Some(folder.file("v.csv", "Name,RD,Tenant\nblue (old),65100:2,\n")),
        l2vpns: Some(folder.file(
            "l.csv",
            "Name,Slug,Identifier,Type,Status\napp,app,10200,VXLAN-EVPN,Active\nold,old,,VPLS,Decommissioning\n",
        )),
        vlans: Some(folder.file("vl.csv", "VID,Name,L2VPN\n200,app,app (10200)\n201,old,old\n")),
        addresses: Some(folder.file(
            "a.csv",
            "IP Address,VRF,Status\n10.1.0.7/24,blue (old) \
             (65100:2),Deprecated\n10.1.0.8/24,,Active\n",
        )),
        devices: Some(folder.file("d.csv", "Name,Status,Site\nLeaf1,Active,Site-01\n,Active,Site-01\n")),
        columns: Columns::default(),
    })
    .unwrap();
    assert_eq!(records.prefixes[0].vrf, Vrf::named("blue (old)"));
    let l2vpns: Vec<_> = records
        .l2vpns
        .iter()
        .map(|l2vpn| (l2vpn.is_vxlan, l2vpn.identifier, l2vpn.status.as_deref(), &l2vpn.vlans[..]))
        .collect();
    assert_eq!(
        l2vpns,
        [
            (true, Some(10200), Some("active"), &[0][..]),
            (false, None, Some("decommissioning"), &[1][..]),
        ]
    );
    assert_eq!(records.addresses.len(), 1);
    assert_eq!(records.addresses[0].vrf, Vrf::named("blue (old)"));
    assert_eq!(records.devices["leaf1"].as_ref(), "Site-01");
    assert!(records.unknown.is_empty());
}

#[test]
fn what_is_wrong_with_a_file_is_one_sentence() {
    let folder = Folder::new("wrong");
    let error = |text: &str| {
        let error = prefixes(&folder, text).unwrap_err().to_string();
        let place = folder.0.display().to_string() + "/";
        error.replace(&place, "")
    };
    assert_eq!(
        error("Prefix,Status\n10.0.0.0/33,Active\n"),
        "prefixes.csv, line 2: prefix is `10.0.0.0/33`, which is no prefix"
    );
    assert_eq!(
        error("Präfix,Zustand\n10.0.0.0/8,Aktiv\n"),
        "prefixes.csv lacks the columns prefix, status; it has Präfix, Zustand: export it with the \
         interface in \
         English, or say what the columns are called by --columns prefix=…,status=…"
    );
    assert_eq!(
        error("Prefix,Status\n10.0.0.0/8,Aktiv\n"),
        "no status in prefixes.csv is one that NetBox has in English (`aktiv` is among them); \
         export it with the \
         interface in English"
    );
    assert!(error("Prefix,Status\n10.0.0.0/8,Container\n10.1.0.0/16,Aktiv\n").contains("`aktiv`"));
    assert_eq!(error(""), "prefixes.csv is empty; export it again");
    let path = folder.0.join("latin.csv");
    fs::write(&path, b"Pr\xe4fix,Status\n").unwrap();
    let latin = read(&Files { prefixes: path, ..Files::default() }).unwrap_err();
    assert!(matches!(latin, CsvError::Encoding(_)));
    let missing = read(&Files { prefixes: folder.0.join("none"), ..Files::default() }).unwrap_err();
    assert!(matches!(missing, CsvError::Read(..)));
}

#[test]
fn statuses_in_another_language_are_noticed_in_each_file() {
    let folder = Folder::new("language");
    let prefixes = folder.file("p.csv", "Prefix,Status\n10.1.0.0/24,Active\n");
    let files = || Files { prefixes: prefixes.clone(), ..Files::default() };
    let addresses =
        folder.file("a.csv", "IP Address,Status\n10.1.0.7/24,Veraltet\n10.1.0.8/24,DHCP\n");
    let l2vpns = folder.file("l.csv", "Name,Identifier,Status\napp,10200,Aktiv\n");
    let vlans = folder.file("v.csv", "VID,Name,Status\n200,app,Aktiv\n");
    for files in [
        Files { addresses: Some(addresses), ..files() },
        Files { l2vpns: Some(l2vpns), ..files() },
        Files { vlans: Some(vlans), ..files() },
    ] {
        assert!(matches!(read(&files), Err(CsvError::Language(..))));
    }
}

#[test]
fn what_labels_of_a_file_do_not_tell_apart_is_said() {
    let folder = Folder::new("labels");
    let text = "Prefix,Status,Scope\n10.1.0.0/24,Active,Hall\n";
    let files = |vrfs: &str| Files {
        prefixes: folder.file("p.csv", text),
        vrfs: Some(folder.file("v.csv", vrfs)),
        ..Files::default()
    };
    let records = read(&files("Name,RD\nglobal,\n")).unwrap();
    assert!(records.doubts[0].starts_with("what is in the VRF global has the same label"));
    let without_type = &records.unknown[&Table::Places];
    assert!(without_type.contains("a scope and not its type"), "{without_type}");
    assert!(read(&files("Name,RD\nGlobal,65100:1\n")).unwrap().doubts.is_empty());
}

#[test]
fn a_device_that_is_at_two_sites_is_at_neither() {
    let folder = Folder::new("twins");
    let devices = "Name,Site\nleaf1,A\nleaf2,A\nLeaf1,B\nleaf1,A\nleaf2,A\n";
    let records = read(&Files {
        prefixes: folder.file("p.csv", "Prefix,Status\n10.1.0.0/24,Active\n"),
        devices: Some(folder.file("d.csv", devices)),
        ..Files::default()
    })
    .unwrap();
    assert_eq!(records.devices, [("leaf2".to_owned(), "A".into())].into());
}

/// As many as a large fabric has: the VLAN of each prefix has to be found at once.
#[test]
fn ten_thousand_prefixes_are_read_with_as_many_vlans() {
    let folder = Folder::new("many");
    let mut prefixes = "Prefix,Status,VLAN,Scope,Scope Type\n".to_owned();
    let mut vlans = "VID,Name,Site,Status,L2VPN\n".to_owned();
    for number in 0..10_000_u32 {
        let (high, low, vid) = (number >> 8, number & 0xff, number % 4000 + 1);
        prefixes += &format!("10.{high}.{low}.0/24,Active,n{number} ({vid}),A,dcim.site\n");
        vlans += &format!("{vid},n{number},A,Active,n{number} ({})\n", 10_000 + number);
    }
    let files = Files {
        prefixes: folder.file("p.csv", &prefixes),
        vlans: Some(folder.file("v.csv", &vlans)),
        ..Files::default()
    };
    let records = read(&files).unwrap();
    for (place, prefix) in records.prefixes.iter().enumerate() {
        assert_eq!(prefix.vlan, Some(place));
        assert_eq!(records.vlans[place].l2vpn, Some(place));
    }
    assert_eq!((records.vlans.len(), records.l2vpns.len()), (10_000, 10_000));
}

#[test]
fn names_of_columns_are_pairs() {
    assert!("prefix".parse::<Columns>().is_err() && "=x".parse::<Columns>().is_err());
    let columns: Columns = "Scope_Type=Bereichstyp,prefix=Präfix".parse().unwrap();
    assert_eq!(columns.name("scope type"), "bereichstyp");
    assert_eq!(columns.name("status"), "status");
}
