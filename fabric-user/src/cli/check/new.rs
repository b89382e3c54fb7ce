//! `fabricctl check new`: writes a complete suite, for a topology or of what runs.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};

use super::relative::relative;
use crate::{
    check::{self, Inventory, Written, suite_for, suite_of},
    cli::{print, sources},
    facts::Facts,
    lab::{Topology, topology::Files},
    verify::{names, namesakes},
};

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The topology, TOPOLOGY.dot or .clab.yml with TOPOLOGY.toml beside it.
    #[arg(required_unless_present = "facts")]
    topology: Option<PathBuf>,
    /// Write it without a drawing, of what runs: what `fabricctl facts --json` has written on each box.
    #[arg(long, value_name = "[NAME=]FILE", num_args = 1.., conflicts_with = "topology", requires = "output")]
    facts: Vec<String>,
    /// Write it there [default: TOPOLOGY.check.toml; - for standard output].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
With --facts all that can be said without a drawing has to be as it is now: ports to neighbours,
sessions of BGP and BFD, routes and their shares, VNIs, flood lists, VRFs, what `verify` compares,
versions. What does not hold now is left out, and named in a comment. NAME.toml, the inventory of
these boxes, is written beside NAME.check.toml.

    for box in leaf01 leaf02; do ssh $box sudo fabricctl facts --json > $box.json; done
    fabricctl check new --facts leaf01.json leaf02.json --output dc1.check.toml
    fabricctl check dc1.check.toml --ssh

Boxes are called, and asked by ssh, by their host names unless NAME= gives them another.";

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match (&args.topology, &args.output) {
        (Some(topology), output) => of_topology(topology, output.as_deref()),
        (None, Some(output)) => of_facts(&args.facts, output),
        (None, None) => bail!("--output NAME{} is missing", check::ENDING),
    }
}

fn of_topology(path: &Path, output: Option<&Path>) -> anyhow::Result<ExitCode> {
    let topology = Topology::load(path)?;
    for note in &topology.notes {
        eprintln!("note: {note}");
    }
    let files = Files::of(path);
    let beside = files.picture.with_file_name(format!("{}{}", files.name(), check::ENDING));
    let path = output.map_or(beside, Path::to_owned);
    let picture = folder_of(&files.picture)?.join(files.picture_name());
    let way = relative(&folder_of(&path)?, &picture);
    // Nobody knows into which folder standard output goes.
    let is_elsewhere = path.as_os_str() == "-" && way.components().count() > 1;
    let picture = if is_elsewhere { picture } else { way }.display().to_string();
    let text = suite_for(&Inventory::of(topology), &picture);
    if path.as_os_str() == "-" {
        print::text(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    write(&path, &text)?;
    print::text(&format!(
        "wrote {}; `fabricctl check {}` checks it\n",
        path.display(),
        path.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The folder of a file, absolute.
fn folder_of(file: &Path) -> anyhow::Result<PathBuf> {
    // A name alone is one in this folder.
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder.canonicalize().with_context(|| format!("cannot look into {}", folder.display()))
}

fn of_facts(files: &[String], output: &Path) -> anyhow::Result<ExitCode> {
    let name = output.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    let name = match name.strip_suffix(check::ENDING) {
        Some(name) if !name.is_empty() => name,
        _ => bail!(
            "--output {} is not called NAME{}; the inventory beside it is NAME.toml",
            output.display(),
            check::ENDING
        ),
    };
    let inventory = output.with_file_name(format!("{name}.toml"));
    let boxes = read(files)?;
    let Written { inventory: nodes, suite, left_out } =
        suite_of(name, boxes).map_err(anyhow::Error::msg)?;
    write(&inventory, &nodes)?;
    write(output, &suite).inspect_err(|_| {
        // One of the two is none.
        let _ = fs::remove_file(&inventory);
    })?;
    let shown = output.display();
    let mut said = format!("wrote {} and {shown}; ", inventory.display());
    if !left_out.is_empty() {
        let cases = if left_out.len() == 1 {
            "1 case is".into()
        } else {
            format!("{} cases are", left_out.len())
        };
        said.push_str(&format!("{cases} left out that do not hold now, which its comments name; "));
    }
    print::text(&format!("{said}`fabricctl check {shown} --ssh` checks it\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The facts of boxes with their names.
fn read(files: &[String]) -> anyhow::Result<Vec<(String, Facts)>> {
    let mut all = Vec::new();
    for text in files {
        let (name, facts) = sources::named(text)?;
        all.push(match name {
            Some(name) => Facts { host: name.into(), namespace: None, ..facts },
            None => facts,
        });
    }
    if let Some([one, other]) = namesakes(&all) {
        bail!(
            "{} and {} are of two boxes that have one name; tell them apart by --facts NAME=FILE",
            files[one],
            files[other]
        );
    }
    Ok(names(&all).into_iter().zip(all).collect())
}

/// Writes a file that is not there yet.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already; change it, or remove it first", path.display())
        }
        opened => opened.with_context(cannot)?,
    };
    file.write_all(text.as_bytes()).with_context(cannot)
}
