//! Numbers as people read them.

use std::time::Duration;

/// Bytes with a binary unit: `4.0 MiB`.
pub(super) fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
}

/// A rate with a decimal unit: `1.63 M` packets, `9.87 G` bits. Empty units for small ones.
pub(super) fn rate(per_second: f64, unit: &str) -> String {
    let prefixes = ["", "k", "M", "G", "T", "P"];
    let units: Vec<String> = prefixes.iter().map(|prefix| format!("{prefix}{unit}")).collect();
    scaled(per_second, 1000.0, &units.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Three significant digits; whole numbers below the first step.
fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // What would be shown as `1000 k` is shown as `1.00 M`.
    while value >= step - 0.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", units[unit]).trim_end().into()
}

/// A part of a whole in percent. What is there is never shown as nothing, and what is not all never
/// as all.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".into();
    }
    match part as f64 * 100.0 / whole as f64 {
        p if part > 0 && p < 0.05 => "<0.1%".into(),
        p if part < whole && p > 99.95 => ">99.9%".into(),
        p => format!("{p:.1}%"),
    }
}

/// A duration in its largest two units: `3.2 s`, `4 m 10 s`, `2 h 5 m`, `3 d 4 h`.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} m {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `1 port`, `2 ports`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits_and_a_binary_unit() {
        let shown = [0, 1023, 1024, 4 << 20, 200_000_000].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.00 KiB", "4.00 MiB", "191 MiB"]);
    }

    #[test]
    fn rates_have_a_decimal_unit_and_never_round_up_to_a_thousand() {
        let shown = [0.0, 12.4, 999.4, 999.9, 1_630_000.0, 9.876e9].map(|r| rate(r, "bit/s"));
        assert_eq!(
            shown,
            ["0 bit/s", "12 bit/s", "999 bit/s", "1.00 kbit/s", "1.63 Mbit/s", "9.88 Gbit/s"]
        );
        assert_eq!(rate(5.0, ""), "5");
    }

    #[test]
    fn a_share_is_never_rounded_to_nothing_or_to_all() {
        let shown = [(0, 10), (1, 1_000_000), (1, 3), (999_999, 1_000_000), (7, 7), (0, 0)]
            .map(|(part, whole)| share(part, whole));
        assert_eq!(shown, ["0.0%", "<0.1%", "33.3%", ">99.9%", "100.0%", "-"]);
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        let shown = [0.25, 9.94, 59.0, 250.0, 7500.0, 273_600.0]
            .map(|seconds| duration(Duration::from_secs_f64(seconds)));
        assert_eq!(shown, ["0.2 s", "9.9 s", "59 s", "4 m 10 s", "2 h 5 m", "3 d 4 h"]);
    }
}
