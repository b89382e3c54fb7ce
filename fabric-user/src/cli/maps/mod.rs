//! `fabricctl maps`: the list of maps, what is in one, and one entry.

mod circuits;
mod domain_traffic;
mod domains;
mod fdb;
mod groups;
mod list;
mod nexthops;
mod peers;
mod port_tx;
mod ports;
mod reasons;
mod settings;
mod tx_ports;
mod vlans;
mod vnis;
mod vtep_traffic;
mod vteps;
mod watch;

use std::{net::Ipv4Addr, process::ExitCode, time::Duration};

use anyhow::bail;
use serde_json::{Value, json};

use super::{
    instance::{Choice, Chosen},
    print::{self, Style},
    sheet::{Cell, Sheet},
    view::View,
};
use crate::{kernel::maps::Maps, observe::Mac};
pub(super) use ports::role;
pub(super) use vteps::sheet as vtep_sheet;

/// Arguments of `fabricctl maps`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The map to show, such as fdb or vteps [default: a list of all maps]
    #[arg(value_name = "MAP")]
    map: Option<String>,
    /// Look up one entry: a MAC address, VTEP address, VNI, port or bridge, as the map has it
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

/// How to show a map.
struct Dump {
    /// Name of the map.
    name: &'static str,
    sheet: fn(&Source<'_>) -> anyhow::Result<Sheet>,
    /// The first columns that identify a row.
    keys: usize,
    /// The columns in which a key is looked up.
    lookup: &'static [&'static str],
    /// What a key looks like.
    key: Key,
}

/// What the key of a lookup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Mac,
    Address,
    Number,
    Name,
}

const fn dump(
    name: &'static str,
    sheet: fn(&Source<'_>) -> anyhow::Result<Sheet>,
    keys: usize,
    lookup: &'static [&'static str],
    key: Key,
) -> Dump {
    Dump { name, sheet, keys, lookup, key }
}

