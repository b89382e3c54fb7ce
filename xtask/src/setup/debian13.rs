//! Debian 13 with its FRR and iproute2.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::{Report, tree::Tree};

/// With what the lab and its tests run.
const TREE: Tree = Tree {
    name: "Debian 13 with its FRR",
    folder: "debian-13",
    packages: &["ethtool", "frr", "iproute2", "iputils-ping"],
    effort: "downloading and unpacking it (110 MB, about a minute)",
    contents: "",
    fill: |_| Ok(()),
};

/// The tree, which is complete.
///
/// # Errors
/// If there is none.
pub(crate) fn tree() -> Result<PathBuf> {
    TREE.find()?.context(
        "there is no tree of Debian 13; `cargo xtask setup` makes it, or says why it cannot",
    )
}

/// Finds the tree or makes it.
pub(super) fn set_up(report: &Report) -> Result<()> {
    TREE.set_up(report).map(drop)
}
