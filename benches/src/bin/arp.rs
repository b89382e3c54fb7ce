//! What does an ARP request for a host behind another leaf cost, answered by Fabric, next to the kernel's own
//! suppression (`neigh_suppress`)?
//!
//! Live requests from the generator go through the program on an access port, or past it into the kernel's
//! bridge, and the answer to the far end of the same port's cable. What the generator costs by itself is known from a
//! program that drops, and taken off.

use std::{collections::BTreeMap, fs, net::Ipv4Addr, process::ExitCode};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use comfy_table::Table;
use fabric_benches::{
    answer::progress,
    arp,
    direction::Direction,
    environment::{self, Environment},
    fabric::Fabric,
    flow::{Flow, SOURCES, destination_mac},
    leaf::{ACCESS_MTU, Leaf, mac_text},
    processor,
    race::{BATCH, Contender, End, Race, Way},
    report,
    run::{self, Rounds, When},
    samples::{self, Summary},
    tool,
    traffic::{Offer, Traffic},
};
use fabric_common::reason::Reason;
use fabric_user::{
    kernel::programs::ACCESS,
    model::{Answer, AnswerKey, Desired},
    observe::Mac,
};

/// What is measured when, and how many ports with hosts the bridge has.
const ENTRIES: [(&str, When, u32); 2] =
    [("arp-2-ports", When::Quick, 2), ("arp-48-ports", When::Usual, 48)];
/// Hosts that are asked for.
const DESTINATIONS: u32 = 512;
/// Requests in a second that Fabric is to answer for less than the kernel takes for [`KERNEL_REQUESTS`].
const REQUESTS: f64 = 100_000.0;
const KERNEL_REQUESTS: f64 = 10_000.0;
/// How many bytes an answer is longer than its request.
const GROWS: i64 = arp::REPLY as i64 - arp::REQUEST as i64;

const FABRIC: &str = "fabric";
const KERNEL: &str = "kernel";
const DISCARD: &str = "discard";

fn main() -> ExitCode {
    run::end(run(&Rounds::parse()))
}

fn run(arguments: &Rounds) -> Result<Vec<report::Entry>> {
    arguments.asked.each(
        &ENTRIES,
        |entry| (entry.0, entry.1),
        processor::pin,
        |(name, _, ports), environment| measure(name, *ports, arguments, environment),
    )
}

fn measure(
    name: &str,
    ports: u32,
    arguments: &Rounds,
    mut environment: Environment,
) -> Result<report::Entry> {
    println!("{name}: building a leaf");
    let quick = arguments.asked.quick;
    let rounds = arguments.number(60, 8);
    let frames = if quick { 15_625 } else { 62_500 };
    let plan = Direction::Encapsulate.plan(DESTINATIONS, 64);
    let leaf = Leaf::build_for(&plan)?;
    environment.bridge_nf = environment::bridge_nf();
    let mut desired = leaf.desired(&plan);
    suppress(&mut desired, ports)?;
    let mut fabric = Fabric::start(desired)?;
    let way = Way { ingress: leaf.access, egress: leaf.access, sink: leaf.host, end: End::Driver };
    let mut race = Race::along(way)?;
    race.traffic = Traffic::of(Offer::Arp);
    let contender =
        |name: &str, program, grows| Contender { name: name.into(), program, frames, grows };
    let program = fabric.xdp(ACCESS)?.fd()?.try_clone()?;
    let contenders = [
        contender(FABRIC, program, Some(GROWS)),
        contender(KERNEL, race.baseline("kernel")?, Some(GROWS)),
        contender(DISCARD, race.baseline("discard")?, None),
    ];
    race.await_quiet()?;
    for contender in &contenders {
        race.turn(contender, DESTINATIONS)?;
    }
    for contender in &contenders[..2] {
        compare_bytes(&mut race, contender)?;
    }
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 1..=rounds {
        fabric.beat()?;
        for turn in 0..contenders.len() {
            let contender = &contenders[(turn + round as usize) % contenders.len()];
            let before = (fabric.ended(Reason::ArpAnswered), seen_by_kernel()?);
            times.entry(&contender.name).or_default().push(race.turn(contender, DESTINATIONS)?);
            let answered = fabric.ended(Reason::ArpAnswered) - before.0;
            let seen = seen_by_kernel()? - before.1;
            let expected = match &contender.name[..] {
                FABRIC => (u64::from(frames), 0),
                KERNEL => (0, u64::from(frames)),
                _ => (0, 0),
            };
            ensure!(
                (answered, seen) == expected,
                "{}: Fabric answered {answered} requests and the kernel's own ARP saw {seen}",
                contender.name
            );
        }
        progress(name, round, rounds);
    }
    evaluate(name, ports, quick, &times, environment)
}

