//! NetBox's CSV exports, and tables that people write by hand in the form of its imports.
//!
//! What an export has depends on who exports it: columns stand in any order, some are missing, others were added, the
//! delimiter is a preference, and headers and values are in the user's language. So columns are found by their names,
//! and what is missing is said.

mod addresses;
mod devices;
mod error;
mod l2vpns;
mod label;
mod prefixes;
mod sheet;
#[cfg(test)]
mod tests;
mod vlans;
mod vrfs;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

pub use error::CsvError;
use sheet::Sheet;

use super::model::{Records, Table};

/// Files, one a table.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Prefixes.
    pub prefixes: PathBuf,
    /// VLANs.
    pub vlans: Option<PathBuf>,
    /// VRFs.
    pub vrfs: Option<PathBuf>,
    /// L2VPNs.
    pub l2vpns: Option<PathBuf>,
    /// IP addresses.
    pub addresses: Option<PathBuf>,
    /// Devices.
    pub devices: Option<PathBuf>,
    /// Names of columns in another language, by the English ones.
    pub columns: Columns,
}

/// Names of columns by the English ones, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(BTreeMap<String, String>);

impl Columns {
    /// What a column is called in the files; its English name if nothing else was said.
    fn name<'a>(&'a self, english: &'a str) -> &'a str {
        self.0.get(english).map_or(english, String::as_str)
    }
}

impl FromStr for Columns {
    type Err = String;

    /// Takes `prefix=Präfix,status=Zustand`.
    fn from_str(text: &str) -> Result<Self, String> {
        let pair = |pair: &str| {
            let (english, other) = pair.split_once('=')?;
            let (english, other) = (sheet::normal(english), sheet::normal(other));
            (!english.is_empty() && !other.is_empty()).then_some((english, other))
        };
        let pairs = text.split(',').map(|part| {
            pair(part).ok_or_else(|| format!("`{part}` is no pair such as prefix=Präfix"))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }
}

impl Files {
    /// Those of a folder by their names: `prefixes.csv`, `vlans.csv`, `vrfs.csv`, `l2vpns.csv`, `ip addresses.csv` and
    /// `devices.csv`, in any case, or as NetBox calls its exports, with `netbox_` before.
    ///
    /// # Errors
    /// If the folder cannot be read, or has no prefixes.
    pub fn in_folder(folder: &Path) -> Result<Self, CsvError> {
        let name = || folder.display().to_string();
        let cannot = |error| CsvError::Read(name(), error);
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            let file = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            let file = file.strip_prefix("netbox_").unwrap_or(&file);
            if let Some(table) = file.strip_suffix(".csv") {
                found.insert(table.replace(['_', '-'], " "), path);
            }
        }
        let mut take = |names: &[&str]| names.iter().find_map(|it| found.remove(*it));
        Ok(Self {
            prefixes: take(&["prefixes"]).ok_or_else(|| CsvError::NoPrefixes(name()))?,
            vlans: take(&["vlans"]),
            vrfs: take(&["vrfs"]),
            l2vpns: take(&["l2vpns"]),
            addresses: take(&["ip addresses", "addresses"]),
            devices: take(&["devices"]),
            columns: Columns::default(),
        })
    }
}

/// Reads the files.
///
/// # Errors
/// If one cannot be read, is no table, or lacks a column. What no file was given for is among
/// [`Records::unknown`].
pub fn read(files: &Files) -> Result<Records, CsvError> {
    let open = |path: &PathBuf| Sheet::read(path, &files.columns);
    let mut records =
        Records { source: format!("the file {}", files.prefixes.display()), ..Records::default() };
    let given = |table: Table, path: &Option<PathBuf>, flag: &str, records: &mut Records| {
        if path.is_none() {
            records.lacks(table, format!("no file of them was given by {flag}"));
        }
        path.as_ref().map(open).transpose()
    };
    if let Some(sheet) = given(Table::Vrfs, &files.vrfs, "--vrfs", &mut records)? {
        vrfs::read(&sheet, &mut records)?;
    }
    if let Some(sheet) = given(Table::L2vpns, &files.l2vpns, "--l2vpns", &mut records)? {
        l2vpns::read(&sheet, &mut records)?;
    }
    if let Some(sheet) = given(Table::Vlans, &files.vlans, "--vlans", &mut records)? {
        vlans::read(&sheet, &mut records)?;
    }
    prefixes::read(&open(&files.prefixes)?, &mut records)?;
    if let Some(sheet) = given(Table::Addresses, &files.addresses, "--addresses", &mut records)? {
        addresses::read(&sheet, &mut records)?;
    }
    if let Some(sheet) = given(Table::Devices, &files.devices, "--devices", &mut records)? {
        devices::read(&sheet, &mut records)?;
    }
    Ok(records)
}
