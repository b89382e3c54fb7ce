//! Which FRR it is.

/// The question.
pub(super) const COMMAND: &str = "show version";

/// Reads the answer, text in all versions: `FRRouting 8.4.4 (leaf01) on Linux(6.1.0).`, and more lines. Empty if it is
/// something else.
pub(super) fn read(text: &str) -> String {
    let words = text.lines().find_map(|line| line.strip_prefix("FRRouting "));
    words.and_then(|line| line.split_whitespace().next()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_word_is_the_version() {
        let text =
            "FRRouting 10.3 (leaf01) on Linux(6.18.44).\nCopyright 1996-2005 Kunihiro Ishiguro";
        assert_eq!(read(text), "10.3");
        assert_eq!(read("Quagga 1.2"), "");
    }
}
