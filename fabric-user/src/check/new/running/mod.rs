//! A suite of what runs: what the facts of boxes say now has to be so from now on.
//!
//! Nobody has drawn these boxes, so there is an inventory without a picture beside the suite, and the tables are those
//! that need no cables and no hosts. Every one of them is tried against the facts, and what does not hold now is left
//! out, with a comment. Nothing is in it that changes by itself, as hosts that come and go.

mod inventory;
mod overlay;
mod underlay;
mod writer;

use std::collections::{BTreeMap, BTreeSet};

use self::writer::{Table, Writer};
use super::text::{Text, quoted};
use crate::{
    check::{inventory::Inventory, look::Seen, sight::Sight},
    facts::Facts,
    lab::{Topology, topology::ControlPlane},
};

/// The longest name of a node.
const NAME_MAX: usize = 31;
/// The instance of fabric-xdpd that is meant where none is named.
const INSTANCE: &str = "default";

/// What was written.
#[derive(Debug)]
pub(crate) struct Written {
    /// The text of the inventory.
    pub(crate) inventory: String,
    /// The text of the suite.
    pub(crate) suite: String,
    /// What does not hold now and is not in the suite: names of cases, with what is.
    pub(crate) left_out: Vec<String>,
}

/// The suite and the inventory of boxes by the names under which they are asked. `name` is that of both files. The same
/// facts make the same text.
///
/// # Errors
/// If they cannot be told apart or named: a sentence.
pub(crate) fn suite_of(name: &str, boxes: Vec<(String, Facts)>) -> Result<Written, String> {
    let (mut facts, mut devices) = (BTreeMap::new(), Vec::new());
    for (called, one) in boxes {
        let legal = legal(&called)?;
        let instance = one.fabric.as_ref().map(|it| it.instance.clone());
        let instance = instance.filter(|it| it != INSTANCE);
        let target = (legal != called).then_some(called);
        if facts.insert(legal.clone(), Ok(one)).is_some() {
            return Err(format!(
                "two of the files are of a box {legal}; name boxes otherwise by NAME=FILE, or leave one of them out"
            ));
        }
        devices.push((legal, target, instance));
    }
    devices.sort();
    let seen = Seen { facts, ..Seen::default() };
    let boxes: Vec<Sight<'_>> = seen.facts.iter().filter_map(sight).collect();
    let inventory = inventory::text(name, &boxes)?;
    let topology = Topology::undrawn(name, &inventory)
        .map_err(|error| format!("what runs cannot be written as an inventory: {error}"))?;
    let drawn = Inventory::of(topology);
    let mut writer = Writer::of(&drawn, &seen);
    head(&mut writer.text, name, &devices);
    underlay::write(&mut writer, &boxes);
    overlay::write(&mut writer, &boxes);
    nodes(&mut writer, &boxes);
    let (suite, left_out) = writer.end();
    Ok(Written { inventory, suite, left_out })
}

fn sight<'a>((name, facts): (&'a String, &'a Result<Facts, String>)) -> Option<Sight<'a>> {
    facts.as_ref().ok().map(|facts| Sight::of(name, facts))
}

/// A name as an inventory may have it.
fn legal(name: &str) -> Result<String, String> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    let legal = name.replace(|it| !is_plain(it), "-");
    match (1..=NAME_MAX).contains(&legal.len()) {
        true => Ok(legal),
        false => Err(format!(
            "\"{name}\" cannot name a box; give it 1 to {NAME_MAX} letters, digits, - and _ by NAME=FILE"
        )),
    }
}

fn head(text: &mut Text, name: &str, devices: &[(String, Option<String>, Option<String>)]) {
    text.line(&format!(
        "# What runs on the boxes of {name}, as `fabricctl check new --facts` has found it: from now on it has to be so."
    ));
    text.line("# `fabricctl check --explain KIND` says what each table may have.");
    text.line("");
    text.field("title", &quoted(&format!("{name}: as it runs")));
    text.field("topology", &quoted(&format!("{name}.toml")));
    text.line("");
    text.line(
        "# With --ssh boxes are asked as root under their names, unless a table says otherwise:",
    );
    text.line("# [devices.NAME]");
    text.line("# ssh = \"admin@name.example.net\"");
    text.line("# sudo = true");
    for (device, target, instance) in devices {
        let fields = [("ssh", target), ("instance", instance)];
        let fields = fields.into_iter().filter_map(|(key, it)| Some((key, quoted(it.as_ref()?))));
        let fields: Vec<(&str, String)> = fields.collect();
        if !fields.is_empty() {
            text.entry("", &format!("devices.{device}"), &fields);
        }
    }
}

/// What each box has to be like by itself.
fn nodes(writer: &mut Writer<'_>, boxes: &[Sight<'_>]) {
    let all: Vec<&str> = boxes.iter().map(|it| it.name).collect();
    let with_fabric = boxes.iter().filter(|it| it.facts.fabric.is_some());
    let with_fabric: Vec<&str> = with_fabric.map(|it| it.name).collect();
    let on = |comment, kind, of: &[&str], fields: &[(&'static str, &str)]| Table {
        comment,
        kind,
        key: "on",
        of: of.iter().map(|it| (*it).to_owned()).collect(),
        about: of.iter().map(|it| (*it).to_owned()).collect(),
        fields: fields.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
    };
    writer.add(&on("FRR, the kernel and the maps say the same.", "verify", &all, &[]));
    let within = [("within", "\"30s\"")];
    writer.add(&on("fabric-xdpd is well.", "daemon", &with_fabric, &within));
    let fill = [("fill", "\"85%\"")];
    writer.add(&on("There is room left.", "capacity", &with_fabric, &fill));
    let functions: BTreeSet<_> =
        writer.inventory.topology.switches.iter().map(|it| it.function).collect();
    // Only where a role has several there is something to be the same.
    if functions.len() < all.len() {
        let same = [("same", "true")];
        writer.add_whole(&on("Versions are the same within a role.", "versions", &all, &same));
    }
}

/// Whether FRR says what is where.
fn is_by_frr(inventory: &Inventory) -> bool {
    inventory.topology.fabric.control_plane == ControlPlane::Bgp
}
