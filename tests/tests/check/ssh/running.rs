//! `check new --facts`: a suite of what runs, without a drawing.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use fabric_tests::{
    fabric::{Fabric, PATIENCE, fabricctl},
    sshd::Sshd,
};

use crate::faults;

/// Faults by their names, and the cases that fail, which are no others.
const FAULTS: [(&str, &[&str]); 3] = [
    ("MTU too small on one link", &["link spine01:swp1"]),
    ("unknown VTEP in a flood list", &["vteps vni10200 leaf01", "verify leaf01"]),
    ("learning left on", &["vni vni10100 leaf02", "verify leaf02"]),
];

pub(super) fn what_runs_passes_its_own_suite_and_a_fault_fails_the_cases_that_it_should(
    fabric: &Fabric,
    sshd: &Sshd,
) {
    let suite = sshd.folder().join("here.check.toml");
    let mut new = Command::new(fabricctl());
    new.args(["check", "new", "--output"]).arg(&suite).arg("--facts");
    let nodes: Vec<&String> = fabric.lab().topology().switches.iter().map(|it| &it.name).collect();
    for node in &nodes {
        let file = sshd.folder().join(format!("{node}.json"));
        let instance = fabric.lab().instance(node);
        let mut facts = Command::new("ssh");
        facts.arg("-F").arg(sshd.config()).args([node, "fabricctl", "facts", "--json"]);
        facts.args(["--instance", &instance]);
        let output = facts.output().expect("ssh can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::write(&file, output.stdout).expect("it can be written");
        new.arg(format!("{node}={}", file.display()));
    }
    let output = new.output().expect("fabricctl can be run");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        !said.contains("left out"),
        "{said}{}",
        fs::read_to_string(&suite).expect("it is there")
    );

    let checked = sshd.check(&suite, &[]);
    assert_eq!((checked.wrong(), checked.skipped(), checked.status), (vec![], vec![], 0));
    // What does not hold is said after one look.
    let text = fs::read_to_string(&suite).expect("it is there");
    let lines = text.lines().filter(|line| !line.starts_with("within = "));
    fs::write(&suite, lines.collect::<Vec<&str>>().join("\n")).expect("it can be written");
    for (name, fails) in FAULTS {
        let mend = (faults::named(name).breaks)(fabric);
        becomes(sshd, &suite, name, fails);
        mend(fabric);
        becomes(sshd, &suite, name, &[]);
    }
}

/// Waits until exactly these cases do not pass.
fn becomes(sshd: &Sshd, suite: &Path, name: &str, fails: &[&str]) {
    let start = Instant::now();
    loop {
        let wrong = sshd.check(suite, &[]).wrong();
        if wrong.iter().map(|it| it.0.as_str()).eq(fails.iter().copied()) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{name}: {fails:#?}, and not {wrong:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
