//! `fabricctl audit`: NetBox as the source of truth, compared with what forwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use anyhow::{Context as _, bail};
use comfy_table::{ContentArrangement, presets::UTF8_HORIZONTAL_ONLY};
use serde::Serialize;

use super::{
    print::{self, Style},
    row::rows,
    sources::{self, Sources},
    table::{Look, Table},
};
use crate::{
    audit::{
        self, Finding, Report,
        csv::{self, Columns, Files},
        fabric::Fabric,
        model::{Records, clean},
        report::{Compared, Pattern, lacks},
        rest::{self, Limits, Settings, Token},
    },
    facts::{Facts, collect},
};

/// Arguments of `fabricctl audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Address of NetBox, such as https://netbox.example
    #[arg(long, value_name = "URL", required_unless_present = "prefixes")]
    netbox: Option<String>,
    /// File with the token [default: what the environment has as NETBOX_TOKEN]
    #[arg(long, value_name = "FILE", requires = "netbox")]
    token_file: Option<PathBuf>,
    /// File of certificates of authorities to trust in place of the system's
    #[arg(long, value_name = "FILE", requires = "netbox")]
    ca: Option<PathBuf>,
    /// Send the token without TLS to another machine
    #[arg(long, requires = "netbox")]
    plain_http: bool,
    /// Rows to ask NetBox for at a time
    #[arg(long, value_name = "ROWS", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=1000))]
    page: u32,
    /// How long NetBox may take for everything, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = print::seconds)]
    timeout: f64,
    /// CSV export of the prefixes, in place of NetBox itself
    #[arg(long, value_name = "FILE", conflicts_with = "netbox")]
    prefixes: Option<PathBuf>,
    /// CSV export of the VLANs
    #[arg(long, value_name = "FILE", requires = "prefixes")]
    vlans: Option<PathBuf>,
    /// CSV export of the VRFs
    #[arg(long, value_name = "FILE", requires = "prefixes")]
    vrfs: Option<PathBuf>,
    /// CSV export of the L2VPNs; without, what the VLANs say of them
    #[arg(long, value_name = "FILE", requires = "prefixes")]
    l2vpns: Option<PathBuf>,
    /// CSV export of the IP addresses
    #[arg(long, value_name = "FILE", requires = "prefixes")]
    addresses: Option<PathBuf>,
    /// CSV export of the devices, for the sites of boxes
    #[arg(long, value_name = "FILE", requires = "prefixes")]
    devices: Option<PathBuf>,
    /// Names of columns that are not in English
    #[arg(long, value_name = "ENGLISH=NAME,…", requires = "prefixes", default_value = "", hide_default_value = true, value_parser = columns)]
    columns: Columns,
    /// What `fabricctl facts --json` has written on a box, in place of this one; once for each box
    #[arg(long, value_name = "[NAME=]FILE", conflicts_with = "frr")]
    facts: Vec<String>,
    /// The site of a box, by NetBox's name or slug [default: that of the device of its name]
    #[arg(long, value_name = "BOX=SITE")]
    site: Vec<Pair>,
    /// What a VRF of NetBox is called on boxes [default: the same, but for case, blanks, `_` and `.`]
    #[arg(long, value_name = "NETBOX=DEVICE")]
    vrf: Vec<Pair>,
    /// Findings to leave out, by their identifiers, with `*` for any characters
    #[arg(long, value_name = "ID")]
    except: Vec<String>,
    /// Print the findings as CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    style: Style,
}

const AFTER_HELP: &str = "\
The exit status is 0 if NetBox and the fabric say the same, 1 if there are findings, and 3 if something
could not be asked and nothing else was found.

Nothing is ever written to NetBox; a token without write permission is enough. Boxes that are not given
are not missed: what NetBox has on sites without one is left out.";

/// Findings, something could not be asked.
const FOUND: u8 = 1;
const NOT_ASKED: u8 = 3;

/// Two names.
#[derive(Clone, Debug)]
struct Pair(String, String);

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((one, other)) if !one.is_empty() && !other.is_empty() => {
                Ok(Self(one.into(), other.into()))
            }
            _ => Err("write two names with = between them".into()),
        }
    }
}

fn columns(text: &str) -> Result<Columns, String> {
    if text.is_empty() { Ok(Columns::default()) } else { text.parse() }
}

