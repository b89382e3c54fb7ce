//! `fabricctl counters`: packets and bytes by port, VNI, VTEP and reason.

mod ports;
mod reasons;
mod sums;
mod vnis;
mod vteps;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::bail;
use fabric_common::{
    reason::{Reason, Verdict},
    schema::counters::Counter,
};
use serde_json::{Value, json};

use super::{
    format::{bytes, rate},
    instance::Choice,
    print::{self, Style},
    sheet::{Cell, Sheet},
    view::View,
};
pub(super) use sums::Sums;

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

impl By {
    const ALL: [Self; 4] = [Self::Ports, Self::Vnis, Self::Vteps, Self::Reasons];

    const fn name(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Vnis => "vnis",
            Self::Vteps => "vteps",
            Self::Reasons => "reasons",
        }
    }
}

/// What the tables show.
struct Scene<'a> {
    view: &'a View,
    sums: Sums,
    /// The slot of the only port to show.
    port: Option<u32>,
    /// With what is zero.
    all: bool,
    unit: Unit,
}

/// Totals, or rates over a time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    Total,
    Rate(Duration),
}

impl Unit {
    /// Packets, exact as a total.
    fn packets(self, counter: Counter) -> Cell {
        match self {
            Self::Total => counter.packets.into(),
            Self::Rate(over) => {
                let rate_ = counter.packets as f64 / over.as_secs_f64();
                Cell::new(rate(rate_, ""), json!(rate_))
            }
        }
    }

    /// Bytes, as a rate in bits.
    fn bytes(self, counter: Counter) -> Cell {
        match self {
            Self::Total => Cell::new(bytes(counter.bytes), counter.bytes),
            Self::Rate(over) => {
                let rate_ = counter.bytes as f64 * 8.0 / over.as_secs_f64();
                Cell::new(rate(rate_, "bit"), json!(rate_))
            }
        }
    }
}

/// What becomes of a packet, as a word.
pub(super) const fn verdict(reason: Reason) -> &'static str {
    match reason.verdict() {
        Verdict::Redirect => "redirect",
        Verdict::Pass => "pass",
        Verdict::Drop => "drop",
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
    let read = || {
        let maps = chosen.maps(false)?;
        let view = chosen.view(&maps)?;
        let sums = Sums::read(&maps, &view.contents)?;
        anyhow::Ok((view, sums))
    };
    let Some(seconds) = args.watch else {
        let (view, sums) = read()?;
        show(args, &scene(args, &view, sums, Unit::Total)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut before: Option<(Sums, Instant)> = None;
    print::repeat(Duration::from_secs_f64(seconds), |_| {
        let (view, sums) = read()?;
        let now = Instant::now();
        if let Some((former, then)) = &before {
            let unit = Unit::Rate(now - *then);
            show(args, &scene(args, &view, sums.since(former), unit)?)?;
        } else if !args.style.json {
            scene(args, &view, sums.clone(), Unit::Total)?;
            print::repaint("measuring\n")?;
        }
        before = Some((sums, now));
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn scene<'a>(args: &Args, view: &'a View, sums: Sums, unit: Unit) -> anyhow::Result<Scene<'a>> {
    let port = args.port.as_deref().map(|name| {
        let slots: Vec<u32> = view.contents.ports.keys().copied().collect();
        slots.into_iter().find(|slot| view.port(*slot) == name).ok_or_else(|| {
            anyhow::anyhow!(
                "no program counts packets on port {name}; `fabricctl status` lists the ports"
            )
        })
    });
    Ok(Scene { view, sums, port: port.transpose()?, all: args.all, unit })
}

fn show(args: &Args, scene: &Scene<'_>) -> anyhow::Result<()> {
    let sheet = |by| -> Sheet {
        match by {
            By::Ports => ports::sheet(scene),
            By::Vnis => vnis::sheet(scene),
            By::Vteps => vteps::sheet(scene),
            By::Reasons => reasons::sheet(scene),
        }
    };
    let wanted: Vec<By> = match args.by {
        Some(by) => vec![by],
        None if args.port.is_some() => vec![By::Ports, By::Reasons],
        None => By::ALL.to_vec(),
    };
    let watching = args.watch.is_some();
    if args.style.json {
        let rows = |by| {
            if watching { per_second(sheet(by).json()) } else { sheet(by).json() }
        };
        let value: Value = match args.by {
            Some(by) => rows(by),
            None => wanted.iter().map(|by| (by.name().to_owned(), rows(*by))).collect(),
        };
        print::json(&value, watching)?;
        return Ok(());
    }
    let tables: Vec<String> = wanted.iter().map(|by| sheet(*by).text(args.style.look())).collect();
    let text = tables.join("\n");
    if watching {
        let title = format!("packets and bits per second at {}", print::time_of_day());
        print::repaint(&format!("{title}\n\n{text}"))?;
    } else {
        print::text(&text)?;
    }
    Ok(())
}

/// Names the fields of rows after what they are as rates.
fn per_second(mut rows: Value) -> Value {
    for row in rows.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let fields = std::mem::take(row);
        row.extend(fields.into_iter().map(|(key, value)| {
            (key.replace("packets", "packets_per_s").replace("bytes", "bits_per_s"), value)
        }));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_exact_and_rates_are_per_second_and_in_bits() {
        let counter = Counter { packets: 3_000_000, bytes: 384_000_000 };
        assert_eq!(Unit::Total.packets(counter).text(), "3000000");
        assert_eq!(Unit::Total.bytes(counter).text(), "366 MiB");
        let rate = Unit::Rate(Duration::from_secs(2));
        assert_eq!(rate.packets(counter).text(), "1.50 M");
        assert_eq!(rate.bytes(counter).text(), "1.54 Gbit");
        assert_eq!(rate.bytes(counter).value(), &json!(1_536_000_000.0));
    }

    #[test]
    fn rates_have_other_names_in_json_than_totals() {
        let rows = per_second(json!([{ "vni": 10, "sent_packets": 1.5, "bytes": 8.0 }]));
        assert_eq!(rows, json!([{ "vni": 10, "sent_packets_per_s": 1.5, "bits_per_s": 8.0 }]));
    }
}
