//! An error as one line.

/// What went wrong and why, each reason once: many an error has the words of its cause in its own.
#[must_use]
pub fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read: {source}")]
    struct Twice {
        source: std::io::Error,
    }

    #[test]
    fn a_cause_is_said_once_and_on_one_line() {
        let error = Twice { source: std::io::Error::other("no\nluck") };
        let error = Err::<(), _>(error).context("fabric-xdpd did not start").unwrap_err();
        assert_eq!(sentence(&error), "fabric-xdpd did not start: cannot read: no luck");
    }
}
