//! `fabricctl verify`: FRR, the kernel and the maps say the same, or which of them does not.

mod several;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use super::{
    format::count,
    instance::Chosen,
    print::{self, Style},
    sources::Sources,
};
use crate::{
    facts::{Facts, collect},
    frr::facts::Frr,
    verify::{Difference, Report, verify},
};

/// Arguments of `fabricctl verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Compare what `fabricctl facts --json` has written, in place of this box; of several boxes also with each other
    #[arg(long, value_name = "[NAME=]FILE", conflicts_with_all = ["wait", "repair", "frr"])]
    facts: Vec<String>,
    /// How long a difference may last before it is one, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = print::seconds)]
    wait: f64,
    /// Make fabric-xdpd compare everything now and correct the maps, and look again
    #[arg(long, conflicts_with = "no_fabric_xdpd")]
    repair: bool,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    style: Style,
}

const AFTER_HELP: &str = "\
The exit status is 0 if everything says the same, 1 if something differs, and 3 if something could
not be asked and nothing else differs.

With --facts of several boxes, these are compared with each other as well: settings of their tunnels,
who sends broadcasts to whom, MTUs of the links between them. Of a box that is given more than once,
with facts taken one after the other, also what the others have got of what it has sent.

Boxes are called by their host names unless NAME= gives them another.

The maps are compared with what fabric-xdpd would write into empty ones by the kernel's tables as
they are now. What is under way settles within --wait and is no difference.";

/// Everything says the same, something differs, something could not be asked.
const DIFFERS: u8 = 1;
const NOT_ASKED: u8 = 3;

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// What is printed as JSON.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    host: &'a str,
    instance: Option<&'a str>,
    differences: &'a [Difference],
    settled: usize,
    not_asked: &'a [String],
    repaired: Option<&'a str>,
}

/// Runs `fabricctl verify`.
///
/// What goes wrong is a status, too.
pub(super) fn run(args: &Args) -> ExitCode {
    look(args).unwrap_or_else(|error| {
        eprintln!("fabricctl: {error:#}");
        NOT_ASKED.into()
    })
}

fn look(args: &Args) -> anyhow::Result<ExitCode> {
    if !args.facts.is_empty() {
        return several::look(args);
    }
    let chosen = args.sources.chosen()?;
    let repaired = match &chosen {
        Some(chosen) if args.repair => Some(repair(chosen)?),
        _ => None,
    };
    let (facts, mut seen) = lasting(args, chosen.as_ref())?;
    seen.repaired = repaired;
    show(args, &facts, &seen)
}

/// What was seen of a box.
struct Seen {
    report: Report,
    /// Differences that were under way.
    settled: usize,
    repaired: Option<String>,
}

/// Looks until nothing differs, or until what differs has lasted for so long.
fn lasting(args: &Args, chosen: Option<&Chosen>) -> anyhow::Result<(Facts, Seen)> {
    let (start, wait) = (Instant::now(), Duration::from_secs_f64(args.wait));
    let collect = |known| collect(chosen, args.sources.frr.as_deref(), known);
    let mut facts = collect(None)?;
    let mut report = verify(&facts)?;
    let first = report.differences.len();
    let mut looks = 1;
    // One look alone may have come in the middle of a change, however long it took.
    while !report.differences.is_empty() && (looks < 2 || start.elapsed() < wait) {
        looks += 1;
        std::thread::sleep(PAUSE);
        facts = collect(known(&mut facts, &report))?;
        report = verify(&facts)?.lasting(&report);
    }
    let settled = first.saturating_sub(report.differences.len());
    Ok((facts, Seen { report, settled, repaired: None }))
}

/// FRR's tables, where the next look needs no newer ones: nothing that it has said differs.
fn known(facts: &mut Facts, report: &Report) -> Option<Frr> {
    let differs = report.differences.iter().any(|one| one.frr.is_some());
    facts.frr.take().filter(|_| !differs)
}

/// Lets the daemon compare everything, and waits until it has.
fn repair(chosen: &Chosen) -> anyhow::Result<String> {
    let name = chosen.name();
    let Some(process) = chosen.daemon().and_then(|process| Pid::from_raw(process.cast_signed()))
    else {
        bail!(
            "fabric-xdpd does not run for instance {name}, and only it writes the maps; start it"
        );
    };
    let before = chosen.state().unwrap_or_default();
    if before.detached {
        bail!("everything of instance {name} is detached; `fabricctl attach` puts it back");
    }
    // One that was under way may have read what somebody has changed since: the second one counts.
    for _ in 0..2 {
        let audits = chosen.state().unwrap_or_default().audits;
        kill_process(process, Signal::USR1).context("fabric-xdpd cannot be told to compare")?;
        wait_for_audit(chosen, audits)?;
    }
    let after = chosen.state().unwrap_or_default();
    Ok(match after.audit_corrections.saturating_sub(before.audit_corrections) {
        0 => "nothing to correct".into(),
        1 => "1 entry corrected".into(),
        several => format!("{several} entries corrected"),
    })
}

