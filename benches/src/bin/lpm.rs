//! How long does it take to find the longest prefix that matches an address, and to change one?
//!
//! The trie of fabric_common against the kernel's own (`BPF_MAP_TYPE_LPM_TRIE`), for IPv4 against
//! DIR-24-8 as well, and the table of exact hosts that is asked before any of them. Every lookup is
//! that of an address in some prefix, and which address comes next depends on the answer before, so
//! that nothing is overlapped. What the programs do besides looking up is measured in the same round
//! and subtracted. Every answer has to be that of a reference.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd as _, AsRawFd as _},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use aya::{
    EbpfLoader,
    maps::{Array, LpmTrie, Map, MapData, lpm_trie::Key},
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use clap::Parser as _;
use fabric_benches::{
    dir24,
    environment::Environment,
    lookups::{ADDRESSES, BATCH, SECOND_8, State, VIEW, WORDS},
    object::LOOKUPS,
    parts::{load, map, mapped, program},
    prefixes::{self, Chance, Family, Prefix, Reference},
    processor,
    report::{self, Figures},
    run::{self, Rounds, When},
    samples::{self, Summary},
};
use fabric_common::{
    schema::{hosts, hosts6, trie::Word},
    table::{Long, Wide},
};
use fabric_user::{
    kernel::{
        blocks::{self, Object},
        memory::MappedArray,
        pins::Instance,
        sizes::Sizes,
    },
    reconcile::trie::{self, Recovery, Tries},
};

/// What addresses are looked up in.
enum Table {
    Hosts,
    /// So many prefixes.
    Ipv4(u32),
    Ipv6(u32),
}

const ENTRIES: [(&str, When, Table); 7] = [
    ("lpm-hosts", When::Quick, Table::Hosts),
    ("lpm-ipv4-16", When::Quick, Table::Ipv4(16)),
    ("lpm-ipv6-16", When::Quick, Table::Ipv6(16)),
    ("lpm-ipv4-16k", When::Quick, Table::Ipv4(1 << 14)),
    ("lpm-ipv6-16k", When::Quick, Table::Ipv6(1 << 14)),
    ("lpm-ipv4-1m", When::Usual, Table::Ipv4(1 << 20)),
    ("lpm-ipv6-1m", When::Usual, Table::Ipv6(1 << 20)),
];
/// A change in nanoseconds, on average: 100,000 a second, more than routing daemons send.
const CHANGE_BAR: f64 = 10_000.0;
/// Runs that read every address once.
const ALL: u32 = ADDRESSES / BATCH;
/// Prefixes that are changed in a round, each by several changes.
const CHANGED: usize = 500;

fn main() -> ExitCode {
    run::end(run(&Rounds::parse()))
}

fn run(arguments: &Rounds) -> Result<()> {
    let rounds = arguments.number(15, 3);
    let about = |entry: &(_, When, Table)| (entry.0, entry.1);
    let entries = arguments.asked.each(
        &ENTRIES,
        about,
        processor::pin,
        |(name, _, table), environment| match *table {
            Table::Hosts => hosts(name, rounds, environment),
            Table::Ipv4(count) => prefixes_of::<Ipv4Addr>(name, count, rounds, environment),
            Table::Ipv6(count) => prefixes_of::<Ipv6Addr>(name, count, rounds, environment),
        },
    )?;
    show(&entries);
    Ok(())
}

/// What programs look into without the kernel's help, as the packet path does.
const BLOCKS: [&str; 5] = ["trie", "hosts", "hosts6", "first24", "second8"];

/// The loaded programs and what they look into.
struct Stage {
    object: Object,
    state: MappedArray<State>,
    addresses: MappedArray<[u64; 2]>,
    answers: Array<MapData, u32>,
    words: MappedArray<Word>,
}

