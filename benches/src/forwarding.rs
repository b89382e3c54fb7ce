//! Contests between Fabric, the kernel and a bare redirect: frames of hosts and tunnels through a
//! leaf, packets through a spine.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser as _;
use fabric_common::reason::Reason;
use fabric_user::kernel::programs::ROUTED;
use serde_json::Value;

use crate::{
    answer::{Question, answer},
    contest::{Arguments, Contest, Effort, Subject},
    direction::Direction,
    environment::{self, Environment},
    fabric::Fabric,
    flow::{Captured, SOURCES},
    leaf::{self, Leaf, Plan},
    processor,
    race::Race,
    report,
    run::{self, When},
    spine::{Routes, Spine},
    traffic::{Offer, Size, Traffic},
    underlay::Underlay,
};

/// What frames go through.
#[derive(Clone, Copy, Debug)]
pub enum Through {
    /// A leaf.
    Leaf(Direction),
    /// A spine.
    Spine(Offer, Routes),
}

/// A question with numbers, and the answer that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    question: Question,
    when: When,
    through: Through,
    /// Stations that frames go to, a power of two.
    destinations: u32,
    /// Length of frames.
    size: Size,
    /// Number of flows, a power of two; `None`: all that differ in stations and port.
    flows: Option<u64>,
    /// Remote VTEPs, a power of two.
    vteps: u32,
    underlay: Underlay,
}

impl Entry {
    /// The shortest frames to `destinations` stations, as many flows as there can be, 64 VTEPs over
    /// IPv4.
    #[must_use]
    pub const fn new(name: &'static str, when: When, through: Through, destinations: u32) -> Self {
        let question = Question::new(name);
        let size = match through {
            Through::Leaf(_) => Size::Fixed(64),
            Through::Spine(offer, _) => Traffic::of(offer).size,
        };
        let (vteps, underlay) = (leaf::VTEPS, Underlay::Ipv4);
        Self { question, when, through, destinations, size, flows: None, vteps, underlay }
    }

    /// The same with other lengths.
    #[must_use]
    pub const fn size(self, size: Size) -> Self {
        Self { size, ..self }
    }

    /// The same with so many flows.
    #[must_use]
    pub const fn flows(self, flows: u64) -> Self {
        Self { flows: Some(flows), ..self }
    }

    /// The same with so many VTEPs.
    #[must_use]
    pub const fn vteps(self, vteps: u32) -> Self {
        Self { vteps, ..self }
    }

    /// The same over IPv6, with or without UDP checksums.
    #[must_use]
    pub const fn over_ipv6(self, checksum: bool) -> Self {
        Self { underlay: Underlay::Ipv6 { checksum }, ..self }
    }

    /// At least so many times the kernel's rate is asked for.
    #[must_use]
    pub const fn kernel(self, bar: f64) -> Self {
        Self { question: Question { kernel_bar: Some(bar), ..self.question }, ..self }
    }

    /// At most so many times the time of a bare redirect is allowed.
    #[must_use]
    pub const fn redirect(self, bar: f64) -> Self {
        Self { question: Question { redirect_bar: Some(bar), ..self.question }, ..self }
    }
}

/// Runs a question's binary.
#[must_use]
pub fn main(entries: &[Entry]) -> ExitCode {
    run::end(run(entries, &Arguments::parse()))
}

/// Measures the entries that are asked for.
///
/// # Errors
/// If something cannot be set up, or a frame does not arrive as it must.
pub fn run(entries: &[Entry], arguments: &Arguments) -> Result<Vec<report::Entry>> {
    arguments.rounds.asked.each(
        entries,
        |entry| (entry.question.name, entry.when),
        processor::pin,
        |entry, environment| measure(entry, arguments, environment),
    )
}