/// Waits until the daemon has ended more than so many audits.
fn wait_for_audit(chosen: &Chosen, audits: u64) -> anyhow::Result<()> {
    /// A million routes take seconds; a daemon that takes longer says so in its state.
    const PATIENCE: Duration = Duration::from_secs(60);
    let start = Instant::now();
    loop {
        let state = chosen.state().unwrap_or_default();
        if state.audits > audits {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            let trouble = state.trouble.unwrap_or_else(|| "it does not say why".into());
            bail!("fabric-xdpd has not compared everything within 60 s: {trouble}");
        }
        std::thread::sleep(PAUSE);
    }
}

fn show(args: &Args, facts: &Facts, seen: &Seen) -> anyhow::Result<ExitCode> {
    let document = document(&facts.host, facts, seen);
    let printed = print::shown(args.style, &document, || text(facts, seen));
    let status = status(!seen.report.differences.is_empty(), !seen.report.not_asked.is_empty());
    print::told(printed, status)
}

fn document<'a>(host: &'a str, facts: &'a Facts, seen: &'a Seen) -> Document<'a> {
    Document {
        schema: print::SCHEMA,
        host,
        instance: facts.fabric.as_ref().map(|fabric| fabric.instance.as_str()),
        differences: &seen.report.differences,
        settled: seen.settled,
        not_asked: &seen.report.not_asked,
        repaired: seen.repaired.as_deref(),
    }
}

fn status(differs: bool, silent: bool) -> ExitCode {
    match (differs, silent) {
        (false, false) => ExitCode::SUCCESS,
        (true, _) => DIFFERS.into(),
        (false, true) => NOT_ASKED.into(),
    }
}

fn text(facts: &Facts, seen: &Seen) -> String {
    let Seen { report, settled, repaired } = seen;
    let mut text = String::new();
    if let Some(repaired) = repaired {
        text.push_str(&format!("fabric-xdpd has compared everything: {repaired}\n"));
    }
    for difference in &report.differences {
        text.push_str(&format!("{difference}\n"));
    }
    for why in &report.not_asked {
        text.push_str(&format!("not compared: {why}\n"));
    }
    let compared = facts.fabric.as_ref().map(|fabric| {
        let held = &fabric.held;
        let counts = [
            count(held.ports.len(), "port"),
            count(held.macs.len(), "MAC"),
            count(held.vteps.len(), "VTEP"),
            count(held.routes.len(), "route"),
        ];
        let place = facts.namespace.as_ref().map(|name| format!(", network namespace {name}"));
        format!("{} of {}{}", counts.join(", "), facts.host, place.unwrap_or_default())
    });
    let settled = match settled {
        0 => String::new(),
        n => format!("; {} under way settled meanwhile", count(*n, "difference")),
    };
    if let Some(compared) = compared {
        let result = match report.differences.len() {
            0 if !report.not_asked.is_empty() => "no difference in what was compared".into(),
            0 => "no difference".into(),
            n => count(n, "difference"),
        };
        text.push_str(&format!("{compared}: {result}{settled}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{Kind, Side};

    #[test]
    fn frr_is_asked_again_only_about_what_it_has_said() {
        let difference = |frr: Option<&str>| Difference {
            kind: Kind::Mac,
            what: "02:00:00:00:00:01 in VNI 10200".into(),
            differs: Side::Kernel,
            frr: frr.map(Into::into),
            kernel: None,
            maps: None,
            likely: String::new(),
            next: String::new(),
        };
        let known = |frr: Option<Frr>, differences: Vec<Difference>| {
            let mut facts = Facts { frr, ..Facts::default() };
            super::known(&mut facts, &Report { differences, not_asked: Vec::new() })
        };
        let frr = || Some(Frr { version: "10.3".into(), ..Frr::default() });
        assert_eq!(known(frr(), vec![difference(None)]), frr());
        assert_eq!(known(frr(), vec![difference(None), difference(Some("VTEP 10.0.0.2"))]), None);
        assert_eq!(known(None, vec![difference(None)]), None, "it may answer now");
    }
}
