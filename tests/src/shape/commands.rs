//! What an administrator types: a text of commands of `ip`, `bridge`, `nft` and `sysctl`.

use crate::space::Space;

/// Runs commands in a namespace, one a line. What stands behind a `#` is a comment, and a line that ends with a
/// backslash goes on in the next one.
///
/// # Panics
/// If there is another command, or one of them fails.
#[track_caller]
pub(super) fn run(space: &Space, text: &str) {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut batch = (String::new(), String::new());
    for line in lines.filter(|line| !line.is_empty()).chain(["end"]) {
        let (program, rest) = line.split_once(' ').unwrap_or((line, ""));
        // Many lines for one process.
        if program != batch.0 {
            run_batch(space, &batch.0, &batch.1);
            batch = (program.to_owned(), String::new());
        }
        batch.1 += rest;
        batch.1.push('\n');
    }
}

#[track_caller]
fn run_batch(space: &Space, program: &str, lines: &str) {
    match program {
        "" => {}
        "ip" => space.ip(lines),
        "bridge" => space.bridge(lines),
        "nft" => space.nft(lines),
        "sysctl" => {
            for setting in lines.lines() {
                let (key, value) = setting.split_once('=').expect("KEY=VALUE");
                let key = key.trim_start_matches("-w net.").replace('.', "/");
                space.sysctl(&key, value);
            }
        }
        other => panic!("{other} is no command of a shape's"),
    }
}
