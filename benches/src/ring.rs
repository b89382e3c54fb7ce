//! The frames that the stages of the packet path are timed with. The BPF generator includes this
//! file as well, so it uses nothing but `core` and its neighbours.
//!
//! A plain `BPF_PROG_TEST_RUN` runs a program again and again on one buffer, as the run before has
//! left it. So the generator in front of the program under test puts the packet's start and end on
//! another frame each time, whatever was done to the last one. All frames of the buffer are written
//! at once and used up from the last one to the first: what a frame's headers are read from is then
//! no longer in the processor's store buffer, as with frames from a wire.

use super::flow::Generator;

/// Frames in the buffer.
pub const PLACES: u32 = 16;
/// Bytes from one frame to the next: the longest frame, with room for outer headers in front.
pub const STRIDE: usize = 128;

/// The state of the generator.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Ring {
    /// What is drawn.
    pub generator: Generator,
    /// Runs so far.
    pub runs: u64,
    /// The run whose begin is the first moment.
    pub from: u64,
    /// The run whose begin is the last moment.
    pub to: u64,
    /// The first moment, in nanoseconds of the kernel's monotonic clock.
    pub first_ns: u64,
    /// The last moment.
    pub last_ns: u64,
    /// A word that runs may wait for.
    pub fence: u64,
    /// Frames that are left in the buffer.
    pub left: u32,
    /// Not 0: a run waits until all loads and stores of the one before are done.
    pub apart: u32,
}

/// What journeys leave.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Left {
    /// How often one came to where it was to end.
    pub reached: u64,
}
