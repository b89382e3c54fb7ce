//! What each stage of a journey costs: a group of bars a stage, one bar for each load.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use serde_json::Value;

use super::style::{INK, SIZE, TEXT, TITLE, shade, text};

/// Loads in the order in which they are drawn, and what they are called.
const LOADS: [(&str, &str); 3] =
    [("1-flow", "1 flow"), ("1k", "1k destinations"), ("64k", "64k destinations")];
/// Pixels for the names of stages on the left.
const LABELS: i32 = 150;
/// Pixels for title and legend.
const HEAD: i32 = 128;
/// Pixels for the axis.
const FOOT: i32 = 58;
/// Height of a bar.
const BAR: i32 = 11;
/// Room between two stages.
const GAP: i32 = 10;

/// The stages of a journey.
#[derive(Debug, PartialEq)]
pub(super) struct Stages {
    /// Name of the file without its ending.
    pub(super) file: String,
    title: String,
    /// Name of each stage, in their order.
    names: Vec<String>,
    loads: Vec<Load>,
}

/// What a load has found.
#[derive(Debug, PartialEq)]
struct Load {
    /// Which of [`LOADS`].
    number: usize,
    /// Nanoseconds and half of the spread, by stage.
    costs: Vec<(f64, f64)>,
    /// The whole program in nanoseconds.
    program: f64,
}

/// All charts that the report is enough for.
pub(super) fn charts(report: &[Value]) -> Vec<Stages> {
    // Quick figures are not mixed with others.
    let mut journeys: BTreeMap<(String, bool), Stages> = BTreeMap::new();
    for entry in report {
        let settings = &entry["settings"];
        let Some(journey) = settings["journey"].as_str() else { continue };
        let place = LOADS.iter().position(|load| Some(load.0) == settings["load"].as_str());
        let (Some(number), Some(stages)) = (place, settings["stages"].as_array()) else { continue };
        let names: Vec<_> =
            stages.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        let figure = |name: String| entry["figures"][name].as_f64().unwrap_or(0.0);
        let costs = names.iter().map(|name| {
            (figure(format!("{name}, ns")), figure(format!("{name}, ns, spread")) / 2.0)
        });
        let load = Load { number, costs: costs.collect(), program: figure("program, ns".into()) };
        let quick = settings["quick"].as_bool().unwrap_or_default();
        let chart = journeys.entry((journey.to_owned(), quick)).or_insert_with(|| Stages {
            file: format!("cost-per-stage-{journey}"),
            title: settings["title"].as_str().unwrap_or(journey).to_owned(),
            names: names.clone(),
            loads: Vec::new(),
        });
        if chart.names == names {
            chart.loads.push(load);
        }
    }
    // A usual run comes after a quick one and wins the file.
    let mut charts: BTreeMap<String, Stages> = BTreeMap::new();
    for ((journey, quick), mut chart) in journeys {
        chart.loads.sort_by_key(|load| load.number);
        if !quick || !charts.contains_key(&journey) {
            charts.insert(journey, chart);
        }
    }
    charts.into_values().collect()
}