/// Has the tunnel suppress, gives the bridge its neighbours, and more ports to flood to.
fn suppress(desired: &mut Desired, ports: u32) -> Result<()> {
    let queues = "numrxqueues 1 numtxqueues 1";
    let mut lines = String::new();
    for number in 2..ports {
        lines += &format!(
            "link add name access{number} mtu {ACCESS_MTU} {queues} type veth \
                peer name host{number} {queues}\n\
             link set dev access{number} master bridge0\n\
             link set dev access{number} up\n\
             link set dev host{number} up\n"
        );
    }
    let (domain, entry) = desired.structure.domains.iter_mut().next().context("no domain")?;
    entry.answers_arp = true;
    for destination in 0..DESTINATIONS {
        let (address, mac) =
            (Ipv4Addr::from(arp::asked(destination)), destination_mac(destination));
        lines += &format!(
            "neigh replace {address} lladdr {} dev bridge0 nud permanent\n",
            mac_text(mac)
        );
        let key = AnswerKey { domain: *domain, address: address.into() };
        desired.answers.insert(key, Answer { mac: Some(Mac(mac)), router: false });
    }
    tool::batch("ip", &lines)?;
    tool::batch("bridge", "link set dev vxlan0 neigh_suppress on\n")
}

/// Frames that the bridge has handed up to the box itself, whose ARP sees every broadcast.
fn seen_by_kernel() -> Result<u64> {
    let path = "/proc/thread-self/net/dev";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let bridge = text.lines().find_map(|line| line.trim_start().strip_prefix("bridge0:"));
    // Bytes and packets that were received.
    let packets = bridge.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    packets.with_context(|| format!("{path} has no packets of the bridge"))
}

/// Every answer must be the right one.
fn compare_bytes(race: &mut Race, contender: &Contender) -> Result<()> {
    for number in 0..16 {
        let flow = Flow { destination: 31 * number, source: number % SOURCES, port: 0x8000 };
        let packets = race.capture(contender, &flow, DESTINATIONS, 1)?;
        let answer = packets.first().with_context(|| format!("{}: no answer", contender.name))?;
        let bytes = answer.bytes.get(..answer.length as usize);
        ensure!(bytes == Some(&arp::reply(&flow)), "{}: a wrong answer", contender.name);
    }
    Ok(())
}

fn evaluate(
    name: &str,
    ports: u32,
    quick: bool,
    times: &BTreeMap<&str, Vec<f64>>,
    environment: Environment,
) -> Result<report::Entry> {
    let of = |name: &str| times.get(name).context("a contender has no times");
    let floor = of(DISCARD)?;
    let net = |name: &str| -> Result<Vec<f64>> {
        Ok(of(name)?.iter().zip(floor).map(|(time, floor)| time - floor).collect())
    };
    let (ours, kernels) = (net(FABRIC)?, net(KERNEL)?);
    let ratio = samples::ratio(&kernels, &ours).context("no rounds")?;
    let mut table = Table::new();
    table.set_header(["answered by", "ns/request", "spread", "processor at 100,000/s"]);
    let mut contenders_ns = BTreeMap::new();
    for (who, series) in [(FABRIC, &ours), (KERNEL, &kernels)] {
        let Summary { median, iqr } = samples::summarize(series).context("no rounds")?;
        let percent = median * REQUESTS / 1e7;
        table.add_row([
            who.into(),
            format!("{median:.1}"),
            format!("{iqr:.1}"),
            format!("{percent:.2} %"),
        ]);
        contenders_ns.insert(who.into(), median);
    }
    println!("{table}");
    let time = samples::summarize(&ours).context("no rounds")?;
    let meets_bar = ratio.median >= REQUESTS / KERNEL_REQUESTS;
    println!(
        "{name}: the kernel takes {:.1} times as long; the bar is {}, so that {REQUESTS} requests a \
         second cost less than {KERNEL_REQUESTS} do there: {}",
        ratio.median,
        REQUESTS / KERNEL_REQUESTS,
        report::word(meets_bar)
    );
    Ok(report::Entry {
        name: name.into(),
        median_ns: time.median,
        mpps: 1_000.0 / time.median,
        ratios: [(KERNEL.into(), ratio.median)].into(),
        spread: time.iqr,
        ratio_spread: [(KERNEL.into(), ratio.iqr)].into(),
        contenders_ns,
        meets_bar,
        settings: report::settings([
            ("frame_bytes", (arp::REQUEST as u64 + 4).into()),
            ("neighbours", DESTINATIONS.into()),
            ("ports", ports.into()),
            ("without", "what the generator takes by itself".into()),
            ("quick", quick.into()),
            ("rounds", ours.len().into()),
            ("batch", BATCH.into()),
        ]),
        environment,
    })
}
