//! Times a journey as far as each of its stages.

use anyhow::{Context as _, Result, ensure};
use aya::{
    maps::{MapData, ProgramArray},
    programs::{ProgramFd, TestRun as _, TestRunOptions, Xdp},
};
use fabric_tests::run::{self, action};
use fabric_user::kernel::{blocks::Object, memory::MappedArray};

use crate::{
    fabric::Fabric,
    journeys::Journey,
    object::STAGES,
    parts::{self, load, map, mapped},
    ring::{Left, PLACES, Ring},
    traffic::Traffic,
};

/// Frames of a turn: all of these, then the ones that are timed.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Frames before time is taken, a multiple of [`PLACES`].
    pub warm: u32,
    /// Frames that are timed, a multiple of [`PLACES`].
    pub timed: u32,
    /// Each frame waits until all loads and stores for the one before are done.
    pub apart: bool,
}

/// A program that packets are given to.
pub struct Contender {
    /// Name of the stage, or else of the program.
    pub name: &'static str,
    program: ProgramFd,
    ends: Ends,
}

/// How one sees that a packet has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// By what the program leaves.
    Leaves,
    /// By the counter of its reason.
    Counted,
    /// Not but by the verdict.
    Silently,
}

/// A journey's generator and contenders.
pub struct Staged<'a> {
    journey: &'a Journey,
    fabric: Fabric,
    ingress: u32,
    object: Object,
    ring: MappedArray<Ring>,
    left: MappedArray<Left>,
    slot: ProgramArray<MapData>,
    traffic: Traffic,
    destinations: u32,
    /// `nothing`, fabric-xdpd's program, `no_stage`, and the journey up to each stage.
    pub contenders: Vec<Contender>,
}

/// Packets that are compared. More than the buffer has, so that it is written anew.
const COMPARED: u32 = 3 * PLACES + 1;

impl<'a> Staged<'a> {
    /// Builds everything for a journey to one of so many `destinations`, in `flows` flows or in as
    /// many as there can be.
    ///
    /// # Errors
    /// If something cannot be built, or the kernel refuses a program.
    pub fn prepare(journey: &'a Journey, destinations: u32, flows: Option<u64>) -> Result<Self> {
        let (mut fabric, ingress) = journey.build(destinations)?;
        let mut object = fabric.open(STAGES)?;
        let ebpf = &mut object.ebpf;
        load(ebpf, journey.offer())?;
        let real = fabric.xdp(journey.program)?;
        let mut contenders = vec![
            contender("nothing", load(ebpf, "nothing")?, Ends::Silently)?,
            contender(journey.program, real, Ends::Counted)?,
            contender("no_stage", load(ebpf, "no_stage")?, Ends::Leaves)?,
        ];
        for stage in journey.stages {
            let program = load(ebpf, stage.program)?;
            contenders.push(contender(stage.name, program, Ends::Leaves)?);
        }
        let traffic = Traffic { flows, ..journey.traffic() };
        Ok(Self {
            journey,
            fabric,
            ingress,
            ring: mapped(ebpf, "ring", 1)?,
            left: mapped(ebpf, "left", 1)?,
            slot: ProgramArray::try_from(map(ebpf, "contender")?)?,
            object,
            traffic,
            destinations,
            contenders,
        })
    }