rows! {
    /// A finding as it is printed.
    struct FindingRow, "NetBox and the fabric say the same" {
        /// The same in each audit that finds it: the kind, and which one.
        "ID" id: String,
        /// What it is about: `prefix_without_gateway`, `gateway_outside`, `vni_missing`, `vni_other`,
        /// `routed_not_active`, `in_use`, `host_outside`, `host_elsewhere`, `vrf_missing`, `vrf_unknown`,
        /// `vrf_other`, `l3vni_other`, `l2vpn_missing`, `l2vpn_unknown`, `l2vpn_other` or `duplicate`.
        "KIND" kind: &'static str,
        /// Which one, in words.
        "WHAT" what: String,
        /// What NetBox says.
        "NETBOX" netbox: String,
        /// What the fabric says.
        "FABRIC" fabric: String,
        /// The likely cause.
        "LIKELY" likely: String,
        /// What to do.
        "NEXT" next: String,
    }
}

impl From<&Finding> for FindingRow {
    fn from(finding: &Finding) -> Self {
        let Finding { id, kind, what, netbox, fabric, likely, next } = finding.clone();
        Self { id, kind: kind.name(), what, netbox, fabric, likely, next }
    }
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    netbox: &'a str,
    version: Option<&'a str>,
    boxes: &'a BTreeMap<String, Option<String>>,
    compared: Compared,
    findings: Table,
    excepted: usize,
    not_asked: &'a [String],
}

impl<'a> Document<'a> {
    fn of(report: &'a Report) -> Self {
        Self {
            schema: print::SCHEMA,
            netbox: &report.netbox,
            version: report.version.as_deref(),
            boxes: &report.boxes,
            compared: report.compared,
            findings: Table::of(report.findings.iter().map(FindingRow::from)),
            excepted: report.excepted,
            not_asked: &report.not_asked,
        }
    }
}

/// Runs `fabricctl audit`.
///
/// What goes wrong is a status, too.
pub(super) fn run(args: &Args) -> ExitCode {
    audit(args).and_then(|report| show(args, &report)).unwrap_or_else(|error| {
        eprintln!("fabricctl: {error:#}");
        NOT_ASKED.into()
    })
}

fn audit(args: &Args) -> anyhow::Result<Report> {
    // What is wrong with the command line is said before anybody is asked.
    let settings = args.netbox.as_deref().map(|url| settings(args, url)).transpose()?;
    let boxes = boxes(args)?;
    let mut fabric = Fabric::of(boxes.iter().map(|(name, facts)| (name.clone(), facts)));
    let records = match settings {
        Some(settings) => rest::read(&settings, &fabric.names())?,
        None => csv::read(&files(args))?,
    };
    let report = compare(args, &records, &mut fabric)?;
    let lacking = boxes.iter().flat_map(|(name, facts)| lacks(name, facts));
    Ok(Report { not_asked: report.not_asked.into_iter().chain(lacking).collect(), ..report })
}

fn compare(args: &Args, records: &Records, fabric: &mut Fabric) -> anyhow::Result<Report> {
    let sites: BTreeMap<String, String> =
        args.site.iter().map(|Pair(name, site)| (name.clone(), site.clone())).collect();
    let names: BTreeSet<String> = fabric.names().into_iter().collect();
    if let Some(name) = sites.keys().find(|name| !names.contains(*name)) {
        let known: Vec<String> = names.into_iter().collect();
        bail!("--site {name}: there are no facts of that box, but of {}", known.join(", "));
    }
    for (name, site) in &sites {
        let is_known = records.slugs.contains_key(site) || records.sites.contains(site.as_str());
        if !records.sites.is_empty() && !is_known {
            bail!("--site {name}={site}: NetBox has no site of that name or slug");
        }
    }
    let vrfs =
        args.vrf.iter().map(|Pair(netbox, device)| (device.clone(), netbox.clone())).collect();
    let is_known = |name: &String| records.vrfs.iter().any(|vrf| vrf.name == *name);
    if let Some(Pair(name, device)) = args.vrf.iter().find(|Pair(name, _)| !is_known(name))
        && records.has(audit::model::Table::Vrfs)
    {
        bail!("--vrf {name}={device}: NetBox has no VRF of that name");
    }
    let lost = fabric.place(records, &sites);
    fabric.rename(records, &vrfs);
    let exceptions: Vec<Pattern> = args.except.iter().map(|text| Pattern::new(text)).collect();
    Ok(Report::of(records, fabric, &lost, &exceptions))
}

