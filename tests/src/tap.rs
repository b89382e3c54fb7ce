//! Taps (`drivers/net/tun.c`): devices whose other end is a file, as virtual machines have them.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::fs::OpenOptionsExt as _,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use fabric_user::lab::Netns;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// `TUNSETIFF` of `linux/if_tun.h`: `_IOW('T', 202, int)`.
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
/// Longest frame that is copied, with what stands before it.
const ROOM: usize = 1 << 16;
/// How often a thread that waits for frames looks whether to stop.
const POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// What writes and reads the frames of a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Without waiting, as QEMU does: native XDP sees what is written (`tun_can_build_skb()`).
    NonBlocking,
    /// Waiting for room: XDP sees what is written as generic XDP does (`do_xdp_generic()`).
    Blocking,
}

/// The file of a tap. Frames stand behind a `virtio_net_hdr` (10 bytes), as QEMU has them. The device goes with
/// this value.
#[derive(Debug)]
pub struct Tap(File);

impl Tap {
    /// Makes a tap in a namespace.
    ///
    /// # Errors
    /// If there is no `/dev/net/tun`, or an interface of that name.
    pub fn make(netns: &Netns, name: &str, access: Access) -> Result<Self> {
        netns.enter(|| Self::make_here(name, access)).context("no namespace")?
    }

    fn make_here(name: &str, access: Access) -> Result<Self> {
        let flags = if access == Access::NonBlocking { libc::O_NONBLOCK } else { 0 };
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(flags);
        let file = options.open("/dev/net/tun").context("no /dev/net/tun")?;
        ensure!(name.len() < libc::IFNAMSIZ, "{name} is no name of an interface");
        // SAFETY: all zeroes are a valid `ifreq`.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from.cast_signed();
        }
        let kind = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
        request.ifr_ifru.ifru_flags = kind as libc::c_short;
        // SAFETY: the file is open, and the kernel reads and writes an `ifreq`.
        let made = unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF, &raw mut request) };
        ensure!(made == 0, "{name}: {}", io::Error::last_os_error());
        Ok(Self(file))
    }
}

/// Two taps between which frames are copied as QEMU copies them between a tap and a guest, until this value goes,
/// and with it both devices.
#[derive(Debug)]
pub struct Guest {
    stop: Arc<AtomicBool>,
    copying: Vec<JoinHandle<io::Result<()>>>,
}

impl Guest {
    /// Joins the tap of a guest's own namespace, which plays its network card, and that of its server.
    #[must_use]
    pub fn join(card: Tap, server: Tap) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let taps = [Arc::new(card.0), Arc::new(server.0)];
        let copying = [[0, 1], [1, 0]].map(|ends| {
            let [from, to] = ends.map(|end| taps[end].clone());
            let stop = stop.clone();
            thread::spawn(move || copy(&from, &to, &stop))
        });
        Self { stop, copying: copying.into() }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.copying.drain(..) {
            match thread.join() {
                Ok(Err(error)) if !thread::panicking() => panic!("frames are not copied: {error}"),
                _ => {}
            }
        }
    }
}

/// Copies frames with the headers before them.
fn copy(mut from: &File, mut to: &File, stop: &AtomicBool) -> io::Result<()> {
    let mut frame = vec![0; ROOM];
    while !stop.load(Ordering::Relaxed) {
        let mut waiting = [PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN)];
        match poll(&mut waiting, Some(&POLL)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let length = match from.read(&mut frame) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            // The device is off, or has gone with its namespace.
            Err(error) if is_off(&error) => {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            length => length?,
        };
        match to.write(&frame[..length]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock || is_off(&error) => {}
            written => drop(written?),
        }
    }
    Ok(())
}

fn is_off(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EBADFD))
}
