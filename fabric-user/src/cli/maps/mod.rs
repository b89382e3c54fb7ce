//! `fabricctl maps`: the list of maps, what is in one, and one entry.

mod buckets;
mod circuits;
mod domain_traffic;
mod domains;
mod domains6;
mod fdb;
mod fdb_times;
mod filter;
mod groups;
mod hosts;
mod list;
mod local_addresses;
mod long;
mod nexthops;
mod peers;
mod port_tx;
mod ports;
mod reasons;
mod reverse_paths;
mod routes;
mod settings;
mod tx_ports;
mod views;
mod vlans;
mod vnis;
mod vtep_traffic;
mod vteps;
mod watch;

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use serde_json::json;

use super::{
    instance::{Choice, Chosen},
    print::{self, Style},
    sheet::{Cell, Column, Sheet},
    uses::Uses,
    view::View,
};
use crate::kernel::maps::Maps;
use filter::{Filter, Key};
use long::Long;
pub(super) use ports::{families, role};
pub(super) use tx_ports::targets as redirect_targets;
pub(super) use vteps::sheet as vtep_sheet;

/// Arguments of `fabricctl maps`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The map to show, such as fdb or vteps, or routes [default: a list of all maps]
    #[arg(value_name = "MAP")]
    map: Option<String>,
    /// Look up one entry: a MAC address, VTEP address, VNI, port or bridge, as the map has it. In
    /// routes: an address shows what holds it, a prefix what is inside
    #[arg(requires = "map")]
    key: Option<String>,
    /// Only entries of this VNI
    #[arg(long, value_name = "VNI")]
    vni: Option<u32>,
    /// Only entries of this bridge
    #[arg(long, value_name = "NAME")]
    bridge: Option<String>,
    /// Look again every so often and mark what changed; for fdb, print every change
    #[arg(
        long, value_name = "SECONDS", num_args = 0..=1,
        default_missing_value = "1", value_parser = print::seconds
    )]
    watch: Option<f64>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    style: Style,
}

/// Everything that a dump may need.
struct Source<'a> {
    chosen: &'a Chosen,
    maps: Maps,
    view: View,
}

/// What is said below the options.
const AFTER_HELP: &str = "\
`maps routes` shows hosts and prefixes together. Prefixes stand in the trie as ranges of addresses
with one answer, not as the routes that made them; they are shown as the shortest list of prefixes
that gives every address the same answer by longest match. A route that leads where the one around
it leads, or that another hides, is not in that list.

The weights in `maps groups` are the smallest whole numbers that explain the shares of the buckets.
`fabricctl lookup` says which member a flow takes.";

/// Takes the rows of a table, one by one.
type Each<'a> = &'a mut dyn FnMut(Vec<Cell>) -> anyhow::Result<()>;

impl<'a> Source<'a> {
    fn new(chosen: &'a Chosen) -> anyhow::Result<Self> {
        let maps = chosen.maps(false)?;
        let view = chosen.view(&maps)?;
        Ok(Self { chosen, maps, view })
    }
}

/// How to show a map.
struct Dump {
    /// Name of the map.
    name: &'static str,
    table: Table,
    /// The first columns that identify a row.
    keys: usize,
    /// The columns in which a key is looked up.
    lookup: &'static [&'static str],
    /// What a key looks like.
    key: Key,
}

