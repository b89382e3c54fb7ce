//! The files that CI reads, and the commands in all files of the example.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use fabric_tests::fabric::fabricctl;
use serde_json::Value;

use crate::copy::original;

fn text(file: &str) -> String {
    let path = original().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The scripts of the example that a line of a job runs.
fn scripts(line: &str) -> Vec<&str> {
    line.split_whitespace().filter_map(|word| word.strip_prefix("./")).collect()
}

/// What both jobs run, in this order.
const SCRIPTS: [&str; 2] = ["get-fabric", "ci"];

#[test]
fn both_job_files_run_the_same_scripts_and_publish_what_these_write() {
    let github = yaml(".github/workflows/fabric.yml");
    let job = &github["jobs"]["check"];
    let steps = job["steps"].as_array().expect("there are steps");
    let runs: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    let run: Vec<&str> = runs.iter().copied().flat_map(scripts).collect();
    assert_eq!(run, SCRIPTS);
    assert!(github["on"]["pull_request"].is_null() && github["on"]["push"].is_object());
    let published = steps.iter().find(|step| step["with"]["report_paths"].is_string());
    let published = published.expect("JUnit is published");
    assert_eq!(published["with"]["report_paths"], "reports/*.xml");
    // Also of a run that has failed.
    assert_eq!(published["if"], "${{ !cancelled() }}");
    assert!(
        runs.iter().any(|it| it.contains("reports/*.md") && it.contains("GITHUB_STEP_SUMMARY"))
    );

    let gitlab = yaml(".gitlab-ci.yml");
    let job = &gitlab["fabric"];
    let run: Vec<&str> = texts(&job["script"]).into_iter().flat_map(scripts).collect();
    assert_eq!(run, SCRIPTS);
    assert_eq!(job["artifacts"]["reports"]["junit"], "reports/*.xml");
    assert_eq!(job["artifacts"]["when"], "always");

    assert_eq!(github["jobs"]["check"]["container"]["image"], job["image"]);
    for script in SCRIPTS {
        let mode = fs::metadata(original().join(script)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script} can be run");
    }
}

#[test]
fn the_playbook_is_about_groups_that_an_inventory_of_a_lab_has() {
    let playbook = yaml("playbook.yml");
    let plays = playbook.as_array().expect("it has plays");
    let groups =
        plays.iter().flat_map(|play| play["hosts"].as_str().unwrap_or_default().split(':'));
    let groups: Vec<&str> = groups.collect();
    assert_eq!(groups, ["spines", "leafs", "borders", "hosts"]);
}

/// The commands of `fabricctl` in a text: the words of each, to the end of its line.
fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let ends = |c: char| ";|&>'`)".contains(c);
    let commands = lines.flat_map(|line| line.split("fabricctl ").skip(1).map(str::to_owned));
    commands
        .map(|it| {
            it.split(ends)
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

/// What `fabricctl` says of itself.
fn help(words: &[&str]) -> String {
    let mut command = Command::new(fabricctl());
    let output = command.args(words).arg("--help").output().expect("fabricctl can be run");
    assert!(output.status.success(), "there is no command {words:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// Whether help names this subcommand.
fn has(help: &str, word: &str) -> bool {
    let list = help.split("Commands:").nth(1).and_then(|it| it.split("\n\n").next());
    list.is_some_and(|it| it.lines().any(|line| line.split_whitespace().next() == Some(word)))
}

#[test]
fn every_command_of_the_example_is_one_of_fabricctl() {
    let mut seen = 0;
    for file in ["ci", "README.md", "playbook.yml"] {
        for words in commands(&text(file)) {
            let mut path: Vec<&str> = Vec::new();
            let mut said = help(&path);
            let mut rest = words.iter().map(String::as_str).peekable();
            while let Some(word) = rest.next_if(|word| has(&said, word)) {
                path.push(word);
                said = help(&path);
            }
            assert!(!path.is_empty(), "{file}: fabricctl has no command {words:?}");
            // Behind it comes what belongs to another program.
            for option in rest.take_while(|word| *word != "--").filter(|it| it.starts_with("--")) {
                let is_there = said.split_whitespace().any(|it| it.trim_end_matches(',') == option);
                assert!(is_there, "{file}: fabricctl {path:?} has no {option}");
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} commands were found");
}
