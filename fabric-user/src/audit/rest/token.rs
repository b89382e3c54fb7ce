//! Tokens of both forms.

use std::fmt;

use super::{RestError, Version};

/// A token. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// What tokens of the second form begin with, which there are since NetBox 4.5.
    const SECOND: &str = "nbt_";

    /// Takes a token as NetBox shows it: 40 characters, or `nbt_KEY.SECRET`.
    ///
    /// # Errors
    /// If it is empty, or has characters that no token has.
    pub fn new(text: &str) -> Result<Self, RestError> {
        let text = text.trim();
        // People paste the whole header.
        let text = ["Token ", "Bearer "]
            .iter()
            .find_map(|word| text.strip_prefix(word))
            .unwrap_or(text)
            .trim();
        if text.is_empty() {
            return Err(RestError::Token("is empty"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RestError::Token("has blanks or characters that no token has"));
        }
        if text.starts_with(Self::SECOND) && !text.contains('.') {
            return Err(RestError::Token("is a key without its secret, which stands behind a dot"));
        }
        Ok(Self(text.into()))
    }

    fn is_second(&self) -> bool {
        self.0.starts_with(Self::SECOND)
    }

    /// The header's value.
    pub(super) fn authorization(&self) -> String {
        format!("{} {}", if self.is_second() { "Bearer" } else { "Token" }, self.0)
    }

    /// A text of somebody who may have read the token, without it.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        text.replace(&self.0, "…")
    }

    /// Why a version cannot accept it, if it is the form.
    pub(super) fn unfit(&self, version: Option<Version>) -> Option<&'static str> {
        let version = version?;
        match self.is_second() {
            true if !version.has_bearer() => {
                Some("tokens that begin with nbt_ are there since NetBox 4.5")
            }
            false if version.lacks_plain_tokens() => {
                Some("since NetBox 5.0 tokens begin with nbt_")
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_its_word_in_the_header() {
        let header = |text| Token::new(text).unwrap().authorization();
        assert_eq!(header("0123456789abcdef\n"), "Token 0123456789abcdef");
        assert_eq!(header("nbt_key.secret"), "Bearer nbt_key.secret");
        assert_eq!(header("Bearer nbt_key.secret"), "Bearer nbt_key.secret");
    }

    #[test]
    fn what_is_no_token_is_refused_and_none_is_ever_printed() {
        for text in ["", " \n", "a b", "a\r\nX-Evil: 1", "schlüssel", "nbt_key"] {
            assert!(Token::new(text).is_err(), "{text}");
        }
        let token = Token::new("topsecret").unwrap();
        assert!(!format!("{token:?}").contains("topsecret"));
    }

    #[test]
    fn a_form_that_a_version_does_not_have_is_named() {
        let (first, second) = (Token::new("abc").unwrap(), Token::new("nbt_a.b").unwrap());
        let version = |text: &str| text.parse::<Version>().ok();
        assert!(second.unfit(version("4.4")).is_some() && second.unfit(version("4.5")).is_none());
        assert!(first.unfit(version("5.0")).is_some() && first.unfit(version("4.7")).is_none());
        assert!(first.unfit(None).is_none());
    }
}
