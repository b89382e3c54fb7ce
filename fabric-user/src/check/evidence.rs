//! What was seen, in a folder: judged again without devices, looked at by people, kept with a run of CI.
//!
//! ```text
//! report.json                what has become of each case, and in which round
//! places.json                where hosts were plugged in
//! topology/                  the picture and the inventory
//! rounds/3/leaf01.json       facts, as `fabricctl facts --json` prints them
//! rounds/3/answers.json      what programs have left, and who could not be asked
//! ```
//!
//! Rounds in which nothing was decided are not kept.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    case::Case,
    finding::not_asked,
    inventory::Inventory,
    look::{Look, Seen},
    outcome::{Decided, Outcome, Report},
    probe::{Probe, Ran},
    run::Ended,
};
use crate::facts::Facts;

const REPORT: &str = "report.json";
const PLACES: &str = "places.json";
const TOPOLOGY: &str = "topology";
const ROUNDS: &str = "rounds";
const ANSWERS: &str = "answers.json";

/// Where a host was plugged in: node and port.
type Places = BTreeMap<String, (String, String)>;

/// What of a round is not facts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Rest {
    at_ms: u64,
    /// Devices without facts, and why.
    without_facts: BTreeMap<String, String>,
    answers: Vec<(Probe, Result<Ran, String>)>,
}

/// Sees to it that a folder holds nothing yet: evidence of two runs would mix.
///
/// # Errors
/// If it does.
pub(crate) fn is_free(folder: &Path) -> anyhow::Result<()> {
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!(
            "{} is not empty, and evidence of two runs would mix; name another folder",
            folder.display()
        );
    }
    Ok(())
}

/// Keeps what was seen.
///
/// # Errors
/// If the folder holds something already, or cannot be written.
pub(crate) fn keep(
    folder: &Path,
    inventory: &Inventory,
    report: &Report,
    ended: &Ended,
) -> anyhow::Result<()> {
    is_free(folder)?;
    let topology = &inventory.topology;
    let sketch = folder.join(TOPOLOGY);
    fs::create_dir_all(&sketch).with_context(|| cannot("make", &sketch))?;
    let picture = (&topology.picture_file, &topology.picture_text);
    for (name, text) in [picture, (&inventory_name(&topology.name), &topology.inventory_text)] {
        // Without a picture that has no name.
        if !name.is_empty() {
            let path = sketch.join(name);
            fs::write(&path, text).with_context(|| cannot("write", &path))?;
        }
    }
    let hosts = topology.hosts.iter();
    let places: Places = hosts
        .map(|it| (it.name.clone(), (it.switch.node.clone(), it.switch.port.clone())))
        .collect();
    write(&folder.join(PLACES), &places)?;
    for seen in &ended.rounds {
        let round = folder.join(ROUNDS).join(seen.number.to_string());
        fs::create_dir_all(&round).with_context(|| cannot("make", &round))?;
        let mut rest = Rest { at_ms: seen.at_ms, ..Rest::default() };
        for (device, facts) in &seen.facts {
            match facts {
                Ok(facts) => write(&round.join(format!("{device}.json")), facts)?,
                Err(why) => drop(rest.without_facts.insert(device.clone(), why.clone())),
            }
        }
        rest.answers.extend(seen.answers.iter().map(|(probe, ran)| (probe.clone(), ran.clone())));
        write(&round.join(ANSWERS), &rest)?;
    }
    // Last, so that a folder with a report is whole.
    write(&folder.join(REPORT), report)
}

/// The inventory that was checked.
///
/// # Errors
/// If it is not there or cannot be read.
pub(crate) fn inventory(folder: &Path) -> anyhow::Result<Inventory> {
    let report: Report = read(&folder.join(REPORT))?;
    let sketch = folder.join(TOPOLOGY).join(inventory_name(&report.topology));
    let Inventory { mut topology } = Inventory::load(&sketch)?;
    let places: Places = read(&folder.join(PLACES))?;
    for host in &mut topology.hosts {
        if let Some((node, port)) = places.get(&host.name) {
            host.switch.node.clone_from(node);
            host.switch.port.clone_from(port);
        }
    }
    Ok(Inventory::of(topology))
}

