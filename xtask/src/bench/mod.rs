//! `cargo xtask bench`: measures, and writes `target/bench/report.json`.

mod emulated;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    process,
    setup::{self, Scope},
    workspace,
};

/// Runs one benchmark or all of them, as root, and prints how fast Fabric is.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A benchmark (encap, irb, lpm) or one entry of its report (encap-64k-macs); all without one.
    name: Option<String>,
    /// Fewer entries, rounds and frames: all of it within two minutes, to see that it works.
    #[arg(long)]
    quick: bool,
    /// Arguments for the benchmark; `-- --help` shows which it takes.
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// What is optimised: some questions time code of the daemon as well, and all compare and count a
/// lot. The rest runs in the kernel or takes no time.
const OPTIMIZED: [&str; 4] = ["fabric-common", "fabric-user", "fabric-tests", "fabric-benches"];

/// Runs the subcommand.
///
/// # Errors
/// If there is no such benchmark, or one cannot be built or fails. A bar that is not met is no
/// failure: figures depend on the machine, and the benchmark says so itself.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let all = questions(&workspace::root().join("benches/src/bin"))?;
    let mut runs = select(&all, arguments.name.as_deref())?;
    setup::ensure(Scope::Lab)?;
    // What needs a virtual machine takes part in all that there is, but not in a quick look, and
    // not where no machine can be had.
    let emulates = emulated::is_needed();
    if emulates && arguments.name.is_none() && (arguments.quick || !cfg!(target_arch = "x86_64")) {
        runs.retain(|(question, _)| *question != emulated::PKTGEN);
    }
    if emulates && runs.iter().any(|(question, _)| *question == emulated::PKTGEN) {
        emulated::set_up()?;
    }
    // Built before the first is run, so that no compiler runs beside a measurement.
    for (question, _) in &runs {
        process::run(&mut cargo("build", question))?;
    }
    let daemon = match runs.iter().any(|(question, _)| WITH_DAEMON.contains(question)) {
        true => Some(fabric_xdpd()?),
        false => None,
    };
    for (question, entry) in runs {
        let quick = arguments.quick.then_some("--quick");
        let words = entry.into_iter().chain(quick).map(OsString::from);
        let words: Vec<_> = words.chain(arguments.arguments.iter().cloned()).collect();
        if emulates && question == emulated::PKTGEN {
            emulated::run(&words)?;
            continue;
        }
        let mut run = cargo("run", question);
        run.arg("--").args(words);
        if let Some(daemon) = daemon.as_ref().filter(|_| WITH_DAEMON.contains(&question)) {
            run.arg("--fabric-xdpd").arg(daemon);
        }
        process::run(&mut run).with_context(|| format!("the benchmark {question} failed"))?;
    }
    Ok(())
}

/// Builds or runs a benchmark.
fn cargo(verb: &str, question: &str) -> Command {
    // One set of flags for all questions, so that they share one build.
    let mut command = workspace::cargo();
    command.args([verb, "--quiet", "--package", "fabric-benches", "--bin", question]);
    command.args(["--features", "without"]);
    for package in OPTIMIZED {
        command.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=3"));
    }
    command
}

/// Benchmarks that time the daemon.
const WITH_DAEMON: [&str; 4] = ["converge", "failover", "scale", "scrape"];

/// fabric-xdpd as it is installed: unlike the packet path, it depends on the profile.
fn fabric_xdpd() -> Result<PathBuf> {
    let arguments = ["build", "--quiet", "--release", "--package", "fabric-user"];
    process::run(workspace::cargo().args(arguments).args(["--bin", "fabric-xdpd"]))?;
    Ok(workspace::target_folder()?.join("release/fabric-xdpd"))
}

/// The questions that the folder `binaries` holds, one a file.
fn questions(binaries: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(binaries)
        .with_context(|| format!("the benchmarks in {} cannot be listed", binaries.display()))?;
    let mut questions: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().strip_suffix(".rs").map(str::to_owned)
        })
        .collect();
    questions.sort();
    Ok(questions)
}

/// The benchmarks to run, each with the one entry that was asked for, if one was.
fn select<'a>(all: &'a [String], name: Option<&'a str>) -> Result<Vec<(&'a str, Option<&'a str>)>> {
    let Some(name) = name else {
        return Ok(all.iter().map(|question| (question.as_str(), None)).collect());
    };
    let belongs = |question: &&String| {
        name.strip_prefix(question.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    match all.iter().find(belongs) {
        Some(question) => Ok(vec![(question, (question != name).then_some(name))]),
        None => bail!("there is no benchmark {name}; take one of {}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<String> {
        ["decap", "encap"].map(str::to_owned).to_vec()
    }

    #[test]
    fn without_a_name_every_benchmark_runs_whole() {
        assert_eq!(select(&all(), None).unwrap(), [("decap", None), ("encap", None)]);
    }

    #[test]
    fn an_entry_is_found_in_its_benchmark() {
        assert_eq!(select(&all(), Some("encap")).unwrap(), [("encap", None)]);
        let entry = Some("encap-64k-macs");
        assert_eq!(select(&all(), entry).unwrap(), [("encap", entry)]);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let message = select(&all(), Some("encapsulation")).unwrap_err().to_string();
        assert_eq!(message, "there is no benchmark encapsulation; take one of decap, encap");
    }
}