pub(super) fn draw(chart: &Stages, path: &Path) -> Result<()> {
    let bars = chart.loads.len() as i32;
    let step = bars * BAR + GAP;
    let bottom = HEAD + step * chart.names.len() as i32;
    let (width, height) = (SIZE.0 as i32, bottom + FOOT);
    let costs = || chart.loads.iter().flat_map(|load| &load.costs);
    let longest = costs().map(|(value, half)| value + half).fold(1.0, f64::max);
    // Room on the right for the longest bar's value.
    let right = width - 80;
    let x = |ns: f64| LABELS + (f64::from(right - LABELS) * ns.max(0.0) / longest).round() as i32;
    let area = SVGBackend::new(path, (SIZE.0, height as u32)).into_drawing_area();

    let at = |horizontal, vertical| Pos::new(horizontal, vertical);
    let title = format!("{}: cost per stage of the program alone, one core", chart.title);
    let centred = text(TITLE).pos(at(HPos::Center, VPos::Center));
    area.draw_text(&title, &centred, (width / 2, 26))?;
    let from_left = text(TEXT).pos(at(HPos::Left, VPos::Center));
    for (row, load) in (0..).zip(&chart.loads) {
        let y = 54 + 20 * row;
        let colour = shade(load.number);
        area.draw(&Rectangle::new([(LABELS, y - 5), (LABELS + 20, y + 5)], colour.filled()))?;
        let whole = format!("{}: {:.0} ns in all", LOADS[load.number].1, load.program);
        area.draw_text(&whole, &from_left, (LABELS + 28, y))?;
    }

    let from_top = text(TEXT).pos(at(HPos::Center, VPos::Top));
    for tick in ticks(longest) {
        let place = x(tick);
        let line = [(place, HEAD - 6), (place, bottom)];
        area.draw(&PathElement::new(line, INK.mix(0.25).stroke_width(1)))?;
        area.draw_text(&format!("{tick}"), &from_top, (place, bottom + 6))?;
    }
    let what = "nanoseconds per packet (median of interleaved rounds, and the middle half of them)";
    area.draw_text(what, &from_top, ((LABELS + right) / 2, bottom + 30))?;

    let from_right = text(TEXT).pos(at(HPos::Right, VPos::Center));
    let value_style = text(TEXT - 3).pos(at(HPos::Left, VPos::Center));
    for (row, name) in (0..).zip(&chart.names) {
        let top = HEAD + step * row + GAP / 2;
        area.draw_text(name, &from_right, (LABELS - 10, top + bars * BAR / 2))?;
        for (bar, load) in (0..).zip(&chart.loads) {
            let (value, half) = load.costs[row as usize];
            let y = top + bar * BAR;
            let colour = shade(load.number);
            let body = [(LABELS, y + 1), (x(value), y + BAR - 1)];
            area.draw(&Rectangle::new(body, colour.filled()))?;
            let middle = y + BAR / 2;
            let spread = [(x(value - half), middle), (x(value + half), middle)];
            area.draw(&PathElement::new(spread, INK.stroke_width(1)))?;
            let beside = (x(value + half) + 5, middle);
            area.draw_text(&format!("{value:.1}"), &value_style, beside)?;
        }
    }
    area.draw(&PathElement::new([(LABELS, HEAD - 6), (LABELS, bottom)], INK.stroke_width(1)))?;
    area.present().context("the file cannot be written")
}

/// Five to ten round numbers from 0 to `longest`.
fn ticks(longest: f64) -> impl Iterator<Item = f64> {
    let power = 10_f64.powf((longest / 5.0).log10().floor());
    let step = [5.0, 2.0, 1.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| longest / step >= 5.0)
        .unwrap_or(power);
    // Counted, as a sum of steps would not stay round.
    (0..).map(move |n| (f64::from(n) * step * 1e3).round() / 1e3).take_while(move |t| *t <= longest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(load: &str, quick: bool, ns: f64) -> Value {
        json!({
            "name": format!("stages-encap-{load}"),
            "figures": {
                "port_input, ns": ns, "port_input, ns, spread": 1.0,
                "verdict, ns": 2.0 * ns, "verdict, ns, spread": 0.0,
                "program, ns": 3.0 * ns,
            },
            "settings": {
                "journey": "encap", "title": "Encapsulation", "load": load, "quick": quick,
                "stages": ["port_input", "verdict"],
            },
        })
    }

    #[test]
    fn a_journey_has_one_chart_with_its_loads_in_their_order() {
        let charts = charts(&[
            entry("64k", false, 9.0),
            entry("1-flow", false, 3.0),
            json!({ "name": "x" }),
        ]);
        assert_eq!(charts.len(), 1);
        assert_eq!(charts[0].file, "cost-per-stage-encap");
        assert_eq!(charts[0].names, ["port_input", "verdict"]);
        let loads: Vec<_> = charts[0].loads.iter().map(|load| load.number).collect();
        assert_eq!(loads, [0, 2]);
        assert_eq!(charts[0].loads[1].costs, [(9.0, 0.5), (18.0, 0.0)]);
        assert_eq!(charts[0].loads[1].program, 27.0);
    }

    #[test]
    fn quick_figures_are_drawn_only_if_there_are_no_others() {
        let quick = [entry("1k", true, 5.0)];
        assert_eq!(charts(&quick)[0].loads[0].program, 15.0);
        let both = [entry("1k", true, 5.0), entry("64k", false, 9.0)];
        let charts = charts(&both);
        assert_eq!(charts.len(), 1);
        assert_eq!(charts[0].loads.len(), 1);
        assert_eq!(charts[0].loads[0].program, 27.0);
    }

    #[test]
    fn axes_have_five_to_ten_round_ticks() {
        for (longest, last, count) in
            [(7.3, 7.0, 8), (12.0, 12.0, 7), (31.0, 30.0, 7), (0.9, 0.9, 10)]
        {
            let all: Vec<_> = ticks(longest).collect();
            assert_eq!((all.len(), all.last()), (count, Some(&last)), "{longest}: {all:?}");
        }
    }
}