impl Stage {
    fn new(programs: &[&str]) -> Result<Self> {
        let instance = Instance::new("lookups")?;
        instance.create()?;
        let pins = BLOCKS.map(|name| (name, instance.map(name)));
        let mut loader = EbpfLoader::new();
        for (name, path) in &pins {
            loader.map_pin_path(name, path);
        }
        let opened = blocks::open_at(&mut loader, LOOKUPS, &pins, &Sizes::default());
        instance.remove()?;
        let mut object = opened.context("cannot load the programs that look up")?;
        let ebpf = &mut object.ebpf;
        for name in programs {
            load(ebpf, name)?;
        }
        Ok(Self {
            state: mapped(ebpf, "state", 1)?,
            addresses: mapped(ebpf, "addresses", ADDRESSES)?,
            answers: Array::try_from(map(ebpf, "answers")?)?,
            words: mapped(ebpf, "trie", WORDS)?,
            object,
        })
    }

    fn look_for(&self, addresses: &[u128]) {
        for (index, bits) in (0..).zip(addresses) {
            self.addresses.set(index, &[(bits >> 64) as u64, *bits as u64]);
        }
    }

    /// Runs a program and returns how many nanoseconds one lookup took, with all around it.
    fn run(&mut self, name: &str, runs: u32) -> Result<f64> {
        let packet = [0; 64];
        let options = TestRunOptions { data_in: Some(&packet), repeat: runs, ..Default::default() };
        let program: &mut Xdp = program(&mut self.object.ebpf, name)?;
        let result = program.test_run(options)?;
        ensure!(result.return_value == PASS, "{name} ended with {}", result.return_value);
        Ok(result.duration.as_nanos() as f64 / f64::from(BATCH))
    }

    /// Every answer of a program must be that of the reference.
    fn check(&mut self, name: &str, expected: &[u32]) -> Result<()> {
        self.state.update(0, |state| state.next = 0);
        self.run(name, ALL)?;
        for (index, expected) in (0..).zip(expected) {
            let answer = self.answers.get(&index, 0)?;
            ensure!(
                answer == *expected,
                "{name} leads address {index} to {answer} instead of {expected}"
            );
            // Nobody may be right by what another one left.
            self.answers.set(index, u32::MAX, 0)?;
        }
        Ok(())
    }

