//! How evenly does the compiled program share flows among the members of a group, and how many
//! flows does a change of members move?
//!
//! Every flow's first frame runs through the program that fabric-xdpd loads, towards a group whose
//! buckets can be told apart; members are given their buckets by the code that fabric-xdpd uses.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use clap::Parser;
use comfy_table::Table;
use fabric_benches::{
    environment::Environment,
    processor,
    report::{self, Figures},
};
use fabric_common::bucket::Member;
use fabric_tests::{
    ecmp::{
        flows::{FLOWS, inputs},
        paths::{Paths, Taken},
        quality::{Spread, buckets, choices, members, moved, weight_error, weighted},
        statistics::{distinct, independence},
    },
    leaf::leaf,
    world::SEED,
};

/// How evenly flows are shared among the members of a group.
#[derive(Parser)]
struct Arguments {
    /// An entry of the report; all without one.
    entry: Option<String>,
    /// Seeds of the flow hash to try, as if they were so many boxes [default: 4, or 2 with
    /// --quick].
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=64))]
    seeds: Option<u32>,
    /// Fewer seeds: to see that everything works, not to compare.
    #[arg(long)]
    quick: bool,
}

/// What the program gave to all flows of an input with a seed.
struct Seen {
    input: &'static str,
    taken: Vec<Taken>,
}

/// A figure and whether it is within its bar.
struct Figure {
    name: &'static str,
    value: f64,
    bar: &'static str,
    met: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let environment = Environment::read(processor::pin()?);
    let seeds = arguments.seeds.unwrap_or(if arguments.quick { 2 } else { 4 });
    println!(
        "{FLOWS} flows of each of {} inputs, {} seeds, through the compiled program",
        inputs().len(),
        seeds
    );
    let seen = measure(seeds);
    let seeds = seeds as usize;
    let all: [(&'static str, Vec<Figure>); 5] = [
        ("ecmp-spread", spread(&seen)),
        ("ecmp-weights", weights(&seen)),
        ("ecmp-change", change(&seen)),
        ("ecmp-independence", independent(&seen, seeds)),
        ("ecmp-source-ports", source_ports(&seen)),
    ];
    let mut table = Table::new();
    table.set_header(["entry", "figure", "value", "bar", ""]);
    let mut entries = Vec::new();
    for (name, figures) in all {
        if arguments.entry.as_deref().is_some_and(|entry| entry != name) {
            continue;
        }
        for Figure { name: figure, value, bar, met } in &figures {
            table.add_row([name, figure, &format!("{value:.4}"), bar, report::word(*met)]);
        }
        let meets_bar = figures.iter().all(|figure| figure.met);
        let figures =
            figures.into_iter().map(|figure| (figure.name.into(), figure.value)).collect();
        let found = Figures::judged(name, figures, [], BTreeMap::new(), environment.clone());
        entries.push(Figures { meets_bar, ..found });
    }
    println!("{table}");
    report::write(&report::path(), &entries).context("the report cannot be written")
}

fn measure(seeds: u32) -> Vec<Seen> {
    let mut seen = Vec::new();
    leaf(|leaf| {
        let mut paths = Paths::new(leaf);
        for input in inputs() {
            for seed in SEED..SEED + seeds {
                paths.seed(seed);
                seen.push(Seen { input: input.name, taken: paths.take_buckets(&input.frames) });
            }
        }
    });
    seen
}

/// Equal members, 2 to 128 of them.
fn spread(seen: &[Seen]) -> Vec<Figure> {
    let mut by_input: BTreeMap<&str, Spread> = BTreeMap::new();
    let mut tests = 0;
    let (mut least, mut below) = (1.0_f64, 0);
    let (mut worst, mut worst_size) = (0.0_f64, 0);
    let mut table = Table::new();
    table.set_header(["members", "variation / chance", "least p"]);
    for size in 2..=128 {
        let members = members(size);
        let group = buckets(&[], &members);
        let (mut all, mut least_here) = (Spread::default(), 1.0_f64);
        for Seen { input, taken } in seen {
            let spread = Spread::of(&choices(taken, &group), &members);
            all = all.and(spread);
            let of_input = by_input.entry(input).or_default();
            *of_input = of_input.and(spread);
            least_here = least_here.min(spread.probability());
            tests += 1;
            below += u32::from(spread.probability() <= 0.001);
        }
        least = least.min(least_here);
        if all.variation() > worst {
            (worst, worst_size) = (all.variation(), size);
        }
        if size.is_power_of_two() || [3, 5, 7, 12, 48, 100, 127].contains(&size) {
            table.add_row([
                size.to_string(),
                format!("{:.3}", all.variation()),
                format!("{least_here:.4}"),
            ]);
        }
    }
    println!("{table}");
    let mut table = Table::new();
    table.set_header(["input", "variation / chance"]);
    for (input, spread) in &by_input {
        table.add_row([(*input).to_owned(), format!("{:.3}", spread.variation())]);
    }
    println!("{table}");
    println!(
        "{below} of {tests} single measurements have p <= 0.001, where chance makes {:.1}; the \
         largest variation is that of {worst_size} members",
        f64::from(tests) * 0.001
    );
    // So many measurements have some p below 0.001 by chance: the bar holds for their number.
    let expected = f64::from(tests) * 0.001;
    let allowed = expected + 3.0 * expected.sqrt();
    vec![
        Figure {
            name: "least p of a measurement",
            value: least,
            bar: "(of all measurements)",
            met: true,
        },
        Figure {
            name: "measurements with p <= 0.001 per 1000",
            value: f64::from(below) * 1_000.0 / f64::from(tests),
            bar: "chance: 1, within 3 sigma",
            met: f64::from(below) <= allowed,
        },
        Figure {
            name: "largest variation / chance",
            value: worst,
            bar: "<= 1.2",
            met: worst <= 1.2,
        },
    ]
}

fn weights(seen: &[Seen]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, weights) in [
        ("largest error of a share, weights 1:2:3", &[1, 2, 3][..]),
        ("largest error of a share, weights 11:45", &[11, 45]),
    ] {
        let members: Vec<Member> = weighted(weights);
        let group = buckets(&[], &members);
        let error = weight_error(&group, &members);
        figures.push(Figure { name, value: error, bar: "<= 0.01", met: error <= 0.01 });
        let flows: Vec<u16> = seen.iter().flat_map(|s| choices(&s.taken, &group)).collect();
        let total: u32 = weights.iter().copied().map(u32::from).sum();
        let errors = members.iter().map(|m| {
            let own = flows.iter().filter(|choice| **choice == m.nexthop).count() as f64;
            (own * f64::from(total) / flows.len() as f64 / f64::from(m.weight) - 1.0).abs()
        });
        let error = errors.fold(0.0, f64::max);
        figures.push(Figure {
            name: if weights.len() == 3 {
                "the same in flows, 1:2:3"
            } else {
                "the same in flows, 11:45"
            },
            value: error,
            bar: "<= 0.01",
            met: error <= 0.01,
        });
    }
    figures
}

