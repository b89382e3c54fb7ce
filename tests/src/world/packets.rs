//! Packets into ports, and what becomes of them.

use std::collections::BTreeMap;

use anyhow::Result;
use fabric_common::reason::Reason;

use super::{Port, VtepId, World, program_of};
use crate::{
    counters::Counters,
    expect::Outcome,
    model::forecast,
    run::{self, Run},
};

impl World {
    /// All counters of the ports, domains and VTEPs of this world.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters::read(&self.maps, &self.scope)
    }

    /// How many frames were sent to a VTEP so far.
    #[must_use]
    pub fn sent_to(&self, vtep: VtepId) -> u64 {
        self.maps.vtep_traffic.get(vtep.0).map(|traffic| traffic.encapsulated.packets).sum()
    }

    /// Runs the program of the port on a packet.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn run(&mut self, port: &Port, packet: &[u8], metadata: usize) -> Result<Run> {
        let program = self.reconciler.system.programs.get(program_of(port.role))?;
        run::run(program, port.ifindex, packet, metadata)
    }

    /// Sends a packet into a port; what became of it is still to be compared.
    pub fn send(&mut self, port: &Port, packet: &[u8]) -> Outcome {
        self.send_behind(port, packet, 0)
    }

    /// As [`World::send`], from a driver that leaves no room in front of the packet.
    pub fn send_without_headroom(&mut self, port: &Port, packet: &[u8]) -> Outcome {
        self.send_behind(port, packet, run::NO_HEADROOM)
    }

    fn send_behind(&mut self, port: &Port, packet: &[u8], metadata: usize) -> Outcome {
        self.try_send(port, packet, metadata)
            .unwrap_or_else(|error| panic!("cannot send through {}: {error:#}", port.name))
    }

    fn try_send(&mut self, port: &Port, packet: &[u8], metadata: usize) -> Result<Outcome> {
        let before = self.counters();
        let run = self.run(port, packet, metadata)?;
        let counted = self.counters().since(&before);
        Ok(Outcome { port: port.clone(), input: packet.to_vec(), run, counted })
    }

    /// Sends packets that `next` makes and compares their ends with the model, action and bytes one
    /// by one, all counters after every few hundred. Returns how often each reason was met.
    pub fn compare(
        &mut self,
        packets: impl IntoIterator<Item = (Port, Vec<u8>)>,
    ) -> BTreeMap<Reason, usize> {
        const BATCH: usize = 500;
        let mut met = BTreeMap::new();
        let mut packets = packets.into_iter().peekable();
        while packets.peek().is_some() {
            let before = self.counters();
            let mut expected = Counters::default();
            for (port, packet) in packets.by_ref().take(BATCH) {
                let forecast = forecast(self, &port, &packet);
                let run = self.run(&port, &packet, 0).expect("the program runs");
                forecast.assert_run(&packet, &run);
                expected.add(&forecast.counters(&port, &packet));
                *met.entry(forecast.reason).or_default() += 1;
            }
            let counted = self.counters().since(&before);
            assert_eq!(counted, expected, "left: what the counters gained in this batch");
        }
        met
    }
}
