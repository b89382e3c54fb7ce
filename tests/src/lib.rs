//! What the tests of the packet path share: a world to run packets in, packets, expectations.
//!
//! Everything here needs root. What cannot be done, or is not as a function says, ends the test with a
//! panic; `# Panics` says what else does. A test that fails must not leave anything behind: devices
//! and pins live in namespaces that die with the test's thread.
//!
//! Tests name the cases of others that they show with the kernel as judge: of its own selftests (`VX…`, `VN-…`,
//! `BR-…`), of mlxsw's traps (`TR-…`) and of FRR's topotests (`FRR-…`). Of those that stand in several places:
//!
//! | case | shown by |
//! |---|---|
//! | VXSY-01, VXAS-01: symmetric and asymmetric routing | [`gateway`]; with anycast addresses `leafs/with_vlans.rs` |
//! | VN-01: filters of VNIs | `vlan_aware/single_device.rs` |
//! | VN-02: groups of VTEPs | `oracle/segments.rs` |
//! | VN-08: path MTU behind tunnels, bridged and routed | [`gateway`]; what a router says `paths/path_mtu.rs` |
//! | BR-12: suppression of ARP and ND | `oracle/answers.rs`, by VLAN `vlan_aware/answers.rs` |
//! | TR-01, TR-02: what tunnels must not bring | `oracle/decapsulation.rs`, `refused.rs` and `passed.rs` |
//! | TR-03: what bridges drop | `oracle/bridge_ports.rs` and `refused.rs`, `vlan_aware/filtering.rs` |
//! | TR-04 to TR-06: what routers drop or answer | `oracle/routing.rs` on routed ports, [`gateway`] elsewhere |
//! | FRR-01, FRR-07, FRR-09: devices for each VNI or all, wrong L3VNIs, leaked routes | `tenants` |
//! | FRR-03: prefixes of several VTEPs | `tenants`; over both families without FRR [`gateway`] |
//! | FRR-04: prefixes behind a host (overlay index) | `tenants`; without FRR [`gateway`] |
//! | FRR-05: segments | `oracle/segments.rs`, without FRR |

pub mod addresses;
pub mod asked;
pub mod counters;
pub mod daemon;
pub mod dashboard;
pub mod device;
pub mod ecmp;
pub mod expect;
pub mod fabric;
pub mod gateway;
pub mod judged;
pub mod leaf;
mod leaf6;
pub mod left;
pub mod link_option;
pub mod loaded;
mod mapped;
pub mod model;
pub mod namespace;
pub mod packet;
pub mod precedence;
pub mod prometheus;
pub mod random;
pub mod refusals;
pub mod router;
pub mod run;
pub mod scrape;
pub mod shape;
pub mod space;
pub mod sshd;
pub mod tap;
pub mod traffic;
pub mod twins;
pub mod wire;
pub mod world;
