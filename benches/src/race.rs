//! Contenders take turns in sending frames to the sink.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use aya::{
    Ebpf,
    maps::{Array, DevMap, MapData, PerCpuArray, ProgramArray},
    programs::{ProgramFd, TestRun as _, TestRunAttrs, TestRunOptions, Xdp, XdpMode, xdp::XdpLink},
};

use crate::{
    flow::{Arrived, CAPTURES, Captured, Flow, Generator, PLACES},
    object::OBJECT,
    routed,
};

/// Frames that the kernel hands to the program at once, as a driver's NAPI poll does.
pub const BATCH: u32 = 64;

/// Someone who brings frames from the access port to the sink, or drops them on the way.
pub struct Contender {
    /// Name in tables and reports.
    pub name: String,
    /// The program that the generator goes on with.
    pub program: ProgramFd,
    /// Frames per turn.
    pub frames: u32,
    /// Length in bytes in which a frame must arrive at the sink; 0 if it must not.
    pub arrives: u64,
}

/// Where frames start and end: interface indexes.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Where the generator offers them.
    pub start: u32,
    /// Where the bare redirect sends them.
    pub uplink: u32,
    /// The other end of that.
    pub sink: u32,
}

/// What the generator offers.
#[derive(Clone, Copy, Debug)]
pub enum Offer {
    /// Frames of hosts.
    Bridged,
    /// IPv4 packets for a router.
    Routed4,
    /// IPv6 packets for a router.
    Routed6,
}

impl Offer {
    /// The program that writes such frames.
    const fn program(self) -> &'static str {
        match self {
            Self::Bridged => "offer",
            Self::Routed4 => "offer4",
            Self::Routed6 => "offer6",
        }
    }

    /// A whole frame of a flow.
    #[must_use]
    pub fn frame(self, flow: &Flow) -> Vec<u8> {
        match self {
            Self::Bridged => flow.frame().to_vec(),
            Self::Routed4 => routed::frame4(flow).to_vec(),
            Self::Routed6 => routed::frame6(flow).to_vec(),
        }
    }

    /// The packet to start the generator with: both places hold a frame of this flow.
    fn page(self, flow: &Flow) -> Vec<u8> {
        let frame = self.frame(flow);
        let mut page = vec![0; PLACES[1] + frame.len()];
        for place in PLACES {
            page[place..place + frame.len()].copy_from_slice(&frame);
        }
        page
    }
}

/// Generator and sink.
pub struct Race {
    ebpf: Ebpf,
    generator: Array<MapData, Generator>,
    contender: ProgramArray<MapData>,
    arrived: PerCpuArray<MapData, Arrived>,
    captured: Array<MapData, Captured>,
    // Name of the program behind the uplink, and its link, which detaches when dropped.
    sink: (&'static str, Option<XdpLink>),
    course: Course,
    offer: Offer,
}

impl Race {
    /// Loads generator, baselines and sink, and puts the sink behind the uplink.
    ///
    /// # Errors
    /// If the kernel refuses a program.
    pub fn prepare(course: Course, offer: Offer) -> Result<Self> {
        let mut ebpf = Ebpf::load(OBJECT).context("cannot load the benchmark's programs")?;
        for name in [offer.program(), "redirect", "kernel", "discard", "sink", "capture"] {
            program(&mut ebpf, name)?.load().with_context(|| format!("cannot load {name}"))?;
        }
        let mut uplink = DevMap::try_from(ebpf.take_map("uplink").context("no map uplink")?)?;
        uplink.set(0, course.uplink, None, 0)?;
        let map = |ebpf: &mut Ebpf, name: &str| {
            ebpf.take_map(name).with_context(|| format!("no map {name}"))
        };
        let generator = Array::try_from(map(&mut ebpf, "generator")?)?;
        let contender = ProgramArray::try_from(map(&mut ebpf, "contender")?)?;
        let arrived = PerCpuArray::try_from(map(&mut ebpf, "arrived")?)?;
        let captured = Array::try_from(map(&mut ebpf, "captured")?)?;
        let sink = ("", None);
        let mut race = Self { ebpf, generator, contender, arrived, captured, sink, course, offer };
        race.use_sink("sink")?;
        Ok(race)
    }

