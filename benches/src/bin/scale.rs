//! How long does fabricd take to learn what the kernel knows, how many changes can it follow, and
//! how soon does a change arrive in the maps?
//!
//! The real fabricd in a namespace with a leaf; MAC addresses come and go through netlink in the
//! form in which zebra writes them. A change counts when the packet path's map has it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::PathBuf,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use fabric_benches::{
    arena,
    contest::When,
    daemon::Daemon,
    environment::{self, Environment},
    flow::{OUTER, SOURCES, destination_mac, source_mac},
    leaf::{LOCAL, Leaf, UDP_PORT, VNI, index, vtep_address},
    neighbours::{Neighbours, Place},
    processor::{self, Processor},
    race::{Contender, End, Race, Way},
    report::{self, Figures},
    samples, tool,
};
use fabric_common::{
    reason::Reason,
    schema::{counters::reason_index, fdb},
};
use fabric_user::kernel::maps::Maps;

/// How fast and how big is the control plane?
#[derive(Parser)]
#[command(name = "scale")]
struct Arguments {
    /// Only this entry, for instance scale-100k-macs.
    entry: Option<String>,
    /// All entries, also the one with a million MAC addresses and the one with all VNIs.
    #[arg(long, conflicts_with = "quick")]
    all: bool,
    /// Fewer entries and repetitions: to see that everything works, not to compare.
    #[arg(long)]
    quick: bool,
    /// The daemon to measure; `cargo xtask bench` gives the optimized one.
    #[arg(long, value_name = "PROGRAM")]
    fabricd: PathBuf,
}

#[derive(Clone, Copy)]
struct Entry {
    name: &'static str,
    when: When,
    macs: u32,
    vteps: u32,
    vnis: u32,
}

const ENTRIES: [Entry; 5] = [
    Entry { name: "scale-10k-macs", when: When::Quick, macs: 10_000, vteps: 64, vnis: 1 },
    Entry { name: "scale-100k-macs", when: When::Usual, macs: 100_000, vteps: 64, vnis: 1 },
    Entry { name: "scale-512-vteps", when: When::Usual, macs: 100_000, vteps: 512, vnis: 1 },
    // The kernel's time to dump a bridge grows with the square of its MACs: each message looks for
    // the place where the one before ended. With a million in one bridge that takes minutes.
    Entry { name: "scale-1m-macs", when: When::All, macs: 1_000_000, vteps: 64, vnis: 64 },
    Entry { name: "scale-4094-vnis", when: When::All, macs: 100_000, vteps: 64, vnis: 4_094 },
];

/// How much is measured.
struct Effort {
    starts: u32,
    churn: Duration,
    moves: u32,
}

const EFFORT: Effort = Effort { starts: 3, churn: Duration::from_secs(5), moves: 2_000 };
const QUICK: Effort = Effort { starts: 1, churn: Duration::from_secs(1), moves: 300 };

/// Longest time that the maps may take to catch up.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let until = match arguments {
        Arguments { all: true, .. } => When::All,
        Arguments { quick: true, .. } => When::Quick,
        _ => When::Usual,
    };
    let wanted: Vec<_> = ENTRIES
        .iter()
        .filter(|entry| match &arguments.entry {
            Some(name) => name == entry.name,
            None => entry.when <= until,
        })
        .collect();
    if wanted.is_empty() {
        bail!("there is no such entry; take one of {}", ENTRIES.map(|e| e.name).join(", "));
    }
    let fabricd = arguments
        .fabricd
        .canonicalize()
        .with_context(|| format!("there is no {}", arguments.fabricd.display()))?;
    // Sender and daemon have a CPU each, if there are two; the system gives them out.
    let cpu = processor::allowed()?.last().copied().unwrap_or_default();
    let environment = Environment::read(Processor { cpu, real_time: false });
    for entry in wanted {
        arena::enter()?;
        let effort = if arguments.quick { QUICK } else { EFFORT };
        let mut scale = Scale::build(entry, &fabricd, effort)?;
        let figures = scale.measure()?;
        let found = scale.evaluate(figures, arguments.quick, environment.clone());
        report::write(&report::path(), &[found])?;
    }
    println!("written to target/bench/report.json");
    Ok(())
}

struct Scale<'a> {
    entry: &'a Entry,
    fabricd: &'a std::path::Path,
    effort: Effort,
    leaf: Leaf,
    /// Index of each VNI's vxlan device.
    tunnels: Vec<u32>,
    neighbours: Neighbours,
    /// Behind which VTEP each MAC address is now.
    behind: Vec<u32>,
}

