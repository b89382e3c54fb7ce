//! `[[audit]]`: NetBox's exports and a fabric on paper.

use std::{fs, path::PathBuf};

use super::fabric::{Paper, cases};

/// What NetBox says of two sites.
const PREFIXES: &str = "\
prefix,status,vlan,vlan_group,scope\n\
10.100.0.0/24,active,web (100),,Site-01\n\
10.200.0.0/24,active,app (200),,\n\
10.30.0.0/24,active,log (300),,Site-02\n";
const VLANS: &str = "\
vid,name,site,status,l2vpn\n\
100,web,Site-01,active,web (10100)\n\
200,app,,active,app (10200)\n\
300,log,Site-02,active,log (10300)\n";

/// A folder with exports, which goes with the test.
struct Exports(PathBuf);

impl Exports {
    fn new(name: &str, prefixes: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("fabric-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("netbox_prefixes.csv"), prefixes).unwrap();
        fs::write(folder.join("VLANs.csv"), VLANS).unwrap();
        Self(folder)
    }

    /// Cases that do not pass, with what is said of them.
    fn failing(&self, more: &str) -> Vec<(String, String)> {
        let paper = Paper::named("two-sites");
        let suite = format!("[[audit]]\nfolder = {:?}\n{more}", self.0);
        paper.failing(&cases(&suite, &paper.inventory))
    }
}

impl Drop for Exports {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_fabric_is_as_netbox_says_and_each_finding_fails_the_case_of_its_kind() {
    let exports = Exports::new("audit-same", PREFIXES);
    assert_eq!(exports.failing("partly = true\n"), []);

    let reserved = PREFIXES.replace("10.200.0.0/24,active", "10.200.0.0/24,reserved");
    let exports = Exports::new("audit-reserved", &reserved);
    let failing = exports.failing("partly = true\n");
    assert_eq!(failing.len(), 1, "{failing:#?}");
    assert_eq!(failing[0].0, "audit in use");
    assert_eq!(exports.failing("partly = true\nexcept = [\"in_use/*\"]\n"), []);
    assert_eq!(exports.failing("partly = true\nkinds = [\"vni_missing\"]\n"), []);
}

#[test]
fn what_is_missing_of_netbox_could_not_be_asked_unless_it_may_be_missing() {
    let exports = Exports::new("audit-partly", PREFIXES);
    let failing = exports.failing("kinds = [\"in_use\"]\n");
    assert_eq!(failing.len(), 1, "{failing:#?}");
    let (name, said) = &failing[0];
    assert_eq!(name, "audit compared");
    assert!(said.starts_with("not asked: VRFs are not read, so"), "{said}");
}

#[test]
fn a_kind_of_finding_that_there_is_not_is_wrong_and_so_is_a_table_without_a_source() {
    let wrong = |text: &str| {
        let path = std::path::Path::new("test.check.toml");
        let suite = crate::check::Suite::parse("test.check.toml", path, text.to_owned()).unwrap();
        let inventory = super::fabric::inventory("two-sites");
        suite.cases(&inventory).unwrap_err()[0].message.clone()
    };
    let said = wrong("[[audit]]\nfolder = \"x\"\nkinds = [\"vni_lost\"]\n");
    assert!(
        said.starts_with("\"vni_lost\" is no kind of finding; there are prefix_without"),
        "{said}"
    );
    assert!(wrong("[[audit]]\n").starts_with("it needs either netbox or folder"));
}
