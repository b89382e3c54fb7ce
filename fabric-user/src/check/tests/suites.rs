//! Suites as text.

use std::path::Path;

use super::fabric::{Paper, cases, folder, inventory, topologies};
use crate::check::{explain::explain, kinds, new::suite_for, suite::Suite};

/// What is wrong with a text, as it is said.
fn wrong(text: &str) -> Vec<String> {
    let suite = Suite::parse("a.check.toml", Path::new("a.check.toml"), text.to_owned());
    let wrong = suite.and_then(|suite| suite.cases(&inventory("two-sites")).map(drop)).unwrap_err();
    wrong.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn said(text: &str, expected: &str) {
    let wrong = wrong(text);
    assert!(wrong.iter().any(|it| it.contains(expected)), "{wrong:#?}");
}

#[test]
fn what_is_wrong_with_a_suite_is_said_with_line_and_column() {
    said("[[bgp]]\non = \"*\"\nwihtin = \"3s\"\n", "a.check.toml:3:1: unknown field `wihtin`");
    said("[[bgp]]\nwithin = \"3\"\n", "a.check.toml:2:10: \"3\" is no length of time");
    said("\n[[bpg]]\n", "a.check.toml:2:3: nothing is called bpg; did you mean bgp?");
    said("[bgp]\n", "may be several bgp; write [[bgp]], with two brackets");
    said("[[bgp]\n", "a.check.toml:1:");
    said("titel = \"x\"\n[[bgp]]\n", "did you mean title?");
    said("[[route]]\non = \"leaf01\"\n", "missing field `prefix`");
    said(
        "[devices.leaf09]\n[[bgp]]\n",
        "a.check.toml:1:10: [devices.leaf09] is about nothing of the topology two-sites",
    );
    said("title = \"x\"\n", "it has no table of a kind");
}

#[test]
fn a_name_that_stands_for_nothing_is_wrong_with_the_line_of_its_table() {
    said(
        "[[bgp]]\n[[reach]]\nfrom = \"ap*\"\nto = \"apps*\"\n",
        "a.check.toml:2:1: \"apps*\" matches no host; there are web01",
    );
    said("[[vni]]\nnetwork = \"#nothing\"\n", "matches no network; there are web, app, log");
}

#[test]
fn a_target_without_an_address_of_the_family_is_wrong_and_not_left_out_unseen() {
    let mut inventory = inventory("evpn-on-host");
    let text = "[[reach]]\nfrom = \"#web\"\nto = \"#web\"\nfamily = \"ipv6\"\n".to_owned();
    let suite = Suite::parse("a.check.toml", Path::new("a.check.toml"), text).unwrap();
    assert!(suite.cases(&inventory).is_ok());
    let host = inventory.topology.hosts.iter_mut().find(|it| it.network() == Some("web")).unwrap();
    host.address6 = None;
    let name = host.name.clone();
    let wrong = suite.cases(&inventory).unwrap_err()[0].to_string();
    assert!(
        wrong.contains(&format!("{name} has no IPv6 address; leave it out by \"!{name}\"")),
        "{wrong}"
    );
}

#[test]
fn commands_run_on_the_nodes_and_hosts_of_a_site_or_a_network() {
    let inventory = inventory("two-sites");
    let on = |names: &str| -> Vec<String> {
        let text = format!("[[command]]\non = \"{names}\"\nrun = [\"true\"]\n");
        cases(&text, &inventory).into_iter().map(|it| it.draft.device).collect()
    };
    let site = &inventory.topology.switch("leaf01").unwrap().site;
    let here = on(&format!("@{site}"));
    assert!(here.contains(&"leaf01".into()) && here.contains(&"app01".into()), "{here:?}");
    assert!(!here.contains(&"leaf03".into()), "{here:?}");
    let app = on("#app");
    assert!(app.contains(&"app01".into()) && !app.contains(&"web01".into()), "{app:?}");
}

#[test]
fn two_cases_of_one_name_are_wrong_until_one_has_a_label() {
    let twice = "[[gateway]]\nfrom = \"app01\"\n[[gateway]]\nfrom = \"app01\"\ncount = 9\n";
    said(
        twice,
        "a.check.toml:3:1: the case \"gateway app01 (10.200.0.1)\" is also one of line 1; give one of the tables a `label`",
    );
    let labelled = format!("{twice}label = \"many\"\n");
    let names: Vec<String> =
        cases(&labelled, &inventory("two-sites")).into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["gateway app01 (10.200.0.1)", "gateway app01 (10.200.0.1) [many]"]);
}

#[test]
fn fields_that_contradict_each_other_are_wrong() {
    said("[[reach]]\nfrom = \"app01\"\nto = \"app02\"\nport = 80\n", "icmp has no ports");
    said("[[reach]]\nfrom = \"app01\"\nto = \"app02\"\nproto = \"tcp\"\n", "need a port");
    said(
        "[[reach]]\nfrom = \"leaf01\"\nto = \"app01\"\nexpect = \"none\"\n",
        "leaf01 has no gateway that could prove that it sends at all",
    );
    said("[[prefixes]]\nmin = 3\nmax = 2\n", "max is less than min");
    said(
        "[[reasons]]\nnone_of = [\"vxlan_input_unknown_vteps\"]\n",
        "did you mean vxlan_input_unknown_vtep?",
    );
    said("[[fast]]\nfrom = \"app01\"\n", "from and to belong together");
}