/// One for each map, in the order of the schema.
const DUMPS: &[Dump] = &[
    dump("settings", |s| Ok(settings::sheet(&s.view)), 1, &["setting"], Key::Name),
    dump("ports", |s| Ok(ports::sheet(&s.view)), 1, &["port"], Key::Name),
    dump("vlans", |s| Ok(vlans::sheet(&s.view)), 2, &["port"], Key::Name),
    dump("circuits", |s| Ok(circuits::sheet(&s.view)), 3, &["port", "bridge_port"], Key::Name),
    dump("domains", |s| Ok(domains::sheet(&s.view)), 1, &["bridge", "vni"], Key::Name),
    dump("fdb", |s| Ok(fdb::sheet(&s.view)), 3, &["mac"], Key::Mac),
    dump("vteps", |s| Ok(vteps::sheet(&s.view)), 2, &["vtep"], Key::Address),
    dump("peers", |s| Ok(peers::sheet(&s.view)), 2, &["peer"], Key::Address),
    dump("vnis", |s| Ok(vnis::sheet(&s.view)), 2, &["vni"], Key::Number),
    dump("groups", |s| Ok(groups::sheet(&s.view)), 3, &["group", "port", "gateway"], Key::Name),
    dump("nexthops", |s| Ok(nexthops::sheet(&s.view)), 2, &["gateway", "port"], Key::Name),
    dump("tx_ports", tx_ports::sheet, 1, &["port"], Key::Name),
    dump("reasons", reasons::sheet, 2, &["port", "reason"], Key::Name),
    dump("port_tx", port_tx::sheet, 1, &["port"], Key::Name),
    dump("domain_traffic", domain_traffic::sheet, 2, &["vni", "bridge"], Key::Name),
    dump("vtep_traffic", vtep_traffic::sheet, 2, &["vtep"], Key::Address),
];

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
        None => {
            let sheet = take()?;
            if let (Some(key), Some(dump)) = (&args.key, dump) {
                require(&sheet, key, dump, &chosen)?;
            }
            if args.style.json {
                print::json(&sheet.json(), false)?;
            } else {
                print::text(&sheet.text(args.style.look()))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn named(name: &str) -> anyhow::Result<&'static Dump> {
    let Some(dump) = DUMPS.iter().find(|dump| dump.name == name) else {
        let names: Vec<&str> = DUMPS.iter().map(|dump| dump.name).collect();
        bail!("there is no map {name}; the maps are {}", names.join(", "));
    };
    Ok(dump)
}

/// The rows that were asked for.
fn take(args: &Args, dump: Option<&Dump>, chosen: &Chosen) -> anyhow::Result<Sheet> {
    let maps = chosen.maps(false)?;
    let view = chosen.view(&maps)?;
    let source = Source { chosen, maps, view };
    let Some(dump) = dump else {
        return list::sheet(&source);
    };
    let mut sheet = (dump.sheet)(&source)?;
    let narrow = |value: Option<Value>, column| value.map(|value| (column, value));
    let narrowed = [
        narrow(args.vni.map(Value::from), "vni"),
        narrow(args.bridge.clone().map(Value::from), "bridge"),
    ];
    for (column, value) in narrowed.into_iter().flatten() {
        let Some(place) = sheet.column(column) else {
            bail!(
                "the map {} cannot be narrowed by --{column}; its entries do not have one",
                dump.name
            );
        };
        sheet.retain(|row| *row[place].value() == value);
        sheet.says_if_empty("no entry matches");
    }
    if let Some(key) = &args.key {
        let wanted = dump.key.parse(key)?;
        let places: Vec<usize> = dump.lookup.iter().filter_map(|c| sheet.column(c)).collect();
        sheet.retain(|row| places.iter().any(|place| row[*place].text() == wanted));
        sheet.says_if_empty("no entry matches");
    }
    Ok(sheet)
}

/// Says that a lookup found nothing, and what that means.
fn require(sheet: &Sheet, key: &str, dump: &Dump, chosen: &Chosen) -> anyhow::Result<()> {
    if !sheet.rows().is_empty() {
        return Ok(());
    }
    let meaning = match dump.name {
        "fdb" => "; frames to it go to the kernel",
        "vteps" | "peers" => "; traffic to and from it goes through the kernel",
        "vnis" | "domains" => "; the kernel forwards its traffic",
        "ports" => "; the kernel forwards its traffic (`fabricctl status` says why)",
        _ => "",
    };
    bail!("{key} is not in the map {} of instance {}{meaning}", dump.name, chosen.name());
}

impl Key {
    /// The key as the table has it.
    fn parse(self, key: &str) -> anyhow::Result<String> {
        Ok(match self {
            Self::Mac => key.replace('-', ":").parse::<Mac>()?.to_string(),
            Self::Address => match key.parse::<Ipv4Addr>() {
                Ok(address) => address.to_string(),
                Err(_) => bail!("{key} is not an IPv4 address, by which this map is looked up"),
            },
            Self::Number => match key.parse::<u32>() {
                Ok(number) => number.to_string(),
                Err(_) => bail!("{key} is not a VNI, by which this map is looked up"),
            },
            Self::Name => key.to_owned(),
        })
    }
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
        let maps: Vec<_> = MAPS.iter().map(|map| map.name).collect();
        assert_eq!(dumps, maps);
    }

    #[test]
    fn keys_are_written_as_the_tables_have_them_or_refused_with_the_form_that_is_right() {
        assert_eq!(Key::Mac.parse("52-54-00-AA-BB-01").unwrap(), "52:54:00:aa:bb:01");
        assert_eq!(Key::Number.parse("0200").unwrap(), "200");
        let error = Key::Address.parse("leaf01").unwrap_err().to_string();
        assert_eq!(error, "leaf01 is not an IPv4 address, by which this map is looked up");
        assert!(Key::Mac.parse("nonsense").unwrap_err().to_string().contains("02:00:5e:00:00:01"));
    }
}
