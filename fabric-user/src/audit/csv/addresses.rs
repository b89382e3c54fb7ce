//! IP addresses: `IP Address,VRF,Status,…`, of which those are kept that are not to be in use.

use super::{CsvError, Sheet, vrfs};
use crate::audit::{
    model::{ACTIVE, Address, DEPRECATED, RESERVED, Records, is_out_of_use},
    networks::parse,
};

pub(super) fn read(sheet: &Sheet, records: &mut Records) -> Result<(), CsvError> {
    let [address, status] = sheet.need([&["ip address", "address"], &["status"]])?;
    sheet.check_language(status, &[ACTIVE, RESERVED, DEPRECATED], &["dhcp", "slaac"])?;
    let vrf = sheet.find(&["vrf"]);
    for row in sheet.rows() {
        let status = row.cell(status).to_lowercase();
        let parsed = parse(&row.cell(address))
            .ok_or_else(|| row.wrong(address, "no address with a length"))?;
        if is_out_of_use(&status) {
            let vrf = vrfs::of(row.maybe(vrf), &records.vrfs);
            records.addresses.push(Address { address: parsed.address, vrf, status });
        }
    }
    Ok(())
}
