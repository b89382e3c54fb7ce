//! One packet through a loaded program, by `BPF_PROG_TEST_RUN`.

use anyhow::{Context as _, Result};
use aya::programs::{TestRun as _, TestRunOptions, Xdp};

/// XDP actions (`enum xdp_action` of `linux/bpf.h`).
pub mod action {
    /// The packet goes.
    pub const DROP: u32 = 1;
    /// The kernel gets the packet.
    pub const PASS: u32 = 2;
    /// The packet leaves through another device.
    pub const REDIRECT: u32 = 4;
}

/// What the program made of the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The XDP action, see [`action`].
    pub action: u32,
    /// The packet afterwards.
    pub bytes: Vec<u8>,
}

/// Shortest packet that the kernel accepts for a run: an Ethernet header.
pub const SHORTEST: usize = 14;
/// Longest one: a page without head room and `skb_shared_info`.
pub const LONGEST: usize = 3_400;
/// Metadata that fills the head room of 256 bytes but for the kernel's `struct xdp_frame` of 40:
/// nothing can be put in front of the packet any more.
pub const NO_HEADROOM: usize = 216;

/// `struct xdp_md` of `linux/bpf.h`.
fn context(metadata: usize, length: usize, ifindex: u32) -> [u8; 24] {
    let fields = [metadata as u32, (metadata + length) as u32, 0, ifindex, 0, 0];
    let mut bytes = [0; 24];
    for (place, field) in bytes.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_ne_bytes());
    }
    bytes
}

/// Runs `program` on `packet` as if it had come from interface `ifindex`, which must be up and run
/// an XDP program. `metadata` bytes stand in front of it and take away head room.
///
/// # Errors
/// What the kernel says.
pub fn run(program: &Xdp, ifindex: u32, packet: &[u8], metadata: usize) -> Result<Run> {
    let mut data = vec![0; metadata];
    data.extend_from_slice(packet);
    let context = context(metadata, packet.len(), ifindex);
    let mut output = vec![0; 4096];
    let options = TestRunOptions {
        data_in: Some(&data),
        data_out: Some(&mut output),
        ctx_in: Some(&context),
        ..TestRunOptions::new()
    };
    let result = program
        .test_run(options)
        .with_context(|| format!("the kernel refuses to run {} bytes", data.len()))?;
    output.truncate(result.data_size_out as usize);
    output.drain(..metadata);
    Ok(Run { action: result.return_value, bytes: output })
}
