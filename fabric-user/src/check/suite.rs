//! The file: a head, and tables of kinds. The places of all tables are kept, so that every case and every error has its
//! line.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{
    case::Case,
    inventory::Inventory,
    kinds::{self, Entry},
    shape::Absent,
    shape::Shape,
    shape::shape,
    span::Span,
    time::Time,
    wrong::{Wrong, place},
};

/// What a suite is called: `NAME.check.toml`.
pub(crate) const ENDING: &str = ".check.toml";
/// The longest time that a suite takes unless it says another one.
const TIMEOUT: Duration = Duration::from_secs(600);

/// A suite.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    /// Its name as it was given.
    pub(crate) file: String,
    /// Its text.
    pub(crate) text: String,
    /// What it is about.
    pub(crate) title: String,
    /// The picture with the names, or the inventory beside it.
    pub(crate) topology: PathBuf,
    /// Where that is said.
    says_topology: Option<Range<usize>>,
    /// The longest time that it takes.
    pub(crate) timeout: Duration,
    /// How devices are reached, by name, where that is not by their name.
    pub(crate) devices: BTreeMap<String, DeviceEntry>,
}

/// `[devices.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DeviceEntry {
    /// As what `ssh` knows it; default: its name.
    pub(crate) ssh: Option<String>,
    /// Whether commands there run by `sudo -n`; default: false.
    pub(crate) sudo: bool,
    /// Whether it has no fabricctl, and is brought this one for as long as the suite takes; default: false.
    pub(crate) bring: bool,
    /// Name of its instance of fabric-xdpd; default: `default`.
    pub(crate) instance: Option<String>,
}

/// What is not in tables of kinds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Head {
    title: Option<String>,
    topology: Option<PathBuf>,
    timeout: Option<Span>,
    devices: BTreeMap<String, DeviceEntry>,
}

/// Keys of [`Head`].
const HEAD: [&str; 4] = ["title", "topology", "timeout", "devices"];

shape! {
    /// What every table may have besides.
    pub(crate) struct Common: "any", "" {
        /// It has to become true within this time from the first look at it; without it, one look decides.
        within: Option<Span> = None,
        /// It has to stay true for this time, once it is.
        r#for: Option<Span> = None,
        /// What is added to the names of its cases, where two tables would make the same.
        label: Option<String> = None,
        /// Why its cases are left out.
        skip: Option<String> = None,
    }
}

