//! Programs that run for a probe, and how they are written on a line.

use std::{process::Command, sync::atomic::AtomicBool, time::Duration};

use crate::{
    check::probe::Ran,
    lab::{
        Netns,
        tools::{self, Setting},
    },
};

/// Runs a program to its end, in a namespace or here.
///
/// # Errors
/// If it is not there, takes too long, or is stopped: a sentence.
pub(super) fn run(
    words: &[String],
    limit: Duration,
    namespace: Option<&Netns>,
    stop: &AtomicBool,
) -> Result<Ran, String> {
    run_with(words, None, limit, namespace, stop)
}

/// The same with something on its standard input.
///
/// # Errors
/// As [`run`].
pub(super) fn run_with(
    words: &[String],
    input: Option<&[u8]>,
    limit: Duration,
    namespace: Option<&Netns>,
    stop: &AtomicBool,
) -> Result<Ran, String> {
    let (program, arguments) = words.split_first().ok_or("no program is named")?;
    // Packages put some where PATH does not lead.
    let path = if program.contains('/') { None } else { tools::find(program) };
    let mut command = Command::new(path.unwrap_or_else(|| program.into()));
    command.args(arguments);
    // What it says is read, whatever language people have.
    command.env("LC_ALL", "C");
    let setting = Setting { limit: Some(limit), ..Setting::within(namespace, stop) };
    let output =
        tools::finish(&mut command, input, setting).map_err(|error| error.with_causes())?;
    Ok(Ran { status: output.status.code(), output: output.text, errors: output.errors })
}

/// A command as a shell reads it.
pub(super) fn spelled(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it as one.
fn quoted(word: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./:=,@%+".contains(it);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(all: &[&str]) -> Vec<String> {
        all.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn a_shell_reads_each_word_as_it_was() {
        let all = words(&["printf", "%s\\n", "it's", "a b", "", "$HOME", "x;y"]);
        let line = spelled(&all);
        assert_eq!(line, "printf '%s\\n' 'it'\\''s' 'a b' '' '$HOME' 'x;y'");
        let shell = words(&["sh", "-c", &line]);
        let ran = run(&shell, Duration::from_secs(60), None, &AtomicBool::new(false)).unwrap();
        assert_eq!(ran.output, "it's\na b\n\n$HOME\nx;y\n");
    }

    #[test]
    fn programs_speak_the_language_that_is_read() {
        let (stop, limit) = (AtomicBool::new(false), Duration::from_secs(60));
        let ran = run(&words(&["sh", "-c", "echo $LC_ALL"]), limit, None, &stop).unwrap();
        assert_eq!(ran.output, "C\n");
    }

    #[test]
    fn a_program_that_fails_leaves_its_status_and_one_that_is_not_there_a_sentence() {
        let stop = AtomicBool::new(false);
        let limit = Duration::from_secs(60);
        let ran = run(&words(&["sh", "-c", "echo no >&2; exit 7"]), limit, None, &stop).unwrap();
        assert_eq!((ran.status, ran.errors.as_str()), (Some(7), "no\n"));
        let error = run(&words(&["/no/such/program"]), limit, None, &stop).unwrap_err();
        assert!(error.contains("/no/such/program"), "{error}");
    }
}
