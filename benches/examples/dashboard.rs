//! Draws the dashboard's rows, as Prometheus answers them about a lab, into `docs/dashboard`.
//!
//! ```sh
//! cargo xtask setup && cargo build && cargo run --package fabric-benches --example dashboard
//! ```
//!
//! ```text
//!  vm11 ─┐         ┌ spine01 ┐         ┌─ vm21
//!  vm12 ─┤ leaf01 ─┤         ├─ leaf02 ┤─ vm22
//!  vm13 ─┘    ↑    └ spine02 ┘    ↑    └─ vm23
//!             ╰─ Prometheus ──────╯
//! ```
//!
//! Streams run between hosts in both networks and from one to the other. One after the other a link of a leaf is lost and
//! comes back, a host sends frames that no bridge forwards, a MAC address moves to and fro, and the kernel forwards
//! everything for a while. Needs root; takes three minutes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use fabric_benches::plot::dashboard::{Content, Panel, Place, Series, draw};
use fabric_tests::{
    dashboard::{self, Question},
    fabric::{Fabric, Wire},
    prometheus::{Prometheus, Target},
};
use rustix::process::Signal;
use serde_json::Value;

/// Seconds of the pictures, and between two of their points.
const SECONDS: f64 = 150.0;
const STEP: u32 = 2;
/// What the dashboard's variables stand for.
const CHOICES: [(&str, &str); 4] =
    [("$instance", ".*"), ("$device", "swp11"), ("$vni", "10200"), ("$__rate_interval", "8s")];

fn main() -> Result<()> {
    let fabric = Fabric::pair_alone();
    for (leaf, address) in [("leaf01", "9843"), ("leaf02", "0.0.0.0:9843")] {
        fabric.end_daemon(leaf, Signal::TERM);
        fabric.start_daemon(leaf, &["--metrics", address]);
    }
    let folder = fabric.file("of-prometheus");
    fs::create_dir_all(&folder)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let other = format!("{}:9843", fabric.vtep("leaf02"));
    let targets = [
        Target { address: "127.0.0.1:9843", instance: "leaf01" },
        Target { address: &other, instance: "leaf02" },
    ];
    let rules = root.join("observability/alerts.yml");
    let prometheus = Prometheus::scraping(&fabric.netns("leaf01"), &targets, &rules, &folder);
    let begin = now()?;
    play(&fabric);
    let end = begin + SECONDS;

    let drawn = root.join("docs/dashboard");
    fs::create_dir_all(&drawn)?;
    let mut rows: Vec<(String, Vec<Panel>)> = Vec::new();
    for asked in dashboard::panels(&CHOICES) {
        let panel = answered(&prometheus, &asked, (begin, end))
            .with_context(|| format!("the panel {} has no answer", asked.title))?;
        match rows.last_mut() {
            Some((row, panels)) if *row == asked.row => panels.push(panel),
            _ => rows.push((asked.row, vec![panel])),
        }
    }
    for (row, panels) in rows {
        let title = row.split(':').next().unwrap_or(&row);
        let name = title.to_ascii_lowercase().replace(' ', "-");
        let path = drawn.join(format!("{name}.svg"));
        draw(&panels, SECONDS, &path)?;
        println!("{}: {} bytes", path.display(), fs::metadata(&path)?.len());
    }
    Ok(())
}

fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}

/// What happens in the lab while it is watched.
fn play(fabric: &Fabric) {
    let begin = Instant::now();
    let until = |second: u64| {
        thread::sleep(Duration::from_secs(second).saturating_sub(begin.elapsed()));
    };
    let stream = |from, to, microseconds, port| {
        fabric.running_stream(from, to, Duration::from_micros(microseconds), port)
    };
    let mut streams =
        vec![stream("vm11", "vm21", 1_000, 9_001), stream("vm22", "vm12", 2_000, 9_002)];
    until(15);
    streams.push(stream("vm13", "vm23", 1_500, 9_003));
    streams.push(stream("vm11", "vm12", 2_500, 9_004));

    until(40);
    fabric.ip("spine01", "link set swp1 down");
    until(60);
    fabric.ip("spine01", "link set swp1 up");

    until(80);
    // From no address: bridges drop such frames.
    let host = Wire::open(&fabric.netns("vm12"), "eth0");
    let mut frame = [0; 60];
    frame[..6].copy_from_slice(&fabric.mac("vm22").0);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    while begin.elapsed() < Duration::from_secs(95) {
        host.send(&frame);
        thread::sleep(Duration::from_millis(10));
    }

    until(100);
    for number in 0..40 {
        let port = ["swp11", "swp12"][number % 2];
        let entry = format!("fdb replace 02:00:00:00:77:77 dev {port} master static");
        fabric.run("leaf01", "bridge", &entry);
        thread::sleep(Duration::from_millis(250));
    }

    until(118);
    fabric.bypass("leaf01", true);
    until(132);
    fabric.bypass("leaf01", false);
    until(SECONDS as u64);
    for stream in streams {
        let _report = stream.stop();
    }
}

