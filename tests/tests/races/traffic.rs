//! The probes again and again, while everything changes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use fabric_tests::wire::Wire;
use fabric_user::lab::netns::Netns;

use crate::{leaf::PORTS, probes::Probe};

/// Sends until it is dropped.
#[derive(Debug)]
pub(crate) struct Traffic {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    pub(crate) fn start(peers: &Netns, probes: &[Probe]) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (peers, probes, told) = (peers.clone(), probes.to_vec(), Arc::clone(&ends));
        let send_all = move || {
            // Interfaces come and go: a wire is opened for one turn.
            let wires: Vec<_> = PORTS.iter().map(|port| Wire::open(&format!("p{port}"))).collect();
            for (port, wire) in PORTS.iter().zip(&wires) {
                let Ok(wire) = wire else { continue };
                for probe in probes.iter().filter(|probe| probe.port == *port) {
                    let _down = wire.send(&probe.frame);
                }
            }
        };
        let thread = std::thread::spawn(move || {
            let send_until_told = || {
                while !told.load(Ordering::Relaxed) {
                    send_all();
                    std::thread::sleep(Duration::from_millis(10));
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
