//! A leaf as the kernel knows it: an access port, an uplink, a bridge and a vxlan device, with all
//! MAC addresses, neighbours and routes static. This is also the kernel's side of the comparison,
//! in the shape in which it is fastest and still does what a leaf does.

use std::{fmt::Write as _, net::Ipv4Addr};

use anyhow::{Context as _, Result};

use crate::{
    flow::{SOURCES, destination_mac, source_mac},
    race::Course,
    tool,
};

/// Remote VTEPs; destinations take turns.
pub const VTEPS: u32 = 64;
/// VXLAN network identifier.
pub const VNI: u32 = 100;
/// Outer TTL.
pub const TTL: u8 = 64;
/// UDP port of the tunnels (IANA).
pub const UDP_PORT: u16 = 4789;
/// Address of this leaf's VTEP.
pub const LOCAL: Ipv4Addr = Ipv4Addr::new(10, 253, 0, 1);
/// MAC address of the spine behind the uplink.
pub const SPINE_MAC: [u8; 6] = [0x52, 0x54, 2, 0, 0, 1];
/// MAC address of the uplink.
pub const UPLINK_MAC: [u8; 6] = [0x52, 0x54, 2, 0, 0, 0];
/// IP MTU of the access port.
pub const ACCESS_MTU: u32 = 1_500;
/// IP MTU of the uplink.
pub const UPLINK_MTU: u32 = 1_600;

/// Interface indexes.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// The port with hosts.
    pub access: u32,
    /// The port towards the spine.
    pub uplink: u32,
    /// The spine's end of the uplink: here everything arrives and ends.
    pub sink: u32,
    /// The bridge.
    pub bridge: u32,
    /// The vxlan device.
    pub vxlan: u32,
}

/// Address of a remote VTEP, counted from 0.
#[must_use]
pub fn vtep_address(vtep: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 254, 0, 1).to_bits() + vtep)
}

/// Behind which VTEP a destination is.
#[must_use]
pub const fn vtep_of(destination: u32) -> u32 {
    destination % VTEPS
}

/// A MAC address in its usual spelling.
#[must_use]
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

impl Leaf {
    /// From the hosts to the spine.
    #[must_use]
    pub const fn course(&self) -> Course {
        Course { start: self.access, uplink: self.uplink, sink: self.sink }
    }

    /// Builds the leaf in the present network namespace, with `destinations` stations behind VTEPs.
    ///
    /// # Errors
    /// If the kernel lacks a device type or iproute2 is missing.
    pub fn build(destinations: u32) -> Result<Self> {
        // No packets but those of the benchmark, and no detour through netfilter.
        for name in ["net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.default.disable_ipv6"] {
            tool::sysctl(name, "1")?;
        }
        for table in ["arptables", "iptables", "ip6tables"] {
            tool::sysctl(&format!("net.bridge.bridge-nf-call-{table}"), "0")?;
        }
        tool::batch("ip", &Self::links())?;
        let leaf = Self {
            access: index("access0")?,
            uplink: index("uplink0")?,
            sink: index("spine0")?,
            bridge: index("bridge0")?,
            vxlan: index("vxlan0")?,
        };
        tool::batch("bridge", &Self::stations(destinations))?;
        Ok(leaf)
    }

    fn links() -> String {
        let queues = "numrxqueues 1 numtxqueues 1";
        let (uplink_mac, spine_mac) = (mac_text(UPLINK_MAC), mac_text(SPINE_MAC));
        format!(
            "link set dev lo up\n\
             addr add {LOCAL}/32 dev lo\n\
             link add name access0 mtu {ACCESS_MTU} {queues} type veth peer name host0 {queues}\n\
             link add name uplink0 mtu {UPLINK_MTU} address {uplink_mac} {queues} type veth \
                peer name spine0 mtu {UPLINK_MTU} address {spine_mac} {queues}\n\
             link add name bridge0 type bridge stp_state 0 mcast_snooping 0\n\
             link add name vxlan0 mtu {ACCESS_MTU} type vxlan id {VNI} local {LOCAL} \
                dstport {UDP_PORT} srcport 49152 65535 ttl {TTL} nolearning noudpcsum\n\
             link set dev access0 master bridge0\n\
             link set dev vxlan0 master bridge0\n\
             link set dev vxlan0 type bridge_slave learning off\n\
             addr add 172.31.0.0/31 dev uplink0\n\
             link set dev access0 up\n\
             link set dev host0 up\n\
             link set dev uplink0 up\n\
             link set dev spine0 up\n\
             link set dev vxlan0 up\n\
             link set dev bridge0 up\n\
             neigh replace 172.31.0.1 lladdr {spine_mac} dev uplink0 nud permanent\n\
             route add 10.254.0.0/16 via 172.31.0.1 dev uplink0\n"
        )
    }

    fn stations(destinations: u32) -> String {
        let mut commands = String::new();
        for source in 0..SOURCES {
            let mac = mac_text(source_mac(source));
            let _ = writeln!(commands, "fdb replace {mac} dev access0 master static");
        }
        for destination in 0..destinations {
            let mac = mac_text(destination_mac(destination));
            let vtep = vtep_address(vtep_of(destination));
            let _ = writeln!(commands, "fdb add {mac} dev vxlan0 dst {vtep} self master static");
        }
        commands
    }
}

pub(crate) fn index(name: &str) -> Result<u32> {
    let name_c = std::ffi::CString::new(name)?;
    // SAFETY: a zero-terminated name.
    let index = unsafe { libc::if_nametoindex(name_c.as_ptr()) };
    (index != 0).then_some(index).with_context(|| format!("the interface {name} is not there"))
}
