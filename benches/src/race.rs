//! Contenders take turns in sending frames to the sink.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use aya::{
    Ebpf,
    maps::{Array, DevMap, MapData, PerCpuArray, ProgramArray},
    programs::{
        ProgramFd, SchedClassifier, TcAttachType, TestRun as _, TestRunAttrs, TestRunOptions, Xdp,
        XdpMode, tc::SchedClassifierLink, xdp::XdpLink,
    },
};
use fabric_user::kernel::memory::MappedArray;

use crate::{
    flow::{Arrived, CAPTURE, CAPTURES, Captured, Draw, Flow, Generator, SLICE, SLICES, Slices},
    object::OBJECT,
    parts::{load, map, mapped, program},
    samples,
    traffic::Traffic,
};

/// Frames that the kernel hands to the program at once, as a driver's NAPI poll does.
pub const BATCH: u32 = 64;

/// From where to where frames go.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Interface that frames arrive on; some XDP program must be attached to it.
    pub ingress: u32,
    /// Interface that a bare redirect sends them to.
    pub egress: u32,
    /// Interface where they arrive: the other end of `egress`.
    pub sink: u32,
    /// Where on it.
    pub end: End,
}

/// What counts as arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// An XDP program on the sink, so that nothing of the kernel's receive path is timed.
    Driver,
    /// The first hook of the kernel behind all XDP programs, whatever is attached to the sink.
    Kernel,
}

/// What is offered, and from where to where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// From where to where.
    pub way: Way,
    /// What is offered.
    pub traffic: Traffic,
}

/// Someone who brings frames to the sink, or drops them on the way.
pub struct Contender {
    /// Name in tables and reports.
    pub name: String,
    /// The program that the generator goes on with.
    pub program: ProgramFd,
    /// Frames per turn.
    pub frames: u32,
    /// How many bytes longer frames must arrive at the sink than they were offered; `None` if they
    /// must not arrive.
    pub grows: Option<i64>,
}

#[expect(dead_code, reason = "held only to be dropped")]
enum SinkLink {
    Xdp(XdpLink),
    Classifier(SchedClassifierLink),
}

/// What has arrived at a sink, for whoever wants to know while frames are on their way.
#[derive(Clone)]
pub struct Arrivals(Arc<PerCpuArray<MapData, Arrived>>);

impl Arrivals {
    /// Everything since the race was prepared.
    ///
    /// # Errors
    /// If the counters cannot be read.
    pub fn count(&self) -> Result<Arrived> {
        let counters = self.0.get(&0, 0)?;
        Ok(counters.iter().fold(Arrived::default(), |sum, one| Arrived {
            frames: sum.frames + one.frames,
            bytes: sum.bytes + one.bytes,
        }))
    }
}

/// Generator and sink.
pub struct Race {
    ebpf: Ebpf,
    generator: Array<MapData, Generator>,
    contender: ProgramArray<MapData>,
    slices: MappedArray<Slices>,
    arrived: Arrivals,
    captured: Array<MapData, Captured>,
    egress: DevMap<MapData>,
    // By interface, the name of the program at the sink, and its link, which detaches when dropped.
    sinks: BTreeMap<u32, (&'static str, SinkLink)>,
    way: Way,
    /// What is offered.
    pub traffic: Traffic,
}

impl Race {
    /// Loads generator, baselines and sink, and puts the sink where the way ends.
    ///
    /// # Errors
    /// If the kernel refuses a program.
    pub fn along(way: Way) -> Result<Self> {
        let mut ebpf = Ebpf::load(OBJECT).context("cannot load the benchmark's programs")?;
        const PROGRAMS: [&str; 10] = [
            "offer",
            "offer4",
            "offer6",
            "offer_arp",
            "redirect",
            "lengthen",
            "kernel",
            "discard",
            "sink",
            "capture",
        ];
        for name in PROGRAMS {
            load(&mut ebpf, name)?;
        }
        for name in ["reached", "reached_capture"] {
            let program: &mut SchedClassifier = program(&mut ebpf, name)?;
            program.load().with_context(|| format!("cannot load {name}"))?;
        }
        let mut egress = DevMap::try_from(map(&mut ebpf, "egress")?)?;
        egress.set(0, way.egress, None, 0)?;
        let generator = Array::try_from(map(&mut ebpf, "generator")?)?;
        let slices = mapped(&mut ebpf, "slices", 1)?;
        let contender = ProgramArray::try_from(map(&mut ebpf, "contender")?)?;
        let arrived = Arrivals(Arc::new(PerCpuArray::try_from(map(&mut ebpf, "arrived")?)?));
        let captured = Array::try_from(map(&mut ebpf, "captured")?)?;
        let sinks = BTreeMap::new();
        let traffic = Traffic::default();
        let mut race = Self {
            ebpf,
            generator,
            contender,
            slices,
            arrived,
            captured,
            egress,
            sinks,
            way,
            traffic,
        };
        race.use_sink(false)?;
        Ok(race)
    }