impl<'a> Scale<'a> {
    fn build(entry: &'a Entry, fabricd: &'a std::path::Path, effort: Effort) -> Result<Self> {
        println!("{}: building a leaf with {} VNIs", entry.name, entry.vnis);
        let leaf = Leaf::build_empty()?;
        let mut tunnels = vec![leaf.vxlan];
        let mut commands = String::new();
        for number in 1..entry.vnis {
            let vni = VNI + number;
            let _ = writeln!(
                commands,
                "link add name b{number} type bridge stp_state 0 mcast_snooping 0\n\
                 link add name v{number} type vxlan id {vni} local {LOCAL} dstport {UDP_PORT} \
                    nolearning noudpcsum\n\
                 link set dev v{number} master b{number} up\n\
                 link set dev b{number} up"
            );
        }
        tool::batch("ip", &commands)?;
        for number in 1..entry.vnis {
            tunnels.push(index(&format!("v{number}"))?);
        }
        let neighbours = Neighbours::open()?;
        Ok(Self { entry, fabricd, effort, leaf, tunnels, neighbours, behind: Vec::new() })
    }

    fn measure(&mut self) -> Result<BTreeMap<String, f64>> {
        let mut figures = BTreeMap::new();
        let mut note = |name: &str, value: f64| {
            println!("{}: {name} {value:.1}", self.entry.name);
            figures.insert(name.to_owned(), value);
        };
        let entry = self.entry;
        let median = |values: &[f64]| samples::quantile(values, 0.5).context("nothing measured");

        let begin = Instant::now();
        for source in 0..SOURCES {
            self.neighbours.replace(source_mac(source), Place::Port(self.leaf.access))?;
        }
        self.behind = vec![0; entry.macs as usize];
        for number in 0..entry.macs {
            self.locate(number, number % entry.vteps)?;
        }
        self.neighbours.flush()?;
        note("kernel learns MACs, ms", ms(begin.elapsed()));

        let begin = Instant::now();
        let held = self.neighbours.count()?;
        ensure!(held >= entry.macs as usize, "the kernel has {held} FDB entries");
        note("the kernel's dump alone, ms", ms(begin.elapsed()));

        let (mut loads, mut syncs) = (Vec::new(), Vec::new());
        let mut daemon = None;
        for _ in 0..self.effort.starts {
            drop(daemon.take());
            let started = Daemon::start(self.fabricd, entry.macs)?;
            loads.push(ms(started.loaded));
            syncs.push(ms(started.ready - started.loaded));
            self.check(&started.maps()?, "after the start")?;
            daemon = Some(started);
        }
        let daemon = daemon.context("no start")?;
        note("start to programs and maps, ms", median(&loads)?);
        note("kernel dump to forwarding, ms", median(&syncs)?);
        self.check_forwarding(&daemon.maps()?)?;
        let memory = daemon.memory()?;
        note("memory of its own, MB", mb(memory.own));
        note("memory at the peak with touched maps, MB", mb(memory.peak));
        note("memory of all maps, MB", mb(memory.maps));

        let maps = daemon.maps()?;
        let latencies = self.time_moves(&maps)?;
        for (name, share) in [("median", 0.5), ("p99", 0.99), ("maximum", 1.0)] {
            let value = samples::quantile(&latencies, share).context("no moves")?;
            note(&format!("one move, request to map, {name}, us"), value);
        }
        for (name, churn) in [
            ("moves", Self::move_all as fn(&mut Self, Instant) -> Result<u64>),
            ("withdrawals and advertisements", Self::renew_all),
        ] {
            let before = daemon.processor_time()?;
            let begin = Instant::now();
            let changes = churn(self, begin)?;
            let sent = begin.elapsed();
            self.await_maps(&maps)?;
            let done = begin.elapsed();
            let busy = daemon.processor_time()? - before;
            note(&format!("{name}, MACs/s"), changes as f64 / done.as_secs_f64());
            note(&format!("{name}, offered MACs/s"), changes as f64 / sent.as_secs_f64());
            note(&format!("{name}, backlog at the end, ms"), ms(done - sent));
            note(
                &format!("{name}, daemon's processor time per MAC, ns"),
                busy.as_nanos() as f64 / changes as f64,
            );
        }
        note("lost messages, resyncs", daemon.resyncs()? as f64);
        let memory = daemon.memory()?;
        note("memory of its own after the churn, MB", mb(memory.own));
        self.check(&maps, "after the churn")?;
        daemon.stop()?;

        // What the kernel and the sender do by themselves.
        let begin = Instant::now();
        let changes = self.move_all(begin)?;
        let rate = changes as f64 / begin.elapsed().as_secs_f64();
        note("moves without a daemon, MACs/s", rate);
        Ok(figures)
    }

