//! `fabricctl maps`: the list of maps, what is in one, and one entry.
//!
//! What people operate by has a view of its own, which puts names to indexes and shows several maps
//! together where they belong together. All others are shown entry by entry ([`dump`]).

mod buckets;
mod circuits;
mod domains;
mod dump;
mod fdb;
mod filter;
mod groups;
pub(super) mod list;
mod neighbours;
mod nexthops;
mod ports;
mod routes;
mod segments;
mod settings;
mod views;
mod vteps;
mod watch;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use aya::maps::{DevMap, Map, MapData, MapError};
use fabric_common::schema::MAPS;
use serde::Serialize;

use super::{
    instance::{Choice, Chosen},
    print::{self, Of, Printer, Style},
    row::Row,
    table::{Column, Line, Table, place},
    uses::Uses,
    view,
};
use crate::kernel::maps::Maps;
use filter::{Filter, Key};
pub(crate) use ports::{families, role};
pub(super) use vteps::rows as vteps;

/// Arguments of `fabricctl maps`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The map to show, such as fdb or vteps, or routes [default: a list of all maps]
    #[arg(value_name = "MAP")]
    map: Option<String>,
    /// Look up one entry: a MAC address, VTEP address, port or bridge, as the map has it. In routes:
    /// an address, a prefix or a range shows what routes any of its addresses
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

/// What is said below the options.
const AFTER_HELP: &str = "\
`maps routes` shows hosts and ranges of addresses together. The trie holds answers and not the routes
that made them; they are shown as ranges of addresses with one answer, as prefixes where they are
some. Where every address has an answer, that of the default route is shown once, for all addresses
that no other range holds; for a key, only if nothing more exact routes any of its addresses.

The weights in `maps groups` are the smallest whole numbers that explain the shares of the buckets.
`fabricctl lookup` says which member a flow takes.";

/// Everything that a view may need.
struct Source<'a> {
    chosen: &'a Chosen,
    maps: Maps,
    view: view::View,
}

impl<'a> Source<'a> {
    fn new(chosen: &'a Chosen) -> anyhow::Result<Self> {
        let maps = chosen.maps(false)?;
        let view = chosen.view(&maps)?;
        Ok(Self { chosen, maps, view })
    }

    fn uses(&self) -> Uses {
        Uses::of(&self.view, &self.maps)
    }
}

/// Takes the rows of a view, of which there can be a million, one by one.
struct Rows<'a> {
    filter: &'a Filter,
    /// Takes the rows that fit.
    each: &'a mut dyn FnMut(Line) -> anyhow::Result<()>,
}

impl Rows<'_> {
    fn add(&mut self, row: &impl Row) -> anyhow::Result<()> {
        let row = Line::of(row);
        if self.filter.fits(&row) { (self.each)(row) } else { Ok(()) }
    }

    fn all<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) -> anyhow::Result<()> {
        rows.into_iter().try_for_each(|row| self.add(&row))
    }
}

/// How to show a map.
#[derive(Clone, Copy)]
struct View {
    /// Name of the map.
    name: &'static str,
    columns: &'static [Column],
    /// Said if there is no row.
    empty: &'static str,
    /// The first columns that identify a row.
    keys: usize,
    /// The columns in which a key is looked up.
    lookup: &'static [&'static str],
    /// What a key looks like.
    key: Key,
    rows: Take,
}

#[derive(Clone, Copy)]
enum Take {
    Named(fn(&Source<'_>, &mut Rows<'_>) -> anyhow::Result<()>),
    Raw,
}

const fn view<R: Row>(
    name: &'static str,
    keys: usize,
    lookup: &'static [&'static str],
    key: Key,
    rows: fn(&Source<'_>, &mut Rows<'_>) -> anyhow::Result<()>,
) -> View {
    View { name, columns: R::COLUMNS, empty: R::EMPTY, keys, lookup, key, rows: Take::Named(rows) }
}

/// What people operate by.
const VIEWS: &[View] = &[
    view::<settings::Setting>("settings", 1, &["setting"], Key::Name, |s, rows| {
        rows.all(settings::rows(&s.view))
    }),
    view::<ports::PortRow>("ports", 1, &["port"], Key::Name, |s, rows| {
        rows.all(ports::rows(&s.view))
    }),
    view::<circuits::CircuitRow>("circuits", 3, &["port", "bridge_port"], Key::Name, |s, rows| {
        rows.all(circuits::rows(&s.view))
    }),
    view::<domains::DomainRow>("domains", 1, &["bridge", "vni"], Key::Name, |s, rows| {
        rows.all(domains::rows(&s.view))
    }),
    view::<fdb::MacRow>("fdb", 3, &["mac"], Key::Mac, |s, rows| rows.all(fdb::rows(&s.view))),
    view::<neighbours::NeighbourRow>("neighbours", 3, &["address", "mac"], Key::Host, |s, rows| {
        rows.all(neighbours::rows(s))
    }),
    view::<vteps::VtepRow>("vteps", 2, &["vtep"], Key::Host, |s, rows| {
        rows.all(vteps::rows(&s.view))
    }),
    view::<segments::SegmentRow>(
        "segments",
        5,
        &["nexthop_group", "vtep"],
        Key::Name,
        |s, rows| rows.all(segments::rows(&s.view)),
    ),
    view::<views::ViewRow>("views", 1, &["view"], Key::Number, |s, rows| rows.all(views::rows(s))),
    view::<routes::RouteRow>("hosts", 3, &["addresses"], Key::Span, routes::hosts),
    view::<groups::GroupRow>("groups", 4, &["group", "port", "gateway"], Key::Name, |s, rows| {
        rows.all(groups::rows(&s.view, &s.uses()))
    }),
    view::<buckets::BucketRow>(
        "buckets",
        2,
        &["group", "port", "gateway"],
        Key::Name,
        buckets::rows,
    ),
    view::<nexthops::NexthopRow>("nexthops", 2, &["gateway", "port"], Key::Name, |s, rows| {
        rows.all(nexthops::rows(&s.view, &s.uses()))
    }),
    // Of several maps together.
    view::<routes::RouteRow>("routes", 3, &["addresses"], Key::Span, routes::rows),
];

