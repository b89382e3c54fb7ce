//! `fabricctl status`: what is accelerated, what is not and why, and whether it is in order.

mod bridges;
mod health;
mod ports;
mod underlay;
mod verdict;

use std::{collections::BTreeSet, process::ExitCode};

use serde::Serialize;

use super::{
    instance::Choice,
    maps::{redirect_targets, vteps},
    print::{self, SCHEMA, Style},
    table::Table,
};
use crate::daemon::Liveness;
use health::{Daemon, DaemonDocument, Health, Heartbeat};
use ports::Known;
use underlay::{Underlay, failover};
use verdict::Verdict;

/// Arguments of `fabricctl status`.
#[derive(Debug, clap::Args)]
#[command(after_help = verdict::AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    style: Style,
}

/// What is printed as JSON. What is not known is left out.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    instance: &'a str,
    health: &'a str,
    why: &'a [String],
    forwarding: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    daemon: Option<DaemonDocument>,
    #[serde(flatten)]
    rest: Option<Rest<'a>>,
}

/// What is known of an instance with maps.
#[derive(Serialize)]
struct Rest<'a> {
    namespace: Option<&'a str>,
    heartbeat: Heartbeat,
    bypass: bool,
    underlay: Underlay,
    failover: Option<Liveness>,
    ports: &'a Table,
    bridges: &'a Table,
    vteps: &'a Table,
    problems: &'a [String],
    unresolved: &'a [String],
    notes: &'a [String],
}

impl<'a> Document<'a> {
    const fn new(instance: &'a str, verdict: &'a Verdict) -> Self {
        let (health, why) = (verdict.name(), verdict.why());
        Self { schema: SCHEMA, instance, health, why, forwarding: false, daemon: None, rest: None }
    }
}

/// Runs `fabricctl status`.
///
/// # Errors
/// If nobody reads standard output any more. All else is an exit status.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let error = match look(args) {
        Err(error) if !print::is_broken_pipe(&error) => error,
        looked => return looked,
    };
    let down = Verdict::Down(vec![format!("{error:#}")]);
    if args.style.json {
        print::json(&Document::new(args.choice.name(), &down))?;
    }
    eprintln!("fabricctl: {error:#}");
    Ok(down.exit())
}

fn look(args: &Args) -> anyhow::Result<ExitCode> {
    let chosen = args.choice.resolve()?;
    let daemon = Daemon::of(&chosen);
    if daemon.process.is_some() && !chosen.instance.exists() {
        return without_maps(args, chosen.name(), &daemon);
    }
    let maps = chosen.maps(false)?;
    let view = chosen.view(&maps)?;
    let health = Health::of(&view, daemon);
    let known = Known {
        programs: &ports::fabric_programs(&chosen),
        targets: &redirect_targets(&chosen)?.into_iter().collect(),
        state: health.daemon.state.as_ref(),
        idle: view.idle(),
    };
    let (ports, faults) = ports::rows(&view, known);
    let ports = Table::of(ports);
    let bridges = Table::of(bridges::rows(&view));
    let vteps = Table::of(vteps(&view));
    let underlay = Underlay::of(&view, &maps);
    let (problems, unresolved) = health.daemon.complaints();
    let notes = health.daemon.state.as_ref().map(|state| state.notes.clone()).unwrap_or_default();
    // Sentences about ports are among the faults already.
    let said = known.state.iter().flat_map(|state| state.partly.values().flatten());
    let said: BTreeSet<&String> = said.collect();
    // What follows from a choice of the operator's is one, too.
    let choices: Vec<&String> = known
        .state
        .iter()
        .flat_map(|state| state.chosen.iter().filter_map(|name| state.declined.get(name)))
        .collect();
    let follows = |problem: &str| choices.iter().any(|choice| problem.contains(choice.as_str()));
    let left = problems.iter().filter(|each| !said.contains(each) && !follows(each)).count();
    let verdict = Verdict::of(&health, &faults, left);
    let namespace = view.interfaces.namespace.as_deref();
    if args.style.json {
        print::json(&Document {
            forwarding: view.idle().is_none(),
            daemon: Some(health.daemon.document()),
            rest: Some(Rest {
                namespace,
                heartbeat: Heartbeat::of(&view),
                bypass: view.contents.settings.bypass != 0,
                underlay,
                failover: health.daemon.state.as_ref().map(|state| state.liveness),
                ports: &ports,
                bridges: &bridges,
                vteps: &vteps,
                problems: &problems,
                unresolved: &unresolved,
                notes: &notes,
            }),
            ..Document::new(chosen.name(), &verdict)
        })?;
        return Ok(verdict.exit());
    }
    let place = namespace.map(|name| format!(", network namespace {name}")).unwrap_or_default();
    let mut text = format!("instance   {}{place}\n{}", chosen.name(), verdict.text());
    text.push_str(&health.text());
    text.push_str(&underlay.text());
    if let Some(state) = &health.daemon.state {
        text.push_str(&failover(&view, &state.liveness));
    }
    for table in [&ports, &bridges, &vteps] {
        text.push('\n');
        text.push_str(&table.text(args.style.look()));
    }
    let old = if health.daemon.process.is_some() { "" } else { ", as fabric-xdpd last saw it" };
    for (title, list) in [
        ("not accelerated", problems),
        ("neighbours not resolved", unresolved),
        ("to be known", notes),
    ] {
        if !list.is_empty() {
            text.push_str(&format!("\n{title}{old}:\n  {}\n", list.join("\n  ")));
        }
    }
    print::text(&text)?;
    Ok(verdict.exit())
}

/// The daemon runs and there are no maps: everything was taken off by request, or will be made anew.
fn without_maps(args: &Args, name: &str, daemon: &Daemon) -> anyhow::Result<ExitCode> {
    let verdict = match &daemon.state {
        Some(state) if state.detached => Verdict::Degraded(vec![
            "everything is detached, the kernel carries the traffic; `fabricctl attach` ends that"
                .into(),
        ]),
        _ => Verdict::Down(vec!["there are no maps yet, the kernel carries the traffic".into()]),
    };
    if args.style.json {
        let daemon = Some(daemon.document());
        print::json(&Document { daemon, ..Document::new(name, &verdict) })?;
    } else {
        let daemon = daemon.text();
        let text = format!("instance   {name}\n{}daemon     {daemon}\n", verdict.text());
        print::text(&text)?;
    }
    Ok(verdict.exit())
}
