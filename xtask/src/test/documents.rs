//! The tables of `docs/decisions.md` and `docs/leafs.md` name the test of each row, and tests are renamed.

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

/// The text of a file of the workspace.
fn text(path: &str) -> String {
    fs::read_to_string(workspace::root().join(path)).expect("it is there")
}

/// What looks like a test's name between marks of code.
fn named(document: &str) -> Vec<&str> {
    // Tests have names of at least four words, unlike all else that stands between such marks.
    let is_test = |name: &&str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.chars().all(plain) && name.matches('_').count() >= 4
    };
    document.split('`').filter(is_test).collect()
}

#[test]
fn every_test_that_the_tables_name_exists() {
    let mut sources_of_all = String::new();
    for folder in ["fabric-common", "fabric-user", "tests"] {
        sources(&workspace::root().join(folder), &mut sources_of_all);
    }
    for (document, least) in [("docs/decisions.md", 40), ("docs/leafs.md", 16)] {
        let text = text(document);
        let named = named(&text);
        assert!(named.len() > least, "{document} names only {} tests", named.len());
        for name in named {
            let is_there = sources_of_all.contains(&format!("fn {name}()"));
            assert!(is_there, "{document}: there is no test called {name}");
        }
    }
}

#[test]
fn the_table_of_leafs_names_every_test_of_a_shape_and_counts_all_leafs() {
    let table = text("docs/leafs.md");
    let named = named(&table);
    for path in ["tests/tests/leafs/main.rs", "tests/tests/leafs/with_vlans.rs"] {
        let text = text(path);
        let tests = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split_once("()"));
        for (name, _) in tests {
            assert!(named.contains(&name), "docs/leafs.md does not name {name}");
        }
    }
    let counts = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1));
    let total: u32 = counts.filter_map(|count| count.parse::<u32>().ok()).sum();
    assert_eq!(total, 47);
}
