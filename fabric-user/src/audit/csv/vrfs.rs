//! VRFs: `Name,RD,…`.

use super::{CsvError, Sheet, label};
use crate::audit::model::{Records, Vrf, VrfRecord};

pub(super) fn read(sheet: &Sheet, records: &mut Records) -> Result<(), CsvError> {
    let [name] = sheet.need([&["name"]])?;
    let rd = sheet.find(&["rd", "route distinguisher"]);
    for row in sheet.rows() {
        let name_of = row.cell(name);
        if name_of.is_empty() {
            return Err(row.wrong(name, "no name"));
        }
        records.vrfs.push(VrfRecord { name: name_of, rd: row.maybe(rd) });
    }
    if let Some(vrf) = records.vrfs.iter().find(|vrf| vrf.rd.is_none() && is_global(&vrf.name)) {
        records.doubts.push(format!(
            "what is in the VRF {} has the same label in files as what is in none, and is taken for \
             that; give the VRF a route distinguisher, or another name",
            vrf.name
        ));
    }
    Ok(())
}

/// Whether a label is that of no VRF.
fn is_global(label: &str) -> bool {
    label.eq_ignore_ascii_case("global")
}

/// The VRF of a label: `Global` or nothing, `name`, or `name (rd)`.
///
/// A name may end in parentheses of its own: it is one of the known names, or what is in them looks like a route
/// distinguisher.
pub(super) fn of(label: Option<String>, known: &[VrfRecord]) -> Vrf {
    let Some(label) = label.filter(|label| !is_global(label)) else {
        return Vrf::DEFAULT;
    };
    if known.iter().any(|vrf| vrf.name == label) {
        return Vrf::named(&label);
    }
    match label::split(&label) {
        Some((name, rd)) if known.iter().any(|vrf| vrf.name == name) || rd.contains(':') => {
            Vrf::named(name)
        }
        _ => Vrf::named(&label),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vrf_is_what_stands_before_its_route_distinguisher() {
        let known = ["blue (old)", "red"].map(|name| VrfRecord { name: name.into(), rd: None });
        let of = |label: &str| of(Some(label.into()), &known).key().to_owned();
        assert_eq!(of("tenant-a (65100:1)"), "tenant-a");
        assert_eq!(of("tenant-a"), "tenant-a");
        assert_eq!(of("blue (old)"), "blue (old)");
        assert_eq!(of("blue (old) (1:2)"), "blue (old)");
        assert_eq!(of("green (old)"), "green (old)");
        assert_eq!(of("red (own-rd)"), "red");
        assert_eq!(of("Global"), "default");
        assert_eq!(super::of(None, &known), Vrf::DEFAULT);
    }
}
