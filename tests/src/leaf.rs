//! The leaf that most packet tests use.
//!
//! ```text
//!   HOST_A --- acc0 (untagged) \                      / up0 --- SPINE1 \
//!   HOST_B --- acc1 (untagged) - leaf1, VNI 10100 ---                    --- leaf2 --- HOST_R
//!   HOST_T --- trunk (VLAN 100)/                      \ up1 --- SPINE2 /
//! ```

use std::net::{IpAddr, Ipv6Addr};

use anyhow::Result;
use fabric_common::{
    flow_hash,
    schema::ports::{ROLE_ACCESS, ROLE_UNDERLAY},
};

use crate::{
    addresses::{
        HOST_A, HOST_B, HOST_R, HOST_T, LEAF1_VTEP, LEAF1_VTEP6, LEAF2_VTEP, LEAF2_VTEP6, Mac,
        SPINE1_MAC, SPINE2_MAC, VLAN, VNI,
    },
    expect::{self, provoked_by},
    model,
    namespace::in_own_namespace,
    packet::{Frame, Vxlan},
    world::{CircuitId, DomainId, NexthopId, Port, SEED, SegmentId, VtepId, World, tunnel},
};

/// The leaf's parts. Hosts are settled: their frames are forwarded.
#[expect(missing_docs, reason = "the picture above names them")]
pub struct Leaf {
    pub world: World,
    pub a: Port,
    pub b: Port,
    pub trunk: Port,
    pub up0: Port,
    pub up1: Port,
    pub domain: DomainId,
    pub circuit_a: CircuitId,
    pub circuit_b: CircuitId,
    pub circuit_t: CircuitId,
    pub spine1: NexthopId,
    pub spine2: NexthopId,
    pub leaf2: VtepId,
}

/// Runs a test on a fresh leaf, in a namespace and on a thread of its own.
pub fn leaf(test: impl FnOnce(&mut Leaf) + Send) {
    on(false, test);
}

/// As [`leaf`], with an IPv6 underlay.
pub fn leaf6(test: impl FnOnce(&mut Leaf) + Send) {
    on(true, test);
}

fn on(ipv6: bool, test: impl FnOnce(&mut Leaf) + Send) {
    let provoked = in_own_namespace(|| {
        provoked_by(|| {
            let mut leaf = Leaf::new(ipv6).unwrap_or_else(|error| panic!("no leaf: {error:#}"));
            test(&mut leaf);
        })
    });
    expect::add_provoked(provoked);
}

impl Leaf {
    fn new(ipv6: bool) -> Result<Self> {
        let mut world = World::new()?;
        let a = world.port("acc0", ROLE_ACCESS, [2, 0, 0, 0xac, 0, 0])?;
        let b = world.port("acc1", ROLE_ACCESS, [2, 0, 0, 0xac, 0, 1])?;
        let trunk = world.port("trunk", ROLE_ACCESS, [2, 0, 0, 0xac, 0, 2])?;
        let up0 = world.port("up0", ROLE_UNDERLAY, [2, 0, 0, 0x0b, 0, 0])?;
        let up1 = world.port("up1", ROLE_UNDERLAY, [2, 0, 0, 0x0b, 0, 1])?;
        let [local, remote]: [IpAddr; 2] = match ipv6 {
            true => [LEAF1_VTEP6, LEAF2_VTEP6].map(IpAddr::from),
            false => [LEAF1_VTEP, LEAF2_VTEP].map(IpAddr::from),
        };
        let domain = world.domain(0, tunnel(VNI, local));
        let circuit_a = world.circuit(&a, domain, 0);
        let circuit_b = world.circuit(&b, domain, 0);
        let circuit_t = world.circuit(&trunk, domain, VLAN);
        let spine1 = world.nexthop(&up0, SPINE1_MAC, 1600);
        let spine2 = world.nexthop(&up1, SPINE2_MAC, 1600);
        let leaf2 = world.vtep(local, remote, &[spine1, spine2]);
        world.settle(circuit_a, &HOST_A);
        world.settle(circuit_b, &HOST_B);
        world.settle(circuit_t, &HOST_T);
        world.learn_remote(domain, HOST_R.mac, leaf2);
        Ok(Self {
            world,
            a,
            b,
            trunk,
            up0,
            up1,
            domain,
            circuit_a,
            circuit_b,
            circuit_t,
            spine1,
            spine2,
            leaf2,
        })
    }

