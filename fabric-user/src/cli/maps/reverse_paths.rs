//! `maps reverse_paths`: the ports that accept the packets of VTEPs, where not all do.

use fabric_common::schema::{ports::DECAPSULATES_ALL, reverse_paths};
use serde_json::json;

use crate::cli::{
    sheet::{Cell, Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("vtep", "VTEP"),
    Column::text("local", "LOCAL"),
    Column::text("ports", "ACCEPTED FROM").wrapped(),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no port accepts the packets of some VTEPs only");
    let ports = view.contents.ports.iter();
    let checked: Vec<(u32, u8)> = ports
        .filter(|(_, port)| !matches!(port.decapsulates, 0 | DECAPSULATES_ALL))
        .map(|(slot, port)| (*slot, port.decapsulates))
        .collect();
    if checked.is_empty() {
        return sheet;
    }
    for (index, vtep) in &view.contents.vteps {
        let accepts = view.contents.reverse_paths.get(index).map_or(0, |path| path.ports);
        let from: Vec<String> = checked
            .iter()
            .filter(|(_, number)| accepts & reverse_paths::bit(*number) != 0)
            .map(|(slot, _)| view.port(*slot))
            .collect();
        let text = if from.is_empty() { "-".into() } else { from.join(", ") };
        sheet.row([
            vtep.remote().to_string().into(),
            vtep.local().to_string().into(),
            Cell::new(text, json!(from)),
            (*index).into(),
        ]);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::reverse_paths::ReversePath;

    use super::*;
    use crate::cli::{sheet::Look, view::tests::leaf};

    #[test]
    fn each_vtep_has_the_ports_that_accept_it_among_those_that_do_not_accept_all() {
        let mut view = leaf();
        assert!(sheet(&view).rows().is_empty());
        let slots: Vec<u32> = view.contents.ports.keys().copied().collect();
        for (slot, number) in slots.into_iter().zip([1, 64]) {
            view.contents.ports.get_mut(&slot).unwrap().decapsulates = number;
        }
        let first = *view.contents.vteps.keys().next().unwrap();
        let both = ReversePath { ports: 1 << 63 | 1 };
        view.contents.reverse_paths.insert(first, both);
        let expected = "\
VTEP      LOCAL     ACCEPTED FROM
10.0.0.2  10.0.0.1  swp1, swp2
10.0.0.9  10.0.0.1  -
";
        assert_eq!(sheet(&view).text(Look::default()), expected);
    }
}