impl View {
    /// The view of this name, or the entries of the map.
    fn named(name: &str) -> anyhow::Result<Self> {
        if let Some(view) = VIEWS.iter().find(|view| view.name == name) {
            return Ok(*view);
        }
        if let Some(map) = MAPS.iter().find(|map| map.name == name) {
            let (columns, empty) = (dump::EntryRow::COLUMNS, dump::EntryRow::EMPTY);
            let (lookup, key) = (&["index"], Key::Number);
            return Ok(Self {
                name: map.name,
                columns,
                empty,
                keys: 1,
                lookup,
                key,
                rows: Take::Raw,
            });
        }
        let views = VIEWS.iter().map(|view| view.name);
        let raw = MAPS.iter().map(|map| map.name);
        let raw: Vec<&str> = raw.filter(|map| views.clone().all(|view| view != *map)).collect();
        let views = views.collect::<Vec<_>>().join(", ");
        bail!("there is no map {name}; there are {views}, and {}", raw.join(", "))
    }

    /// The place of a column by its JSON key.
    fn column(&self, key: &str) -> Option<usize> {
        place(self.columns, key)
    }

    /// Gives the rows that fit to `each`.
    fn each(
        &self,
        source: &Source<'_>,
        filter: &Filter,
        mut each: impl FnMut(Line) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut rows = Rows { filter, each: &mut each };
        match self.rows {
            Take::Named(take) => take(source, &mut rows),
            Take::Raw => dump::rows(self.name, source, &mut rows),
        }
    }

    /// A table without rows.
    const fn head(&self, filter: &Filter) -> Table {
        let empty = if filter.is_empty() { self.empty } else { "no entry matches" };
        Table::new(self.columns, empty)
    }
}

/// What `fabricctl maps MAP --json` prints; without entries if they follow one by one.
#[derive(Clone, Copy, Serialize)]
struct Document<'a> {
    map: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<&'a Table>,
}

/// What `fabricctl maps --json` prints.
#[derive(Serialize)]
struct List<'a> {
    maps: &'a Table,
}

