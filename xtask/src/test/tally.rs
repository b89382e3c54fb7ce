//! Sums up the results of many test binaries, whose only common report is what they print.

use std::{
    io::{BufRead as _, BufReader},
    ops::AddAssign,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

/// How many tests came out which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) ignored: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl Tally {
    /// Sums up the results in `output` of programs that succeeded or not.
    ///
    /// A program can fail without a failed test: it does not compile, it crashes, its process is
    /// killed. Such a failure counts as one test.
    pub(super) fn of_output(output: &str, success: bool) -> Self {
        let mut tally = Self::default();
        output.lines().filter_map(Self::of_line).for_each(|result| tally += result);
        if !success && tally.failed == 0 {
            tally.failed = 1;
        }
        tally
    }

    /// Reads `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
    fn of_line(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut tally = Self::default();
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => tally.passed = number.parse().ok()?,
                Some((number, "failed")) => tally.failed = number.parse().ok()?,
                Some((number, "ignored")) => tally.ignored = number.parse().ok()?,
                _ => {}
            }
        }
        Some(tally)
    }
}

/// Runs `command`, prints what it prints with `mark` in front of each line, and sums up the results in it.
///
/// # Errors
/// If it does not start.
pub(super) fn of_command(command: &mut Command, mark: &str) -> Result<Tally> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().context("cargo does not start the tests")?;
    let stdout = child.stdout.take().context("the tests have no output")?;
    let mut output = String::new();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("the output of the tests cannot be read")?;
        let line = String::from_utf8_lossy(&line);
        println!("{mark}{line}");
        output += &line;
        output.push('\n');
    }
    let status = child.wait().context("the tests cannot be waited for")?;
    Ok(Tally::of_output(&output, status.success()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = "running 2 tests\ntest a ... ok\ntest b ... ok\n\n\
        test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out; \
        finished in 0.00s\n";
    const FAILED: &str = "test result: FAILED. 4 passed; 3 failed; 1 ignored; 0 measured; \
        0 filtered out; finished in 1.20s\n";

    #[test]
    fn results_of_several_binaries_are_summed_up() {
        let tally = Tally::of_output(&format!("{PASSED}noise\n{FAILED}"), false);
        assert_eq!(tally, Tally { passed: 6, failed: 3, ignored: 1 });
    }

    #[test]
    fn a_binary_that_crashes_counts_as_a_failed_test() {
        let crashed = "running 2 tests\ntest a ... ok\n";
        let tally = Tally::of_output(&format!("{PASSED}{crashed}"), false);
        assert_eq!(tally, Tally { passed: 2, failed: 1, ignored: 0 });
    }

    #[test]
    fn a_command_that_fails_before_any_test_counts_as_a_failed_test() {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 101"]);
        assert_eq!(of_command(&mut command, "").unwrap(), Tally { failed: 1, ..Tally::default() });
    }

    #[test]
    fn a_line_in_which_a_test_speaks_of_results_is_no_result() {
        assert_eq!(Tally::of_line("the test result: ok. 2 passed;"), None);
    }
}
