//! `fabricctl lab`: build a whole fabric in network namespaces and work with it.

mod change;
mod down;
mod exec;
mod graph;
mod inventory;
mod migrate;
mod new;
mod render;
mod status;
mod up;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use crate::cli::print::SCHEMA;
use crate::lab::topology::Files;
use crate::lab::{Lab, LabError, Topology, interrupt};

/// What a shell adds to the number of a signal that ended a program.
const ENDED_BY_SIGNAL: i32 = 128;
/// The exit status of commands that tell a lab that is not as it should be (1) from none at all.
const NO_LAB: u8 = 2;

/// Arguments of `fabricctl lab`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first inventory for a picture, PICTURE.toml, with which the lab comes up.
    New(new::Args),
    /// Build and start a lab from TOPOLOGY.dot (or .clab.yml) and TOPOLOGY.toml.
    Up(up::Args),
    /// Take a lab down and remove everything it made.
    Down(Built),
    /// Show what there is of a lab, and what is not as it should be.
    Status(status::Args),
    /// Draw a topology, or a lab as it is now, as SVG.
    Graph(graph::Args),
    /// Run a command in a node of a lab; `vtysh` talks to the node's own FRR.
    Exec(exec::Args),
    /// Move a virtual machine to another leaf or server, with its MAC and addresses.
    Migrate(migrate::Args),
    /// Cut a link: the port loses its carrier.
    Cut(change::Link),
    /// Silence a link: its ends keep their carrier, and nothing arrives any more.
    Silence(change::Link),
    /// Mend a link that was cut or silenced.
    Mend(change::Link),
    /// Take the addresses of an anycast service from a server, which announces them no longer.
    Withdraw(change::Part),
    /// Give a server the addresses of its anycast service back.
    Announce(change::Part),
    /// Print what the devices of a topology are configured with.
    Render(render::Args),
    /// Write an Ansible inventory of a lab that is up: modules run in its nodes.
    Inventory(inventory::Args),
}

/// The lab that a command is about.
#[derive(Debug, clap::Args)]
struct Which {
    /// The lab [default: the only one that is up].
    #[arg(long, value_name = "LAB")]
    name: Option<String>,
}

impl Which {
    /// The lab.
    ///
    /// # Errors
    /// If there is no such lab, or none is named and there is not exactly one.
    fn open(&self) -> anyhow::Result<Lab> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => the_only(&Lab::names())?.to_owned(),
        };
        Ok(Lab::open(&name)?)
    }
}

/// The lab that a command is about, by its name or by what it was built from.
#[derive(Debug, clap::Args)]
struct Built {
    /// The picture that it was built from (TOPOLOGY.dot or .clab.yml), as for `lab up` [default: the only lab that
    /// is up].
    #[arg(conflicts_with = "name")]
    topology: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

impl Built {
    /// The lab by name.
    ///
    /// # Errors
    /// If there is no such picture, or several labs were built from it.
    fn which(self) -> anyhow::Result<Which> {
        let Some(picture) = self.topology else { return Ok(self.which) };
        let files = Files::of(&picture);
        if !files.picture.is_file() {
            bail!("{} is no picture of a topology; name a lab by --name", picture.display());
        }
        let is_from =
            |name: &String| Lab::open(name).is_ok_and(|lab| lab.topology().name == files.name());
        let built: Vec<String> = Lab::names().into_iter().filter(is_from).collect();
        let name = match &built[..] {
            // It may have got no further than its name.
            [] => files.lab_name(),
            [name] => name.clone(),
            _ => bail!(
                "several labs were built from {} ({}); say by --name which one is meant",
                files.name(),
                built.join(", ")
            ),
        };
        Ok(Which { name: Some(name) })
    }
}

/// What is printed as JSON.
#[derive(serde::Serialize)]
struct Document<'a, T> {
    schema: u32,
    #[serde(flatten)]
    what: &'a T,
}

impl<'a, T> Document<'a, T> {
    const fn new(what: &'a T) -> Self {
        Self { schema: SCHEMA, what }
    }
}