    /// One of the baselines in the benchmark's own object.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn baseline(&mut self, name: &str) -> Result<ProgramFd> {
        Ok(program(&mut self.ebpf, name)?.fd()?.try_clone()?)
    }

    /// Waits until the kernel has nothing of its own to say any more: multicast listener reports
    /// come within seconds after a device is up.
    ///
    /// # Errors
    /// If the uplink is not quiet for three seconds within half a minute.
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

    /// Lets the sink keep what arrives (`capture`) or only count it (`sink`).
    fn use_sink(&mut self, name: &'static str) -> Result<()> {
        if self.sink.0 != name {
            self.sink.1 = None;
            let program = program(&mut self.ebpf, name)?;
            let link = program.attach_to_if_index(self.course.sink, XdpMode::Driver)?;
            self.sink = (name, Some(program.take_link(link)?));
        }
        Ok(())
    }

    /// Sends one turn of `contender` with random flows to `destinations` stations, and returns how
    /// many nanoseconds each frame took.
    ///
    /// # Errors
    /// If not every frame arrives, or not in the expected length.
    pub fn turn(&mut self, contender: &Contender, destinations: u32) -> Result<f64> {
        self.use_sink("sink")?;
        let first = Flow::from_number(0, destinations - 1);
        let took = self.send(contender, &first, destinations, contender.frames)?;
        Ok(took.as_nanos() as f64)
    }

    /// Sends `frames` frames and returns what arrived of the last ones, in no particular order.
    /// The first [`BATCH`] are of the flow `first`.
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
        self.use_sink("capture")?;
        let free = Captured { length: 0, bytes: [0; crate::flow::CAPTURE] };
        for index in 0..CAPTURES as u32 {
            self.captured.set(index, free, 0)?;
        }
        self.send(contender, first, destinations, frames)?;
        let packets = self.captured.iter().collect::<Result<Vec<_>, _>>()?;
        Ok(packets.into_iter().filter(|packet| packet.length != 0).collect())
    }

    /// Sends `frames` frames and returns how long one took.
    fn send(
        &mut self,
        contender: &Contender,
        first: &Flow,
        destinations: u32,
        frames: u32,
    ) -> Result<Duration> {
        ensure!(destinations.is_power_of_two(), "destinations must be a power of two");
        let mut generator = self.generator.get(&0, 0)?;
        generator.destination_mask = destinations - 1;
        self.generator.set(0, generator, 0)?;
        self.contender.set(0, &contender.program, 0)?;
        let before = self.arrived()?;

        let page = self.offer.page(first);
        let mut context = [0_u8; 24];
        context[4..8].copy_from_slice(&(page.len() as u32).to_ne_bytes());
        context[12..16].copy_from_slice(&self.course.start.to_ne_bytes());
        let options = TestRunOptions {
            data_in: Some(&page),
            ctx_in: Some(&context),
            repeat: frames,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::new()
        };
        let offer = program(&mut self.ebpf, self.offer.program())?;
        // The kernel's own time of a frame. A clock around the call would also count what comes
        // before and after the frames: some 20 ms, mostly grace periods.
        let took = offer.test_run(options).context("the kernel refuses to send frames")?.duration;
        self.await_arrival(contender, before, frames)?;
        Ok(took)
    }

    /// The last frames may still be on their way when the call returns.
    fn await_arrival(&self, contender: &Contender, before: Arrived, frames: u32) -> Result<()> {
        let offered = if contender.arrives == 0 { 0 } else { u64::from(frames) };
        let deadline = Instant::now() + Duration::from_secs(2);
        let arrived = loop {
            let now = self.arrived()?;
            let arrived = now.frames - before.frames;
            if arrived >= offered || Instant::now() > deadline {
                break Arrived { frames: arrived, bytes: now.bytes - before.bytes };
            }
            thread::yield_now();
        };
        let expected = Arrived { frames: offered, bytes: offered * contender.arrives };
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

    fn arrived(&self) -> Result<Arrived> {
        let counters = self.arrived.get(&0, 0)?;
        Ok(counters.iter().fold(Arrived::default(), |sum, one| Arrived {
            frames: sum.frames + one.frames,
            bytes: sum.bytes + one.bytes,
        }))
    }
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = ebpf.program_mut(name).with_context(|| format!("no program {name}"))?;
    Ok(program.try_into()?)
}
