//! What an audit found.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    fabric::Fabric,
    findings::{self, Finding, Found},
    model::{Records, Table},
};
use crate::facts::Facts;

/// The result of an audit.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Where NetBox's side comes from.
    pub netbox: String,
    /// NetBox's version, where it is known.
    pub version: Option<String>,
    /// Names of the boxes that were audited, with their sites.
    pub boxes: BTreeMap<String, Option<String>>,
    /// How much was compared.
    pub compared: Compared,
    /// What differs.
    pub findings: Vec<Finding>,
    /// Number of findings that were excepted.
    pub excepted: usize,
    /// What could not be compared, and why: sentences.
    pub not_asked: Vec<String>,
}

/// How much was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// NetBox's prefixes.
    pub prefixes: usize,
    /// NetBox's VLANs.
    pub vlans: usize,
    /// NetBox's L2VPNs.
    pub l2vpns: usize,
    /// The fabric's bridged networks.
    pub networks: usize,
    /// Gateways in them.
    pub gateways: usize,
    /// Hosts in them, as many times as boxes know them.
    pub hosts: usize,
}

/// Identifiers with `*` for any characters.
#[derive(Clone, Debug)]
pub struct Pattern(String);

impl Pattern {
    /// Takes `routed_not_active/*`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// Whether a text is one of them.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

impl Report {
    /// Compares, and leaves out what is excepted. `lost` are boxes whose site is not known.
    #[must_use]
    pub fn of(records: &Records, fabric: &Fabric, lost: &[String], exceptions: &[Pattern]) -> Self {
        let Found { mut findings, mut unplaced } = findings::compare(records, fabric);
        let all = findings.len();
        let is_told =
            |finding: &Finding| !exceptions.iter().any(|pattern| pattern.matches(&finding.id));
        findings.retain(is_told);
        unplaced.retain(is_told);
        let networks = || fabric.boxes.iter().flat_map(|leaf| &leaf.networks);
        // Where all sites are known otherwise, nobody needs devices.
        let is_missed = |table: Table| table != Table::Devices || !lost.is_empty();
        let unknown = records.unknown.iter().filter(|(table, _)| is_missed(**table));
        let mut not_asked: Vec<String> =
            unknown.map(|(_, why)| why).chain(&records.doubts).cloned().collect();
        if !lost.is_empty() && records.has(Table::Devices) {
            not_asked.push(format!(
                "the sites of {} are not known, so what should be there is not missed: NetBox has \
                 no devices of these names, or several; say where they are by --site {}=SITE",
                lost.join(", "),
                lost[0]
            ));
        }
        if !unplaced.is_empty() {
            let why = match lost.is_empty() {
                true => {
                    "in which sites the locations, racks, groups or interfaces are that NetBox names \
                     was not read"
                        .into()
                }
                false => format!("they lie at sites, and at which {} are is not known", lost.join(", ")),
            };
            not_asked.push(format!(
                "it is not known whether audited boxes should have {}: {why}",
                findings::list(unplaced.iter().map(|finding| &finding.what))
            ));
        }
        Self {
            netbox: records.source.clone(),
            version: records.version.clone(),
            boxes: fabric
                .boxes
                .iter()
                .map(|leaf| (leaf.name.clone(), leaf.site.as_ref().map(ToString::to_string)))
                .collect(),
            compared: Compared {
                prefixes: records.prefixes.len(),
                vlans: records.vlans.len(),
                l2vpns: records.l2vpns.len(),
                networks: networks().count(),
                gateways: networks().map(|network| network.gateways.len()).sum(),
                hosts: networks().map(|network| network.hosts.len()).sum(),
            },
            excepted: all - findings.len(),
            findings,
            not_asked,
        }
    }

    /// The findings as CSV, with a header.
    ///
    /// # Errors
    /// If there is no memory.
    pub fn csv(&self) -> Result<String, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["id", "kind", "what", "netbox", "fabric", "likely", "next"])?;
        for finding in &self.findings {
            let Finding { id, kind, what, netbox, fabric, likely, next } = finding;
            let cells = [id, kind.name(), what, netbox, fabric, likely, next];
            writer.write_record(cells.map(harmless))?;
        }
        let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A cell that no spreadsheet takes for a formula: names in NetBox are whatever people enter.
fn harmless(cell: &str) -> String {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@') => format!("'{cell}"),
        _ => cell.into(),
    }
}

/// What facts of a box lack that an audit would look at: sentences.
#[must_use]
pub fn lacks(name: &str, facts: &Facts) -> Vec<String> {
    let sentence = |why: &String| {
        format!("{name}: {why}; L3VNIs, and hosts that only FRR knows, are not compared")
    };
    match &facts.frr {
        Some(frr) => frr.missing.get("zebra").map(sentence).into_iter().collect(),
        // Others are about the maps, which an audit does not look at.
        None => facts.missing.iter().filter(|why| is_about_frr(why)).map(sentence).collect(),
    }
}

fn is_about_frr(why: &str) -> bool {
    ["FRR", "zebra", "vty"].iter().any(|word| why.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Kind;

    #[test]
    fn a_pattern_matches_the_whole_identifier() {
        let matches = |pattern, text| Pattern::new(pattern).matches(text);
        assert!(matches("in_use/default/10.0.0.0/24", "in_use/default/10.0.0.0/24"));
        assert!(matches("in_use/*", "in_use/default/10.0.0.0/24"));
        assert!(matches("*/mgmt/*", "vrf_other/mgmt/10.0.0.0/24"));
        assert!(matches("*/24", "in_use/default/10.0.0.0/24"));
        assert!(matches("*", ""));
        assert!(!matches("in_use", "in_use/x"));
        assert!(!matches("*/mgmt", "vrf_unknown/mgmt2"));
        assert!(!matches("ab*ba", "aba"));
    }

    #[test]
    fn a_spreadsheet_takes_no_cell_for_a_formula() {
        let finding = Finding {
            id: "x".into(),
            kind: Kind::InUse,
            what: "=HYPERLINK(\"http://evil\")".into(),
            netbox: "a, \"b\"".into(),
            fabric: String::new(),
            likely: String::new(),
            next: String::new(),
        };
        let report = Report { findings: vec![finding], ..Report::default() };
        let text = report.csv().unwrap();
        assert_eq!(
            text,
            "id,kind,what,netbox,fabric,likely,next\n\
             x,in_use,\"'=HYPERLINK(\"\"http://evil\"\")\",\"a, \"\"b\"\"\",,,\n"
        );
    }
}