/// Runs the subcommand. Ctrl-C and SIGTERM end all of them within two seconds: those that only look at
/// once, the others when they have undone or done what they were at.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let cancel = match args.command {
        Command::New(_)
        | Command::Status(_)
        | Command::Graph(_)
        | Command::Render(_)
        | Command::Inventory(_) => interrupt::end_at_once().map(|()| Arc::default()),
        _ => interrupt::watch(),
    };
    let cancel = cancel.context("cannot watch for Ctrl-C")?;
    let result = match args.command {
        Command::New(args) => new::run(&args),
        Command::Up(args) => up::run(args, &cancel),
        Command::Down(args) => down::run(args),
        Command::Status(args) => status::run(args),
        Command::Graph(args) => graph::run(args),
        Command::Exec(args) => exec::run(args, cancel),
        Command::Migrate(args) => migrate::run(args, cancel),
        Command::Cut(args) => change::link(args, "cut", cancel, Lab::cut),
        Command::Silence(args) => change::link(args, "silent", cancel, Lab::silence),
        Command::Mend(args) => change::link(args, "mended", cancel, Lab::mend),
        Command::Withdraw(args) => change::part(args, "announces no longer", cancel, Lab::withdraw),
        Command::Announce(args) => change::part(args, "announces", cancel, Lab::announce),
        Command::Render(args) => render::run(args),
        Command::Inventory(args) => inventory::run(&args),
    };
    match (result, interrupt::last()) {
        (Err(error), Some(last)) if matches!(error.downcast_ref(), Some(LabError::Interrupted)) => {
            eprintln!("fabricctl: {error}");
            Ok(exit_code(ENDED_BY_SIGNAL + last.signal))
        }
        (result, _) => result,
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

/// The lab that is meant if none is named and these are up.
fn the_only(names: &[String]) -> anyhow::Result<&str> {
    match names {
        [] => bail!("no lab is up; start one with `fabricctl lab up TOPOLOGY`"),
        [name] => Ok(name),
        _ => bail!("several labs are up ({}); say by --name which one is meant", names.join(", ")),
    }
}

/// The topology of a picture, or that of a lab with its hosts where they are plugged in.
fn topology_of(picture: Option<&Path>, which: &Which) -> anyhow::Result<Topology> {
    match picture {
        Some(picture) => match picture.to_str() {
            Some(name)
                if !Files::of(picture).picture.is_file()
                    && Lab::names().iter().any(|lab| lab == name) =>
            {
                bail!("{name} is a lab and no picture; write --name {name}")
            }
            _ => load(picture),
        },
        None => Ok(which.open()?.current_topology()?),
    }
}

/// The topology of a file; says what in it was left out or guessed.
fn load(path: &Path) -> anyhow::Result<Topology> {
    let topology = Topology::load(path)?;
    say_notes(&topology);
    Ok(topology)
}

/// Says what in a topology was left out or guessed.
fn say_notes(topology: &Topology) {
    for note in &topology.notes {
        eprintln!("note: {note}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_meant_by_the_picture_that_it_was_built_from() {
        let file = std::env::temp_dir().join(format!("no.lab.of-{}.dot", std::process::id()));
        let built = || Built { topology: Some(file.clone()), which: Which { name: None } };
        let error = built().which().unwrap_err().to_string();
        assert!(error.ends_with("is no picture of a topology; name a lab by --name"), "{error}");
        std::fs::write(&file, "graph {}").unwrap();
        let meant = built().which().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(meant.name, Some(format!("no-lab-of-{}", std::process::id())));
    }

    #[test]
    fn a_lab_that_is_not_named_is_the_only_one_or_none() {
        let names = ["one".to_owned(), "two".to_owned()];
        assert_eq!(the_only(&names[..1]).unwrap(), "one");
        let error = |names: &[String]| the_only(names).unwrap_err().to_string();
        assert!(error(&[]).contains("no lab is up"));
        assert_eq!(
            error(&names),
            "several labs are up (one, two); say by --name which one is meant"
        );
    }
}