#[test]
fn what_could_not_fail_is_wrong() {
    let reach = "[[reach]]\nfrom = \"app01\"\nto = \"app02\"\n";
    said(&format!("{reach}loss = 3\n"), "of 3 packets 3 may be lost, so that none has to arrive");
    said(&format!("{reach}count = 0\n"), "of 0 packets 0 may be lost");
    said("[[gateway]]\nloss = 9\n", "of 3 packets 9 may be lost");
    said(
        "[[conserve]]\nfrom = \"app01\"\nto = \"app06\"\nloss = 1000\n",
        "of 1000 packets 1000 may be lost",
    );
    said(&format!("{reach}size = 20\n"), "no ping has 20 bytes with its headers");
    said(&format!("{reach}size = 70000\n"), "write 28 to 65535");
    said(
        &format!("{reach}proto = \"udp\"\nport = 53\nexpect = \"none\"\n"),
        "silence of udp proves nothing",
    );
    let traffic = "while = { from = \"app01\", to = \"app02\", rate = 100 }\n";
    let failover = format!("[[failover]]\ncut = [\"leaf01:swp1\"]\n{traffic}");
    said(&format!("{failover}outage = \"5s\"\n"), "an outage of 5s would never be too long");
    let migrate = format!("[[migrate]]\nhost = \"app02\"\nto = \"leaf04\"\n{traffic}");
    said(&format!("{migrate}loss = 200\n"), "only 200 packets are sent in 2s");
    said(&format!("{migrate}within = \"9s\"\n"), "would break it until one try passes");
    said(&format!("{failover}outage = \"1s\"\nfor = \"9s\"\n"), "would break it until one try");
    said(&migrate.replace("100", "5000"), "a rate is 1 to 1000 packets a second");
    said("[[versions]]\nfrr = [\"v8.4\", \"11\"]\n", "\"v8.4\" is no version of FRR");
    said("[[versions]]\nkernel = [\"7\", \"6.1\"]\n", "no version of kernel is 7 or newer");
}

#[test]
fn every_example_of_a_kind_is_a_suite_of_some_topology() {
    for entry in kinds::KINDS {
        let text = entry.shape.example;
        let fits = topologies().iter().any(|name| {
            let suite = Suite::parse("a.check.toml", Path::new("a.check.toml"), text.to_owned());
            suite.is_ok_and(|suite| suite.cases(&inventory(name)).is_ok())
        });
        assert!(
            fits,
            "no topology has what this is about:\n{text}\n{}",
            explain(entry.shape.word).unwrap()
        );
    }
}

#[test]
fn a_suite_is_written_for_every_topology_and_has_only_cases_that_are_its_own() {
    for name in topologies() {
        let inventory = inventory(&name);
        let text = suite_for(&inventory, &inventory.topology.picture_file);
        let all = cases(&text, &inventory);
        assert!(all.len() > 10, "{name}: {text}");
        let devices: Vec<&str> = inventory.topology.node_names().collect();
        for case in &all {
            let asked = case.draft.probes.iter().map(|it| it.device());
            let needs = case.draft.needs.iter().map(String::as_str).chain(asked);
            assert!(needs.into_iter().all(|it| devices.contains(&it)), "{name}: {}", case.name);
        }
    }
}

#[test]
fn every_topology_of_the_repository_has_its_suite() {
    for name in topologies() {
        let path = folder().join(format!("{name}.check.toml"));
        let suite = Suite::read(&path).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
        let inventory = inventory(&name);
        assert!(suite.cases(&inventory).is_ok_and(|it| !it.is_empty()), "{name}");
        assert_eq!(suite.topology.file_stem().and_then(|it| it.to_str()), Some(name.as_str()));
    }
}

/// Cases of kinds whose facts are not on paper.
const BEYOND_PAPER: [&str; 1] = ["verify"];

#[test]
fn a_fabric_that_is_as_its_topology_says_passes_the_suite_that_is_written_for_it() {
    for name in ["one-site", "two-sites", "reference"] {
        passes(&Paper::named(name));
    }
    passes(&Paper::of(super::fabric::plain_tenants()));
}

fn passes(paper: &Paper) {
    let text = suite_for(&paper.inventory, &paper.inventory.topology.picture_file);
    let mut all = cases(&text, &paper.inventory);
    all.retain(|it| !BEYOND_PAPER.contains(&it.kind));
    assert_eq!(paper.failing(&all), [], "{text}");
}

#[test]
fn the_document_has_a_row_for_every_kind_in_their_order() {
    let text = std::fs::read_to_string(folder().join("../docs/check.md")).unwrap();
    let table = text.split_once("\n## Kinds\n").unwrap().1.split_once("\n## ").unwrap().0;
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let rows: Vec<&str> = rows.map(|(word, _)| word).collect();
    let kinds: Vec<&str> = kinds::KINDS.iter().map(|it| it.shape.word).collect();
    assert_eq!(rows, kinds);
}

#[test]
fn the_suites_of_the_repository_pass_on_paper() {
    for name in ["one-site", "two-sites", "reference"] {
        let paper = Paper::named(name);
        paper.trouble.lock().unwrap().what = Some("leaf01:swp1".into());
        let text = std::fs::read_to_string(folder().join(format!("{name}.check.toml"))).unwrap();
        let mut all = cases(&text, &paper.inventory);
        all.retain(|it| !BEYOND_PAPER.contains(&it.kind));
        assert_eq!(paper.failing(&all), [], "{name}");
    }
}
