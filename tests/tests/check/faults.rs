//! One fault after another in a pair of leafs: each is found, and named, by exactly the cases that it should.
//!
//! ```text
//!  vm11 vm12 vm13 ─ leaf01 ── spines ── leaf02 ─ vm21 vm22 vm23
//! ```

mod daemons;
mod entries;
mod hosts;
mod links;
mod ports;
mod tunnels;

use fabric_tests::fabric::{
    Fabric,
    diagnosis::{Fault, each_is_found},
};

/// What is looked at once.
const STATE: &str = r##"
[[link]]
hosts = true
[[bgp]]
[[bfd]]
[[vni]]
[[vteps]]
[[gateway]]
from = "#app"
[[mac]]
of = ["vm11", "vm12", "vm21"]
[[neighbour]]
of = ["vm11", "vm12", "vm21"]
[[no_duplicates]]
[[reach]]
from = ["vm11", "vm21"]
to = ["vm11", "vm21"]
[[verify]]
[[daemon]]
[[capacity]]
"##;

/// What is watched for a while.
const WATCHED: &str = r#"
[[link]]
hosts = true
flaps = 0
window = "2s"
[[reasons]]
none_of = ["vxlan_input_unknown_vtep"]
window = "1s"
[[fast]]
on = "leaf*"
from = "vm12"
to = "vm22"
count = 200
share = "50%"
window = "1s"
"#;

const FAULTS: [&[Fault]; 6] = [
    &daemons::FAULTS,
    &tunnels::FAULTS,
    &links::FAULTS,
    &hosts::FAULTS,
    &ports::FAULTS,
    &entries::FAULTS,
];

/// The fault of a name.
pub(crate) fn named(name: &str) -> &'static Fault {
    let mut all = FAULTS.into_iter().flatten();
    all.find(|it| it.name == name).expect("there is such a fault")
}

#[test]
fn each_fault_fails_the_cases_that_it_should_and_none_when_it_is_mended() {
    let fabric = Fabric::pair_with_bfd();
    each_is_found(&fabric, FAULTS.into_iter().flatten());
}