    /// Times of a lookup by contender, one a round, without what the programs do besides.
    fn race(&mut self, contenders: &[&'static str], rounds: u32) -> Result<Times> {
        let mut times = Times::new();
        for _ in 0..rounds {
            let mut besides = 0.0;
            for name in ["nothing"].iter().chain(contenders) {
                // Once over every address, so that nobody pays for what the one before evicted.
                self.run(name, ALL)?;
                let time = self.run(name, 2 * ALL)?;
                match *name {
                    "nothing" => besides = time,
                    name => times.entry(name).or_default().push(time - besides),
                }
            }
        }
        Ok(times)
    }
}

type Times = BTreeMap<&'static str, Vec<f64>>;

/// `XDP_PASS` of `linux/bpf.h`.
const PASS: u32 = 2;

/// The kernel's trie for a family.
trait Kernel: Family {
    /// An address as the map has it.
    type Data: aya::Pod;
    /// Name of the map, of the program that asks it, and of the one that asks Fabric's trie.
    const NAMES: [&'static str; 3];
    fn data(bits: u128) -> Self::Data;
}

impl Kernel for Ipv4Addr {
    type Data = [u8; 4];
    const NAMES: [&'static str; 3] = ["kernel4", "lpm4", "trie4"];

    fn data(bits: u128) -> [u8; 4] {
        ((bits >> 96) as u32).to_be_bytes()
    }
}

impl Kernel for Ipv6Addr {
    type Data = [u8; 16];
    const NAMES: [&'static str; 3] = ["kernel6", "lpm6", "trie6"];

    fn data(bits: u128) -> [u8; 16] {
        bits.to_be_bytes()
    }
}

fn key<A: Kernel>(prefix: &Prefix) -> Key<A::Data> {
    Key::new(u32::from(prefix.length), A::data(prefix.bits))
}

fn prefixes_of<A: Kernel>(
    name: &str,
    count: u32,
    rounds: u32,
    environment: Environment,
) -> Result<Figures> {
    println!("{name}: filling tables with {count} prefixes");
    let [kernel_map, kernel_program, our_program] = A::NAMES;
    let direct = A::BITS == 32;
    let mut contenders = vec![our_program, kernel_program];
    contenders.extend(direct.then_some("dir24"));
    let mut stage = Stage::new(&[&contenders[..], &["nothing"]].concat())?;
    let mut chance = Chance::new(u64::from(count));
    let table = prefixes::table::<A>(count, &mut chance);
    let mut figures = BTreeMap::new();
    let mut figure = |name: &str, value: f64| figures.insert(name.to_owned(), value);

    let mut tries = Recovery::new(&stage.words).finish();
    let mut ours = trie::Table::<A>::default();
    let list =
        || table.iter().map(|prefix| (A::from_bits(prefix.bits), prefix.length, prefix.target));
    let start = Instant::now();
    tries.sync(&stage.words, &mut ours, list(), start)?;
    figure("build_ms", milliseconds(start));
    figure("build_writes", tries.writes() as f64);
    figure("bytes", f64::from(tries.used()) * 8.0);
    let start = Instant::now();
    tries.sync(&stage.words, &mut ours, list(), start)?;
    figure("audit_ms", milliseconds(start));
    stage.state.update(0, |state| state.root = ours.root());

    let Map::LpmTrie(data) = map(&mut stage.object.ebpf, kernel_map)? else { bail!("no LPM trie") };
    let descriptor = data.fd().as_fd().as_raw_fd();
    let mut kernel = LpmTrie::<_, A::Data, u32>::try_from(Map::LpmTrie(data))?;
    let start = Instant::now();
    for prefix in &table {
        kernel.insert(&key::<A>(prefix), prefix.target, 0)?;
    }
    figure("kernel_build_ms", milliseconds(start));
    figure("kernel_bytes", memory_of(descriptor)?);

    if direct {
        let first = mapped(&mut stage.object.ebpf, "first24", 1 << 23)?;
        let second = mapped(&mut stage.object.ebpf, "second8", SECOND_8 / 2)?;
        let start = Instant::now();
        let blocks = dir24::fill(&first, &second, &table)?;
        figure("dir24_build_ms", milliseconds(start));
        figure("dir24_bytes", f64::from((1 << 24) + blocks * 256) * 4.0);
    }

    let addresses = prefixes::addresses::<A>(&table, ADDRESSES, &mut chance);
    let reference = Reference::new(&table);
    let expected: Vec<_> = addresses.iter().map(|bits| reference.lookup(*bits)).collect();
    ensure!(!expected.contains(&0), "an address is in no prefix");
    stage.look_for(&addresses);
    for contender in &contenders {
        stage.check(contender, &expected)?;
    }
    let lookups = stage.race(&contenders, rounds)?;

    let mut changes = Changes { times: Times::new(), slowest: 0.0 };
    for _ in 0..rounds {
        let chosen: Vec<_> =
            (0..CHANGED).map(|_| table[chance.below(u64::from(count)) as usize]).collect();
        changes.ours(&stage.words, &mut tries, &mut ours, &chosen)?;
        changes.kernels::<A>(&mut kernel, &chosen)?;
    }
    // All changes were undone.
    stage.check(our_program, &expected)?;
    stage.check(kernel_program, &expected)?;
    figure("slowest_change_us", changes.slowest / 1_000.0);
    let default = (A::from_bits(0), 0);
    let start = Instant::now();
    tries.set(&stage.words, &mut ours, default, Some(7), start)?;
    figure("default_route_ms", milliseconds(start));

    let series = |times: &Times, name: &str| times.get(name).cloned().unwrap_or_default();
    for (label, name) in [("fabric", our_program), ("kernel", kernel_program), ("dir24", "dir24")] {
        if let Some(Summary { median, iqr }) = samples::summarize(&series(&lookups, name)) {
            figure(&format!("{label}_lookup_ns"), median);
            figure(&format!("{label}_lookup_spread"), iqr);
        }
    }
    let mut meets_bar = true;
    let pairs = [
        ("lookup", series(&lookups, kernel_program), series(&lookups, our_program)),
        ("retarget", series(&changes.times, "kernel_retarget"), series(&changes.times, "retarget")),
        ("replace", series(&changes.times, "kernel_replace"), series(&changes.times, "replace")),
    ];
    for (what, theirs, ours) in pairs {
        let ratio = samples::ratio(&theirs, &ours).context("no rounds")?;
        let median = |series: &[f64]| samples::summarize(series).map_or(0.0, |all| all.median);
        if what != "lookup" {
            figure(&format!("fabric_{what}_ns"), median(&ours));
            figure(&format!("kernel_{what}_ns"), median(&theirs));
        }
        figure(&format!("kernel_{what}"), ratio.median);
        figure(&format!("kernel_{what}_spread"), ratio.iqr);
        meets_bar &= match what {
            "lookup" => ratio.median >= 1.0,
            _ => median(&ours) <= CHANGE_BAR,
        };
    }
    let found = Figures::judged(name, figures, [], BTreeMap::new(), environment);
    Ok(Figures { meets_bar, ..found })
}

/// Times of changes: `retarget` gives a prefix another target, `replace` removes or adds it.
struct Changes {
    times: Times,
    /// Our slowest change in nanoseconds.
    slowest: f64,
}

impl Changes {
    fn ours<A: Kernel>(
        &mut self,
        words: &MappedArray<Word>,
        tries: &mut Tries,
        table: &mut trie::Table<A>,
        chosen: &[Prefix],
    ) -> Result<()> {
        let mut set = |prefix: &Prefix, target| {
            let start = Instant::now();
            let place = (A::from_bits(prefix.bits), prefix.length);
            tries.set(words, table, place, target, start)?;
            self.slowest = self.slowest.max(start.elapsed().as_nanos() as f64);
            anyhow::Ok(())
        };
        let retarget = each(chosen, |prefix| {
            set(prefix, Some(prefix.target + 1_000))?;
            set(prefix, Some(prefix.target))
        })?;
        let replace = each(chosen, |prefix| {
            set(prefix, None)?;
            set(prefix, Some(prefix.target))
        })?;
        self.times.entry("retarget").or_default().push(retarget / 2.0);
        self.times.entry("replace").or_default().push(replace / 2.0);
        Ok(())
    }

