//! Labels of exports: what something is called with, in parentheses, what it is.

/// Takes `name (something)` apart at its last parentheses.
pub(super) fn split(label: &str) -> Option<(&str, &str)> {
    let (name, inside) = label.trim().strip_suffix(')')?.rsplit_once('(')?;
    Some((name.trim(), inside.trim()))
}

/// The name and the number of `name (number)`.
pub(super) fn numbered(label: &str) -> Option<(&str, u32)> {
    let (name, number) = split(label)?;
    Some((name, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_in_the_last_parentheses() {
        assert_eq!(numbered("log (300)"), Some(("log", 300)));
        assert_eq!(numbered("log (old) (300)"), Some(("log (old)", 300)));
        assert_eq!(numbered("log (old)"), None);
        assert_eq!(numbered("300"), None);
        assert_eq!(split("tenant-a (65100:1)"), Some(("tenant-a", "65100:1")));
        assert_eq!(split(")("), None);
    }
}
