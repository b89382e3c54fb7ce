//! `fabricctl check`: assertions on a fabric as code.

mod new;
mod relative;

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{self, IsTerminal as _, Write as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use glob::Pattern;

use super::print;
use crate::{
    check::{
        self, Case, Devices, Inventory, Options, Outcome, Report, Suite, Where, Wrong, report,
    },
    lab::{Lab, Topology, interrupt, topology::Files},
};

/// Arguments of `fabricctl check`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The suite, NAME.check.toml
    suite: Option<PathBuf>,
    /// Check this lab [default: the one that is up and was built from the suite's topology]
    #[arg(long, value_name = "LAB", conflicts_with_all = ["ssh", "here"])]
    lab: Option<String>,
    /// Ask the nodes and hosts by the system's ssh, with its configuration, agent and jump hosts
    #[arg(long)]
    ssh: bool,
    /// The configuration of ssh, in place of your own
    #[arg(long, value_name = "FILE", requires = "ssh")]
    ssh_config: Option<PathBuf>,
    /// This box is that node; without --ssh only cases about it are looked at
    #[arg(long, value_name = "NODE")]
    here: Option<String>,
    /// Only cases whose names match, as "reach app01*"
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// So many devices are asked at a time
    #[arg(long, value_name = "NUMBER", default_value = "8")]
    parallel: NonZeroUsize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also say what has passed
    #[arg(long, short)]
    verbose: bool,
    /// Write JUnit for CI; its names are unique
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write Markdown for the summary of a step in CI
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Keep what was seen: facts, and what programs have said
    #[arg(long, value_name = "FOLDER", conflicts_with = "replay")]
    evidence: Option<PathBuf>,
    /// Judge again what --evidence has kept, without asking anybody
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["lab", "ssh", "here", "commands"])]
    replay: Option<PathBuf>,
    /// Print the commands that would run on each device, as for sudoers, and end
    #[arg(long)]
    commands: bool,
    /// Say what a kind of table has, or which kinds there are
    #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "", conflicts_with = "suite")]
    explain: Option<String>,
}

const AFTER_HELP: &str = "\
Exit status:
  0  everything is as it should be
  1  something is not
  2  the suite is wrong, or a name in it stands for nothing
  3  somebody could not be asked or nothing was checked, and all else is as it should be";

/// The suite is wrong.
const WRONG: u8 = 2;
/// Nobody could be asked.
const NOT_ASKED: u8 = 3;
/// What a shell adds to the number of a signal that ended a program.
const ENDED_BY_SIGNAL: i32 = 128;

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a complete suite for a topology, TOPOLOGY.check.toml, or of what runs.
    New(new::Args),
}

/// Runs `fabricctl check`.
///
/// # Errors
/// If nobody reads standard output any more, or a new suite cannot be written.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(Command::New(args)) = &args.command {
        return new::run(args);
    }
    match look(&args) {
        // It says nothing of the fabric.
        Err(error) if !print::is_broken_pipe(&error) => {
            eprintln!("fabricctl: {error:#}");
            Ok(NOT_ASKED.into())
        }
        looked => looked,
    }
}

fn look(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(kind) = &args.explain {
        return explain(kind);
    }
    let Some(path) = &args.suite else {
        eprintln!("fabricctl: no suite is named; `fabricctl check new` writes one");
        return Ok(WRONG.into());
    };
    let suite = match Suite::read(path) {
        Ok(suite) => suite,
        Err(wrong) => return Ok(complain(&wrong)),
    };
    if let Some(folder) = &args.replay {
        let inventory = check::kept_inventory(folder)?;
        let cases = match cases(args, &suite, &inventory) {
            Ok(cases) => cases,
            Err(wrong) => return Ok(complain(&wrong)),
        };
        return Ok(tell(args, &check::replay(folder, &suite.file, &cases)?, || Ok(())));
    }
    live(args, &suite)
}

