//! Rounds over time, and evidence of them.

use std::{
    num::NonZeroUsize,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use super::fabric::{Paper, cases};
use crate::check::{
    evidence,
    outcome::{Outcome, Report},
    run::{Ended, Options, run},
};

fn options() -> Options {
    let width = NonZeroUsize::new(4).unwrap();
    Options { width, timeout: Duration::from_secs(60), stop: Arc::new(AtomicBool::new(false)) }
}

fn ended(suite: &str, paper: &Paper) -> Ended {
    run("a.check.toml", &cases(suite, &paper.inventory), paper, &options(), &mut |_| {})
}

fn outcomes(ended: &Ended) -> Vec<(&str, Outcome)> {
    ended.cases.iter().map(|it| (it.case.as_str(), it.outcome)).collect()
}

/// A fabric in which a session comes up with the third question.
fn late() -> Paper {
    let mut paper = Paper::named("one-site");
    let later = paper.now.clone();
    paper.frr("leaf01").sessions[0].state = "Connect".into();
    *paper.later.lock().unwrap() = Some((2, later));
    paper
}

#[test]
fn one_look_decides_unless_the_table_gives_time_and_how_long_it_took_is_told() {
    let suite = "[[bgp]]\non = \"leaf01\"\nothers = true\npeers = [\"swp1\"]\n";
    let ended_once = ended(suite, &late());
    assert_eq!(outcomes(&ended_once), [("bgp leaf01→swp1", Outcome::Failed)]);
    assert_eq!(ended_once.cases[0].looks, 1);
    let patient = ended(&format!("{suite}within = \"50s\"\n"), &late());
    assert_eq!(outcomes(&patient), [("bgp leaf01→swp1", Outcome::Passed)]);
    assert_eq!((patient.cases[0].looks, patient.cases[0].round), (3, 3));
    assert!(patient.cases[0].took_ms >= 400, "{}", patient.cases[0].took_ms);
}

#[test]
fn devices_are_asked_once_a_round_for_all_cases() {
    let paper = Paper::named("one-site");
    let all = ended("[[bgp]]\n[[link]]\n[[vni]]\n[[vteps]]\n", &paper);
    assert!(
        all.cases.len() > 15 && all.cases.iter().all(|it| it.outcome == Outcome::Passed),
        "{:#?}",
        all.cases
    );
    assert_eq!(paper.asked.load(Ordering::Relaxed), 4, "four nodes, one round");
    assert_eq!(all.rounds.len(), 1);
}

#[test]
fn two_looks_that_are_compared_lie_as_far_apart_as_the_table_says() {
    let paper = Paper::named("one-site");
    let suite = "[[reasons]]\non = \"leaf01\"\nnone_of = [\"vxlan_input_unknown_vtep\"]\nwindow = \"300ms\"\npackets = 0\n";
    let all = ended(suite, &paper);
    assert_eq!(outcomes(&all), [("reasons leaf01", Outcome::Passed)]);
    let [before, now] = &all.rounds[..] else { panic!("two rounds: {:?}", all.rounds.len()) };
    assert!(now.at_ms - before.at_ms >= 300);
    assert_eq!(all.cases[0].compared_with, Some(before.number));
}

#[test]
fn who_cannot_be_asked_fails_nothing_and_the_status_says_so() {
    let mut paper = Paper::named("one-site");
    paper.now.remove("leaf02");
    let all = ended("[[vni]]\nnetwork = \"web\"\n", &paper);
    assert_eq!(
        outcomes(&all),
        [("vni web leaf01", Outcome::Passed), ("vni web leaf02", Outcome::NotAsked)]
    );
    assert_eq!(all.cases[1].why.as_deref(), Some("leaf02: it is not there"));
    let report = Report { cases: all.cases, ..Report::default() };
    assert_eq!((report.status(), report.tally().as_str()), (3, "1 passed, 1 could not be asked"));
}

#[test]
fn what_is_skipped_is_not_asked_for_and_says_why() {
    let paper = Paper::named("one-site");
    let all = ended("[[vni]]\nnetwork = \"web\"\nskip = \"until Monday\"\n", &paper);
    assert!(all.cases.iter().all(|it| it.outcome == Outcome::Skipped));
    assert_eq!(all.cases[0].why.as_deref(), Some("until Monday"));
    assert_eq!(paper.asked.load(Ordering::Relaxed), 0);
    assert_eq!(Report { cases: all.cases, ..Report::default() }.status(), 0);
}

#[test]
fn a_round_that_takes_long_is_cut_short_when_the_time_of_the_suite_is_over() {
    let paper = Paper::named("one-site");
    let suite = cases("[[bgp]]\n[[link]]\n", &paper.inventory);
    let width = NonZeroUsize::new(1).unwrap();
    let options = Options { width, timeout: Duration::from_millis(50), ..options() };
    *paper.slow.lock().unwrap() = Duration::from_millis(60);
    let all = run("a", &suite, &paper, &options, &mut |_| {});
    assert_eq!(paper.asked.load(Ordering::Relaxed), 1, "nobody is asked once it is over");
    let why = all.cases.iter().filter_map(|it| it.why.as_deref());
    assert!(why.into_iter().any(|it| it.contains("the suite's time of 50ms was over")));
}

#[test]
fn an_interruption_ends_it_and_leaves_no_case_without_a_word() {
    let paper = Paper::named("one-site");
    let suite = cases("[[bgp]]\non = \"leaf01\"\nfor = \"50s\"\n", &paper.inventory);
    let options = options();
    let stop = Arc::clone(&options.stop);
    let all = run("a", &suite, &paper, &options, &mut |_| stop.store(true, Ordering::Relaxed));
    assert_eq!(all.cases.len(), suite.len());
    assert!(all.cases.iter().all(|it| it.outcome == Outcome::NotAsked), "{:#?}", all.cases);
    assert!(all.took < Duration::from_secs(40));
}

#[test]
fn evidence_is_judged_again_as_it_was_then_without_asking_anybody() {
    let mut paper = Paper::named("two-sites");
    paper.frr("leaf01").sessions[0].state = "Active".into();
    paper.silent.insert(("app01".into(), "10.200.0.16".parse().unwrap()));
    let suite = "[[bgp]]\n[[reach]]\nfrom = \"app01\"\nto = \"app*\"\n[[reasons]]\non = \"leaf01\"\nnone_of = [\"vxlan_input_unknown_vtep\"]\nwindow = \"200ms\"\n[[vni]]\nnetwork = \"web\"\nskip = \"later\"\n";
    let all = cases(suite, &paper.inventory);
    let ended = run("a.check.toml", &all, &paper, &options(), &mut |_| {});
    let report = Report {
        title: "a".into(),
        file: "a.check.toml".into(),
        topology: paper.inventory.topology.name.clone(),
        cases: ended.cases.clone(),
        ..Report::default()
    };
    assert_eq!(report.count(Outcome::Failed), 2, "{:#?}", report.cases);
    let folder = std::env::temp_dir().join(format!("fabric-evidence-{}", std::process::id()));
    let kept = evidence::keep(&folder, &paper.inventory, &report, &ended);
    let twice = evidence::keep(&folder, &paper.inventory, &report, &ended);
    let inventory = evidence::inventory(&folder);
    let replayed = evidence::replay(&folder, "a.check.toml", &all);
    let more = evidence::replay(
        &folder,
        "a.check.toml",
        &cases("[[daemon]]\non = \"leaf01\"\n", &paper.inventory),
    );
    std::fs::remove_dir_all(&folder).unwrap();
    kept.unwrap();
    assert!(twice.unwrap_err().to_string().contains("is not empty"));
    assert_eq!(inventory.unwrap().topology.hosts.len(), paper.inventory.topology.hosts.len());
    assert_eq!(replayed.unwrap(), report);
    assert_eq!(more.unwrap().cases[0].why.as_deref(), Some("the evidence has nothing of it"));
}

#[test]
fn what_a_suite_says_now_of_skipping_counts_when_evidence_is_judged_again_and_time_is_not() {
    let paper = Paper::named("one-site");
    let table = "[[bgp]]\non = \"leaf01\"\nothers = true\npeers = [\"swp1\"]\n";
    let suite = |skips: [bool; 2]| {
        let tables = ["a", "b"].into_iter().zip(skips).map(|(label, skips)| {
            let skip = if skips { "skip = \"no\"\n" } else { "" };
            format!("{table}label = \"{label}\"\n{skip}")
        });
        cases(&tables.collect::<String>(), &paper.inventory)
    };
    let all = suite([false, true]);
    let ended = run("a", &all, &paper, &options(), &mut |_| {});
    assert_eq!(ended.cases[0].outcome, Outcome::Passed);
    let topology = paper.inventory.topology.name.clone();
    let mut report = Report { topology, cases: ended.cases.clone(), ..Report::default() };
    // It was true, and too late.
    let one = &mut report.cases[0];
    (one.outcome, one.late, one.why) = (Outcome::NotAsked, true, Some("too late".into()));
    let folder = std::env::temp_dir().join(format!("fabric-evidence-skip-{}", std::process::id()));
    let kept = evidence::keep(&folder, &paper.inventory, &report, &ended);
    let turned = evidence::replay(&folder, "a", &suite([true, false]));
    let again = evidence::replay(&folder, "a", &all);
    std::fs::remove_dir_all(&folder).unwrap();
    kept.unwrap();
    let told = |report: Report| -> Vec<(Outcome, Option<String>)> {
        report.cases.into_iter().map(|it| (it.outcome, it.why)).collect()
    };
    let turned = told(turned.unwrap());
    assert_eq!(turned[0], (Outcome::Skipped, Some("no".into())));
    assert_eq!(turned[1].0, Outcome::NotAsked, "nobody looked at it then");
    assert_eq!(told(again.unwrap())[0], (Outcome::NotAsked, Some("too late".into())));
}

#[test]
fn what_breaks_something_comes_last_alone_and_not_at_all_where_nothing_may_be_broken() {
    let suite = "[[migrate]]\nhost = \"app02\"\nto = \"leaf04\"\nwhile = { from = \"app01\", to = \"app02\" }\n[[failover]]\ncut = [\"leaf01:swp1\"]\nwhile = { from = \"app01\", to = \"app06\" }\noutage = \"1s\"\n[[bgp]]\non = \"leaf01\"\n";
    let mut paper = Paper::named("two-sites");
    paper.trouble.lock().unwrap().what = Some("leaf01:swp1".into());
    let all = ended(suite, &paper);
    assert!(all.cases.iter().all(|it| it.outcome == Outcome::Passed), "{:#?}", all.cases);
    let rounds: Vec<(&str, u32)> =
        all.cases.iter().map(|it| (it.kind.as_str(), it.round)).collect();
    assert_eq!(rounds, [("bgp", 1), ("bgp", 1), ("bgp", 1), ("migrate", 2), ("failover", 3)]);
    paper.is_real = true;
    let spared = ended(suite, &paper);
    let skipped: Vec<&str> = spared
        .cases
        .iter()
        .filter(|it| it.outcome == Outcome::Skipped)
        .map(|it| it.kind.as_str())
        .collect();
    assert_eq!(skipped, ["migrate", "failover"]);
    assert_eq!(spared.cases[3].why.as_deref(), Some("it is real"));
}