/// Facts of the boxes, with their names.
fn boxes(args: &Args) -> anyhow::Result<Vec<(String, Facts)>> {
    if args.facts.is_empty() {
        let facts = collect(args.sources.chosen()?.as_ref(), args.sources.frr.as_deref(), None)?;
        return Ok(vec![(facts.host.clone(), facts)]);
    }
    let mut boxes: Vec<(String, Facts)> = Vec::new();
    for text in &args.facts {
        let (name, facts) = sources::named(text)?;
        let name = clean(name.unwrap_or(&facts.host));
        if boxes.iter().any(|(known, _)| *known == name) {
            bail!(
                "two files have facts of {name}; if they are of two boxes, name one by --facts \
                 NAME=FILE"
            );
        }
        boxes.push((name, facts));
    }
    Ok(boxes)
}

fn settings(args: &Args, url: &str) -> anyhow::Result<Settings> {
    let token = match &args.token_file {
        Some(path) => fs::read_to_string(path)
            .with_context(|| format!("cannot read the token from {}", path.display()))?,
        None => env::var("NETBOX_TOKEN").ok().context(
            "there is no token for NetBox; set NETBOX_TOKEN, or name a file by --token-file",
        )?,
    };
    Ok(Settings {
        url: url.into(),
        token: Token::new(&token)?,
        ca: args.ca.clone(),
        plain: args.plain_http,
        page: args.page,
        limits: Limits::within(Duration::from_secs_f64(args.timeout)),
    })
}

fn files(args: &Args) -> Files {
    Files {
        prefixes: args.prefixes.clone().unwrap_or_default(),
        vlans: args.vlans.clone(),
        vrfs: args.vrfs.clone(),
        l2vpns: args.l2vpns.clone(),
        addresses: args.addresses.clone(),
        devices: args.devices.clone(),
        columns: args.columns.clone(),
    }
}

fn show(args: &Args, report: &Report) -> anyhow::Result<ExitCode> {
    let printed = if args.csv {
        // Whoever reads a table of findings has to hear elsewhere of what is not in it.
        for why in &report.not_asked {
            eprintln!("fabricctl: not compared: {why}");
        }
        print::text(&report.csv()?)
    } else {
        print::shown(args.style, &Document::of(report), || text(report, args.style.look()))
    };
    let status = match (report.findings.is_empty(), report.not_asked.is_empty()) {
        (true, true) => ExitCode::SUCCESS,
        (false, _) => FOUND.into(),
        (true, false) => NOT_ASKED.into(),
    };
    print::told(printed, status)
}

fn text(report: &Report, look: Look) -> String {
    let mut text = String::new();
    if !report.findings.is_empty() {
        text = format!("{}\n", table(report, look));
    }
    for why in &report.not_asked {
        text.push_str(&format!("not compared: {why}\n"));
    }
    text + &summary(report)
}

/// Columns of sentences, which `super::table` has one of at most.
fn table(report: &Report, look: Look) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = look.width {
        table.set_width(width);
    }
    table.set_header(["FINDING", "NETBOX AND THE FABRIC", "LIKELY CAUSE, AND WHAT TO DO"]);
    for finding in &report.findings {
        let kind = finding.kind.name().replace('_', " ");
        let id = if look.verbose { format!("\n{}", finding.id) } else { String::new() };
        table.add_row([
            format!("{kind}\n{}{id}", finding.what),
            format!("NetBox: {}\nfabric: {}", finding.netbox, finding.fabric),
            format!("{}\n{}", finding.likely, finding.next),
        ]);
    }
    table
}

