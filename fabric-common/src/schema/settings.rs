//! `settings`: one entry that every packet reads.

/// The flow label of IPv6 packets counts as well (RFC 6438 §3).
pub const HASH_FLOW_LABEL: u32 = 1 << 0;
/// VXLAN packets on their way through are told apart by their inner headers.
pub const HASH_INNER: u32 = 1 << 1;
/// Both directions of a connection have one hash.
pub const HASH_SYMMETRIC: u32 = 1 << 2;

/// What holds for the whole instance.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Kernel time in jiffies after which nothing is forwarded any more. Written by the heartbeat
    /// program, which adds `timeout_jiffies` to the present.
    pub deadline: u64,
    /// Not 0: hand all traffic to the kernel. A word of its own, because others than the daemon
    /// write it.
    pub bypass: u64,
    /// How long the maps may be used without a sign of life from the daemon, in jiffies.
    pub timeout_jiffies: u32,
    /// Seed of the flow hash: differs per box, stays over restarts.
    pub seed: u32,
    /// The kernel's timer frequency (CONFIG_HZ), to turn jiffies into time.
    pub hz: u32,
    /// What the flow hash takes into account: `HASH_` constants.
    pub hash_flags: u32,
    /// UDP destination ports of the vxlan devices, 0 where there are fewer than four.
    pub vxlan_ports_be: [u16; 4],
}

super::map_value!(Settings, 40);