    /// Looks whether everything is what it should be: the generator offers what was drawn; the
    /// journey of the stages makes the same of it as fabric-xdpd's program, byte by byte; and so does
    /// fabric-xdpd's program behind the generator.
    ///
    /// # Errors
    /// With the first difference.
    pub fn check(&mut self) -> Result<()> {
        let mut generator = self.traffic.generator(self.destinations, 0);
        let frames: Vec<_> =
            (0..COMPARED).map(|_| self.traffic.packet(&generator.draw())).collect();
        let ingress = self.ingress;
        let all = |program: &Xdp| {
            frames.iter().map(|f| run::run(program, ingress, f, 0)).collect::<Result<Vec<_>>>()
        };
        self.fabric.beat()?;
        self.fabric.forget();
        let ours = all(self.fabric.xdp(self.journey.program)?)?;
        ensure!(
            ours.iter().zip(&frames).all(|(run, _)| run.action == action::REDIRECT),
            "{} does not forward every frame",
            self.journey.program
        );
        let whole = self.journey.stages.last().context("no stages")?.program;
        self.fabric.forget();
        let theirs = all(parts::program(&mut self.object.ebpf, whole)?)?;
        for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            ensure!(
                ours == theirs,
                "{whole} is not {}: frame {number} becomes another packet",
                self.journey.program
            );
        }
        for number in 1..=COMPARED {
            let place = number as usize - 1;
            let offered = self.last_of("nothing", number)?;
            ensure!(offered == frames[place], "the generator writes frame {place} wrongly");
            let forwarded = self.last_of(self.journey.program, number)?;
            ensure!(
                forwarded == ours[place].bytes,
                "{} makes another packet of frame {place} behind the generator",
                self.journey.program
            );
        }
        Ok(())
    }

    /// The last of the first `number` packets, behind a contender.
    fn last_of(&mut self, name: &str, number: u32) -> Result<Vec<u8>> {
        self.fabric.forget();
        let at = self.contenders.iter().position(|contender| contender.name == name);
        let at = at.context("no contender of that name")?;
        let counter_at_0 = self.traffic.generator(self.destinations, 0);
        self.ring.update(0, |ring| ring.generator = counter_at_0);
        let mut output = vec![0; 256];
        let turn = Turn { warm: 0, timed: number - 1, apart: false };
        let length = self.run(at, turn, Some(&mut output))?;
        output.truncate(length);
        Ok(output)
    }

    /// Gives a turn of packets to the contender with this index, and returns how many nanoseconds
    /// one took, with all around it.
    ///
    /// # Errors
    /// If a packet does not come to its end.
    pub fn turn(&mut self, contender: usize, turn: Turn) -> Result<f64> {
        let counter = self.ring.get(0).generator.counter;
        let generator = self.traffic.generator(self.destinations, counter);
        self.ring.update(0, |ring| ring.generator = generator);
        self.run(contender, turn, None)?;
        let Ring { first_ns, last_ns, .. } = self.ring.get(0);
        Ok((last_ns - first_ns) as f64 / f64::from(turn.timed))
    }

    /// The daemon's sign of life; lasts for a minute.
    ///
    /// # Errors
    /// If the heartbeat program cannot run.
    pub fn beat(&mut self) -> Result<()> {
        self.fabric.beat()
    }

    fn run(&mut self, contender: usize, turn: Turn, output: Option<&mut [u8]>) -> Result<usize> {
        let Turn { warm, timed, apart } = turn;
        // The begin of the last one is the last moment.
        let runs = warm + timed + 1;
        self.ring.update(0, |ring| {
            let generator = ring.generator;
            let (from, to) = (warm.into(), (warm + timed).into());
            *ring = Ring { generator, from, to, apart: apart.into(), ..Ring::default() };
        });
        let before = self.ended(contender)?;
        let Contender { name, program, ends, .. } = &self.contenders[contender];
        self.slot.set(0, program, 0)?;
        // The generator takes it for the one frame that is left in the buffer.
        let packet = self.traffic.packet(&self.traffic.generator(self.destinations, 0).draw());
        let mut context = [0_u8; 24];
        context[4..8].copy_from_slice(&(packet.len() as u32).to_ne_bytes());
        context[12..16].copy_from_slice(&self.ingress.to_ne_bytes());
        let options = TestRunOptions {
            data_in: Some(&packet),
            data_out: output,
            ctx_in: Some(&context),
            repeat: runs,
            ..TestRunOptions::new()
        };
        let offer: &mut Xdp = parts::program(&mut self.object.ebpf, self.journey.offer())?;
        let result =
            offer.test_run(options).with_context(|| format!("the kernel refuses to run {name}"))?;
        ensure!(
            result.return_value == action::REDIRECT,
            "{name} ended with the action {}",
            result.return_value
        );
        let ended = self.ended(contender)? - before;
        ensure!(
            *ends == Ends::Silently || ended == u64::from(runs),
            "{name}: {ended} of {runs} packets came to their end"
        );
        Ok(result.data_size_out as usize)
    }

    fn ended(&self, contender: usize) -> Result<u64> {
        match self.contenders[contender].ends {
            Ends::Leaves => Ok(self.left.get(0).reached),
            Ends::Counted => Ok(self.fabric.ended(self.journey.reason)),
            Ends::Silently => Ok(0),
        }
    }
}

fn contender(name: &'static str, program: &Xdp, ends: Ends) -> Result<Contender> {
    Ok(Contender { name, program: program.fd()?.try_clone()?, ends })
}