fn change(seen: &[Seen]) -> Vec<Figure> {
    let (mut others, mut worst) = (0, 0.0_f64);
    for size in [2, 3, 4, 5, 7, 8, 12, 15, 16, 24, 31, 32, 48, 63, 64, 65, 100, 126, 127] {
        let all = members(size);
        let group = buckets(&[], &all);
        let gone = size / 2 + 1;
        let rest: Vec<Member> = all.iter().copied().filter(|m| m.nexthop != gone).collect();
        let without = buckets(&group, &rest);
        let more = buckets(&group, &members(size + 1));
        let (mut flows, mut came) = (0, 0);
        for Seen { taken, .. } in seen {
            let before = choices(taken, &group);
            others += moved(&before, &choices(taken, &without), gone).others;
            let added = moved(&before, &choices(taken, &more), size + 1);
            others += added.others;
            flows += before.len();
            came += added.due;
        }
        worst = worst.max(came as f64 / flows as f64 * f64::from(size + 1));
    }
    vec![
        Figure {
            name: "flows of other members that moved",
            value: others as f64,
            bar: "0",
            met: others == 0,
        },
        Figure {
            name: "flows moved by one more of N, times (N+1)",
            value: worst,
            bar: "<= 1.1",
            met: worst <= 1.1,
        },
    ]
}

fn independent(seen: &[Seen], seeds: usize) -> Vec<Figure> {
    let (mut tiers, mut ports) = (1.0_f64, 1.0_f64);
    let group = buckets(&[], &members(16));
    for boxes in seen.chunks(seeds) {
        for pair in boxes.windows(2) {
            let [a, b] = [&pair[0], &pair[1]].map(|seen| choices(&seen.taken, &group));
            let pairs = a.into_iter().zip(b);
            let pairs = pairs.map(|(a, b)| (usize::from(a) - 1, usize::from(b) - 1));
            tiers = tiers.min(independence(pairs, 16, 16));
        }
        for seen in boxes {
            let port = seen.taken.iter().map(|taken| usize::from(taken.source_port & 15));
            let member = choices(&seen.taken, &group).into_iter().map(|c| usize::from(c) - 1);
            ports = ports.min(independence(member.zip(port), 16, 16));
        }
    }
    vec![
        Figure { name: "least p, two tiers", value: tiers, bar: "> 0.001", met: tiers > 0.001 },
        Figure {
            name: "least p, member and source port",
            value: ports,
            bar: "> 0.001",
            met: ports > 0.001,
        },
    ]
}

fn source_ports(seen: &[Seen]) -> Vec<Figure> {
    let share = |seen: &Seen| {
        let ports: BTreeSet<u16> = seen.taken.iter().map(|taken| taken.source_port).collect();
        ports.len() as f64 / distinct(FLOWS, 16_384)
    };
    let least = seen.iter().map(share).fold(f64::MAX, f64::min);
    vec![Figure {
        name: "least share of the values that chance gives",
        value: least,
        bar: ">= 0.99",
        met: least >= 0.99,
    }]
}
