//! Boxes by their files of facts: each by itself, and all of them together.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::bail;
use serde::Serialize;

use super::{Args, Document, Seen, document, show, status, text};
use crate::{
    cli::{format::count, print, sources},
    facts::Facts,
    verify::{Between, Compared, between, names, namesakes, verify},
};

/// What is printed as JSON of several boxes.
#[derive(Serialize)]
struct Documents<'a> {
    schema: u32,
    boxes: Vec<Document<'a>>,
    between: &'a [Between],
    not_compared: &'a [String],
}

pub(super) fn look(args: &Args) -> anyhow::Result<ExitCode> {
    let all = args.facts.iter().map(|text| read(text)).collect::<anyhow::Result<Vec<Facts>>>()?;
    if let Some([one, other]) = namesakes(&all) {
        bail!(
            "{} and {} are of two boxes that have one name, by which they are taken for one; tell them apart by \
             --facts NAME=FILE",
            args.facts[one],
            args.facts[other],
        );
    }
    if let [facts] = &all[..] {
        return show(args, facts, &seen(facts, None)?);
    }
    let boxes = readings(&all);
    let looked = boxes.values().map(|(facts, before)| seen(facts, *before));
    let looked = looked.collect::<anyhow::Result<Vec<Seen>>>()?;
    let Compared { between, not_compared } = between(&all);
    let printed = if args.style.json {
        let boxes = boxes.iter().zip(&looked);
        let boxes = boxes.map(|((name, (facts, _)), seen)| document(name, facts, seen));
        print::json(&Documents {
            schema: print::SCHEMA,
            boxes: boxes.collect(),
            between: &between,
            not_compared: &not_compared,
        })
    } else {
        let mut said = String::new();
        for ((facts, _), seen) in boxes.values().zip(&looked) {
            said.push_str(&text(facts, seen));
        }
        for difference in &between {
            said.push_str(&format!("{difference}\n"));
        }
        for sentence in &not_compared {
            said.push_str(&format!("not compared: {sentence}\n"));
        }
        let result = match between.len() {
            0 => "no difference between them".into(),
            n => format!("{} between them", count(n, "difference")),
        };
        let boxes =
            if boxes.len() == 1 { "1 box".into() } else { format!("{} boxes", boxes.len()) };
        said.push_str(&format!("{boxes}: {result}\n"));
        print::text(&said)
    };
    let differs = looked.iter().any(|seen| !seen.report.differences.is_empty());
    let silent = looked.iter().any(|seen| !seen.report.not_asked.is_empty());
    print::told(printed, status(differs || !between.is_empty(), silent))
}

/// Facts of a file, of a box that is called as it is given.
fn read(text: &str) -> anyhow::Result<Facts> {
    let (name, facts) = sources::named(text)?;
    Ok(match name {
        Some(name) => Facts { host: name.into(), namespace: None, ..facts },
        None => facts,
    })
}

/// What a box's facts say. Where there are some from `before`, what these do not have as well is under way.
fn seen(facts: &Facts, before: Option<&Facts>) -> anyhow::Result<Seen> {
    let now = verify(facts)?;
    let all = now.differences.len();
    let report = match before {
        Some(before) => now.lasting(&verify(before)?),
        None => now,
    };
    let settled = all - report.differences.len();
    Ok(Seen { report, settled, repaired: None })
}

/// The newest facts of each box by its name, and those before, in whatever order they are given.
fn readings(all: &[Facts]) -> BTreeMap<String, (&Facts, Option<&Facts>)> {
    let mut boxes: BTreeMap<String, Vec<&Facts>> = BTreeMap::new();
    for (name, facts) in names(all).into_iter().zip(all) {
        boxes.entry(name).or_default().push(facts);
    }
    let newest = boxes.into_iter().filter_map(|(name, mut readings)| {
        readings.sort_by_key(|facts| facts.taken_ms);
        Some((name, (readings.pop()?, readings.pop())))
    });
    newest.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        frr::facts::{Frr, Vni},
        verify::Kind,
    };

    #[test]
    fn of_a_box_that_is_given_more_than_once_the_newest_facts_count_in_whatever_order() {
        let facts =
            |host: &str, taken_ms| Facts { host: host.into(), taken_ms, ..Facts::default() };
        let all = [facts("leaf01", 5), facts("leaf02", 3), facts("leaf01", 9), facts("leaf01", 7)];
        let readings = readings(&all);
        let taken: Vec<_> = readings
            .iter()
            .map(|(name, (newest, before))| {
                (name.as_str(), newest.taken_ms, before.map(|it| it.taken_ms))
            })
            .collect();
        assert_eq!(taken, [("leaf01", 9, Some(7)), ("leaf02", 3, None)]);
    }

    #[test]
    fn what_only_the_newest_of_two_facts_have_is_under_way() {
        // VNIs that the kernel does not have.
        let facts = |vnis: &[u32]| {
            let vnis = vnis.iter().map(|vni| (*vni, Vni::default())).collect();
            Facts { frr: Some(Frr { vnis, ..Frr::default() }), ..Facts::default() }
        };
        let seen = |now: &[u32], before: Option<&[u32]>| {
            let before = before.map(facts);
            let seen = seen(&facts(now), before.as_ref()).unwrap();
            let differences = seen.report.differences.into_iter();
            let what: Vec<(Kind, String)> = differences.map(|it| (it.kind, it.what)).collect();
            (what, seen.settled)
        };
        let vni = |vni: u32| (Kind::Vni, vni.to_string());
        assert_eq!(seen(&[100, 200], None), (vec![vni(100), vni(200)], 0), "it is not known");
        assert_eq!(seen(&[100, 200], Some(&[200, 300])), (vec![vni(200)], 1));
    }
}