/// Runs `fabricctl maps`.
///
/// # Errors
/// If there are no maps, or not the map or entry that was asked for.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let chosen = args.choice.resolve()?;
    let instance = chosen.name();
    let Some(name) = &args.map else {
        list(args, &chosen)?;
        return Ok(ExitCode::SUCCESS);
    };
    let view = View::named(name)?;
    let filter = Filter::new(args, &view)?;
    let head = Of::new(instance, Document { map: view.name, entries: None });
    let Some(seconds) = args.watch else {
        let source = Source::new(&chosen)?;
        let mut printer = Printer::new(view.head(&filter), args.style, head, "entries");
        view.each(&source, &filter, |row| printer.row(row))?;
        if let (Some(key), 0) = (&args.key, printer.rows()) {
            bail!("{key} is not in {name} of instance {instance}{}", meaning(name));
        }
        printer.end()?;
        return Ok(ExitCode::SUCCESS);
    };
    let every = Duration::from_secs_f64(seconds);
    let take = || {
        let source = Source::new(&chosen)?;
        let mut table = view.head(&filter);
        view.each(&source, &filter, |row| {
            table.push(row);
            Ok(())
        })?;
        Ok(table)
    };
    if view.name == "fdb" {
        watch::print_changes(args.style, every, view.keys, instance, take)?;
    } else {
        let title = format!("{name} of {instance}");
        watch::repaint(args.style, every, view.keys, &title, take, |table| {
            print::json_line(&Of::new(instance, Document { map: view.name, entries: Some(table) }))
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The list of all maps.
fn list(args: &Args, chosen: &Chosen) -> anyhow::Result<()> {
    if args.vni.is_some() || args.bridge.is_some() {
        bail!("the list of maps cannot be narrowed; name a map");
    }
    let take = || Ok(Table::of(list::rows(&Source::new(chosen)?)?));
    let instance = chosen.name();
    let document = |maps: &Table| print::json_line(&Of::new(instance, List { maps }));
    if let Some(seconds) = args.watch {
        let title = format!("maps of {instance}");
        return watch::repaint(
            args.style,
            Duration::from_secs_f64(seconds),
            1,
            &title,
            take,
            document,
        );
    }
    let maps = take()?;
    print::shown(args.style, &Of::new(instance, List { maps: &maps }), || {
        maps.text(args.style.look())
    })?;
    Ok(())
}

/// What it means that a lookup found nothing.
fn meaning(map: &str) -> &'static str {
    match map {
        "fdb" => "; frames to it go to the kernel",
        "vteps" => "; traffic to and from it goes through the kernel",
        "domains" => "; the kernel forwards its traffic",
        "ports" => "; the kernel forwards its traffic (`fabricctl status` says why)",
        "routes" => "; the kernel routes what is sent there",
        "hosts" => "; a range may hold it (`fabricctl maps routes`)",
        _ => "",
    }
}

/// The redirect targets: interface index by slot.
pub(super) fn redirect_targets(chosen: &Chosen) -> anyhow::Result<Vec<(u32, u32)>> {
    let context = "cannot read the map tx_ports";
    let data = MapData::from_pin(chosen.instance.map("tx_ports")).context(context)?;
    let map = DevMap::try_from(Map::DevMap(data)).context(context)?;
    let mut targets = Vec::new();
    for slot in 0..map.len() {
        match map.get(slot, 0) {
            Ok(target) => targets.push((slot, target.if_index)),
            Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(error).context(context),
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden;

    #[test]
    fn every_map_of_the_schema_can_be_shown_and_every_view_is_of_one() {
        let maps: Vec<_> = MAPS.iter().map(|map| map.name).collect();
        assert!(maps.iter().all(|map| View::named(map).is_ok()));
        let others = VIEWS.iter().map(|view| view.name).filter(|name| !maps.contains(name));
        assert_eq!(others.collect::<Vec<_>>(), ["routes"]);
    }

    #[test]
    fn keys_are_looked_up_in_columns_that_there_are() {
        for view in VIEWS {
            assert!(view.lookup.iter().all(|key| view.column(key).is_some()), "{}", view.name);
        }
    }

    #[test]
    fn what_each_view_prints_as_json_is_written_down() {
        let chosen = Chosen::named("golden");
        let (maps, view) = golden::maps();
        let source = Source { chosen: &chosen, maps, view };
        let raw = ["domain_traffic", "hosts6", "vlans"].map(|map| View::named(map).unwrap());
        for view in VIEWS.iter().chain(&raw) {
            let mut table = view.head(&Filter::default());
            let keep = |row| {
                table.push(row);
                Ok(())
            };
            view.each(&source, &Filter::default(), keep).unwrap();
            let document = Document { map: view.name, entries: Some(&table) };
            golden::golden(&format!("maps-{}", view.name), &Of::new("golden", document));
        }
    }

    #[test]
    fn routes_are_found_by_any_address_of_the_key() {
        let chosen = Chosen::named("golden");
        let (maps, view) = golden::maps();
        let source = Source { chosen: &chosen, maps, view };
        let found = |map: &str, key: &str| {
            let (view, mut found) = (View::named(map).unwrap(), Vec::new());
            let filter = Filter::of_key(&view, key).unwrap();
            let addresses = view.column("addresses").unwrap();
            let keep = |row: Line| {
                found.push(row.cell(addresses).to_owned());
                Ok(())
            };
            view.each(&source, &filter, keep).unwrap();
            found
        };
        assert_eq!(found("routes", "10.9.4.0/24"), ["10.9.2.0-10.9.255.255"]);
        assert_eq!(found("routes", "192.0.2.0/24"), ["0.0.0.0/0"]);
        assert_eq!(found("routes", "10.0.0.2"), ["10.0.0.2/32"]);
        assert_eq!(found("hosts", "10.0.0.0/30"), ["10.0.0.2/32"]);
        assert!(found("routes", "2001:db8::8").is_empty());
    }

    #[test]
    fn every_map_is_in_the_architecture() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
        let page = std::fs::read_to_string(path).expect("the page is there");
        let maps = page.split("\n## ").find(|part| part.starts_with("Maps\n")).unwrap();
        // The first column may name several.
        let rows = maps.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
        let named: Vec<&str> = rows.flat_map(|(first, _)| first.split('`')).collect();
        let missing = MAPS.iter().map(|map| map.name).filter(|map| !named.contains(map));
        assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "{path} lacks these maps");
    }

    #[test]
    fn every_field_is_documented() {
        let headings: Vec<String> =
            VIEWS.iter().map(|view| format!("`maps {}`", view.name)).collect();
        let views = VIEWS.iter().zip(&headings).map(|(view, name)| (&name[..], view.columns));
        let raw = ("`maps MAP`, all others", dump::EntryRow::COLUMNS);
        golden::documented(views.chain([("`maps`", list::MapRow::COLUMNS), raw]));
    }
}
