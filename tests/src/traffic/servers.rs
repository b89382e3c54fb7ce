//! Which of several servers with the same address each flow reaches: one datagram a flow, and who got it.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use fabric_user::lab::{LabError, Netns};

use super::{datagram::inside, flow_stream};

/// So many datagrams are under way at once: a fraction of what a veth queues (`VETH_RING_SIZE`).
const BATCH: usize = 64;
/// Within this a datagram has arrived, also on a busy machine, or is lost.
const LIMIT: Duration = Duration::from_secs(5);

/// Servers that listen at one address.
#[derive(Debug)]
pub struct Servers {
    sockets: Vec<UdpSocket>,
    rounds: u32,
}

impl Servers {
    /// Listens in these namespaces, which all have the address.
    ///
    /// # Errors
    /// If a namespace cannot be entered or gives no socket.
    pub fn listen(servers: &[Netns], address: SocketAddr) -> Result<Self, LabError> {
        let open = |netns| {
            inside(netns, || {
                let socket = flow_stream::open_receiver(address)?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            })
        };
        let sockets = servers.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { sockets, rounds: 0 })
    }

    /// Sends a datagram of each of `flows` flows by `send`, which gets the flow's number and the datagram's
    /// payload; the server of each, by its place in the list. None at once if one arrives nowhere. Servers answer
    /// if they are to.
    ///
    /// # Errors
    /// If a socket fails.
    pub fn of_flows(
        &mut self,
        flows: u32,
        answering: bool,
        mut send: impl FnMut(u32, &[u8]),
    ) -> io::Result<Option<Vec<usize>>> {
        // What a round has lost and arrives later is not taken for one of the next.
        self.rounds += 1;
        let mut found = Vec::new();
        for first in (0..flows).step_by(BATCH) {
            let batch = first..flows.min(first + BATCH as u32);
            for flow in batch.clone() {
                send(flow, [self.rounds, flow].map(u32::to_be_bytes).as_flattened());
            }
            let mut arrived = BTreeMap::new();
            let start = Instant::now();
            while arrived.len() < batch.len() {
                self.receive(&mut arrived, answering)?;
                if start.elapsed() > LIMIT {
                    return Ok(None);
                }
                thread::yield_now();
            }
            found.extend(arrived.into_values());
        }
        Ok(Some(found))
    }

    /// Takes what has arrived of this round.
    fn receive(&self, arrived: &mut BTreeMap<u32, usize>, answering: bool) -> io::Result<()> {
        let mut buffer = [0; 64];
        for (server, socket) in self.sockets.iter().enumerate() {
            loop {
                let (length, from) = match socket.recv_from(&mut buffer) {
                    Ok(received) => received,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                };
                let words = buffer[..length].as_chunks().0;
                let [round, flow] = words[..] else { continue };
                if u32::from_be_bytes(round) == self.rounds {
                    arrived.insert(u32::from_be_bytes(flow), server);
                    if answering {
                        socket.send_to(&buffer[..length], from)?;
                    }
                }
            }
        }
        Ok(())
    }
}