/// Where the rows come from.
#[derive(Clone, Copy)]
enum Table {
    Short(fn(&Source<'_>) -> anyhow::Result<Sheet>),
    Long(Long),
}

const fn dump(
    name: &'static str,
    sheet: fn(&Source<'_>) -> anyhow::Result<Sheet>,
    keys: usize,
    lookup: &'static [&'static str],
    key: Key,
) -> Dump {
    Dump { name, table: Table::Short(sheet), keys, lookup, key }
}

const fn long(
    name: &'static str,
    (columns, empty): (&'static [Column], &'static str),
    rows: fn(&Source<'_>, Each<'_>) -> anyhow::Result<()>,
    keys: usize,
    lookup: &'static [&'static str],
    key: Key,
) -> Dump {
    Dump { name, table: Table::Long(Long { columns, empty, rows }), keys, lookup, key }
}

const NO_HOST: (&[Column], &str) = (hosts::COLUMNS, "no host is known");
const NO_ROUTE: (&[Column], &str) = (routes::COLUMNS, "no route is known");
const NO_BUCKET: (&[Column], &str) = (buckets::COLUMNS, "no group has buckets");
const NO_USE: (&[Column], &str) = (buckets::USE_COLUMNS, "no group is resilient");

/// One for each map, in the order of the schema, and one for what several of them hold together.
const DUMPS: &[Dump] = &[
    dump("settings", |s| Ok(settings::sheet(&s.view)), 1, &["setting"], Key::Name),
    dump("ports", |s| Ok(ports::sheet(&s.view)), 1, &["port"], Key::Name),
    dump("vlans", |s| Ok(vlans::sheet(&s.view)), 2, &["port"], Key::Name),
    dump("circuits", |s| Ok(circuits::sheet(&s.view)), 3, &["port", "bridge_port"], Key::Name),
    dump("domains", |s| Ok(domains::sheet(&s.view)), 1, &["bridge", "vni"], Key::Name),
    dump("domains6", |s| Ok(domains6::sheet(&s.view)), 1, &["bridge", "vni"], Key::Name),
    dump("fdb", |s| Ok(fdb::sheet(&s.view)), 3, &["mac"], Key::Mac),
    dump("fdb_times", |s| Ok(fdb_times::sheet(&s.view)), 2, &["mac"], Key::Mac),
    dump("vteps", |s| Ok(vteps::sheet(&s.view)), 2, &["vtep"], Key::Host),
    dump("reverse_paths", |s| Ok(reverse_paths::sheet(&s.view)), 2, &["vtep"], Key::Host),
    dump("peers", |s| Ok(peers::sheet(&s.view)), 2, &["peer"], Key::Host),
    dump("vnis", |s| Ok(vnis::sheet(&s.view)), 2, &["vni"], Key::Number),
    dump("local_addresses", |s| Ok(local_addresses::sheet(s)), 1, &[], Key::Name),
    dump("views", |s| Ok(views::sheet(s)), 1, &["view"], Key::Number),
    long("hosts", NO_HOST, hosts::ipv4, 2, &["address"], Key::Host),
    long("hosts6", NO_HOST, hosts::ipv6, 2, &["address"], Key::Host),
    long("addresses6", NO_HOST, hosts::addresses6, 2, &["address"], Key::Host),
    long("trie", NO_ROUTE, routes::prefixes, 2, &["prefix"], Key::Prefix),
    dump("groups", groups, 4, &["group", "port", "gateway"], Key::Name),
    long("buckets", NO_BUCKET, buckets::rows, 2, &["group", "port", "gateway"], Key::Name),
    long("bucket_use", NO_USE, buckets::uses, 2, &["group", "port", "gateway"], Key::Name),
    dump("nexthops", nexthops, 2, &["gateway", "port"], Key::Name),
    dump("tx_ports", tx_ports::sheet, 1, &["port"], Key::Name),
    dump("reasons", reasons::sheet, 2, &["port", "reason"], Key::Name),
    dump("port_tx", port_tx::sheet, 1, &["port"], Key::Name),
    dump("domain_traffic", domain_traffic::sheet, 2, &["vni", "bridge"], Key::Name),
    dump("vtep_traffic", vtep_traffic::sheet, 2, &["vtep"], Key::Host),
    long(ROUTES, NO_ROUTE, routes::all, 3, &["prefix"], Key::Prefix),
];

/// The table that is not a map of its own.
const ROUTES: &str = "routes";

fn groups(source: &Source<'_>) -> anyhow::Result<Sheet> {
    Ok(groups::sheet(&source.view, &Uses::of(&source.view, &source.maps)))
}

fn nexthops(source: &Source<'_>) -> anyhow::Result<Sheet> {
    Ok(nexthops::sheet(&source.view, &Uses::of(&source.view, &source.maps)))
}

/// Runs `fabricctl maps`.
///
/// # Errors
/// If there are no maps, or not the map or entry that was asked for.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let chosen = args.choice.resolve()?;
    let dump = args.map.as_deref().map(named).transpose()?;
    let take = || take(args, dump, &chosen);
    match args.watch {
        Some(seconds) => {
            let keys = dump.map_or(1, |dump| dump.keys);
            let every = Duration::from_secs_f64(seconds);
            if dump.is_some_and(|dump| dump.name == "fdb") {
                watch::print_changes(args.style, every, keys, take)?;
            } else {
                let title =
                    format!("{} of {}", args.map.as_deref().unwrap_or("maps"), chosen.name());
                watch::repaint(args.style, every, keys, &title, take)?;
            }
        }
        None => print(args, dump, &chosen)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print(args: &Args, dump: Option<&Dump>, chosen: &Chosen) -> anyhow::Result<()> {
    if let Some(Dump { table: Table::Long(long), .. }) = dump {
        let source = Source::new(chosen)?;
        let filter = filter(args, dump, &long.head())?;
        if long.print(&source, &filter, args.style)? {
            return Ok(());
        }
    }
    let sheet = take(args, dump, chosen)?;
    if let (Some(key), Some(dump)) = (&args.key, dump) {
        require(&sheet, key, dump, chosen)?;
    }
    if args.style.json {
        print::json(&sheet.json(), false)?;
    } else {
        print::text(&sheet.text(args.style.look()))?;
    }
    Ok(())
}

fn named(name: &str) -> anyhow::Result<&'static Dump> {
    let Some(dump) = DUMPS.iter().find(|dump| dump.name == name) else {
        let names: Vec<&str> = DUMPS.iter().map(|dump| dump.name).collect();
        bail!("there is no map {name}; there are {}", names.join(", "));
    };
    Ok(dump)
}

/// The rows that were asked for.
fn take(args: &Args, dump: Option<&Dump>, chosen: &Chosen) -> anyhow::Result<Sheet> {
    let source = Source::new(chosen)?;
    let (mut sheet, filter) = match dump.map(|dump| dump.table) {
        None => return list::sheet(&source),
        Some(Table::Short(sheet)) => {
            let mut sheet = sheet(&source)?;
            let filter = filter(args, dump, &sheet)?;
            sheet.retain(|row| filter.fits(row));
            (sheet, filter)
        }
        Some(Table::Long(long)) => {
            let filter = filter(args, dump, &long.head())?;
            (long.whole(&source, &filter)?, filter)
        }
    };
    if !filter.is_empty() {
        sheet.says_if_empty("no entry matches");
    }
    Ok(sheet)
}

fn filter(args: &Args, dump: Option<&Dump>, sheet: &Sheet) -> anyhow::Result<Filter> {
    dump.map_or_else(|| Ok(Filter::default()), |dump| Filter::new(args, dump, sheet))
}

/// Says that a lookup found nothing, and what that means.
fn require(sheet: &Sheet, key: &str, dump: &Dump, chosen: &Chosen) -> anyhow::Result<()> {
    if !sheet.rows().is_empty() {
        return Ok(());
    }
    let meaning = match dump.name {
        "fdb" => "; frames to it go to the kernel",
        "vteps" | "peers" => "; traffic to and from it goes through the kernel",
        "vnis" | "domains" | "domains6" => "; the kernel forwards its traffic",
        "ports" => "; the kernel forwards its traffic (`fabricctl status` says why)",
        ROUTES | "trie" => "; the kernel routes what is sent there",
        "hosts" | "hosts6" | "addresses6" => "; a prefix may lead there (`fabricctl maps routes`)",
        _ => "",
    };
    let map = if dump.name == ROUTES { "" } else { "the map " };
    bail!("{key} is not in {map}{} of instance {}{meaning}", dump.name, chosen.name());
}

/// A VLAN ID on the wire: `-` for untagged.
fn vlan(vlan: u16) -> Cell {
    Some(vlan).filter(|vlan| *vlan != 0).into()
}

/// `yes` or `-`.
fn yes(condition: bool) -> Cell {
    Cell::new(if condition { "yes" } else { "-" }, json!(condition))
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::MAPS;

    use super::*;

    #[test]
    fn every_map_of_the_schema_can_be_dumped() {
        let dumps: Vec<_> = DUMPS.iter().map(|dump| dump.name).collect();
        let maps: Vec<_> = MAPS.iter().map(|map| map.name).chain([ROUTES]).collect();
        assert_eq!(dumps, maps);
    }
}
