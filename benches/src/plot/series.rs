//! Which entries of a report belong into one plot.

use std::collections::BTreeMap;

use serde_json::Value;

/// Lines over a quantity.
#[derive(Debug, PartialEq)]
pub(super) struct Plot {
    /// Name of the file without its ending.
    pub(super) file: String,
    pub(super) title: String,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    /// The quantity grows by factors.
    pub(super) logarithmic: bool,
    /// Contender → points in ascending order.
    pub(super) lines: BTreeMap<String, Vec<(f64, f64)>>,
}

/// Bars, one under the other.
#[derive(Debug, PartialEq)]
pub(super) struct Chart {
    /// Name of the file without its ending.
    pub(super) file: &'static str,
    pub(super) title: &'static str,
    pub(super) x: &'static str,
    /// Label, length, half of the spread.
    pub(super) bars: Vec<(String, f64, f64)>,
}

/// What may differ between the entries of a plot.
struct Axis {
    setting: &'static str,
    file: &'static str,
    title: &'static str,
    label: &'static str,
    logarithmic: bool,
}

const AXES: [Axis; 4] = [
    Axis {
        setting: "frame_bytes",
        file: "frame-size",
        title: "frame size",
        label: "frame size, bytes with checksum",
        logarithmic: false,
    },
    Axis {
        setting: "destinations",
        file: "macs",
        title: "number of MAC addresses",
        label: "MAC addresses",
        logarithmic: true,
    },
    Axis {
        setting: "flows",
        file: "flows",
        title: "number of flows",
        label: "flows",
        logarithmic: true,
    },
    Axis {
        setting: "vteps",
        file: "vteps",
        title: "number of VTEPs",
        label: "VTEPs",
        logarithmic: true,
    },
];

/// Contenders whose rate is drawn.
const DRAWN: [&str; 3] = ["fabric", "kernel", "redirect"];