/// A panel with what Prometheus answers to it.
fn answered(
    prometheus: &Prometheus,
    asked: &dashboard::Panel,
    (begin, end): (f64, f64),
) -> Result<Panel> {
    let [left, top, width, height] = asked.place;
    let instant = |question: &Question| prometheus.query(&question.expression);
    let content = match asked.kind.as_str() {
        "stat" => {
            let mut values = Vec::new();
            for question in &asked.questions {
                for series in instant(question)? {
                    values.push((question.name(&series["metric"]), number(&series["value"][1])?));
                }
            }
            Content::Stats { values, steps: asked.steps.clone() }
        }
        "table" => {
            let mut all = Vec::new();
            for question in &asked.questions {
                all.extend(instant(question)?);
            }
            table(&all)?
        }
        _ => {
            let mut series = Vec::new();
            for question in &asked.questions {
                let found = prometheus.query_range(&question.expression, (begin, end), STEP)?;
                for one in found {
                    series.push(line(question.name(&one["metric"]), &one["values"], begin)?);
                }
            }
            // What never happened is no line.
            series.retain(|(_, points)| points.iter().any(|(_, value)| *value != 0.0));
            Content::Lines { are_stacked: asked.is_stacked, series }
        }
    };
    Ok(Panel {
        title: asked.title.clone(),
        unit: asked.unit.clone(),
        place: Place { left, top, width, height },
        content,
    })
}

fn number(value: &Value) -> Result<f64> {
    let text = value.as_str().context("a value is no text")?;
    text.parse().with_context(|| format!("{text} is no number"))
}

/// A series as seconds since the beginning and values, without those that are no numbers.
fn line(name: String, values: &Value, begin: f64) -> Result<Series> {
    let mut points = Vec::new();
    for pair in values.as_array().context("there are no values")? {
        let (time, value) = (pair[0].as_f64().context("no time")?, number(&pair[1])?);
        if value.is_finite() {
            points.push((time - begin, value));
        }
    }
    Ok((name, points))
}

/// The labels that tell series apart, and their values unless they are all 1.
fn table(all: &[Value]) -> Result<Content> {
    let labels = |one: &Value| -> BTreeMap<String, String> {
        let labels = one["metric"].as_object().into_iter().flatten();
        let labels = labels.filter(|(name, _)| !["__name__", "job"].contains(&name.as_str()));
        labels.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").into())).collect()
    };
    let all: Vec<_> = all
        .iter()
        .map(|one| Ok((labels(one), number(&one["value"][1])?)))
        .collect::<Result<_>>()?;
    let names: BTreeSet<&String> = all.iter().flat_map(|(labels, _)| labels.keys()).collect();
    // The box comes first.
    let mut head: Vec<String> = names.into_iter().cloned().collect();
    head.sort_by_key(|name| name != "instance");
    let are_values = all.iter().any(|(_, value)| *value != 1.0);
    let row = |(labels, value): &(BTreeMap<String, String>, f64)| {
        let cells = head.iter().map(|name| labels.get(name).cloned().unwrap_or_default());
        cells.chain(are_values.then(|| value.to_string())).collect()
    };
    let mut rows: Vec<Vec<String>> = all.iter().map(row).collect();
    rows.sort();
    head.extend(are_values.then(|| "value".to_owned()));
    Ok(Content::Table { head, rows })
}
