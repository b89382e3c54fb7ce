//! The two forms of an answer, and which one a request wants.

use prometheus_client::encoding::prometheus_text;

/// A text format of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics 1.0.0, for which Prometheus asks first.
    OpenMetrics,
    /// Prometheus' own text format 0.0.4, for all else: `promtool check metrics` reads no OpenMetrics.
    Text,
}

impl Format {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => prometheus_text::CONTENT_TYPE,
        }
    }

    /// What a header `Accept` prefers (RFC 9110 §12.5.1). Where it accepts neither, text, as other exporters.
    pub(super) fn wanted(accept: &str) -> Self {
        let weight = |format| {
            let ranges = accept.split(',').filter_map(|range| weight(range, format));
            ranges.fold(0.0, f64::max)
        };
        match weight(Self::OpenMetrics) {
            open if open > 0.0 && open >= weight(Self::Text) => Self::OpenMetrics,
            _ => Self::Text,
        }
    }
}

/// The weight that one part of the header gives to a format; nothing if it is about another one.
fn weight(range: &str, format: Format) -> Option<f64> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let (mut weight, mut version) = (1.0, None);
    for parameter in parts {
        match parameter.split_once('=') {
            Some(("q" | "Q", value)) => weight = value.trim().parse().unwrap_or(0.0),
            Some(("version", value)) => version = Some(value.trim().trim_matches('"')),
            _ => {}
        }
    }
    let is_about = match format {
        Format::OpenMetrics => {
            media == "application/openmetrics-text"
                && matches!(version, None | Some("0.0.1" | "1.0.0"))
        }
        Format::Text => {
            matches!(media.as_str(), "text/plain" | "text/*" | "*/*")
                && matches!(version, None | Some("0.0.4"))
        }
    };
    is_about.then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_gets_openmetrics_and_everybody_else_text() {
        // Prometheus 2.42 and 3.5.
        for accept in [
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        ] {
            assert_eq!(Format::wanted(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=7",
            "application/openmetrics-text;q=0.2,text/plain",
            "application/openmetrics-text;q=much",
            "image/png",
        ] {
            assert_eq!(Format::wanted(accept), Format::Text, "{accept}");
        }
    }
}
