//! `[[audit]]`: the fabric is as NetBox says.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::Kind;
use crate::{
    audit::{
        self,
        csv::{self, Files},
        fabric::Fabric,
        model::Records,
        report::{Pattern, lacks},
        rest::{self, Limits, Settings, Token},
    },
    check::{
        case::Draft,
        finding::{Finding, Judged, Stop, list, not_asked},
        inventory::Inventory,
        look::Look,
        names::Names,
        probe::{NETBOX, Probe, Ran},
        shape::{Shape, shape},
    },
};

/// Rows that NetBox is asked for at a time.
const PAGE: u32 = 1_000;

shape! {
    /// `fabricctl audit` finds nothing: NetBox, or a folder with its CSV exports, says the same as the fabric. There is a
    /// case for each kind of finding, and one that says how much was compared. NetBox is asked from where the suite
    /// runs, once, and nothing is ever written to it.
    pub(crate) struct Audit: "audit", "[[audit]]\nnetbox = \"https://netbox.example\"\ntoken_file = \"netbox.token\"\nkinds = [\"vni_missing\", \"vni_other\"]\n\n[[audit]]\nfolder = \"netbox-export\"\nlabel = \"exports\"" {
        /// The nodes that are compared.
        on: Names = Or("\"*\""),
        /// NetBox's address.
        netbox: Option<String> = None,
        /// File with the token, beside the suite unless it has folders; what the environment has as NETBOX_TOKEN.
        token_file: Option<PathBuf> = None,
        /// File of certificates of authorities to trust, in place of the system's.
        ca: Option<PathBuf> = None,
        /// Whether the token may be sent without TLS to another machine.
        plain_http: bool = Or("false"),
        /// Folder with prefixes.csv and what else there is of vlans, vrfs, l2vpns, ip addresses and devices, in place of
        /// NetBox itself.
        folder: Option<PathBuf> = None,
        /// Kinds of findings, as `fabricctl audit --json` names them; all.
        kinds: Option<Vec<String>> = None,
        /// Identifiers of findings to leave out, with * for any characters.
        except: Vec<String> = Or("[]"),
        /// Names of VRFs on nodes by those of NetBox, where they differ in more than case, blanks, _ and .
        vrfs: BTreeMap<String, String> = Or("{}"),
        /// Whether tables may be missing, as those that the token may not view.
        partly: bool = Or("false"),
    }
}

/// Where NetBox's side comes from.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// From NetBox itself.
    Rest {
        /// Its address.
        url: String,
        /// File with the token.
        token_file: Option<PathBuf>,
        /// File of certificates.
        ca: Option<PathBuf>,
        /// The token may be sent without TLS.
        plain_http: bool,
    },
    /// From its exports.
    Exports(PathBuf),
}

impl Source {
    /// Reads it, for a probe. Files without folders lie beside the suite.
    ///
    /// # Errors
    /// If it cannot be read: a sentence.
    pub(crate) fn read(&self, devices: &[String], suite: &Path) -> Result<Ran, String> {
        let beside = |path: &Path| suite.parent().unwrap_or(Path::new("")).join(path);
        let records = match self {
            Self::Exports(folder) => {
                let files = Files::in_folder(&beside(folder));
                files.and_then(|files| csv::read(&files)).map_err(|error| error.to_string())?
            }
            Self::Rest { url, token_file, ca, plain_http } => {
                let token = match token_file {
                    Some(path) => {
                        let path = beside(path);
                        std::fs::read_to_string(&path).map_err(|error| {
                            format!("cannot read the token from {}: {error}", path.display())
                        })?
                    }
                    None => std::env::var("NETBOX_TOKEN").map_err(|_| {
                        "there is no token for NetBox; set NETBOX_TOKEN, or name a file by token_file"
                    })?,
                };
                let settings = Settings {
                    url: url.clone(),
                    token: Token::new(&token).map_err(|error| error.to_string())?,
                    ca: ca.as_deref().map(beside),
                    plain: *plain_http,
                    page: PAGE,
                    limits: Limits::default(),
                };
                rest::read(&settings, devices).map_err(|error| error.to_string())?
            }
        };
        let output = serde_json::to_string(&records).map_err(|error| error.to_string())?;
        Ok(Ran { status: Some(0), output, errors: String::new() })
    }
}

