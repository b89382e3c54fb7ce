//! A leaf as the kernel knows it: an access port, an underlay port, a bridge and a vxlan device, with
//! all MAC addresses, neighbours and routes static. This is also the kernel's side of the comparison,
//! in the shape in which it is fastest and still does what a leaf does.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, Ipv6Addr},
};

use anyhow::{Context as _, Result};

pub use crate::tunnel::{SPINE_MAC, TTL, UDP_PORT, UNDERLAY_MAC, VNI};
use crate::{
    flow::{SOURCES, destination_mac, source_mac},
    neighbours::{Neighbours, Place},
    tool, tunnel,
    underlay::Underlay,
};

/// Remote VTEPs unless a plan says otherwise.
pub const VTEPS: u32 = 64;
/// Address of this leaf's VTEP.
pub const LOCAL: Ipv4Addr =
    Ipv4Addr::new(tunnel::LOCAL[0], tunnel::LOCAL[1], tunnel::LOCAL[2], tunnel::LOCAL[3]);
/// IP MTU of the stations' network. The cables of access ports take what the underlay's do: a bare redirect brings whole
/// tunnel frames there.
pub const ACCESS_MTU: u32 = 1_500;
/// IP MTU of the underlay port.
pub const UNDERLAY_MTU: u32 = 1_600;

/// Interface indexes.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// The port with hosts.
    pub access: u32,
    /// The hosts' end of it.
    pub host: u32,
    /// Another port with hosts.
    pub other_access: u32,
    /// The hosts' end of that.
    pub other_host: u32,
    /// The port towards the spine.
    pub routed: u32,
    /// The spine's end of the underlay port.
    pub sink: u32,
    /// The bridge.
    pub bridge: u32,
    /// The vxlan device.
    pub vxlan: u32,
    /// What its tunnels are made over.
    pub underlay: Underlay,
}

/// Where stations are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// Behind the access port.
    Access,
    /// Behind the other access port.
    OtherAccess,
    /// Behind remote VTEPs, which take turns.
    Remote,
}

/// Who is where.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Stations that frames go to.
    pub destinations: u32,
    /// Where they are.
    pub destinations_at: Site,
    /// Where the [`SOURCES`] stations are that frames come from.
    pub sources_at: Site,
    /// Number of remote VTEPs.
    pub vteps: u32,
    /// What tunnels are made over.
    pub underlay: Underlay,
}

impl Plan {
    /// All stations: MAC address, where, and number of the VTEP if it is remote.
    pub fn stations(&self) -> impl Iterator<Item = ([u8; 6], Site, u32)> {
        let plan = *self;
        let sources = (0..SOURCES).map(move |n| (source_mac(n), plan.sources_at, n % plan.vteps));
        let destinations = (0..plan.destinations)
            .map(move |n| (destination_mac(n), plan.destinations_at, n % plan.vteps));
        sources.chain(destinations)
    }
}

/// Address of a remote VTEP, counted from 0.
#[must_use]
pub fn vtep_address(vtep: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from_be(tunnel::vtep_be(vtep)))
}

/// A MAC address in its usual spelling.
#[must_use]
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

impl Leaf {
    /// Builds the leaf in the present network namespace, with all stations of a plan.
    ///
    /// # Errors
    /// If the kernel lacks a device type or iproute2 is missing.
    pub fn build_for(plan: &Plan) -> Result<Self> {
        let leaf = Self::build_over(plan.underlay)?;
        leaf.add_stations(plan)?;
        Ok(leaf)
    }

    /// Builds the leaf in the present network namespace, over IPv4 and without stations.
    ///
    /// # Errors
    /// As [`Self::build_for`].
    pub fn build_empty() -> Result<Self> {
        Self::build_over(Underlay::Ipv4)
    }

    fn build_over(underlay: Underlay) -> Result<Self> {
        // No packets but those of the benchmark, and no detour through netfilter.
        for name in ["net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.default.disable_ipv6"] {
            tool::sysctl(name, "1")?;
        }
        for table in ["arptables", "iptables", "ip6tables"] {
            tool::sysctl(&format!("net.bridge.bridge-nf-call-{table}"), "0")?;
        }
        tool::batch("ip", &Self::links(underlay))?;
        match underlay {
            Underlay::Ipv4 => tool::batch("ip", &Self::underlay4())?,
            Underlay::Ipv6 { .. } => {
                for port in ["lo", "underlay0"] {
                    tool::sysctl(&format!("net.ipv6.conf.{port}.disable_ipv6"), "0")?;
                }
                tool::batch("ip", &Self::underlay6())?;
            }
        }
        if underlay.has_checksum() {
            // A veth would claim to compute checksums and send packets without. Some network cards
            // do it for the kernel's tunnels; XDP has nobody to do it.
            tool::output("ethtool", &["-K", "underlay0", "tx", "off"])?;
        }
        Ok(Self {
            access: index("access0")?,
            host: index("host0")?,
            other_access: index("access1")?,
            other_host: index("host1")?,
            routed: index("underlay0")?,
            sink: index("spine0")?,
            bridge: index("bridge0")?,
            vxlan: index("vxlan0")?,
            underlay,
        })
    }