/// All plots of rates.
pub(super) fn plots(report: &[Value]) -> Vec<Plot> {
    let mut plots = Vec::new();
    for (direction, what) in [
        ("encapsulate", "Encapsulation"),
        ("decapsulate", "Decapsulation"),
        ("bridge", "Local bridging"),
    ] {
        for axis in &AXES {
            // Entries that agree in everything else; the largest such group is drawn.
            let mut groups: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
            // What asks for something else than a rate may have settings like these as well.
            let of_rates = |entry: &&Value| {
                entry["settings"]["direction"] == direction
                    && !entry["name"].as_str().is_some_and(|name| name.starts_with("features"))
            };
            for entry in report.iter().filter(of_rates) {
                if number(entry, axis.setting).is_some() {
                    groups.entry(others(entry, axis.setting)).or_default().push(entry);
                }
            }
            let Some(group) = groups.values().max_by_key(|group| group.len()) else { continue };
            let mut lines: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
            for entry in group {
                for name in DRAWN {
                    let time = entry["contenders_ns"][name].as_f64();
                    if let (Some(x), Some(ns)) = (number(entry, axis.setting), time) {
                        lines.entry(name.into()).or_default().push((x, 1_000.0 / ns));
                    }
                }
            }
            for points in lines.values_mut() {
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
            if group.len() > 1 {
                plots.push(Plot {
                    file: format!("{direction}-by-{}", axis.file),
                    title: format!("{what}: rate by {}, one core", axis.title),
                    x: axis.label,
                    y: "million frames per second",
                    logarithmic: axis.logarithmic,
                    lines,
                });
            }
        }
    }
    plots.extend(scale(report));
    plots
}

/// How long the daemon takes, by number of MAC addresses.
fn scale(report: &[Value]) -> Option<Plot> {
    let mut points: Vec<_> = report
        .iter()
        .filter(|entry| entry["settings"]["vnis"] == 1 && entry["settings"]["vteps"] == 64)
        .filter_map(|entry| {
            let y = entry["figures"]["kernel dump to forwarding, ms"].as_f64()?;
            Some((number(entry, "macs")?, y))
        })
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    (points.len() > 1).then(|| Plot {
        file: "scale-by-macs".into(),
        title: "fabric-xdpd: from the kernel's dump to forwarding".into(),
        x: "MAC addresses",
        y: "milliseconds",
        logarithmic: true,
        lines: [("fabric".into(), points)].into(),
    })
}

fn number(entry: &Value, setting: &str) -> Option<f64> {
    entry["settings"][setting].as_f64()
}

/// Everything that must be equal in entries of one plot, as text.
fn others(entry: &Value, but: &str) -> String {
    let settings = &entry["settings"];
    // As many flows as can be are more with more stations, and yet the same.
    let all = ["destinations", "sources"].map(|name| settings[name].as_u64().unwrap_or(0));
    let all_flows = settings["flows"].as_u64() == Some(all[0] * all[1] * 32_768);
    let mut text = format!("quick {}", settings["quick"]);
    for name in
        ["underlay", "frame_bytes", "destinations", "vteps"].into_iter().filter(|name| *name != but)
    {
        text += &format!(", {name} {}", settings[name]);
    }
    if but != "flows" {
        let flows = if all_flows { "all".into() } else { settings["flows"].to_string() };
        text += &format!(", flows {flows}");
    }
    text
}

/// All charts of ratios.
pub(super) fn charts(report: &[Value]) -> Vec<Chart> {
    let chart = |file, title, x, ratio: &str| {
        let bars: Vec<_> = report
            .iter()
            .filter_map(|entry| {
                let value = entry["ratios"][ratio].as_f64()?;
                let spread = entry["ratio_spread"][ratio].as_f64().unwrap_or(0.0);
                let name = entry["name"].as_str()?;
                let label = match entry["environment"]["emulated"].as_bool() {
                    Some(true) => format!("{name} (emulated)"),
                    _ => name.to_owned(),
                };
                Some((label, value, spread / 2.0))
            })
            .collect();
        (!bars.is_empty()).then_some(Chart { file, title, x, bars })
    };
    [
        chart(
            "ratio-kernel",
            "Fabric's rate next to the Linux kernel's, one core",
            "times the kernel's rate (median of interleaved rounds, and the middle half of them)",
            "kernel",
        ),
        chart(
            "ratio-redirect",
            "Fabric's time next to a bare XDP redirect's, one core",
            "times the time of a bare redirect (median of interleaved rounds, and the middle half of them)",
            "redirect",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(name: &str, frame: u32, destinations: u64, ns: f64) -> Value {
        json!({
            "name": name,
            "contenders_ns": { "fabric": ns, "kernel": 8.0 * ns, "discard": 1.0 },
            "ratios": { "kernel": 8.0 },
            "ratio_spread": { "kernel": 0.5 },
            "settings": {
                "direction": "encapsulate", "frame_bytes": frame, "destinations": destinations,
                "sources": 32, "flows": destinations * 32 * 32_768, "vteps": 64, "quick": false,
            },
        })
    }

    #[test]
    fn entries_that_differ_in_one_setting_make_a_plot_over_it() {
        let report = [
            entry("b", 1_518, 1_024, 200.0),
            entry("a", 64, 1_024, 100.0),
            entry("c", 64, 65_536, 125.0),
        ];
        let plots = plots(&report);
        let files: Vec<_> = plots.iter().map(|plot| plot.file.as_str()).collect();
        assert_eq!(files, ["encapsulate-by-frame-size", "encapsulate-by-macs"]);
        assert_eq!(plots[0].lines["fabric"], [(64.0, 10.0), (1_518.0, 5.0)]);
        assert_eq!(plots[1].lines["kernel"], [(1_024.0, 1.25), (65_536.0, 1.0)]);
        assert!(!plots[0].lines.contains_key("discard"));
    }

    #[test]
    fn quick_figures_are_not_mixed_with_others() {
        let mut quick = entry("b", 1_518, 1_024, 200.0);
        quick["settings"]["quick"] = true.into();
        assert_eq!(plots(&[entry("a", 64, 1_024, 100.0), quick]), []);
    }

    #[test]
    fn a_chart_has_the_entries_that_have_its_ratio() {
        let charts = charts(&[entry("a", 64, 1_024, 100.0), json!({ "name": "ecmp" })]);
        assert_eq!(charts.len(), 1);
        assert_eq!(charts[0].bars, [("a".to_owned(), 8.0, 0.25)]);
    }

    #[test]
    fn what_an_emulator_measured_is_labelled_so() {
        let mut emulated = entry("a", 64, 1_024, 100.0);
        emulated["environment"] = json!({ "emulated": true });
        assert_eq!(charts(&[emulated])[0].bars[0].0, "a (emulated)");
    }
}