    /// Offers what another course says from now on, there; returns the present one in its place.
    ///
    /// # Errors
    /// If a map cannot be written.
    pub fn change(&mut self, course: &mut Course) -> Result<()> {
        mem::swap(&mut self.way, &mut course.way);
        mem::swap(&mut self.traffic, &mut course.traffic);
        Ok(self.egress.set(0, self.way.egress, None, 0)?)
    }

    /// One of the baselines in the benchmark's own object.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn baseline(&mut self, name: &str) -> Result<ProgramFd> {
        let program: &mut Xdp = program(&mut self.ebpf, name)?;
        Ok(program.fd()?.try_clone()?)
    }

    /// Attaches one of the baselines to an interface until the link is dropped.
    ///
    /// # Errors
    /// As [`Self::baseline`], and if the interface takes no program.
    pub fn attach_baseline(&mut self, name: &str, index: u32) -> Result<XdpLink> {
        let program: &mut Xdp = program(&mut self.ebpf, name)?;
        let link = program.attach_to_if_index(index, XdpMode::Driver)?;
        Ok(program.take_link(link)?)
    }

    /// Waits until the kernel has nothing of its own to say any more: multicast listener reports
    /// come within seconds after a device is up.
    ///
    /// # Errors
    /// If the sink is not quiet for three seconds within half a minute.
    pub fn await_quiet(&self) -> Result<()> {
        const QUIET: Duration = Duration::from_secs(3);
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut last = (self.arrived()?, Instant::now());
        while last.1.elapsed() < QUIET {
            ensure!(Instant::now() < deadline, "frames that nobody offered keep arriving");
            thread::sleep(Duration::from_millis(50));
            let arrived = self.arrived()?;
            if arrived != last.0 {
                last = (arrived, Instant::now());
            }
        }
        Ok(())
    }

    /// Lets the sink only count what arrives, as [`Self::turn`] does.
    ///
    /// # Errors
    /// If its program cannot be attached.
    pub fn count_only(&mut self) -> Result<()> {
        self.use_sink(false)
    }

    /// Lets the sink keep what arrives or only count it.
    fn use_sink(&mut self, keep: bool) -> Result<()> {
        let Way { sink, end, .. } = self.way;
        let name = match (end, keep) {
            (End::Driver, false) => "sink",
            (End::Driver, true) => "capture",
            (End::Kernel, false) => "reached",
            (End::Kernel, true) => "reached_capture",
        };
        if self.sinks.get(&sink).is_some_and(|(present, _)| *present == name) {
            return Ok(());
        }
        self.sinks.remove(&sink);
        let link = match end {
            End::Driver => {
                let program: &mut Xdp = program(&mut self.ebpf, name)?;
                let link = program.attach_to_if_index(sink, XdpMode::Driver)?;
                SinkLink::Xdp(program.take_link(link)?)
            }
            End::Kernel => {
                let interface = interface_name(sink)?;
                let program: &mut SchedClassifier = program(&mut self.ebpf, name)?;
                let link = program.attach(&interface, TcAttachType::Ingress)?;
                SinkLink::Classifier(program.take_link(link)?)
            }
        };
        self.sinks.insert(sink, (name, link));
        Ok(())
    }

    /// Sends one turn of `contender` with random flows to `destinations` stations, and returns how
    /// many nanoseconds a frame took: the median over slices of [`SLICE`] frames, each the mean of its
    /// own. A host that takes the processor away for milliseconds disturbs few of them.
    ///
    /// # Errors
    /// If not every frame arrives, or not in the expected length.
    pub fn turn(&mut self, contender: &Contender, destinations: u32) -> Result<f64> {
        let times = self.slice_times(contender, destinations)?;
        samples::quantile(&times, 0.5).context("a turn has too few frames to be timed")
    }

    /// The same as the mean of all slices: with whatever takes the processor, or the memory, away for a part of the turn.
    ///
    /// # Errors
    /// As [`Self::turn`].
    pub fn mean_turn(&mut self, contender: &Contender, destinations: u32) -> Result<f64> {
        let times = self.slice_times(contender, destinations)?;
        ensure!(!times.is_empty(), "a turn has too few frames to be timed");
        Ok(times.iter().sum::<f64>() / times.len() as f64)
    }

    /// Sends one turn, and returns how many nanoseconds a frame took in each of its slices.
    fn slice_times(&mut self, contender: &Contender, destinations: u32) -> Result<Vec<f64>> {
        self.use_sink(false)?;
        let first = Flow::from_number(0, destinations - 1);
        self.send(contender, &first, destinations, contender.frames)?;
        let began = self.slices.get(0).began;
        let slices = (u64::from(contender.frames) / SLICE).min(SLICES as u64) as usize;
        let pairs = began[..slices].windows(2);
        Ok(pairs.map(|pair| (pair[1] - pair[0]) as f64 / SLICE as f64).collect())
    }

