//! The tables of `docs/decisions.md` name the test of each row, and tests are renamed.

use std::{fs, path::Path};

use crate::workspace;

/// The text of all Rust files below a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("the file can be read"));
        }
    }
}

#[test]
fn no_document_has_both_sides_of_a_conflict() {
    for document in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(workspace::root().join(document)).expect("it is there");
        let mark = |line: &str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
        assert!(!text.lines().any(mark), "{document} has marks of a merge");
    }
}

#[test]
fn every_test_that_the_decisions_name_exists() {
    let root = workspace::root();
    let decisions = fs::read_to_string(root.join("docs/decisions.md")).expect("it is there");
    let mut text = String::new();
    for folder in ["fabric-common", "fabric-user", "tests"] {
        sources(&root.join(folder), &mut text);
    }
    // Tests have names of at least four words, unlike all else that stands between such marks.
    let is_test = |name: &&str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.chars().all(plain) && name.matches('_').count() >= 4
    };
    let named: Vec<&str> = decisions.split('`').filter(is_test).collect();
    assert!(named.len() > 40, "the tables name only {} tests", named.len());
    for name in named {
        assert!(text.contains(&format!("fn {name}()")), "there is no test called {name}");
    }
}