    /// Puts a MAC address behind a VTEP.
    fn locate(&mut self, number: u32, vtep: u32) -> Result<()> {
        self.behind[number as usize] = vtep;
        let place = self.place(number);
        self.neighbours.replace(destination_mac(number), place)
    }

    fn place(&self, number: u32) -> Place {
        let vxlan = self.tunnels[number as usize % self.tunnels.len()];
        Place::Vtep { vxlan, address: vtep_address(self.behind[number as usize]).into() }
    }

    /// Moves every MAC address to the next VTEP, again and again.
    fn move_all(&mut self, begin: Instant) -> Result<u64> {
        let mut changes = 0;
        loop {
            for number in 0..self.entry.macs {
                self.locate(number, (self.behind[number as usize] + 1) % self.entry.vteps)?;
                changes += 1;
            }
            if begin.elapsed() > self.effort.churn {
                self.neighbours.flush()?;
                return Ok(changes);
            }
        }
    }

    /// Removes MAC addresses and adds them again behind the next VTEP, a thousand at a time.
    fn renew_all(&mut self, begin: Instant) -> Result<u64> {
        let mut changes = 0;
        loop {
            for first in (0..self.entry.macs).step_by(1_000) {
                let some = first..(first + 1_000).min(self.entry.macs);
                for number in some.clone() {
                    let place = self.place(number);
                    self.neighbours.remove(destination_mac(number), place)?;
                    changes += 1;
                }
                for number in some {
                    self.locate(number, (self.behind[number as usize] + 1) % self.entry.vteps)?;
                    changes += 1;
                }
            }
            if begin.elapsed() > self.effort.churn {
                self.neighbours.flush()?;
                return Ok(changes);
            }
        }
    }

    /// Microseconds from before the request to the kernel until the map has it, one at a time.
    fn time_moves(&mut self, maps: &Maps) -> Result<Vec<f64>> {
        let expected = Expected::read(self, maps)?;
        let mut latencies = Vec::new();
        for turn in 0..self.effort.moves {
            let number = turn.wrapping_mul(7_919) % self.entry.macs;
            let vtep = (self.behind[number as usize] + 1) % self.entry.vteps;
            let key = expected.key(self, number);
            let target = expected.target(vtep)?;
            self.locate(number, vtep)?;
            let begin = Instant::now();
            self.neighbours.send()?;
            while maps.fdb.table().get(key) != Some(target) {
                ensure!(begin.elapsed() < PATIENCE, "MAC {number} does not move in the maps");
                std::hint::spin_loop();
            }
            latencies.push(begin.elapsed().as_secs_f64() * 1e6);
            self.neighbours.acknowledged()?;
            // Lets the daemon fall asleep, at no fixed distance from the last change.
            thread::sleep(Duration::from_micros(500 + u64::from(turn % 7) * 100));
        }
        Ok(latencies)
    }

