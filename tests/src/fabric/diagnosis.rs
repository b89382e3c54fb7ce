//! Faults that are put into a fabric one at a time, and the cases of a suite by which they are found.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::Fabric;

/// Other cases than those that should fail are what they are when they have been the same for so long and so often: FRR's
/// timers are 9 s, and an emulated machine takes many times as long as others for each look.
const LASTS: Duration = Duration::from_secs(20);
const LOOKS: u32 = 4;

/// What puts a fabric right again.
pub type Mend = Box<dyn FnOnce(&Fabric)>;

/// A fault.
#[derive(Debug)]
pub struct Fault {
    /// As the table in `docs/check.md` calls it.
    pub name: &'static str,
    /// The suite that it is looked for by.
    pub suite: &'static str,
    /// The cases that fail, and no other ones.
    pub fails: &'static [&'static str],
    /// Puts it in.
    pub breaks: fn(&Fabric) -> Mend,
}

/// What is said of a case that has not passed.
#[derive(Debug)]
struct Wrong {
    case: String,
    /// What is and its likely cause, or why it could not be asked.
    said: String,
}

/// Puts faults into a fabric, one after the other, and looks for each by its suite: everything passes before, then exactly
/// the cases fail that should, one of them says what the documents promise, and everything passes again.
///
/// # Panics
/// If that is not so, when all faults have been tried.
pub fn each_is_found<'a>(fabric: &Fabric, faults: impl IntoIterator<Item = &'a Fault>) {
    let mut wrong: Vec<String> = Vec::new();
    // The suite by which everything has just passed.
    let mut passes = "";
    for fault in faults {
        let start = Instant::now();
        let patient = write(fabric, fault.suite, "60s");
        let is_whole = |when: &str| {
            let left = look(fabric, &patient);
            assert!(left.is_empty(), "{when} {}: {left:#?}\n{wrong:#?}", fault.name);
        };
        if passes != fault.suite {
            is_whole("before");
        }
        let mend = (fault.breaks)(fabric);
        let found = is_found(fabric, fault);
        let took = start.elapsed();
        mend(fabric);
        is_whole("after");
        passes = fault.suite;
        println!("{}: found after {took:.1?}, mended after {:.1?}", fault.name, start.elapsed());
        wrong.extend(found.err().map(|other| format!("{}: {other}", fault.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Waits until exactly the cases of a fault do not pass, and what the documents promise is said. If something else lasts, it
/// is an error with what is.
fn is_found(fabric: &Fabric, fault: &Fault) -> Result<(), String> {
    let suite = write(fabric, fault.suite, "0s");
    let (case, words) = promised(fault.name);
    let mut last: (Instant, u32, Vec<Wrong>) = (Instant::now(), 0, Vec::new());
    loop {
        let wrong = look(fabric, &suite);
        let now: Vec<&str> = wrong.iter().map(|it| it.case.as_str()).collect();
        let is_said = wrong.iter().any(|it| it.case == case && it.said.contains(&words));
        if now == fault.fails && is_said {
            return Ok(());
        }
        let (since, looks, before) = &last;
        let is_same = before.iter().map(|it| it.case.as_str()).eq(now.iter().copied());
        let (since, looks) = if is_same { (*since, looks + 1) } else { (Instant::now(), 1) };
        if looks >= LOOKS && since.elapsed() >= LASTS {
            return Err(format!(
                "{:#?} should fail and no others, and {case} should say {words:?}; {wrong:#?}",
                fault.fails
            ));
        }
        last = (since, looks, wrong);
    }
}

fn look(fabric: &Fabric, suite: &Path) -> Vec<Wrong> {
    let checked = fabric.check(suite, &[]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let cases = checked.document["cases"].as_array().into_iter().flatten();
    let wrong = cases.filter(|case| case["outcome"] == "failed" || case["outcome"] == "not_asked");
    let said = |case: &Value| match case["why"].as_str() {
        Some(why) => why.to_owned(),
        None => format!("{}; {}", text(&case["actual"]), text(&case["likely"])),
    };
    wrong.map(|case| Wrong { case: text(&case["case"]), said: said(case) }).collect()
}

/// A suite whose tables all have so much time, beside the lab's copy of its topology.
fn write(fabric: &Fabric, tables: &str, within: &str) -> PathBuf {
    let path = fabric.file(&format!("within-{within}.check.toml"));
    let timed = |line: &str| match line.starts_with("[[") {
        true => format!("{line}\nwithin = {within:?}\n"),
        false => format!("{line}\n"),
    };
    let tables: String = tables.lines().map(timed).collect();
    let topology = &fabric.lab().topology().picture_file;
    fs::write(&path, format!("topology = {topology:?}\n{tables}"))
        .expect("the lab's folder can be written");
    path
}

/// The case that names a fault, and its words, by the table of the documents.
fn promised(fault: &str) -> (String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/check.md");
    let text = fs::read_to_string(&path).expect("it is there");
    let row = text.lines().find_map(|line| line.strip_prefix(&format!("| {fault} | ")));
    let row = row.unwrap_or_else(|| panic!("docs/check.md has no row for {fault:?}"));
    let mut code = row.split('`').skip(1).step_by(2).map(str::to_owned);
    let both = code.next().zip(code.next());
    both.unwrap_or_else(|| panic!("docs/check.md names no case and words for {fault:?}"))
}
