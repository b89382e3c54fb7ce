//! `fabricctl status`: what is accelerated, what is not and why, and whether it is in order.

mod bridges;
mod gateways;
mod health;
mod ports;
mod routers;
pub(crate) mod sight;
mod underlay;
mod verdict;
mod vrfs;

use std::{collections::BTreeSet, process::ExitCode};

use serde::Serialize;

use super::{
    instance::Choice,
    maps::{redirect_targets, vteps},
    print::{self, Of, Style},
    table::Table,
    view::View,
};
use crate::{
    daemon::{Liveness, state::State},
    kernel::maps::Maps,
};
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
    vrfs: &'a Table,
    gateways: &'a Table,
    bridges: &'a Table,
    routers: &'a Table,
    vteps: &'a Table,
    problems: &'a [String],
    unresolved: &'a [String],
    notes: &'a [String],
}

/// What there is to show.
struct Scene<'a> {
    view: &'a View,
    health: &'a Health,
    underlay: Underlay,
    ports: Table,
    vrfs: Table,
    gateways: Table,
    bridges: Table,
    routers: Table,
    vteps: Table,
}

impl<'a> Scene<'a> {
    fn new(view: &'a View, maps: &Maps, health: &'a Health, ports: Vec<ports::PortRow>) -> Self {
        let routers = routers::rows(view, &routers::leads(view, maps));
        Self {
            view,
            health,
            underlay: Underlay::of(view, maps),
            vrfs: Table::of(vrfs::rows(view, &routers)),
            gateways: Table::of(gateways::rows(view, &ports, health.daemon.state.as_ref())),
            ports: Table::of(ports),
            routers: Table::of(routers),
            bridges: Table::of(bridges::rows(view)),
            vteps: Table::of(vteps(view)),
        }
    }

    fn text(&self, instance: &str, verdict: &Verdict, style: Style) -> String {
        let namespace = self.view.interfaces.namespace.as_deref();
        let place = namespace.map(|name| format!(", network namespace {name}")).unwrap_or_default();
        let mut text = format!("instance   {instance}{place}\n{}", verdict.text());
        text.push_str(&self.health.text());
        text.push_str(&self.underlay.text());
        let daemon = &self.health.daemon;
        if let Some(state) = &daemon.state {
            text.push_str(&failover(self.view, &state.liveness));
        }
        let Self { ports, vrfs, gateways, bridges, routers, vteps, .. } = self;
        // What there is on few boxes is left out on the others.
        let tenants = |table: &&Table| !table.rows().is_empty();
        let tables = [Some(ports), Some(vrfs).filter(tenants), Some(gateways).filter(tenants)]
            .into_iter()
            .chain([Some(bridges), Some(routers).filter(tenants), Some(vteps)]);
        for table in tables.flatten() {
            text.push('\n');
            text.push_str(&table.text(style.look()));
        }
        let old = if daemon.process.is_some() { "" } else { ", as fabric-xdpd last saw it" };
        let lists = daemon.state.iter().flat_map(|state| {
            [
                ("not accelerated", &state.problems),
                ("neighbours not resolved", &state.unresolved),
                ("to be known", &state.notes),
            ]
        });
        for (title, list) in lists.filter(|(_, list)| !list.is_empty()) {
            text.push_str(&format!("\n{title}{old}:\n  {}\n", list.join("\n  ")));
        }
        text
    }
}

impl<'a> Document<'a> {
    fn of(scene: &'a Scene<'a>, verdict: &'a Verdict) -> Self {
        let Scene { view, health, underlay, ports, vrfs, gateways, bridges, routers, vteps } =
            scene;
        let state = health.daemon.state.as_ref();
        let list = |list: fn(&State) -> &[String]| state.map_or(&[][..], list);
        Self {
            forwarding: view.idle().is_none(),
            daemon: Some(health.daemon.document()),
            rest: Some(Rest {
                namespace: view.interfaces.namespace.as_deref(),
                heartbeat: Heartbeat::of(view),
                bypass: view.contents.settings.bypass != 0,
                underlay: *underlay,
                failover: state.map(|state| state.liveness),
                ports,
                vrfs,
                gateways,
                bridges,
                routers,
                vteps,
                problems: list(|state| &state.problems),
                unresolved: list(|state| &state.unresolved),
                notes: list(|state| &state.notes),
            }),
            ..Self::new(verdict)
        }
    }