fn live(args: &Args, suite: &Suite) -> anyhow::Result<ExitCode> {
    let stop = interrupt::watch().context("cannot watch for Ctrl-C")?;
    let drawn = match Inventory::load(&suite.topology) {
        Ok(drawn) => drawn,
        Err(error) => {
            return Ok(complain(&[suite.without_topology(error)]));
        }
    };
    // What is wrong is said before anybody is asked, and whether somebody can be.
    if let Err(wrong) = cases(args, suite, &drawn) {
        return Ok(complain(&wrong));
    }
    if let Some(folder) = &args.evidence {
        check::is_free(folder)?;
    }
    [&args.junit, &args.markdown].into_iter().flatten().try_for_each(|path| can_write(path))?;
    let place = place(args, suite)?;
    let inventory = match &place {
        Where::Lab(lab) => {
            note_age(lab, &drawn.topology);
            Inventory::of(lab.current_topology()?)
        }
        Where::Boxes { .. } => drawn,
    };
    if let Where::Boxes { here: Some(here), .. } = &place
        && !inventory.has_device(here)
    {
        eprintln!("fabricctl: {here} is no node of the topology {}", inventory.topology.name);
        return Ok(WRONG.into());
    }
    let cases = match cases(args, suite, &inventory) {
        Ok(cases) => cases,
        Err(wrong) => return Ok(complain(&wrong)),
    };
    let devices = Devices::of(place, suite, &inventory, &stop)?;
    if args.commands {
        let mut text = String::new();
        for (device, lines) in devices.commands(&cases) {
            for line in lines {
                text.push_str(&format!("{device}: {line}\n"));
            }
        }
        print::text(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options { width: args.parallel, timeout: suite.timeout, stop };
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ended = check::run(&suite.file, &cases, &devices, &options, &mut progress());
    clear();
    let report = Report {
        title: suite.title.clone(),
        file: suite.file.clone(),
        topology: inventory.topology.name.clone(),
        began_ms: began.as_millis() as u64,
        took_ms: ended.took.as_millis() as u64,
        version: env!("CARGO_PKG_VERSION").into(),
        cases: ended.cases.clone(),
    };
    let keep = || match &args.evidence {
        Some(folder) => check::keep(folder, &inventory, &report, &ended),
        None => Ok(()),
    };
    let code = tell(args, &report, keep);
    Ok(match interrupt::last() {
        Some(last) => {
            ExitCode::from(u8::try_from(ENDED_BY_SIGNAL + last.signal).unwrap_or(u8::MAX))
        }
        None => code,
    })
}

/// Says what is wrong with a suite.
fn complain(wrong: &[Wrong]) -> ExitCode {
    for one in wrong {
        eprintln!("fabricctl: {one}");
    }
    WRONG.into()
}

/// The cases that are wanted.
fn cases(args: &Args, suite: &Suite, inventory: &Inventory) -> Result<Vec<Case>, Vec<Wrong>> {
    let mut cases = suite.cases(inventory)?;
    if args.only.is_empty() {
        return Ok(cases);
    }
    let wrong = |message: String| vec![Wrong::of("--only", message)];
    let mut wanted = BTreeSet::new();
    for text in &args.only {
        // A name as it was printed has brackets of its own, if it has a label.
        let exactly: Vec<&Case> = cases.iter().filter(|case| case.name == *text).collect();
        let found = match exactly.is_empty() {
            false => exactly,
            true => {
                let pattern = Pattern::new(text)
                    .map_err(|error| wrong(format!("\"{text}\" is no glob: {}", error.msg)))?;
                cases.iter().filter(|case| pattern.matches(&case.name)).collect()
            }
        };
        if found.is_empty() {
            let file = &suite.file;
            return Err(wrong(format!(
                "no case of {file} is called \"{text}\"; -v lists their names"
            )));
        }
        wanted.extend(found.into_iter().map(|case| case.name.clone()));
    }
    cases.retain(|case| wanted.contains(&case.name));
    Ok(cases)
}

/// Who is asked.
fn place(args: &Args, suite: &Suite) -> anyhow::Result<Where> {
    let needs_root = !args.ssh || args.here.is_some();
    if needs_root && !rustix::process::geteuid().is_root() {
        bail!("only root can look into a lab, or at Fabric's maps; run it by sudo");
    }
    if args.ssh || args.here.is_some() {
        let config = args.ssh_config.clone();
        return Ok(Where::Boxes { here: args.here.clone(), ssh: args.ssh, config });
    }
    let wanted = Files::of(&suite.topology).name();
    let lab = match &args.lab {
        Some(name) => Lab::open(name)?,
        None => the_one(&wanted)?,
    };
    let built = &lab.topology().name;
    if *built != wanted {
        bail!(
            "the lab {} was built from the topology {built}, and the suite is about {wanted}",
            lab.name()
        );
    }
    Ok(Where::Lab(lab))
}

/// The lab that was built from a topology.
fn the_one(topology: &str) -> anyhow::Result<Lab> {
    let labs = Lab::names().into_iter().filter_map(|name| Lab::open(&name).ok());
    let mut labs: Vec<Lab> = labs.filter(|lab| lab.topology().name == topology).collect();
    match (labs.pop(), labs.is_empty()) {
        (Some(lab), true) => Ok(lab),
        (Some(_), false) => {
            bail!("several labs were built from {topology}; say by --lab which one is meant")
        }
        (None, _) => bail!(
            "no lab of the topology {topology} is up; start one with `fabricctl lab up`, or ask boxes by --ssh or --here NODE"
        ),
    }
}

/// Says that a lab was built from an older topology, if it was: it is checked by that one.
fn note_age(lab: &Lab, drawn: &Topology) {
    let built = lab.topology();
    let same =
        built.picture_text == drawn.picture_text && built.inventory_text == drawn.inventory_text;
    if !same {
        note(&format!(
            "the lab {} was built from another version of {}, and is checked by that one",
            lab.name(),
            drawn.name
        ));
    }
}

/// Tells what has become of a suite, in all forms that are wanted, and keeps what was seen. Its verdict stands whatever
/// becomes of what is written: a failure stays one, and what has passed could not be told.
fn tell(args: &Args, report: &Report, keep: impl FnOnce() -> anyhow::Result<()>) -> ExitCode {
    let print = || match args.json {
        true => print::json(&report::json(report)),
        false => print::text(&report::text(report, args.verbose)),
    };
    let junit = || match &args.junit {
        Some(path) => write(path, &report::junit(report)?),
        None => Ok(()),
    };
    let markdown = || match &args.markdown {
        Some(path) => write(path, &report::markdown(report)),
        None => Ok(()),
    };
    let mut status = report.status();
    for told in [print().map_err(anyhow::Error::from), junit(), markdown(), keep()] {
        match told {
            // `fabricctl check … | head` has what it wanted.
            Err(error) if !print::is_broken_pipe(&error) => {
                note(&format!("{error:#}"));
                status = if status == 0 { NOT_ASKED } else { status };
            }
            _ => {}
        }
    }
    if report.is_empty() {
        note("nothing was checked: all cases are about what is not asked, or may not be broken");
    }
    if args.evidence.is_none() && report.count(Outcome::Failed) > 0 && io::stderr().is_terminal() {
        note("--evidence FOLDER keeps what was seen");
    }
    status.into()
}

/// Says something beside the report. Nothing is lost if nobody reads it.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "fabricctl: {text}");
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| cannot_write(path))
}

/// Sees to it before anybody is asked that a report can be written.
fn can_write(path: &Path) -> anyhow::Result<()> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).with_context(|| cannot_write(path))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

fn explain(kind: &str) -> anyhow::Result<ExitCode> {
    if kind.is_empty() {
        print::text(&check::list_of_kinds())?;
        return Ok(ExitCode::SUCCESS);
    }
    match check::explain(kind) {
        Some(text) => {
            print::text(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            eprintln!("fabricctl: no kind is called {kind}; --explain alone lists them");
            Ok(WRONG.into())
        }
    }
}

/// Shows what is going on where somebody looks.
fn progress() -> impl FnMut(&str) {
    let looks = io::stderr().is_terminal();
    move |line: &str| {
        if looks {
            // Nothing is lost if it does not appear, as on a terminal that is gone.
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }
}

fn clear() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}