    /// Sends `frames` frames, at most [`CAPTURES`], and returns what arrived, in no particular
    /// order. The first [`BATCH`] are of the flow `first`.
    ///
    /// # Errors
    /// As [`Self::turn`].
    pub fn capture(
        &mut self,
        contender: &Contender,
        first: &Flow,
        destinations: u32,
        frames: u32,
    ) -> Result<Vec<Captured>> {
        self.capture_while(frames, |race| race.send(contender, first, destinations, frames))
    }

    /// Lets `send` send `frames` frames, at most [`CAPTURES`], and returns what had arrived when it
    /// returned, in no particular order.
    ///
    /// # Errors
    /// If a map cannot be used, and as `send`.
    pub fn capture_while(
        &mut self,
        frames: u32,
        send: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<Vec<Captured>> {
        self.use_sink(true)?;
        let expected = u64::from(frames.min(CAPTURES as u32));
        // Whichever CPU the frames arrive at: each counts its own.
        let places: BTreeSet<_> = (self.arrived.0.get(&0, 0)?.iter())
            .flat_map(|arrived| arrived.frames..arrived.frames + expected)
            .map(|place| (place % CAPTURES as u64) as u32)
            .collect();
        let free = Captured { length: 0, bytes: [0; CAPTURE] };
        for place in &places {
            self.captured.set(*place, free, 0)?;
        }
        send(self)?;
        let packets = places
            .iter()
            .map(|place| self.captured.get(place, 0))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(packets.into_iter().filter(|packet| packet.length != 0).collect())
    }

    /// Sends `frames` frames and waits until they have arrived.
    fn send(
        &mut self,
        contender: &Contender,
        first: &Flow,
        destinations: u32,
        frames: u32,
    ) -> Result<()> {
        ensure!(destinations.is_power_of_two(), "destinations must be a power of two");
        let counter = self.generator.get(&0, 0)?.counter;
        self.generator.set(0, self.traffic.generator(destinations, counter), 0)?;
        self.contender.set(0, &contender.program, 0)?;
        let before = self.arrived()?;

        let page = self.traffic.page(&self.traffic.first(*first));
        let mut context = [0_u8; 24];
        context[4..8].copy_from_slice(&(page.len() as u32).to_ne_bytes());
        context[12..16].copy_from_slice(&self.way.ingress.to_ne_bytes());
        let options = TestRunOptions {
            data_in: Some(&page),
            ctx_in: Some(&context),
            repeat: frames,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::new()
        };
        let offer: &mut Xdp = program(&mut self.ebpf, self.traffic.offer.program())?;
        offer.test_run(options).context("the kernel refuses to send frames")?;
        self.await_arrival(contender, before, frames)
    }

    /// The last frames may still be on their way when the call returns.
    fn await_arrival(&self, contender: &Contender, before: Arrived, frames: u32) -> Result<()> {
        let offered = contender.grows.map_or(0, |_| u64::from(frames));
        let deadline = Instant::now() + Duration::from_secs(2);
        let arrived = loop {
            let now = self.arrived()?;
            let arrived = now.frames - before.frames;
            if arrived >= offered || Instant::now() > deadline {
                break Arrived { frames: arrived, bytes: now.bytes - before.bytes };
            }
            thread::yield_now();
        };
        let bytes = self.generator.get(&0, 0)?.offered_bytes;
        let expected = Arrived {
            frames: offered,
            bytes: contender
                .grows
                .map_or(0, |grows| bytes.saturating_add_signed(i64::from(frames) * grows)),
        };
        if arrived != expected {
            bail!(
                "{}: {} frames with {} bytes arrived instead of {} with {}",
                contender.name,
                arrived.frames,
                arrived.bytes,
                expected.frames,
                expected.bytes
            );
        }
        Ok(())
    }

    /// What a captured packet was drawn as: the draw that its bytes belong to, if they belong to
    /// any.
    #[must_use]
    pub fn drawn(&self, packet: &Captured) -> Option<Draw> {
        let outer = self.traffic.outer();
        let bytes = packet.bytes.get(..packet.length as usize)?;
        let frame = bytes.get(outer..)?;
        let flow = self.traffic.offer.flow(frame)?;
        let vtep = match self.traffic.vteps {
            None => 0,
            Some(_) => self.traffic.underlay.sender(bytes)?,
        };
        let draw = Draw { flow, length: u16::try_from(frame.len()).ok()?, vtep };
        (self.traffic.packet(&draw) == bytes).then_some(draw)
    }

    fn arrived(&self) -> Result<Arrived> {
        self.arrived.count()
    }

    /// The sink's counters.
    #[must_use]
    pub fn arrivals(&self) -> Arrivals {
        self.arrived.clone()
    }
}

fn interface_name(index: u32) -> Result<String> {
    fabric_user::kernel::interface::name(index)
        .with_context(|| format!("there is no interface {index}"))
}
