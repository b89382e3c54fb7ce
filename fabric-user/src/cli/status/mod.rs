//! `fabricctl status`: what is accelerated, what is not and why, and whether it is in order.

mod bridges;
mod health;
mod ports;
mod underlay;

use std::process::ExitCode;

use serde_json::json;

use super::{
    instance::Choice,
    maps::vtep_sheet,
    print::{self, Style},
};
use health::{Daemon, Health};
use underlay::{Underlay, failover};

/// Arguments of `fabricctl status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    style: Style,
}

/// Runs `fabricctl status`.
///
/// # Errors
/// If there are neither maps nor a daemon.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let chosen = args.choice.resolve()?;
    let daemon = Daemon::of(&chosen);
    if daemon.process.is_some() && !chosen.instance.exists() {
        return detached(args, chosen.name(), &daemon);
    }
    let maps = chosen.maps(false)?;
    let view = chosen.view(&maps)?;
    let health = Health::of(&view, daemon);
    let programs = ports::fabric_programs();
    let ports = ports::sheet(&view, &programs, health.daemon.state.as_ref(), health.idle());
    let bridges = bridges::sheet(&view);
    let vteps = vtep_sheet(&view);
    let underlay = Underlay::of(&view, &maps);
    let (problems, unresolved) = health.daemon.complaints();
    let notes = health.daemon.state.as_ref().map(|state| state.notes.clone()).unwrap_or_default();
    if args.style.json {
        let mut value = health.json();
        value["instance"] = json!(chosen.name());
        value["namespace"] = json!(view.interfaces.namespace);
        value["underlay"] = underlay.json();
        let liveness = health.daemon.state.as_ref().map(|state| state.liveness);
        value["failover"] = json!(liveness);
        value["ports"] = ports.json();
        value["bridges"] = bridges.json();
        value["vteps"] = vteps.json();
        value["problems"] = json!(problems);
        value["unresolved"] = json!(unresolved);
        value["notes"] = json!(notes);
        print::json(&value, false)?;
        return Ok(ExitCode::SUCCESS);
    }
    let namespace = view.interfaces.namespace.as_deref();
    let place = namespace.map(|name| format!(", network namespace {name}")).unwrap_or_default();
    let mut text =
        format!("instance   {}{place}\n{}{}", chosen.name(), health.text(), underlay.text());
    if let Some(state) = &health.daemon.state {
        text.push_str(&failover(&view, &state.liveness));
    }
    for sheet in [&ports, &bridges, &vteps] {
        text.push('\n');
        text.push_str(&sheet.text(args.style.look()));
    }
    let old = if health.daemon.process.is_some() { "" } else { ", as fabricd last saw it" };
    for (title, list) in [
        ("left to the kernel", problems),
        ("neighbours not resolved", unresolved),
        ("to be known", notes),
    ] {
        if !list.is_empty() {
            text.push_str(&format!("\n{title}{old}:\n  {}\n", list.join("\n  ")));
        }
    }
    print::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The daemon runs, but everything was taken off by request.
fn detached(args: &Args, name: &str, daemon: &Daemon) -> anyhow::Result<ExitCode> {
    if args.style.json {
        let daemon = daemon.json();
        print::json(&json!({ "instance": name, "daemon": daemon, "forwarding": false }), false)?;
    } else {
        print::text(&format!(
            "instance   {name}\ndaemon     {}\n\n\
             everything is detached, the kernel carries the traffic; `fabricctl attach` ends that\n",
            daemon.text()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
