//! A TCP transfer whose every byte is checked at the other end.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use fabric_user::lab::{LabError, Netns};

use super::datagram::inside;

/// Without a byte for so long a transfer has failed: a busy machine takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A finished transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes that arrived as they were sent.
    pub intact: u64,
    /// How long it took.
    pub time: Duration,
}

/// Sends `bytes` bytes from one host to another over TCP.
///
/// # Errors
/// If the connection cannot be made or breaks; a damaged byte ends the count of intact ones.
pub fn transfer(
    from: &Netns,
    to: &Netns,
    address: Ipv4Addr,
    bytes: u64,
) -> Result<Transfer, LabError> {
    let (listener, port) = inside(to, || {
        let listener = TcpListener::bind((address, 0))?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    })?;
    let start = Instant::now();
    let receiver = thread::spawn(move || receive(&listener));
    inside(from, || send(address, port, bytes))?;
    let received = receiver.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
    let failed = |source| LabError::Namespace { namespace: to.name().to_owned(), source };
    let intact = received.map_err(failed)?;
    Ok(Transfer { intact, time: start.elapsed() })
}

fn pattern(position: u64) -> u8 {
    (position ^ (position >> 8) ^ (position >> 16)) as u8
}

fn send(address: Ipv4Addr, port: u16, bytes: u64) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&(address, port).into(), PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut position = 0;
    // Writes of many sizes make segments of many sizes.
    let mut sizes = [1_usize, 7, 100, 1_400, 1_448, 1_449, 9_000, 65_000].into_iter().cycle();
    while position < bytes {
        let size = (sizes.next().unwrap_or(1) as u64).min(bytes - position);
        let chunk: Vec<u8> = (position..position + size).map(pattern).collect();
        stream.write_all(&chunk)?;
        position += size;
    }
    stream.shutdown(Shutdown::Write)?;
    // The other end closes when it has everything.
    stream.set_read_timeout(Some(PATIENCE))?;
    // Unlike a single read, this goes on after a signal.
    stream.read_to_end(&mut Vec::new()).map(|_| ())
}

fn receive(listener: &TcpListener) -> io::Result<u64> {
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = vec![0; 65_536];
    let mut intact = 0_u64;
    loop {
        let length = match stream.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        if length == 0 {
            return Ok(intact);
        }
        for byte in &buffer[..length] {
            if *byte != pattern(intact) {
                return Ok(intact);
            }
            intact += 1;
        }
    }
}
