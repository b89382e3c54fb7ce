//! Routing from and to the networks of a leaf's bridges, next to the kernel's own and to plain encapsulation.

mod desired;
mod leaf;
mod way;

use anyhow::{Result, ensure};
use fabric_common::reason::Reason;
use fabric_user::kernel::programs::ACCESS;
use serde_json::Value;

pub use self::{leaf::Gateways, way::Through};
use crate::{
    answer::{ENCAP, Question, answer},
    contest::{Arguments, Contest, Effort, Subject, Yardstick},
    direction::Direction,
    environment::{self, Environment},
    fabric::Fabric,
    leaf::VTEPS,
    processor,
    race::{Course, Race},
    report,
    routed::PREFIX,
    run::When,
    spine::Routes,
    traffic::{Offer, Traffic},
};

/// At least so many times the kernel's rate.
const KERNEL_BAR: f64 = 6.0;
/// At most so many times the time of plain encapsulation.
const ENCAP_BAR: f64 = 1.4;

/// What is routed.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where packets come from and go to.
    pub through: Through,
    /// Of which family.
    pub offer: Offer,
    /// By which routes, if hosts are behind VTEPs.
    pub routes: Routes,
    /// Hosts that packets go to, a power of two.
    pub destinations: u32,
}

impl Plan {
    /// Stations behind VTEPs to which the leaf encapsulates, for comparison: as many as there are routes.
    #[must_use]
    pub const fn stations(&self) -> u32 {
        match self.routes {
            Routes::Hosts => self.destinations,
            Routes::Prefixes => self.destinations / PREFIX,
        }
    }
}

/// A question with numbers.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    question: Question,
    when: When,
    plan: Plan,
}

impl Entry {
    /// Packets of a family by routes to each of `destinations` hosts.
    #[must_use]
    pub const fn new(
        name: &'static str,
        when: When,
        through: Through,
        offer: Offer,
        destinations: u32,
    ) -> Self {
        let mut question = Question::new(name);
        question.kernel_bar = Some(KERNEL_BAR);
        question.encap_bar = Some(ENCAP_BAR);
        let plan = Plan { through, offer, routes: Routes::Hosts, destinations };
        Self { question, when, plan }
    }

    /// The same by routes to prefixes.
    #[must_use]
    pub const fn by_prefixes(self) -> Self {
        Self { plan: Plan { routes: Routes::Prefixes, ..self.plan }, ..self }
    }
}

/// Measures the entries that are asked for.
///
/// # Errors
/// If something cannot be set up, or a packet does not arrive as it must.
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
    let Entry { question, plan, .. } = entry;
    let Plan { through, offer, destinations, .. } = *plan;
    println!("{}: building a leaf with gateways and {destinations} hosts", question.name);
    let leaf = Gateways::build(plan)?;
    environment.bridge_nf = environment::bridge_nf();
    let mut fabric = Fabric::start(leaf.desired(plan))?;
    let mut race = Race::along(through.way(&leaf))?;
    race.traffic = Traffic { vteps: through.is_tunnelled().then_some(VTEPS), ..Traffic::of(offer) };
    race.await_quiet()?;
    let program = through.program();
    let subject =
        Subject { fabric: &mut fabric, program, reason: Reason::Routed, grows: through.grows() };
    let encapsulation = Direction::Encapsulate;
    let yardstick = Yardstick {
        name: ENCAP,
        program: ACCESS,
        reason: encapsulation.reason(),
        grows: encapsulation.grows(leaf.leaf.underlay),
        course: Course { way: encapsulation.way(&leaf.leaf), traffic: Traffic::default() },
        destinations: plan.stations(),
    };
    let contest = Contest::line_up(race, subject, destinations, arguments)?;
    let mut contest = contest.beside(yardstick)?;
    contest.warm_up()?;
    contest.compare_bytes(|ours, kernels, packet| through.compare(ours, kernels, packet))?;
    contest.check_generator()?;
    let times = contest.rounds(question.name)?;
    ensure!(times.contains_key(ENCAP), "plain encapsulation was not measured");
    let settings = settings(entry, arguments).map(|(name, value)| (name.to_owned(), value));
    answer(question, settings.collect(), environment, &times)
}

fn settings(
    entry: &Entry,
    arguments: &Arguments,
) -> impl Iterator<Item = (&'static str, Value)> + use<> {
    let Plan { through, offer, routes, destinations } = entry.plan;
    let own: [(&str, Value); 8] = [
        ("destinations", destinations.into()),
        ("encap_destinations", entry.plan.stations().into()),
        ("vteps", VTEPS.into()),
        ("quick", arguments.rounds.asked.quick.into()),
        ("direction", format!("{through:?}").to_lowercase().into()),
        ("frame_bytes", Traffic::of(offer).size.mean().into()),
        ("routes", routes.text().into()),
        ("kernel_path", through.kernel_path().into()),
    ];
    own.into_iter().chain(Effort::of(arguments).settings())
}