    /// Waits until the maps say what the kernel was told.
    fn await_maps(&self, maps: &Maps) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let expected = Expected::read(self, maps)?;
        let mut number = 0;
        // Every one has to be there; what was right once stays right.
        while number < self.entry.macs {
            if maps.fdb.table().get(expected.key(self, number)) == expected.now(self, number).ok() {
                number += 1;
            } else {
                ensure!(Instant::now() < deadline, "MAC {number} does not arrive in the maps");
                thread::sleep(Duration::from_micros(100));
            }
        }
        Ok(())
    }

    /// The maps hold every MAC address, where it is, and no other remote one.
    fn check(&self, maps: &Maps, when: &str) -> Result<()> {
        let expected = Expected::read(self, maps)?;
        for number in 0..self.entry.macs {
            let found = maps.fdb.table().get(expected.key(self, number));
            let wanted = expected.now(self, number)?;
            ensure!(
                found == Some(wanted),
                "{when} the maps have MAC {number} at {found:x?} instead of {wanted:x}"
            );
        }
        let remote = |target| fdb::split_target(target).0 == fdb::KIND_REMOTE;
        let held = maps.fdb.table().iter().filter(|(_, target, _)| remote(*target)).count();
        ensure!(
            held == self.entry.macs as usize,
            "{when} the maps hold {held} remote MACs instead of {}",
            self.entry.macs
        );
        Ok(())
    }

    /// Frames from the host's end of the access port reach the spine in tunnels, by XDP.
    fn check_forwarding(&self, maps: &Maps) -> Result<()> {
        let Leaf { host, uplink, sink, .. } = self.leaf;
        let way = Way { ingress: uplink, egress: host, sink, end: End::Driver };
        let mut race = Race::along(way)?;
        // The generator's stations are all in the first VNI, which has the ports.
        if self.entry.vnis > 1 {
            return Ok(());
        }
        let destinations = (self.entry.macs + 1).next_power_of_two() / 2;
        let frames = 4 * destinations;
        let contender = Contender {
            name: "fabricd".into(),
            program: race.baseline("redirect")?,
            frames,
            grows: Some(OUTER as i64),
        };
        // The first of each source are for the kernel.
        race.turn(&contender, destinations)?;
        let count = || -> Result<u64> {
            let mut sum = 0;
            for slot in 0..maps.ports.len() {
                let index = reason_index(slot, Reason::Encapsulated as u8);
                sum += maps.reasons.get(&index, 0)?.iter().map(|c| c.packets).sum::<u64>();
            }
            Ok(sum)
        };
        let before = count()?;
        race.turn(&contender, destinations)?;
        let by_fabric = count()? - before;
        ensure!(
            by_fabric + u64::from(2 * SOURCES) >= u64::from(frames),
            "Fabric encapsulated {by_fabric} of {frames} frames"
        );
        Ok(())
    }

    fn evaluate(
        &self,
        figures: BTreeMap<String, f64>,
        quick: bool,
        environment: Environment,
    ) -> Figures {
        let Entry { name, macs, vteps, vnis, .. } = *self.entry;
        let of = |name: &str| figures.get(name).copied().unwrap_or(f64::NAN);
        let mut meets_bar = true;
        let mut bar = |figure: &str, limit: f64, at_least: bool| {
            let value = of(figure);
            let met = if at_least { value >= limit } else { value <= limit };
            meets_bar &= met;
            let side = if at_least { "at least" } else { "at most" };
            let word = if met { "met" } else { "NOT met" };
            println!("{name}: {figure}: {value:.1}; the bar is {side} {limit}: {word}");
        };
        if macs <= 100_000 {
            bar("kernel dump to forwarding, ms", 1_000.0, false);
        } else {
            bar("memory of its own, MB", 400.0, false);
        }
        bar("moves, MACs/s", 100_000.0, true);
        bar("withdrawals and advertisements, MACs/s", 100_000.0, true);
        bar("one move, request to map, median, us", 1_000.0, false);
        bar("one move, request to map, p99, us", 5_000.0, false);
        bar("lost messages, resyncs", 0.0, false);
        let environment = Environment { bridge_nf: environment::bridge_nf(), ..environment };
        let settings = [
            ("macs", macs.into()),
            ("vteps", vteps.into()),
            ("vnis", vnis.into()),
            ("starts", self.effort.starts.into()),
            ("churn_s", self.effort.churn.as_secs().into()),
            ("timed_moves", self.effort.moves.into()),
            ("quick", quick.into()),
        ]
        .map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value))
        .into();
        Figures { name: name.into(), figures, meets_bar, settings, environment }
    }
}

/// How the maps name domains and VTEPs.
struct Expected {
    domains: Vec<u16>,
    vteps: Vec<u32>,
}

impl Expected {
    fn read(scale: &Scale<'_>, maps: &Maps) -> Result<Self> {
        let by_tunnel: BTreeMap<u32, u16> = maps
            .domains
            .iter()
            .filter(|(_, d)| d.vxlan != 0)
            .map(|(i, d)| (d.vxlan, i as u16))
            .collect();
        let by_address: BTreeMap<u32, u32> = maps
            .vteps
            .iter()
            .filter(|(_, v)| v.remote_be != 0)
            .map(|(i, v)| (v.remote_be, i))
            .collect();
        let domains = scale.tunnels.iter().map(|tunnel| by_tunnel.get(tunnel).copied());
        let be = |vtep| u32::from_ne_bytes(vtep_address(vtep).octets());
        let vteps = (0..scale.entry.vteps).map(|vtep| by_address.get(&be(vtep)).copied());
        Ok(Self {
            domains: domains.collect::<Option<_>>().context("a VNI is not in the maps")?,
            vteps: vteps.collect::<Option<_>>().context("a VTEP is not in the maps")?,
        })
    }

    fn key(&self, scale: &Scale<'_>, number: u32) -> u64 {
        let domain = self.domains[number as usize % scale.tunnels.len()];
        fdb::key(domain, fdb::mac_number(destination_mac(number)))
    }

    fn target(&self, vtep: u32) -> Result<u32> {
        let index = self.vteps.get(vtep as usize).context("there is no such VTEP")?;
        Ok(fdb::target(fdb::KIND_REMOTE, *index))
    }

    fn now(&self, scale: &Scale<'_>, number: u32) -> Result<u32> {
        self.target(scale.behind[number as usize])
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
