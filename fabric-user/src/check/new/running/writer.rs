//! Tables that hold now, and what is left out.

use std::{collections::BTreeSet, path::Path};

use crate::check::{
    finding::Stop,
    inventory::Inventory,
    look::{Look, Seen},
    new::text::{Text, list, quoted},
    suite::Suite,
};

/// A table about some of those that its kind can be about.
pub(super) struct Table {
    /// Said above the first one of a kind.
    pub(super) comment: &'static str,
    pub(super) kind: &'static str,
    /// The field that says what it is about.
    pub(super) key: &'static str,
    /// All that could be meant.
    pub(super) of: Vec<String>,
    /// Those that are meant.
    pub(super) about: Vec<String>,
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Table {
    /// Its fields, if it is about these.
    fn about(&self, names: &[&String]) -> Vec<(&'static str, String)> {
        let mut fields = vec![(self.key, self.named(names))];
        fields.extend(self.fields.iter().cloned());
        fields
    }

    /// Names as somebody would write them.
    fn named(&self, names: &[&String]) -> String {
        let others: Vec<&String> = self.of.iter().filter(|it| !names.contains(it)).collect();
        match (names, &others[..]) {
            (_, []) => quoted("*"),
            ([one], _) => quoted(one),
            ([_, _, _, ..], [other]) => list(["*", &format!("!{other}")]),
            _ => list(names.iter().map(|it| it.as_str())),
        }
    }
}

/// A suite that grows by what holds.
pub(super) struct Writer<'a> {
    pub(super) text: Text,
    pub(super) inventory: &'a Inventory,
    look: Look<'a>,
    /// Kinds that are there already.
    kinds: BTreeSet<&'static str>,
    left_out: Vec<String>,
}

/// What needs more than facts, said at the end of a suite.
const LACKING: [&str; 5] = [
    "Cables from end to end and hosts are not in it, because nobody has drawn them: with a picture, `fabricctl check new",
    "PICTURE` also writes the kinds mac, neighbour, gateway, reach, mtu, path, anycast and conserve (docs/check.md).",
    "Neither is what depends on traffic: the kinds reasons and fast, which are worth a table where there always is some,",
    "and reach, as from = \"leaf*\", to = \"10.0.0.1\", where boxes may be pinged. Nor are prefixes, whose numbers somebody",
    "has to say.",
];

impl<'a> Writer<'a> {
    pub(super) fn of(inventory: &'a Inventory, seen: &'a Seen) -> Self {
        let (kinds, left_out) = (BTreeSet::new(), Vec::new());
        Self { text: Text::default(), inventory, look: Look::of(seen), kinds, left_out }
    }

    /// Adds a table about all of those that it holds for.
    pub(super) fn add(&mut self, table: &Table) {
        let all: Vec<&String> = table.about.iter().collect();
        if all.is_empty() {
            return;
        }
        if self.failing(table, &all).is_empty() {
            return self.write(table, &all);
        }
        let mut holds = Vec::new();
        for one in all {
            let failing = self.failing(table, &[one]);
            if failing.is_empty() {
                holds.push(one);
            }
            self.left_out.extend(failing);
        }
        if !holds.is_empty() {
            self.write(table, &holds);
        }
    }

    /// Adds a table that says something of all of them together, if it holds.
    pub(super) fn add_whole(&mut self, table: &Table) {
        let all: Vec<&String> = table.about.iter().collect();
        let failing = self.failing(table, &all);
        if failing.is_empty() {
            self.write(table, &all);
        }
        self.left_out.extend(failing);
    }

    fn write(&mut self, table: &Table, names: &[&String]) {
        let comment = if self.kinds.insert(table.kind) { table.comment } else { "" };
        self.text.table(comment, table.kind, &table.about(names));
    }

    /// The cases of a table that do not hold, with what is.
    fn failing(&self, table: &Table, names: &[&String]) -> Vec<String> {
        let mut text = Text::default();
        text.table("", table.kind, &table.about(names));
        let path = Path::new("new.check.toml");
        let suite = Suite::parse("new.check.toml", path, text.into_string());
        let cases = match suite.and_then(|suite| suite.cases(self.inventory)) {
            Ok(cases) => cases,
            Err(wrong) => {
                let said = |it: &crate::check::Wrong| format!("{}: {}", table.kind, it.message);
                return wrong.iter().map(said).collect();
            }
        };
        let failing = cases.iter().filter_map(|case| {
            let what = match (case.draft.judge)(&self.look) {
                Ok(_) => return None,
                Err(Stop::Failed(finding)) => finding.actual,
                Err(Stop::NotAsked(why)) => why,
            };
            Some(format!("{}: {}", case.name, what.replace('\n', " ")))
        });
        failing.collect()
    }

    /// The suite, and what is left out.
    pub(super) fn end(mut self) -> (String, Vec<String>) {
        if !self.left_out.is_empty() {
            self.text.line("");
            self.text.line("# Left out, because it did not hold when this was written:");
            for one in &self.left_out {
                self.text.line(&format!("#   {one}"));
            }
        }
        self.text.line("");
        LACKING.iter().for_each(|line| self.text.line(&format!("# {line}")));
        (self.text.into_string(), self.left_out)
    }
}
