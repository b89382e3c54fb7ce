//! Lengths of time as a suite writes them: `"250ms"`, `"10s"`, `"1m 30s"`.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// A length of time.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize,
)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Span(pub(crate) Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        humantime::parse_duration(&text).map(Self).map_err(|_| {
            format!("\"{text}\" is no length of time; write it as \"250ms\", \"10s\" or \"1m 30s\"")
        })
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// A time that was measured, without digits that say nothing: `84 µs`, `1.2 ms`, `14.6 s`.
pub(crate) fn measured(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_reads_back_as_it_was_written_and_a_bare_number_is_refused() {
        let span = Span::try_from("1m 30s".to_owned()).unwrap();
        assert_eq!((span.0.as_secs(), span.to_string().as_str()), (90, "1m 30s"));
        let error = Span::try_from("10".to_owned()).unwrap_err();
        assert_eq!(
            error,
            "\"10\" is no length of time; write it as \"250ms\", \"10s\" or \"1m 30s\""
        );
    }

    #[test]
    fn measured_times_have_the_unit_that_suits_them() {
        let text = [84, 1_240, 14_600_000].map(|micros| measured(Duration::from_micros(micros)));
        assert_eq!(text, ["84 µs", "1.2 ms", "14.6 s"]);
    }
}