fn summary(report: &Report) -> String {
    let count = |number: usize, one: &str, several: &str| {
        format!("{number} {}", if number == 1 { one } else { several })
    };
    let result = match report.findings.len() {
        0 if !report.not_asked.is_empty() => "no finding in what was compared".into(),
        0 => "no finding".into(),
        found => count(found, "finding", "findings"),
    };
    let excepted = match report.excepted {
        0 => String::new(),
        excepted => format!(", {excepted} more excepted"),
    };
    let Compared { prefixes, vlans, l2vpns, networks, gateways, hosts } = report.compared;
    format!(
        "{}, {} and {} of {}; {}, {} and {} of {}: {result}{excepted}\n",
        count(prefixes, "prefix", "prefixes"),
        count(vlans, "VLAN", "VLANs"),
        count(l2vpns, "L2VPN", "L2VPNs"),
        report.netbox,
        count(networks, "network", "networks"),
        count(gateways, "gateway", "gateways"),
        count(hosts, "host", "hosts"),
        count(report.boxes.len(), "box", "boxes"),
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        audit::Kind,
        cli::{
            golden::{documented, golden},
            row::Row as _,
        },
    };

    fn report() -> Report {
        let finding = Finding {
            id: "in_use/red/10.8.0.0/24".into(),
            kind: Kind::InUse,
            what: "prefix 10.8.0.0/24 in VRF red".into(),
            netbox: "is reserved".into(),
            fabric: "its gateway is at leaf1; 1 host in it: 10.8.0.7".into(),
            likely: "it was put into use, and its status was not set to active".into(),
            next: "set it to active in NetBox, or find out who took it before its time".into(),
        };
        Report {
            netbox: "NetBox 4.7 at https://netbox.example".into(),
            version: Some("4.7".into()),
            boxes: [("leaf1".into(), Some("Site 1".into())), ("leaf2".into(), None)].into(),
            compared: Compared {
                prefixes: 2,
                vlans: 1,
                l2vpns: 0,
                networks: 3,
                gateways: 2,
                hosts: 1,
            },
            findings: vec![finding],
            excepted: 2,
            not_asked: vec!["devices are not read".into()],
        }
    }

    #[test]
    fn the_document_is_as_documented() {
        golden("audit", &Document::of(&report()));
        documented([("`findings` of `audit`", FindingRow::COLUMNS)]);
    }

    #[test]
    fn a_finding_is_one_row_that_fits_the_terminal() {
        let text = text(&report(), Look { width: Some(80), verbose: true });
        assert!(text.lines().take(8).all(|line| line.chars().count() <= 80), "{text}");
        for part in
            ["in use", "in_use/red/10.8.0.0/24", "NetBox: is reserved", "not compared: devices"]
        {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
        assert!(
            text.ends_with(
                "2 prefixes, 1 VLAN and 0 L2VPNs of NetBox 4.7 at https://netbox.example; 3 \
                 networks, 2 gateways \
                 and 1 host of 2 boxes: 1 finding, 2 more excepted\n"
            ),
            "{text}"
        );
    }

    /// Arguments alone.
    #[derive(clap::Parser)]
    struct Alone {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn names_that_netbox_does_not_have_are_refused() {
        let records = Records {
            sites: ["Amsterdam".into()].into(),
            slugs: [("ams1".into(), "Amsterdam".into())].into(),
            ..Records::default()
        };
        let compare = |arguments: &[&str]| {
            let arguments = [&["audit", "--prefixes", "p.csv"][..], arguments].concat();
            let args = Alone::try_parse_from(arguments).unwrap().args;
            let facts = Facts::default();
            let mut fabric = Fabric::of([("leaf1".to_owned(), &facts)]);
            compare(&args, &records, &mut fabric).map_err(|error| error.to_string())
        };
        assert!(compare(&["--site", "leaf1=ams1"]).is_ok());
        assert!(compare(&["--site", "leaf1=Amsterdam"]).is_ok());
        for (arguments, error) in [
            (
                ["--site", "leaf1=ams2"],
                "--site leaf1=ams2: NetBox has no site of that name or slug",
            ),
            (
                ["--site", "leaf2=ams1"],
                "--site leaf2: there are no facts of that box, but of leaf1",
            ),
            (["--vrf", "Red=v1"], "--vrf Red=v1: NetBox has no VRF of that name"),
        ] {
            assert_eq!(compare(&arguments).unwrap_err(), error);
        }
    }

    #[test]
    fn without_a_finding_there_is_no_table() {
        let report =
            Report { findings: Vec::new(), not_asked: Vec::new(), excepted: 0, ..report() };
        let text = text(&report, Look::default());
        assert_eq!(text.lines().count(), 1);
        assert!(text.ends_with("of 2 boxes: no finding\n"), "{text}");
    }
}
