//! Values as people read them, by Grafana's units.

/// A value with its unit.
pub(super) fn shown(value: f64, unit: &str) -> String {
    let (value, unit) = match unit {
        "percentunit" => return format!("{}%", digits(100.0 * value)),
        "s" => return seconds(value),
        "bps" => (value, "b/s"),
        "pps" => (value, "p/s"),
        "cps" => (value, "/s"),
        _ => (value, ""),
    };
    for (size, letter) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if value.abs() >= size {
            return spaced(&digits(value / size), &format!("{letter}{unit}"));
        }
    }
    spaced(&digits(value), unit)
}

fn spaced(number: &str, unit: &str) -> String {
    if unit.is_empty() { number.to_owned() } else { format!("{number} {unit}") }
}

fn seconds(value: f64) -> String {
    let parts = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")];
    let (size, unit) =
        parts.into_iter().find(|(size, _)| value.abs() >= *size).unwrap_or((1.0, "s"));
    spaced(&digits(value / size), unit)
}

/// As many digits as tell ticks apart, without zeros behind the point.
fn digits(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn values_have_the_prefix_and_unit_that_people_expect() {
        for (value, unit, expected) in [
            (1_500.0, "pps", "1.5 kp/s"),
            (-2e6, "bps", "-2 Mb/s"),
            (0.955, "percentunit", "95.5%"),
            (0.000_25, "s", "250 µs"),
            (0.0, "s", "0 s"),
            (3.0, "none", "3"),
            (12.0, "cps", "12 /s"),
        ] {
            assert_eq!(shown(value, unit), expected);
        }
    }
}