    /// Puts a station behind a segment of as many VTEPs as there are weights, leaf2 and others behind the
    /// same spines.
    pub fn multihome(&mut self, mac: Mac, weights: &[u16]) -> (SegmentId, Vec<VtepId>) {
        let leaf2 = self.world.maps.vteps.get(self.leaf2.0);
        let another = |number: u8| match leaf2.remote() {
            IpAddr::V4(remote) => IpAddr::from([192, 0, 2, remote.octets()[3] + number]),
            IpAddr::V6(remote) => {
                IpAddr::from(Ipv6Addr::from_bits(remote.to_bits() + u128::from(number)))
            }
        };
        let mut vteps = vec![self.leaf2];
        for number in 1..weights.len() as u8 {
            let spines = [self.spine1, self.spine2];
            vteps.push(self.world.vtep(leaf2.local(), another(number), &spines));
        }
        let members: Vec<_> = vteps.iter().copied().zip(weights.iter().copied()).collect();
        let segment = self.world.segment(&members, None);
        self.world.learn_segment(self.domain, mac, segment);
        (segment, vteps)
    }

    /// A VXLAN packet of leaf2 for this leaf, as it arrives on the first underlay port.
    #[must_use]
    pub fn from_leaf2(&self) -> Vxlan {
        Vxlan {
            destination_mac: self.up0.mac,
            source_mac: SPINE1_MAC,
            ttl: 62,
            ..Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, VNI)
        }
    }

    /// The underlay port that the flow of an inner frame takes: its bucket in the group, whose buckets
    /// `fabric_common::bucket::fill` gave to the two spines.
    #[must_use]
    pub fn underlay_of(&self, inner: &[u8]) -> Port {
        let group = self.world.group_of(self.leaf2);
        let hash = flow_hash::bucket(model::flow_hash(inner, SEED));
        match self.world.maps.select(group, hash).nexthop {
            Some(nexthop) if nexthop == u32::from(self.spine1.0) => self.up0.clone(),
            Some(nexthop) if nexthop == u32::from(self.spine2.0) => self.up1.clone(),
            other => panic!("the bucket of {hash} belongs to {other:?}"),
        }
    }

    /// The port of a host, by its MAC address.
    #[must_use]
    pub fn port_of(&self, mac: Mac) -> Port {
        let hosts = [(HOST_A, &self.a), (HOST_B, &self.b), (HOST_T, &self.trunk)];
        let found = hosts.into_iter().find(|(host, _)| host.mac == mac);
        found.unwrap_or_else(|| panic!("no host has {mac:02x?}")).1.clone()
    }

    /// Sends a frame of a host of this leaf and expects it on the right underlay port inside the outer
    /// headers that `change` makes of [`Leaf::to_leaf2`].
    #[track_caller]
    pub fn encapsulates(&mut self, frame: &Frame, change: impl FnOnce(Vxlan) -> Vxlan) {
        let inner = frame.clone().untagged().bytes();
        let expected = change(self.to_leaf2(&inner)).around(&inner);
        let underlay = self.underlay_of(&inner);
        let from = self.port_of(frame.source());
        let outcome = self.world.send(&from, &frame.bytes());
        outcome.is_encapsulated(&underlay, self.domain, self.leaf2, &expected);
    }

    /// Sends a VXLAN packet of leaf2 into the first underlay port and expects `expected` on the port of
    /// the host that it is for.
    #[track_caller]
    pub fn decapsulates(&mut self, outer: &Vxlan, inner: &Frame, expected: &Frame) {
        let to = self.port_of(inner.destination());
        let outcome = self.world.send(&self.up0, &outer.around(&inner.bytes()));
        outcome.is_decapsulated(&to, self.domain, self.leaf2, &expected.bytes());
    }

    /// The outer headers that the next frame of this inner frame's flow to leaf2 has to have with
    /// the settings of the domain in [`Leaf::new`]; a test changes what it changed there.
    #[must_use]
    pub fn to_leaf2(&self, inner: &[u8]) -> Vxlan {
        let hash = model::flow_hash(inner, SEED);
        let underlay = self.underlay_of(inner);
        let sent = self.world.sent_to(self.leaf2);
        let identification = sent as u16 ^ (hash >> 32) as u16;
        Vxlan {
            destination_mac: if underlay == self.up0 { SPINE1_MAC } else { SPINE2_MAC },
            source_mac: underlay.mac,
            id: identification.to_be(),
            source_port: flow_hash::source_port(hash),
            ..Vxlan::new(LEAF1_VTEP, LEAF2_VTEP, VNI)
        }
    }
}