    fn kernels<A: Kernel>(
        &mut self,
        kernel: &mut LpmTrie<MapData, A::Data, u32>,
        chosen: &[Prefix],
    ) -> Result<()> {
        let retarget = each(chosen, |prefix| {
            kernel.insert(&key::<A>(prefix), prefix.target + 1_000, 0)?;
            Ok(kernel.insert(&key::<A>(prefix), prefix.target, 0)?)
        })?;
        let replace = each(chosen, |prefix| {
            kernel.remove(&key::<A>(prefix))?;
            Ok(kernel.insert(&key::<A>(prefix), prefix.target, 0)?)
        })?;
        self.times.entry("kernel_retarget").or_default().push(retarget / 2.0);
        self.times.entry("kernel_replace").or_default().push(replace / 2.0);
        Ok(())
    }
}

/// Does something for each prefix and returns how many nanoseconds it took for one.
fn each(chosen: &[Prefix], mut act: impl FnMut(&Prefix) -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    chosen.iter().try_for_each(&mut act)?;
    Ok(start.elapsed().as_nanos() as f64 / chosen.len() as f64)
}

fn hosts(name: &str, rounds: u32, environment: Environment) -> Result<Figures> {
    println!("{name}: filling the tables with {ADDRESSES} hosts");
    let contenders = ["host4", "host6"];
    let mut stage = Stage::new(&["nothing", "host4", "host6"])?;
    let mut figures = BTreeMap::new();
    let mut chance = Chance::new(1);
    let count = ADDRESSES - 1;
    let known: Vec<_> = (0..count)
        .map(|i| {
            // Racks of 64 hosts.
            let four = u128::from(0x0a00_0000 | ((i / 64) << 8) | (i % 64 + 1)) << 96;
            let six = 0x2001_0db8 << 96 | u128::from(i / 64) << 64 | u128::from(i % 64 + 1);
            (four, six, 1 + chance.below(200) as u32)
        })
        .collect();
    let four: MappedArray<Wide> = mapped(&mut stage.object.ebpf, "hosts", hosts::BUCKETS)?;
    let six: MappedArray<Long> = mapped(&mut stage.object.ebpf, "hosts6", hosts6::BUCKETS)?;
    for (host, (a, b, target)) in known.iter().enumerate() {
        let address = [(b >> 64) as u64, *b as u64].map(u64::to_be);
        let (key, rest) = (hosts6::key(VIEW, address), hosts6::rest(VIEW, address));
        let placed = four.table().insert(hosts::key(VIEW, ((a >> 96) as u32).to_be()), *target)
            && six.table().insert_long(key, rest, *target);
        ensure!(placed, "a table has no room for host {host} of {count}");
    }
    let drawn: Vec<_> =
        (0..ADDRESSES).map(|_| known[chance.below(u64::from(count)) as usize]).collect();
    let expected: Vec<_> = drawn.iter().map(|(.., target)| *target).collect();
    for (contender, addresses) in contenders.iter().zip([
        drawn.iter().map(|(four, ..)| *four).collect::<Vec<_>>(),
        drawn.iter().map(|(_, six, _)| *six).collect(),
    ]) {
        stage.look_for(&addresses);
        stage.check(contender, &expected)?;
        let times = stage.race(&[*contender], rounds)?;
        let time = samples::summarize(&times[contender]).context("no rounds")?;
        figures.insert(format!("{contender}_lookup_ns"), time.median);
        figures.insert(format!("{contender}_lookup_spread"), time.iqr);
    }
    Ok(Figures::judged(name, figures, [], BTreeMap::new(), environment))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// Memory of a map in bytes, as the kernel counts it.
fn memory_of(descriptor: i32) -> Result<f64> {
    let path = format!("/proc/self/fdinfo/{descriptor}");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let bytes = text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok());
    bytes.with_context(|| format!("{path} does not say how much memory the map takes"))
}

fn show(entries: &[Figures]) {
    let mut table = comfy_table::Table::new();
    table.set_header([
        "entry",
        "lookup ns",
        "kernel",
        "DIR-24-8",
        "retarget ns",
        "kernel",
        "remove/add ns",
        "kernel",
        "build ms",
        "kernel",
        "MiB",
        "kernel",
        "",
    ]);
    for entry in entries {
        let value = |name: &str, digits: usize| match entry.figures.get(name) {
            Some(value) => format!("{value:.digits$}"),
            None => String::new(),
        };
        let mebibytes = |name: &str| match entry.figures.get(name) {
            Some(bytes) => format!("{:.1}", bytes / f64::from(1 << 20)),
            None => String::new(),
        };
        let lookup = match entry.name.as_str() {
            "lpm-hosts" => {
                format!("{}, {}", value("host4_lookup_ns", 1), value("host6_lookup_ns", 1))
            }
            _ => value("fabric_lookup_ns", 1),
        };
        table.add_row([
            entry.name.clone(),
            lookup,
            value("kernel_lookup_ns", 1),
            value("dir24_lookup_ns", 1),
            value("fabric_retarget_ns", 0),
            value("kernel_retarget_ns", 0),
            value("fabric_replace_ns", 0),
            value("kernel_replace_ns", 0),
            value("build_ms", 1),
            value("kernel_build_ms", 1),
            mebibytes("bytes"),
            mebibytes("kernel_bytes"),
            report::word(entry.meets_bar).to_owned(),
        ]);
    }
    println!("{table}");
    println!(
        "The bar: lookups faster than in the kernel's LPM trie in the same round, and changes that \
         take at most {CHANGE_BAR} ns on average."
    );
}