    const fn new(verdict: &'a Verdict) -> Self {
        let (health, why) = (verdict.name(), verdict.why());
        Self { health, why, forwarding: false, daemon: None, rest: None }
    }
}

/// Runs `fabricctl status`.
///
/// # Errors
/// If standard output cannot be written. All else is an exit status.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let error = match look(args) {
        Err(error) => error,
        looked => return looked,
    };
    let down = Verdict::Down(vec![format!("{error:#}")]);
    eprintln!("fabricctl: {error:#}");
    let document = Of::new(args.choice.name(), Document::new(&down));
    print::told(if args.style.json { print::json(&document) } else { Ok(()) }, down.exit())
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
    let verdict = Verdict::of(&health, &faults, known.state.map_or(0, faults_left));
    let scene = Scene::new(&view, &maps, &health, ports);
    let document = Of::new(chosen.name(), Document::of(&scene, &verdict));
    let people = || scene.text(chosen.name(), &verdict, args.style);
    print::told(print::shown(args.style, &document, people), verdict.exit())
}

/// How many sentences about what is left to the kernel are about a fault that is not a port's.
fn faults_left(state: &State) -> usize {
    // Sentences about ports are among the faults already.
    let said: BTreeSet<&String> = state.partly.values().flatten().collect();
    // What follows from a choice of the operator's is one, too.
    let chosen = state.chosen.iter().filter_map(|name| state.declined.get(name));
    let chosen: Vec<&String> = chosen.collect();
    let follows = |problem: &String| chosen.iter().any(|choice| problem.contains(choice.as_str()));
    state.problems.iter().filter(|problem| !said.contains(problem) && !follows(problem)).count()
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
    let document = Document { daemon: Some(daemon.document()), ..Document::new(&verdict) };
    let people = || format!("instance   {name}\n{}daemon     {}\n", verdict.text(), daemon.text());
    print::told(print::shown(args.style, &Of::new(name, document), people), verdict.exit())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::{golden, row::Row as _};

    #[test]
    fn what_is_printed_as_json_is_written_down() {
        let (maps, view) = golden::maps();
        let state = State {
            pid: 7,
            written: 1_700_000_000,
            synced: true,
            audits: 3,
            problems: vec!["VTEP 10.0.0.9 has no route".into()],
            ..State::default()
        };
        let daemon = Daemon { process: Some(7), state: Some(state), ..Daemon::default() };
        let health = Health::of(&view, daemon);
        let state = health.daemon.state.as_ref();
        let (programs, targets) = (BTreeMap::new(), BTreeMap::new());
        let known = Known { programs: &programs, targets: &targets, state, idle: view.idle() };
        let (rows, faults) = ports::rows(&view, known);
        let scene = Scene::new(&view, &maps, &health, rows);
        let verdict = Verdict::of(&health, &faults, state.map_or(0, faults_left));
        golden::golden("status", &Of::new("golden", Document::of(&scene, &verdict)));
        let down = Verdict::Down(vec!["instance golden has no maps; start fabric-xdpd".into()]);
        golden::golden("status-down", &Of::new("golden", Document::new(&down)));
    }

    #[test]
    fn every_field_is_documented() {
        golden::documented([
            ("`ports` of `status`", ports::PortRow::COLUMNS),
            ("`vrfs` of `status`", vrfs::VrfRow::COLUMNS),
            ("`gateways` of `status`", gateways::GatewayRow::COLUMNS),
            ("`bridges` of `status`", bridges::BridgeRow::COLUMNS),
            ("`routers` of `status`", routers::RouterRow::COLUMNS),
        ]);
    }
}
