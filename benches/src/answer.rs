//! What the rounds of a race say.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _, Write as _},
};

use anyhow::{Context as _, Result};
use comfy_table::Table;
use serde_json::Value;

use crate::{
    environment::Environment,
    report,
    samples::{self, Summary},
};

/// Name of Fabric among the contenders.
pub const FABRIC: &str = "fabric";
/// Name of the kernel among the contenders.
pub const KERNEL: &str = "kernel";
/// Name of the bare redirect among the contenders.
pub const REDIRECT: &str = "redirect";

/// Name of the program that redirects behind as many bytes as a tunnel over IPv4 takes.
pub const LENGTHEN: &str = "lengthen";

/// Name of plain encapsulation on the same leaf, in entries that ask for it.
pub const ENCAP: &str = "encap";

/// Name of the program that drops, which is the generator alone.
pub const DISCARD: &str = "discard";

/// Whether a contender is another build of Fabric.
#[must_use]
pub fn is_other_build(name: &str) -> bool {
    ![FABRIC, KERNEL, REDIRECT, LENGTHEN, ENCAP, DISCARD].contains(&name)
}

/// A question and the answer that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Name of the entry in the report.
    pub name: &'static str,
    /// At least so many times the kernel's rate.
    pub kernel_bar: Option<f64>,
    /// At most so many times the time of a bare redirect.
    pub redirect_bar: Option<f64>,
    /// At most so many times the time of plain encapsulation.
    pub encap_bar: Option<f64>,
}

impl Question {
    /// A question of this name, without bars.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, kernel_bar: None, redirect_bar: None, encap_bar: None }
    }
}

/// One line that counts the rounds, for people only.
pub fn progress(name: &str, round: u32, rounds: u32) {
    let mut out = io::stdout();
    if out.is_terminal() {
        let end = if round == rounds { "\n" } else { "" };
        // A terminal that went away is no reason to stop measuring.
        let _ = write!(out, "\r{name}: round {round} of {rounds}{end}").and_then(|()| out.flush());
    }
}

/// Prints what the rounds say and makes it an entry of the report. `times` are, for each contender,
/// the nanoseconds that a frame took in each round.
///
/// # Errors
/// If a contender that is compared has no times.
pub fn answer(
    entry: &Question,
    settings: BTreeMap<String, Value>,
    environment: Environment,
    times: &BTreeMap<String, Vec<f64>>,
) -> Result<report::Entry> {
    let of = |name: &str| times.get(name).context("a contender has no times");
    let ours = of(FABRIC)?;
    let time = samples::summarize(ours).context("no rounds")?;
    let kernel = samples::ratio(of(KERNEL)?, ours).context("no rounds")?;
    let redirect = samples::ratio(ours, of(REDIRECT)?).context("no rounds")?;
    let kernel_met = entry.kernel_bar.is_none_or(|bar| kernel.median >= bar);
    let redirect_met = entry.redirect_bar.is_none_or(|bar| redirect.median <= bar);
    let encap = times.get(ENCAP).and_then(|encap| samples::ratio(ours, encap));
    let encap_met =
        entry.encap_bar.is_none_or(|bar| encap.as_ref().is_some_and(|encap| encap.median <= bar));

    let mut table = Table::new();
    table.set_header(["contender", "ns/frame", "spread", "Mpps", "fabric's time / its time"]);
    let mut contenders_ns = BTreeMap::new();
    for (name, series) in times {
        let Summary { median, iqr } = samples::summarize(series).context("no rounds")?;
        let share = samples::ratio(ours, series).context("no rounds")?;
        table.add_row([
            name.clone(),
            format!("{median:.1}"),
            format!("{iqr:.1}"),
            format!("{:.2}", 1_000.0 / median),
            format!("{:.3} (spread {:.3})", share.median, share.iqr),
        ]);
        contenders_ns.insert(name.clone(), median);
    }
    println!("{table}");
    let word = |met| if met { "met" } else { "NOT met" };
    let verdict = |bar: Option<f64>, limit: &str, met: bool| match bar {
        Some(bar) => format!("; the bar is at {limit} {bar}: {}", word(met)),
        None => String::new(),
    };
    println!(
        "{}: {:.2} times the kernel's rate (spread {:.2}){}",
        entry.name,
        kernel.median,
        kernel.iqr,
        verdict(entry.kernel_bar, "least", kernel_met)
    );
    println!(
        "{}: {:.2} times the time of a bare redirect (spread {:.2}){}",
        entry.name,
        redirect.median,
        redirect.iqr,
        verdict(entry.redirect_bar, "most", redirect_met)
    );

    if let Some(encap) = &encap {
        println!(
            "{}: {:.2} times the time of plain encapsulation (spread {:.2}){}",
            entry.name,
            encap.median,
            encap.iqr,
            verdict(entry.encap_bar, "most", encap_met)
        );
    }

    let mut ratios: BTreeMap<_, _> = [(KERNEL, kernel), (REDIRECT, redirect)].into();
    ratios.extend(encap.map(|encap| (ENCAP, encap)));
    for (name, series) in times.iter().filter(|(name, _)| is_other_build(name)) {
        ratios.insert(name, samples::ratio(ours, series).context("no rounds")?);
    }
    let ratio = |part: fn(&Summary) -> f64| {
        ratios.iter().map(|(name, ratio)| ((*name).to_owned(), part(ratio))).collect()
    };
    Ok(report::Entry {
        name: entry.name.into(),
        median_ns: time.median,
        mpps: 1_000.0 / time.median,
        ratios: ratio(|ratio| ratio.median),
        spread: time.iqr,
        ratio_spread: ratio(|ratio| ratio.iqr),
        contenders_ns,
        meets_bar: kernel_met && redirect_met && encap_met,
        settings,
        environment,
    })
}
