//! `fabricctl maps` of a leaf.

use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::stage::Stage;

pub(crate) fn show(stage: &Stage) -> anyhow::Result<()> {
    let instance = stage.lab.instance("leaf01");
    for arguments in [&["maps"][..], &["maps", "fdb"]] {
        stage.say(&format!("fabricctl {} on leaf01:", arguments.join(" ")));
        let output = Command::new(stage.program("fabricctl"))
            .args(arguments)
            .args(["--instance", &instance])
            .output()
            .context("cannot run fabricctl")?;
        ensure!(
            output.status.success(),
            "fabricctl failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}
