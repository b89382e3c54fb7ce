//! One fault after another in a pair of leafs.
//!
//! ```text
//!  vm11 vm12 vm13 ─ leaf01 ── spines ── leaf02 ─ vm21 vm22 vm23
//! ```

use std::{fs, path::PathBuf};

use fabric_tests::fabric::{Fabric, own_folder, suite};
use rustix::process::Signal;

/// What the faults are found by. What a mended one leaves under way has time to go.
const SUITE: &str = r#"
[[link]]
hosts = true
within = "30s"
[[bgp]]
within = "60s"
[[gateway]]
from = "*"
within = "30s"
[[vni]]
within = "10s"
[[vteps]]
within = "10s"
[[daemon]]
within = "30s"
[[reach]]
from = "vm11"
to = "vm21"
within = "30s"
"#;

/// The suite in a folder of its own, which goes with the test.
struct Written {
    folder: PathBuf,
    suite: PathBuf,
}

impl Written {
    fn new(name: &str, text: &str) -> Self {
        let folder = own_folder(name);
        let suite = folder.join("pair.check.toml");
        let topology = suite_folder().join("pair.dot");
        fs::write(&suite, format!("topology = {:?}\n{text}", topology)).expect("it can be written");
        Self { folder, suite }
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn suite_folder() -> PathBuf {
    let folder = suite("pair").parent().map(std::path::Path::to_owned).expect("it lies in one");
    folder.canonicalize().expect("it is there")
}

#[test]
fn each_fault_fails_the_cases_that_it_should_and_none_when_it_is_mended() {
    let fabric = Fabric::pair();
    let patient = Written::new("check-faults", SUITE);
    let hasty = Written::new("check-hasty", &SUITE.replace("within", "# within"));
    let check = |suite: &Written| fabric.check(&suite.suite, &[]).wrong();
    assert_eq!(check(&patient), []);

    let expect = |breaks: &[(&str, &str, &str)],
                  mends: &[(&str, &str, &str)],
                  names: &[&str],
                  said: &str| {
        for (node, program, line) in breaks {
            fabric.run(node, program, line);
        }
        let wrong = check(&hasty);
        let failed: Vec<&str> = wrong.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(failed, names, "{wrong:?}");
        assert!(wrong[0].1.contains(said), "{wrong:?}");
        for (node, program, line) in mends {
            fabric.run(node, program, line);
        }
        assert_eq!(check(&patient), [], "{names:?} is mended");
    };
    let vtep = fabric.vtep("leaf02");
    let flood = |word: &str| format!("fdb {word} 00:00:00:00:00:00 dev vxlan10200 dst {vtep} self");
    expect(
        &[("leaf01", "bridge", &flood("del"))],
        &[("leaf01", "bridge", &flood("append"))],
        &["vteps app leaf01"],
        "kernel has nothing",
    );
    expect(
        &[("leaf02", "bridge", "link set dev vxlan10100 learning on")],
        &[("leaf02", "bridge", "link set dev vxlan10100 learning off")],
        &["vni web leaf02"],
        "learns as port of its bridge",
    );
    expect(
        &[("spine01", "ip", "link set swp1 mtu 1500")],
        &[("spine01", "ip", "link set swp1 mtu 1600")],
        &["link leaf01:swp1–spine01:swp1"],
        "spine01 swp1: MTU 1500",
    );
    expect(
        &[("vm12", "ip", "link set eth0 down")],
        &[
            ("vm12", "ip", "link set eth0 up"),
            ("vm12", "ip", "route replace default via 10.200.0.1"),
        ],
        &["link leaf01:swp12–vm12", "gateway vm12 (10.200.0.1)"],
        "no carrier",
    );

    fabric.bypass("leaf01", true);
    assert_eq!(check(&hasty), [("daemon leaf01".to_owned(), "the bypass is on".to_owned())]);
    fabric.bypass("leaf01", false);
    let daemon = fabric.daemon("leaf02");
    daemon.signal(Signal::STOP);
    assert_eq!(check(&hasty), [("daemon leaf02".to_owned(), "suspended".to_owned())]);
    daemon.signal(Signal::CONT);
    assert_eq!(check(&patient), []);
}
