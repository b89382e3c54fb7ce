//! `fabricctl counters`: packets and bytes by port, VNI, VTEP and reason.

pub(crate) mod sums;
mod tables;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::{
    instance::Choice,
    print::{self, Of, Style},
    table::Table,
    view::View,
};
pub(super) use sums::Sums;
use tables::Scene;

/// Arguments of `fabricctl counters`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// By what [default: all of them]
    #[arg(value_name = "BY")]
    by: Option<By>,
    /// Only this port
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Show what is zero, too
    #[arg(long)]
    all: bool,
    /// Show rates, measured over so many seconds, until Ctrl-C
    #[arg(
        long, value_name = "SECONDS", num_args = 0..=1,
        default_missing_value = "1", value_parser = print::seconds
    )]
    watch: Option<f64>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    style: Style,
}

/// What to count by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// What each port received and sent
    Ports,
    /// What went through each VNI's tunnels
    Vnis,
    /// What went to and came from each VTEP
    Vteps,
    /// What became of received packets, and why
    Reasons,
}

/// What is printed as JSON: the tables that were asked for.
#[derive(Serialize)]
struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vnis: Option<Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vteps: Option<Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Table>,
}

impl Document {
    fn of(by: Option<By>, by_port: bool, scene: &Scene<'_>) -> Self {
        let wanted = |one| by.is_none_or(|by| by == one);
        // VNIs and VTEPs are not counted by port.
        let tunnels = |one| wanted(one) && !by_port;
        Self {
            ports: wanted(By::Ports).then(|| Table::of(scene.ports())),
            vnis: tunnels(By::Vnis).then(|| Table::of(scene.vnis())),
            vteps: tunnels(By::Vteps).then(|| Table::of(scene.vteps())),
            reasons: wanted(By::Reasons).then(|| Table::of(scene.reasons())),
        }
    }

    /// The tables for people.
    fn text(&self, style: Style) -> String {
        let tables = [&self.ports, &self.vnis, &self.vteps, &self.reasons].into_iter().flatten();
        tables.map(|table| table.text(style.look())).collect::<Vec<_>>().join("\n")
    }
}

/// Runs `fabricctl counters`.
///
/// # Errors
/// If there are no maps, or no port of the name given.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.port.is_some() && matches!(args.by, Some(By::Vnis | By::Vteps)) {
        bail!("VNIs and VTEPs are not counted by port; use --port with ports or reasons");
    }
    let chosen = args.choice.resolve()?;
    let instance = chosen.name();
    let read = || {
        let maps = chosen.maps(false)?;
        let view = chosen.view(&maps)?;
        let sums = Sums::read(&maps, &view.contents)?;
        anyhow::Ok((view, sums))
    };
    let Some(seconds) = args.watch else {
        let (view, sums) = read()?;
        let document = Document::of(args.by, args.port.is_some(), &scene(args, &view, sums, None)?);
        print::shown(args.style, &Of::new(instance, &document), || document.text(args.style))?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut before: Option<(Sums, Instant)> = None;
    print::repeat(Duration::from_secs_f64(seconds), |_| {
        let (view, sums) = read()?;
        let now = Instant::now();
        if let Some((former, then)) = &before {
            let scene = scene(args, &view, sums.since(former), Some(now - *then))?;
            let document = Document::of(args.by, args.port.is_some(), &scene);
            if args.style.json {
                print::json_line(&Of::new(instance, &document))?;
            } else {
                let title = format!("packets and bits per second at {}", print::time_of_day());
                print::repaint(&title, &document.text(args.style))?;
            }
        } else if !args.style.json {
            scene(args, &view, sums.clone(), None)?;
            print::repaint("measuring", "")?;
        }
        before = Some((sums, now));
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn scene<'a>(
    args: &Args,
    view: &'a View,
    sums: Sums,
    over: Option<Duration>,
) -> anyhow::Result<Scene<'a>> {
    let port = args.port.as_deref().map(|name| {
        view.slot(name).with_context(|| {
            format!("no program counts packets on port {name}; `fabricctl status` lists the ports")
        })
    });
    Ok(Scene { view, sums, port: port.transpose()?, all: args.all, over })
}
