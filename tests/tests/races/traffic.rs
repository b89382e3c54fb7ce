//! The probes again and again, while everything changes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use fabric_tests::wire::Wire;
use fabric_user::lab::netns::Netns;

use crate::probes::Probe;

/// Sends until it is dropped.
#[derive(Debug)]
pub(crate) struct Traffic {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    pub(crate) fn start(peers: &Netns, ports: &'static [&'static str], probes: &[Probe]) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (peers, probes, told) = (peers.clone(), probes.to_vec(), Arc::clone(&ends));
        let send_all = move || {
            // Interfaces come and go: a wire is opened for one turn.
            let wires: Vec<_> = ports.iter().map(|port| Wire::open(&format!("p{port}"))).collect();
            for (port, wire) in ports.iter().zip(&wires) {
                let Ok(wire) = wire else { continue };
                for probe in probes.iter().filter(|probe| probe.port == *port) {
                    let _down = wire.send(&probe.frame);
                }
            }
        };
        let thread = std::thread::spawn(move || {
            let send_until_told = || {
                while !told.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    send_all();
                    // An emulated processor has more to do than to carry these.
                    std::thread::sleep(Duration::from_millis(10).max(2 * start.elapsed()));
                }
            };
            peers.enter(send_until_told).expect("the namespace exists");
        });
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