    /// Tells the kernel where the stations of a plan are.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn add_stations(&self, plan: &Plan) -> Result<()> {
        let mut neighbours = Neighbours::open()?;
        for (mac, site, vtep) in plan.stations() {
            neighbours.replace(mac, self.place(site, vtep))?;
        }
        neighbours.requests.flush()
    }

    /// Adds bridges with vxlan devices until there are so many VNIs, and gives back the indexes of the vxlan devices,
    /// that of the leaf first.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn tunnels(&self, vnis: u32) -> Result<Vec<u32>> {
        let mut commands = String::new();
        for number in 1..vnis {
            let vni = VNI + number;
            let _ = writeln!(
                commands,
                "link add name b{number} type bridge stp_state 0 mcast_snooping 0\n\
                 link add name v{number} type vxlan id {vni} local {LOCAL} dstport {UDP_PORT} \
                    nolearning noudpcsum\n\
                 link set dev v{number} master b{number} up\n\
                 link set dev b{number} up"
            );
        }
        tool::batch("ip", &commands)?;
        let others = (1..vnis).map(|number| index(&format!("v{number}")));
        std::iter::once(Ok(self.vxlan)).chain(others).collect()
    }

    /// Where a station is, in the kernel's terms.
    #[must_use]
    pub fn place(&self, site: Site, vtep: u32) -> Place {
        match site {
            Site::Access => Place::Port(self.access),
            Site::OtherAccess => Place::Port(self.other_access),
            Site::Remote => Place::Vtep { vxlan: self.vxlan, address: self.underlay.vtep(vtep) },
        }
    }

    fn links(underlay: Underlay) -> String {
        let queues = "numrxqueues 1 numtxqueues 1";
        let (underlay_mac, spine_mac) = (mac_text(UNDERLAY_MAC), mac_text(SPINE_MAC));
        let local = underlay.local();
        let checksum = match underlay {
            Underlay::Ipv4 => "noudpcsum",
            Underlay::Ipv6 { checksum: false } => "udp6zerocsumtx udp6zerocsumrx",
            Underlay::Ipv6 { checksum: true } => "noudp6zerocsumtx noudp6zerocsumrx",
        };
        format!(
            "link set dev lo up\n\
             link add name access0 mtu {UNDERLAY_MTU} {queues} type veth \
                peer name host0 mtu {UNDERLAY_MTU} {queues}\n\
             link add name access1 mtu {UNDERLAY_MTU} {queues} type veth \
                peer name host1 mtu {UNDERLAY_MTU} {queues}\n\
             link add name underlay0 mtu {UNDERLAY_MTU} address {underlay_mac} {queues} type veth \
                peer name spine0 mtu {UNDERLAY_MTU} address {spine_mac} {queues}\n\
             link add name bridge0 type bridge stp_state 0 mcast_snooping 0\n\
             link add name vxlan0 mtu {ACCESS_MTU} type vxlan id {VNI} local {local} \
                dstport {UDP_PORT} srcport 49152 65535 ttl {TTL} nolearning {checksum}\n\
             link set dev access0 master bridge0\n\
             link set dev access1 master bridge0\n\
             link set dev vxlan0 master bridge0\n\
             link set dev vxlan0 type bridge_slave learning off\n\
             link set dev underlay0 addrgenmode none\n\
             link set dev access0 up\n\
             link set dev host0 up\n\
             link set dev access1 up\n\
             link set dev host1 up\n\
             link set dev underlay0 up\n\
             link set dev spine0 up\n\
             link set dev vxlan0 up\n\
             link set dev bridge0 up\n"
        )
    }

    fn underlay4() -> String {
        let spine_mac = mac_text(SPINE_MAC);
        format!(
            "addr add {LOCAL}/32 dev lo\n\
             addr add 172.31.0.0/31 dev underlay0\n\
             neigh replace 172.31.0.1 lladdr {spine_mac} dev underlay0 nud permanent\n\
             route add 10.254.0.0/16 via 172.31.0.1 dev underlay0\n"
        )
    }

    fn underlay6() -> String {
        let (spine_mac, local) = (mac_text(SPINE_MAC), Ipv6Addr::from(tunnel::LOCAL6));
        format!(
            "addr add {local}/128 dev lo\n\
             neigh replace fe80::1 lladdr {spine_mac} dev underlay0 nud permanent\n\
             route add fd00:fe::/32 via fe80::1 dev underlay0\n"
        )
    }
}

/// Index of an interface of the present network namespace.
///
/// # Errors
/// If there is none of that name.
pub fn index(name: &str) -> Result<u32> {
    fabric_user::kernel::interface::index(name)
        .with_context(|| format!("the interface {name} is not there"))
}
