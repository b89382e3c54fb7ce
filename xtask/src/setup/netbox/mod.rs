//! A NetBox to audit against, with its PostgreSQL and Redis, in a tree of Debian 13.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{
    Report,
    tree::{Tree, copy_if_there, within},
};
use crate::{debian, process::output};

/// Version of NetBox. PyPI has it since 4.7.
const VERSION: &str = "4.7.3";

/// NetBox, with a database that has its tables and nothing in them.
const TREE: Tree = Tree {
    name: "NetBox",
    folder: "netbox",
    packages: &["iproute2", "openssl", "postgresql", "python3-venv", "redis-server"],
    effort: "downloading Debian 13, PostgreSQL, Redis and NetBox (350 MB, in the cache 1.5 GB), and \
             running NetBox's migrations; a quarter of an hour of processor time, once",
    // With the version of NetBox.
    contents: ", NetBox 4.7.3",
    fill,
};

/// Where NetBox is in the tree.
const HOME: &str = "/opt/netbox";

/// Finds it or makes it, and says only what it has to do.
///
/// # Errors
/// If something cannot be had.
pub(crate) fn ensure() -> Result<PathBuf> {
    // Its own: who needs something else of the set-up need not wait the minutes that this takes.
    let _lock = super::lock("netbox")?;
    TREE.set_up(&Report { thorough: false })
}

/// `command`, run in the tree with NetBox's database and Redis, in a network of its own. What it writes into the database
/// goes with it.
///
/// # Errors
/// If the tree does not take these folders.
pub(crate) fn with_services(
    tree: &Path,
    shared: &[&Path],
    folder: &Path,
    command: &Command,
) -> Result<Command> {
    let mut alone = Command::new("unshare");
    alone.args(["--net", "sh", "-euc"]);
    alone.arg(format!(
        "ip link set lo up; cp -a {HOME}/tables /tmp; exec {HOME}/services.sh /tmp/tables \"$@\""
    ));
    alone.arg("sh").arg(command.get_program()).args(command.get_args());
    within(tree, shared, folder, &alone)
}

fn fill(tree: &Path) -> Result<()> {
    let home = tree.join(HOME.trim_start_matches('/'));
    fs::create_dir_all(home.join("conf"))?;
    fs::write(home.join("conf/__init__.py"), "")?;
    fs::write(home.join("conf/configuration.py"), include_str!("configuration.py"))?;
    for (name, script) in
        [("install.sh", include_str!("install.sh")), ("services.sh", include_str!("services.sh"))]
    {
        let file = home.join(name);
        fs::write(&file, script)?;
        output(Command::new("chmod").arg("755").arg(file))?;
    }
    // The same ways to the index as here.
    copy_if_there(Path::new("/etc/pip.conf"), tree)?;
    let inside = |command: &mut Command| {
        let mut inside = within(tree, &[], Path::new("/"), command)?;
        output(inside.envs(debian::proxies()?))
    };
    inside(Command::new(format!("{HOME}/install.sh")).arg(VERSION))
        .with_context(|| format!("NetBox {VERSION} cannot be had; check the network"))?;
    let tables = format!(
        "createdb --host=/run/postgresql --username=postgres netbox; \
         {HOME}/bin/netbox upgrade --no-input; sync --file-system {HOME}/tables"
    );
    inside(Command::new(format!("{HOME}/services.sh")).args([
        &format!("{HOME}/tables"),
        "sh",
        "-euc",
        &tables,
    ]))
    .context("NetBox cannot make its tables")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_made_anew_for_another_version() {
        assert!(TREE.contents.ends_with(VERSION));
    }
}