impl Suite {
    /// Reads a file.
    ///
    /// # Errors
    /// With all that is wrong with it but for names, which need an inventory ([`Self::cases`]).
    pub(crate) fn read(path: &Path) -> Result<Self, Vec<Wrong>> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            vec![Wrong::of(
                &file,
                format!("cannot be read: {error}; `fabricctl check new` writes one"),
            )]
        })?;
        Self::parse(&file, path, text)
    }

    /// Of a text. `path` says where a topology without a folder lies.
    pub(crate) fn parse(file: &str, path: &Path, text: String) -> Result<Self, Vec<Wrong>> {
        let (head, places, _) = split(file, &text)?;
        let beside = |topology: &Path| path.parent().unwrap_or(Path::new("")).join(topology);
        let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name.strip_suffix(ENDING).unwrap_or(name.trim_end_matches(".toml"));
        let topology = beside(&head.topology.unwrap_or_else(|| PathBuf::from(name)));
        Ok(Self {
            file: file.to_owned(),
            title: head.title.unwrap_or_else(|| name.to_owned()),
            topology,
            says_topology: places.topology,
            timeout: head.timeout.map_or(TIMEOUT, |it| it.0),
            devices: head.devices,
            text,
        })
    }

    /// That its topology cannot be used.
    pub(crate) fn without_topology(&self, why: impl std::fmt::Display) -> Wrong {
        let message = format!("its topology cannot be used: {why}");
        Wrong::at(&self.file, &self.text, self.says_topology.clone(), message)
    }

    /// Its cases in the order of the file, disruptive ones last.
    ///
    /// # Errors
    /// With all that is wrong with its tables.
    pub(crate) fn cases(&self, inventory: &Inventory) -> Result<Vec<Case>, Vec<Wrong>> {
        let (_, places, tables) = split(&self.file, &self.text)?;
        let (mut cases, mut wrong) = (Vec::new(), Vec::new());
        for name in self.devices.keys().filter(|name| !inventory.has_device(name)) {
            wrong.push(Wrong::at(
                &self.file,
                &self.text,
                places.devices.get(name).cloned(),
                format!(
                    "[devices.{name}] is about nothing of the topology {}",
                    inventory.topology.name
                ),
            ));
        }
        for (entry, table) in tables {
            match self.of_table(entry, table, inventory) {
                Ok(more) => cases.extend(more),
                Err(error) => wrong.push(error),
            }
        }
        let mut names: BTreeMap<&str, &Case> = BTreeMap::new();
        for case in &cases {
            if let Some(other) = names.insert(&case.name, case) {
                wrong.push(Wrong {
                    file: self.file.clone(),
                    at: Some((case.line, 1)),
                    message: format!(
                        "the case \"{}\" is also one of line {}; give one of the tables a `label`",
                        case.name, other.line
                    ),
                });
            }
        }
        if cases.is_empty() && wrong.is_empty() {
            wrong.push(Wrong::of(
                &self.file,
                "it has no table of a kind, so that nothing would be checked; `fabricctl check --explain` lists the kinds",
            ));
        }
        if wrong.is_empty() { Ok(cases) } else { Err(wrong) }
    }

    fn of_table(
        &self,
        entry: &'static Entry,
        mut table: Spanned<DeValue<'_>>,
        inventory: &Inventory,
    ) -> Result<Vec<Case>, Wrong> {
        let (span, kind) = (table.span(), entry.shape.word);
        let at = |span, message: String| Wrong::at(&self.file, &self.text, span, message);
        let mut common = DeTable::new();
        if let DeValue::Table(fields) = table.get_mut() {
            for field in Common::SHAPE.fields {
                let key = fields.keys().find(|it| it.get_ref() == field.name()).cloned();
                if let Some((key, value)) = key.and_then(|key| fields.remove_entry(&key)) {
                    common.insert(key, value);
                }
            }
            fill(fields, entry.shape);
        }
        let common = Spanned::new(span.clone(), DeValue::Table(common));
        let Common { within, r#for, label, skip } = read(common)
            .map_err(|(span, message)| at(span, format!("{message}, in [[{kind}]]")))?;
        let drafts = (entry.read)(table, inventory).map_err(|(place, message)| {
            let message = format!(
                "{message}, in [[{kind}]]; `fabricctl check --explain {kind}` says what it has"
            );
            at(place.or(Some(span.clone())), message)
        })?;
        if drafts.is_empty() {
            return Err(at(Some(span), format!("[[{kind}]] is about nothing in this topology")));
        }
        if entry.disrupts && (within.is_some() || r#for.is_some()) {
            let message = format!(
                "[[{kind}]] breaks something once, and `within` and `for` would break it until one try passes; take them away"
            );
            return Err(at(Some(span), message));
        }
        let time =
            Time { within: within.map(|it| it.0).or(entry.within), hold: r#for.map(|it| it.0) };
        let (line, _) = place(&self.text, span.start);
        let label = label.map(|label| format!(" [{label}]")).unwrap_or_default();
        let case = |draft: super::case::Draft| Case {
            name: format!("{kind} {}{label}", draft.subject),
            kind,
            line,
            time,
            skip: skip.clone(),
            draft,
        };
        Ok(drafts.into_iter().map(case).collect())
    }
}

/// Adds the fields that are not written and have a value all the same.
fn fill(fields: &mut DeTable<'_>, shape: &Shape) {
    for field in shape.fields {
        let is_there = fields.keys().any(|it| it.get_ref() == field.name());
        if let (Absent::Or(text), false) = (field.absent, is_there)
            && let Ok(value) = DeValue::parse(text)
        {
            fields.insert(Spanned::new(0..0, field.name().into()), value);
        }
    }
}

/// Where something is wrong, if that is known, and what.
pub(crate) type Misfit = (Option<std::ops::Range<usize>>, String);

/// Reads a table.
pub(crate) fn read<T: DeserializeOwned>(table: Spanned<DeValue<'_>>) -> Result<T, Misfit> {
    T::deserialize(ValueDeserializer::from(table)).map_err(|error| {
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        // Of what was filled in there is no place.
        (error.span().filter(|span| !span.is_empty()), message)
    })
}

type Tables<'a> = Vec<(&'static Entry, Spanned<DeValue<'a>>)>;

/// Where in the file the head says something.
#[derive(Debug, Default)]
struct Places {
    topology: Option<Range<usize>>,
    /// By the device's name.
    devices: BTreeMap<String, Range<usize>>,
}

impl Places {
    fn of(head: &DeTable<'_>) -> Self {
        let mut places = Self::default();
        for (key, value) in head {
            match (&**key.get_ref(), value.get_ref()) {
                ("topology", _) => places.topology = Some(value.span()),
                ("devices", DeValue::Table(devices)) => {
                    let names = devices.keys().map(|it| (it.get_ref().to_string(), it.span()));
                    places.devices = names.collect();
                }
                _ => {}
            }
        }
        places
    }
}

/// The head with its places, and the tables of kinds, in the order of the file.
fn split<'a>(file: &str, text: &'a str) -> Result<(Head, Places, Tables<'a>), Vec<Wrong>> {
    let at = |span, message: String| Wrong::at(file, text, span, message);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let lines = |it: &toml::de::Error| it.message().lines().collect::<Vec<_>>().join("; ");
        return Err(errors.iter().map(|it| at(it.span(), lines(it))).collect());
    }
    let whole = document.span();
    let (mut head, mut tables, mut wrong) = (DeTable::new(), Tables::new(), Vec::new());
    for (key, value) in document.into_inner() {
        let name = key.get_ref().to_string();
        if HEAD.contains(&name.as_str()) {
            head.insert(key, value);
            continue;
        }
        let Some(entry) = kinds::named(&name) else {
            wrong.push(at(Some(key.span()), unknown(&name)));
            continue;
        };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(array) => {
                for table in array {
                    match table.get_ref() {
                        DeValue::Table(_) => tables.push((entry, table)),
                        _ => wrong.push(at(
                            Some(table.span()),
                            format!("{name} holds something else than tables; write [[{name}]]"),
                        )),
                    }
                }
            }
            _ => wrong.push(at(
                Some(span),
                format!("there may be several {name}; write [[{name}]], with two brackets"),
            )),
        }
    }
    let places = Places::of(&head);
    let head = match read::<Head>(Spanned::new(whole, DeValue::Table(head))) {
        Ok(head) => head,
        Err((span, message)) => {
            wrong.push(at(span, message));
            Head::default()
        }
    };
    tables.sort_by_key(|(entry, table)| (entry.disrupts, table.span().start));
    if wrong.is_empty() { Ok((head, places, tables)) } else { Err(wrong) }
}

/// What to say of a key that nobody knows.
fn unknown(name: &str) -> String {
    let known: BTreeSet<&str> = kinds::KINDS.iter().map(|it| it.shape.word).chain(HEAD).collect();
    let near = known.iter().map(|it| (strsim::damerau_levenshtein(name, it), *it)).min();
    match near {
        Some((distance, near)) if distance <= 2 => {
            format!("nothing is called {name}; did you mean {near}?")
        }
        _ => format!(
            "nothing is called {name}; a suite has {}, and tables of the kinds that `fabricctl check --explain` lists",
            HEAD.join(", ")
        ),
    }
}