impl Kind for Audit {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let source = match (&self.netbox, &self.folder) {
            (Some(url), None) => Source::Rest {
                url: url.clone(),
                token_file: self.token_file.clone(),
                ca: self.ca.clone(),
                plain_http: self.plain_http,
            },
            (None, Some(folder)) => Source::Exports(folder.clone()),
            _ => return Err("it needs either netbox or folder".into()),
        };
        let nodes = inventory.nodes(&self.on)?;
        let sites: BTreeMap<String, String> =
            nodes.iter().map(|it| (it.name.clone(), it.site.clone())).collect();
        let probe = Probe::Netbox { source, devices: sites.keys().cloned().collect() };
        let draft = |kind: Option<audit::Kind>| {
            let subject = kind.map_or("compared", audit::Kind::name).replace('_', " ");
            let (table, asked, sites) = (self.clone(), probe.clone(), sites.clone());
            let needs: Vec<String> = sites.keys().cloned().collect();
            let judge = move |look: &Look<'_>| table.judge(kind, &asked, &sites, look);
            Draft::asking(NETBOX, subject, vec![probe.clone()], judge).needing(needs)
        };
        Ok([None].into_iter().chain(self.kinds()?.into_iter().map(Some)).map(draft).collect())
    }
}

impl Audit {
    /// The kinds of findings that are looked for.
    fn kinds(&self) -> Result<Vec<audit::Kind>, String> {
        let Some(names) = &self.kinds else { return Ok(audit::Kind::ALL.to_vec()) };
        let named = |name: &String| {
            let known = audit::Kind::ALL.into_iter().find(|it| it.name() == name);
            known.ok_or_else(|| {
                let all = list(audit::Kind::ALL.map(audit::Kind::name));
                format!("\"{name}\" is no kind of finding; there are {all}")
            })
        };
        names.iter().map(named).collect()
    }

    fn judge(
        &self,
        kind: Option<audit::Kind>,
        probe: &Probe,
        sites: &BTreeMap<String, String>,
        look: &Look<'_>,
    ) -> Judged {
        let report = self.report(probe, sites, look)?;
        let Some(kind) = kind else {
            let audit::report::Compared { prefixes, vlans, networks, gateways, hosts, .. } =
                report.compared;
            return match report.not_asked.first() {
                Some(_) if !self.partly => Err(not_asked(report.not_asked.join("; "))),
                _ => Ok(format!(
                    "{prefixes} prefixes and {vlans} VLANs of {}; {networks} networks, {gateways} gateways and {hosts} hosts",
                    report.netbox
                )),
            };
        };
        let mut found = report.findings.iter().filter(|it| it.kind == kind);
        let Some(audit::Finding { id, what, netbox, fabric, likely, next, .. }) = found.next()
        else {
            return Ok("no finding".into());
        };
        let more = match found.count() {
            0 => String::new(),
            more => format!("; and {more} more, which `fabricctl audit` lists"),
        };
        Err(Finding::new(
            format!("the fabric as NetBox: {what} {netbox}"),
            format!("{fabric} ({id}){more}"),
            likely,
            next,
        )
        .into())
    }

    fn report(
        &self,
        probe: &Probe,
        sites: &BTreeMap<String, String>,
        look: &Look<'_>,
    ) -> Result<audit::Report, Stop> {
        let mut boxes = Vec::new();
        for name in sites.keys() {
            boxes.push((name, look.sight(name)?.facts));
        }
        let records: Records =
            serde_json::from_str(&look.answer(probe)?.output).map_err(|error| {
                not_asked(format!("what was read of NetBox is no records: {error}"))
            })?;
        let mut fabric = Fabric::of(boxes.iter().map(|(name, facts)| ((*name).clone(), *facts)));
        // NetBox knows where its devices are, and the topology where the others are.
        let lost = fabric.place(&records, &BTreeMap::new());
        let known = |name: String| sites.get(&name).cloned().map(|site| (name, site));
        let lost = fabric.place(&records, &lost.into_iter().filter_map(known).collect());
        fabric.rename(&records, &self.vrfs.iter().map(|(a, b)| (b.clone(), a.clone())).collect());
        let except: Vec<Pattern> = self.except.iter().map(|it| Pattern::new(it)).collect();
        let mut report = audit::Report::of(&records, &fabric, &lost, &except);
        report.not_asked.extend(boxes.into_iter().flat_map(|(name, facts)| lacks(name, facts)));
        Ok(report)
    }
}
