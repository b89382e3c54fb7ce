//! Boxes by their files of facts: each by itself, and all of them together.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::bail;
use serde::Serialize;

use super::{Args, Document, Seen, document, show, status, text};
use crate::{
    cli::{format::count, print, sources},
    facts::Facts,
    verify::{Between, between, names, namesakes, verify},
};

/// What is printed as JSON of several boxes.
#[derive(Serialize)]
struct Documents<'a> {
    schema: u32,
    boxes: Vec<Document<'a>>,
    between: &'a [Between],
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
        return show(args, facts, &seen(facts)?);
    }
    let boxes = newest(&all);
    let looked = boxes.values().map(|facts| seen(facts)).collect::<anyhow::Result<Vec<Seen>>>()?;
    let between = between(&all);
    if args.style.json {
        let boxes = boxes.iter().zip(&looked);
        let boxes = boxes.map(|((name, facts), seen)| document(name, facts, seen));
        print::json(&Documents {
            schema: print::SCHEMA,
            boxes: boxes.collect(),
            between: &between,
        })?;
    } else {
        let mut said = String::new();
        for (facts, seen) in boxes.values().zip(&looked) {
            said.push_str(&text(facts, seen));
        }
        for difference in &between {
            said.push_str(&format!("{difference}\n"));
        }
        let result = match between.len() {
            0 => "no difference between them".into(),
            n => format!("{} between them", count(n, "difference")),
        };
        let boxes =
            if boxes.len() == 1 { "1 box".into() } else { format!("{} boxes", boxes.len()) };
        said.push_str(&format!("{boxes}: {result}\n"));
        print::text(&said)?;
    }
    let differs = looked.iter().any(|seen| !seen.report.differences.is_empty());
    let silent = looked.iter().any(|seen| !seen.report.not_asked.is_empty());
    Ok(status(differs || !between.is_empty(), silent))
}

/// Facts of a file, of a box that is called as it is given.
fn read(text: &str) -> anyhow::Result<Facts> {
    let (name, facts) = sources::named(text)?;
    Ok(match name {
        Some(name) => Facts { host: name.into(), namespace: None, ..facts },
        None => facts,
    })
}

fn seen(facts: &Facts) -> anyhow::Result<Seen> {
    Ok(Seen { report: verify(facts)?, settled: 0, repaired: None })
}

/// The newest facts of each box, by its name.
fn newest(all: &[Facts]) -> BTreeMap<String, &Facts> {
    let mut boxes: BTreeMap<String, &Facts> = BTreeMap::new();
    for (name, facts) in names(all).into_iter().zip(all) {
        let newest = boxes.entry(name).or_insert(facts);
        if facts.taken_ms > newest.taken_ms {
            *newest = facts;
        }
    }
    boxes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_box_that_is_given_more_than_once_the_newest_facts_count_in_whatever_order() {
        let facts =
            |host: &str, taken_ms| Facts { host: host.into(), taken_ms, ..Facts::default() };
        let all = [facts("leaf01", 5), facts("leaf02", 3), facts("leaf01", 9), facts("leaf01", 7)];
        let newest = newest(&all);
        let taken: Vec<(&str, u64)> =
            newest.iter().map(|(name, facts)| (name.as_str(), facts.taken_ms)).collect();
        assert_eq!(taken, [("leaf01", 9), ("leaf02", 3)]);
    }
}