fn inventory_name(topology: &str) -> String {
    format!("{topology}.toml")
}

/// Judges again what was seen.
///
/// # Errors
/// If the folder holds no evidence.
pub(crate) fn replay(folder: &Path, file: &str, cases: &[Case]) -> anyhow::Result<Report> {
    let then: Report = read(&folder.join(REPORT))?;
    let known: BTreeMap<&str, &Decided> =
        then.cases.iter().map(|it| (it.case.as_str(), it)).collect();
    let mut rounds: BTreeMap<u32, Seen> = BTreeMap::new();
    for it in &then.cases {
        for number in [Some(it.round), it.compared_with].into_iter().flatten() {
            if let (1.., Entry::Vacant(place)) = (number, rounds.entry(number)) {
                place.insert(round(folder, number)?);
            }
        }
    }
    let looks: BTreeMap<u32, Look<'_>> =
        rounds.iter().map(|(number, seen)| (*number, Look::of(seen))).collect();
    let judge = |case: &Case| {
        // What the suite says now counts, and not what it said then.
        if let Some(why) = &case.skip {
            return Decided::skipped(file, case, why.clone());
        }
        let Some(then) = known.get(case.name.as_str()) else {
            return Decided::of(file, case, Err(not_asked("the evidence has nothing of it")));
        };
        if let (Outcome::Skipped, true, Some(why)) = (then.outcome, then.left_out, &then.why) {
            return Decided { left_out: true, ..Decided::skipped(file, case, why.clone()) };
        }
        if then.outcome == Outcome::Skipped {
            return Decided::of(
                file,
                case,
                Err(not_asked("it was skipped then, and not looked at")),
            );
        }
        let Some(look) = looks.get(&then.round) else {
            let why = then.why.clone().unwrap_or_else(|| "it was not decided".into());
            return Decided::of(file, case, Err(not_asked(why)));
        };
        let before = then.compared_with.and_then(|number| rounds.get(&number));
        let judged = (case.draft.judge)(&look.since(before));
        let Decided { took_ms, looks, round, compared_with, late, .. } = **then;
        // Time is not judged again.
        let late = late && judged.is_ok();
        let judged = match (late, &then.why) {
            (true, Some(why)) => Err(not_asked(why)),
            _ => judged,
        };
        Decided { took_ms, looks, round, compared_with, late, ..Decided::of(file, case, judged) }
    };
    let cases = cases.iter().map(judge).collect();
    Ok(Report { cases, file: file.to_owned(), ..then.clone() })
}

/// A round.
fn round(folder: &Path, number: u32) -> anyhow::Result<Seen> {
    let path = folder.join(ROUNDS).join(number.to_string());
    let rest: Rest = read(&path.join(ANSWERS))?;
    let mut facts: BTreeMap<String, Result<Facts, String>> =
        rest.without_facts.into_iter().map(|(device, why)| (device, Err(why))).collect();
    for entry in fs::read_dir(&path).with_context(|| cannot("read", &path))? {
        let file = entry.with_context(|| cannot("read", &path))?.path();
        let name = file.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        if let (Some(device), false) = (name.strip_suffix(".json"), name == ANSWERS) {
            facts.insert(device.to_owned(), Ok(Facts::read(&file)?));
        }
    }
    Ok(Seen { number, at_ms: rest.at_ms, facts, answers: rest.answers.into_iter().collect() })
}

fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}

fn write(path: &PathBuf, what: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_vec(what).with_context(|| cannot("write", path))?;
    fs::write(path, text).with_context(|| cannot("write", path))
}

fn read<T: DeserializeOwned>(path: &PathBuf) -> anyhow::Result<T> {
    let text = fs::read(path).with_context(|| {
        format!(
            "cannot read {}; `fabricctl check --evidence FOLDER` makes such a folder",
            path.display()
        )
    })?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is not what --evidence writes", path.display()))
}
