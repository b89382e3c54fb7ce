//! The other end of a port: frames go in and come out as they are on the wire.

use std::time::Instant;

use anyhow::{Context as _, Result};
use fabric_user::kernel::packet_socket::{ALL, PacketSocket};

/// A raw socket on one device. It outlives the namespace that it was opened in.
#[derive(Debug)]
pub struct Wire(PacketSocket);

impl Wire {
    /// Opens the wire at a device of this thread's namespace.
    ///
    /// # Errors
    /// If there is no such device, or this is not root.
    pub fn open(device: &str) -> Result<Self> {
        PacketSocket::open(device, ALL)
            .and_then(PacketSocket::ignore_outgoing)
            .and_then(PacketSocket::with_vlan_tags)
            .map(Self)
            .with_context(|| format!("cannot open a raw socket on {device}"))
    }

    /// Sends a frame to the port.
    ///
    /// # Errors
    /// What the kernel says, for instance that the frame is too long for the device.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        self.0.send(frame).with_context(|| format!("cannot send {} bytes", frame.len()))
    }

    /// The next frame that the port sent, or `None` if there is none until `deadline`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn receive(&self, deadline: Instant) -> Result<Option<Vec<u8>>> {
        self.0.receive(deadline).context("cannot receive")
    }
}
