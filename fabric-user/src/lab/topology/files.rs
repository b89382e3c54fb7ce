//! Where the two files of a topology lie.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::TopologyError;
use super::picture::ENDINGS;

/// The ending of an inventory.
const INVENTORY: &str = ".toml";

/// The picture and the inventory beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Both without their endings.
    base: PathBuf,
    /// The picture.
    pub picture: PathBuf,
    /// The inventory.
    pub inventory: PathBuf,
}

impl Files {
    /// The files of a topology by the path of one of them, or without an ending.
    pub fn of(path: &Path) -> Self {
        let text = path.to_string_lossy();
        let ending = ENDINGS.iter().find(|ending| text.ends_with(**ending));
        let is_inventory = text.ends_with(INVENTORY);
        let base = match ending.or(is_inventory.then_some(&INVENTORY)) {
            Some(ending) => PathBuf::from(&text[..text.len() - ending.len()]),
            None => path.to_owned(),
        };
        let inventory = with(&base, INVENTORY);
        let picture = match ending {
            Some(_) => path.to_owned(),
            None => {
                let mut known = ENDINGS.iter().map(|ending| with(&base, ending));
                known.find(|file| file.is_file()).unwrap_or_else(|| with(&base, ENDINGS[0]))
            }
        };
        Self { base, picture, inventory }
    }

    /// Base name of the files, the default name of a lab.
    pub fn name(&self) -> String {
        self.base.file_name().map_or_else(String::new, |name| name.to_string_lossy().into())
    }

    /// A name that a lab of them can have: their own with `-` for what cannot be in one.
    pub fn lab_name(&self) -> String {
        let is_legal = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let name = self.name().replace(|it| !is_legal(it), "-");
        let name: String = name.trim_start_matches('-').chars().take(32).collect();
        if name.is_empty() { "lab".to_owned() } else { name }
    }

    /// Name of the picture's file.
    pub fn picture_name(&self) -> String {
        self.picture.file_name().map_or_else(String::new, |name| name.to_string_lossy().into())
    }

    /// The text of the picture.
    pub fn read_picture(&self) -> Result<String, TopologyError> {
        read(
            &self.picture,
            "a topology is a picture, NAME.dot or NAME.clab.yml, with a NAME.toml inventory beside it",
        )
    }

    /// The text of the inventory.
    pub fn read_inventory(&self) -> Result<String, TopologyError> {
        read(
            &self.inventory,
            "`fabricctl lab new PICTURE` writes a first inventory for the picture beside it",
        )
    }
}

/// `with_extension` would cut a name such as `fabric.v2` short.
fn with(base: &Path, ending: &str) -> PathBuf {
    let mut file = OsString::from(base);
    file.push(ending);
    file.into()
}

fn read(path: &Path, remedy: &'static str) -> Result<String, TopologyError> {
    std::fs::read_to_string(path).map_err(|source| TopologyError::Read {
        path: path.to_owned(),
        remedy,
        source,
    })
}
