//! Devices: `Name,…,Site,…`.

use super::{CsvError, Sheet};
use crate::audit::model::Records;

pub(super) fn read(sheet: &Sheet, records: &mut Records) -> Result<(), CsvError> {
    let [name, site] = sheet.need([&["name"], &["site"]])?;
    for row in sheet.rows() {
        // Devices need no name.
        let (name, site) = (row.cell(name), row.cell(site));
        if !name.is_empty() && !site.is_empty() {
            records.place_device(&name, site.as_str().into());
        }
    }
    Ok(())
}
