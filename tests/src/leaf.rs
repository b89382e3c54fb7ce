//! The leaf that most packet tests use.
//!
//! ```text
//!   HOST_A --- acc0 (untagged) \                      / up0 --- SPINE1 \
//!   HOST_B --- acc1 (untagged) - leaf1, VNI 10100 ---                    --- leaf2 --- HOST_R
//!   HOST_T --- trunk (VLAN 100)/                      \ up1 --- SPINE2 /
//! ```

use anyhow::Result;
use fabric_common::{
    flow_hash,
    schema::{
        domains::Domain,
        ports::{ROLE_ACCESS, ROLE_UPLINK},
    },
};

use crate::{
    addresses::{
        HOST_A, HOST_B, HOST_R, HOST_T, LEAF1_VTEP, LEAF2_VTEP, SPINE1_MAC, SPINE2_MAC, VLAN, VNI,
        VXLAN_PORT,
    },
    expect::{self, provoked_by},
    model,
    namespace::in_own_namespace,
    packet::Vxlan,
    world::{CircuitId, DomainId, NexthopId, Port, SEED, VtepId, World, be},
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
///
/// # Panics
/// If the test does.
pub fn leaf(test: impl FnOnce(&mut Leaf) + Send) {
    let provoked = in_own_namespace(|| {
        provoked_by(|| {
            let mut leaf = Leaf::new().unwrap_or_else(|error| panic!("no leaf: {error:#}"));
            test(&mut leaf);
        })
    });
    expect::add_provoked(provoked);
}

impl Leaf {
    fn new() -> Result<Self> {
        let mut world = World::new()?;
        let a = world.port("acc0", ROLE_ACCESS, [2, 0, 0, 0xac, 0, 0])?;
        let b = world.port("acc1", ROLE_ACCESS, [2, 0, 0, 0xac, 0, 1])?;
        let trunk = world.port("trunk", ROLE_ACCESS, [2, 0, 0, 0xac, 0, 2])?;
        let up0 = world.port("up0", ROLE_UPLINK, [2, 0, 0, 0x0b, 0, 0])?;
        let up1 = world.port("up1", ROLE_UPLINK, [2, 0, 0, 0x0b, 0, 1])?;
        let domain = world.domain(Domain {
            vni: VNI,
            local_be: be(LEAF1_VTEP),
            udp_port_be: VXLAN_PORT.to_be(),
            ttl: 64,
            max_frame: 1514,
            refresh_jiffies: 75 * world.hz,
            ..Domain::default()
        });
        let circuit_a = world.circuit(&a, domain, 0);
        let circuit_b = world.circuit(&b, domain, 0);
        let circuit_t = world.circuit(&trunk, domain, VLAN);
        let spine1 = world.nexthop(&up0, SPINE1_MAC, 1600);
        let spine2 = world.nexthop(&up1, SPINE2_MAC, 1600);
        let leaf2 = world.vtep(LEAF1_VTEP, LEAF2_VTEP, &[spine1, spine2]);
        world.settle(&a, circuit_a, &HOST_A)?;
        world.settle(&b, circuit_b, &HOST_B)?;
        world.settle(&trunk, circuit_t, &HOST_T)?;
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

    /// A VXLAN packet of leaf2 for this leaf, as it arrives on the first uplink.
    #[must_use]
    pub fn from_leaf2(&self) -> Vxlan {
        Vxlan {
            destination_mac: self.up0.mac,
            source_mac: SPINE1_MAC,
            ttl: 62,
            ..Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, VNI)
        }
    }

    /// The uplink that the flow of an inner frame takes: its bucket in the group, whose buckets
    /// `fabric_common::bucket::fill` gave to the two spines.
    ///
    /// # Panics
    /// If the bucket belongs to neither.
    #[must_use]
    pub fn uplink_of(&self, inner: &[u8]) -> Port {
        let group = self.world.maps.groups.get(self.leaf2.0);
        let bucket = flow_hash::bucket(model::flow_hash(inner, SEED)) as usize;
        match NexthopId(group.buckets[bucket % group.buckets.len()]) {
            nexthop if nexthop == self.spine1 => self.up0.clone(),
            nexthop if nexthop == self.spine2 => self.up1.clone(),
            other => panic!("bucket {bucket} belongs to {other:?}"),
        }
    }

    /// The outer headers that the next frame of this inner frame's flow to leaf2 has to have with
    /// the settings of the domain in [`Leaf::new`]; a test changes what it changed there.
    ///
    /// # Panics
    /// If the counters cannot be read.
    #[must_use]
    pub fn to_leaf2(&self, inner: &[u8]) -> Vxlan {
        let hash = model::flow_hash(inner, SEED);
        let uplink = self.uplink_of(inner);
        let counters = self.world.counters().expect("the counters can be read");
        let sent = counters
            .vteps
            .get(&self.leaf2.0)
            .map_or(0, |t| t.encapsulated.packets);
        let identification = sent as u16 ^ (hash >> 32) as u16;
        Vxlan {
            destination_mac: if uplink == self.up0 {
                SPINE1_MAC
            } else {
                SPINE2_MAC
            },
            source_mac: uplink.mac,
            id: identification.to_be(),
            source_port: flow_hash::source_port(hash),
            ..Vxlan::new(LEAF1_VTEP, LEAF2_VTEP, VNI)
        }
    }
}