fn measure(
    entry: &Entry,
    arguments: &Arguments,
    mut environment: Environment,
) -> Result<report::Entry> {
    let Entry { question, through, destinations, size, flows, vteps, underlay, .. } = *entry;
    let name = question.name;
    let (mut fabric, mut race) = match through {
        Through::Leaf(direction) => {
            println!("{name}: building a leaf with {destinations} MACs and {vteps} VTEPs");
            let plan = Plan { underlay, ..direction.plan(destinations, vteps) };
            let leaf = Leaf::build_for(&plan)?;
            environment.bridge_nf = environment::bridge_nf();
            (Fabric::start(leaf.desired(&plan))?, Race::along(direction.way(&leaf))?)
        }
        Through::Spine(_, routes) => {
            println!("{name}: building a spine with {destinations} destinations");
            let spine = Spine::build(destinations, routes)?;
            let fabric = Fabric::start(spine.desired(destinations, routes))?;
            (fabric, Race::along(spine.way())?)
        }
    };
    let fabric = &mut fabric;
    let subject = match through {
        Through::Leaf(direction) => {
            let tunnelled = direction == Direction::Decapsulate;
            let vteps = tunnelled.then_some(vteps);
            race.traffic = Traffic { size, flows, vteps, underlay, ..race.traffic };
            let (program, reason) = (direction.program(), direction.reason());
            Subject { fabric, program, reason, grows: direction.grows(underlay) }
        }
        Through::Spine(offer, _) => {
            race.traffic = Traffic { size, flows, ..Traffic::of(offer) };
            race.await_quiet()?;
            Subject { fabric, program: ROUTED, reason: Reason::Routed, grows: 0 }
        }
    };
    let mut contest = Contest::line_up(race, subject, destinations, arguments)?;
    contest.warm_up()?;
    contest.compare_bytes(|ours, kernels, packet| match through {
        Through::Leaf(direction) => direction.compare(underlay, ours, kernels, packet),
        Through::Spine(..) => compare_routed(ours, kernels, packet),
    })?;
    contest.check_generator()?;
    let times = contest.rounds(name)?;
    let settings = settings(entry, arguments);
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    answer(&question, settings, environment, &times)
}

/// Fabric's packet must be the kernel's, which must have routed what was offered.
fn compare_routed(ours: &Captured, kernels: &Captured, packet: &[u8]) -> Result<()> {
    let of = |captured: &Captured| captured.bytes[..captured.length as usize].to_vec();
    let (ours, kernels) = (of(ours), of(kernels));
    ensure!(
        kernels.len() == packet.len() && kernels[..12] != packet[..12],
        "the kernel did not route what was offered"
    );
    ensure!(ours == kernels, "Fabric's packet has other bytes than the kernel's");
    Ok(())
}

fn settings(entry: &Entry, arguments: &Arguments) -> Vec<(&'static str, Value)> {
    let Entry { through, destinations, size, flows, vteps, underlay, .. } = *entry;
    let possible = u64::from(destinations) * u64::from(SOURCES) * 32_768;
    let mut settings: Vec<(_, Value)> = vec![
        ("destinations", destinations.into()),
        ("sources", SOURCES.into()),
        ("flows", flows.unwrap_or(possible).into()),
        ("quick", arguments.rounds.asked.quick.into()),
    ];
    settings.extend(Effort::of(arguments).settings());
    match through {
        Through::Leaf(direction) => {
            let bytes = match size {
                Size::Fixed(bytes) => bytes.into(),
                Size::Imix => "7 of 64, 4 of 594, 1 of 1518".into(),
            };
            settings.extend([
                ("direction", format!("{direction:?}").to_lowercase().into()),
                ("frame_bytes", bytes),
                ("frame_bytes_mean", size.mean().into()),
                ("vteps", vteps.into()),
                ("underlay", underlay.text().into()),
                ("kernel_path", direction.kernel_path().into()),
            ]);
        }
        Through::Spine(_, routes) => {
            let kernel_path = "ip_forward with static neighbours and routes; no netfilter, no \
                               reverse path filter";
            settings.extend([
                ("frame_bytes", size.mean().into()),
                ("routes", routes.text().into()),
                ("kernel_path", kernel_path.into()),
            ]);
        }
    }
    settings
}
