//! `[[command]]`: whatever else a suite has to know.

use glob::Pattern;
use serde_json::Value;

use super::Kind;
use crate::check::{
    case::Draft,
    finding::{Finding, Judged, not_asked},
    inventory::Inventory,
    look::Look,
    names::Names,
    probe::{Probe, Ran},
    shape::{Shape, shape},
    span::Span,
};

shape! {
    /// A program that is run on a node or host ends with a status; and if a value in the JSON that it prints is pointed
    /// at, that is as said.
    pub(crate) struct Command: "command", "[[command]]\non = \"leaf01\"\nrun = [\"vtysh\", \"-c\", \"show bgp summary json\"]\nat = \"/ipv4Unicast/failedPeers\"\nequals = 0" {
        /// The nodes and hosts where it runs.
        on: Names = Required,
        /// The program and its arguments; no shell reads them.
        run: Vec<String> = Required,
        /// What it has to end with.
        status: i32 = Or("0"),
        /// JSON pointer (RFC 6901) to a value of what it prints; the whole output as text.
        at: Option<String> = None,
        /// The value is this.
        equals: Option<Value> = None,
        /// The value, as text, matches this glob.
        matches: Option<String> = None,
        /// The value is a number, and this or more.
        min: Option<f64> = None,
        /// The value is a number, and this or less.
        max: Option<f64> = None,
        /// The longest time that it may take.
        limit: Span = Or("\"10s\""),
    }
}

impl Kind for Command {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        if self.run.is_empty() {
            return Err("run names no program".into());
        }
        let pattern = match self.matches.as_deref().map(Pattern::new) {
            Some(Err(error)) => return Err(format!("matches is no glob: {}", error.msg)),
            Some(Ok(pattern)) => Some(pattern),
            None => None,
        };
        let picked = inventory.devices(&self.on)?;
        let limit_ms = u64::try_from(self.limit.0.as_millis()).unwrap_or(u64::MAX);
        let draft = |name: &str| {
            let probe = Probe::Command { on: name.to_owned(), run: self.run.clone(), limit_ms };
            let at = self.at.as_ref().map(|at| format!(" {at}")).unwrap_or_default();
            let subject = format!("{name}: {}{at}", self.run.join(" "));
            let (table, pattern, asked) = (self.clone(), pattern.clone(), probe.clone());
            Draft::asking(name, subject, vec![probe], move |look| {
                table.judge(&asked, pattern.as_ref(), look)
            })
        };
        Ok(picked.into_iter().map(draft).collect())
    }
}

impl Command {
    fn judge(&self, probe: &Probe, pattern: Option<&Pattern>, look: &Look<'_>) -> Judged {
        let ran = look.answer(probe)?;
        let next = format!("on {}: {}", probe.device(), self.run.join(" "));
        if let (Some(126 | 127), true) = (ran.status, self.status == 0) {
            return Err(not_asked(format!("{}: {}", probe.device(), ran.errors.trim())));
        }
        if ran.status != Some(self.status) {
            let said = [ran.errors.trim(), ran.output.trim()].into_iter().find(|it| !it.is_empty());
            let said = said
                .and_then(|it| it.lines().last())
                .map(|it| format!(": {it}"))
                .unwrap_or_default();
            let status = ran.status.map_or_else(|| "a signal".into(), |it| format!("status {it}"));
            return Err(Finding::new(
                format!("status {}", self.status),
                format!("{status}{said}"),
                "what it says",
                next,
            )
            .into());
        }
        let value = self.value(ran)?;
        match self.complaint(&value, pattern) {
            None => Ok(brief(&value)),
            Some(should) => {
                Err(Finding::new(should, brief(&value), "what the command is about", next).into())
            }
        }
    }

    fn value(&self, ran: &Ran) -> Result<Value, crate::check::finding::Stop> {
        let Some(at) = &self.at else { return Ok(Value::String(ran.output.trim().to_owned())) };
        let document: Value = serde_json::from_str(&ran.output)
            .map_err(|error| not_asked(format!("what it prints is no JSON: {error}")))?;
        let value = document.pointer(at).cloned();
        value.ok_or_else(|| {
            Finding::new(
                format!("a value at {at}"),
                "there is none",
                "another version prints other JSON",
                "look at the whole output",
            )
            .into()
        })
    }

    /// What the value should be, if it is not.
    fn complaint(&self, value: &Value, pattern: Option<&Pattern>) -> Option<String> {
        if let Some(equals) = &self.equals
            && !is_same(value, equals)
        {
            return Some(brief(equals));
        }
        if let Some(pattern) = pattern
            && !pattern.matches(&brief(value))
        {
            return Some(format!("something like {pattern}"));
        }
        let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let bounds = [(self.min, "or more"), (self.max, "or less")];
        bounds.into_iter().find_map(|(bound, words)| {
            let bound = bound?;
            let holds =
                number.is_some_and(|it| if words == "or more" { it >= bound } else { it <= bound });
            (!holds).then(|| format!("{bound} {words}"))
        })
    }
}

/// Whether two values are the same; 1 is 1.0.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// A value as one would write it.
fn brief(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
