//! NetBox's address, and which others are the same.

use ureq::http::Uri;

use super::RestError;
use crate::audit::model::clean;

/// Where NetBox is.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// `https://netbox.example:8443`.
    origin: String,
    /// What stands before `/api`: empty, or `/netbox`.
    path: String,
    pub(super) is_tls: bool,
}

/// Characters of a query that are followed.
const LONGEST: usize = 4096;

impl Base {
    /// Takes what people give: without a scheme it is https; `/api` at the end is left out.
    pub(super) fn parse(given: &str, plain: bool) -> Result<Self, RestError> {
        // What stands before the host may be a password, and this is printed.
        let shown = given.rsplit_once('@').map_or(given.into(), |(_, host)| format!("…@{host}"));
        let refuse = |why: &str| RestError::Address(shown.clone(), why.into());
        let text =
            if given.contains("://") { given.to_owned() } else { format!("https://{given}") };
        let uri: Uri = text.parse().map_err(|_| refuse("write it as https://netbox.example"))?;
        let authority = uri.authority().ok_or_else(|| refuse("it names no host"))?.as_str();
        if authority.contains('@') {
            return Err(refuse(
                "it holds a name or a password; give the token by NETBOX_TOKEN or --token-file",
            ));
        }
        if uri.query().is_some() {
            return Err(refuse("it has a query; leave out what begins with `?`"));
        }
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        if host.is_empty() {
            return Err(refuse("it names no host"));
        }
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if plain || is_this_machine(&host) => false,
            Some("http") => {
                return Err(refuse(
                    "the token would travel in the clear; write https, or allow it by --plain-http",
                ));
            }
            _ => return Err(refuse("it is neither https nor http")),
        };
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix("/api").unwrap_or(path).trim_end_matches('/').to_owned();
        let scheme = if is_tls { "https" } else { "http" };
        Ok(Self { origin: format!("{scheme}://{authority}"), path, is_tls })
    }

    /// The address of a table, for people as well.
    pub(super) fn table(&self, table: &str) -> String {
        format!("{}{}/api/{table}/", self.origin, self.path)
    }

    /// The address of NetBox itself, for people.
    pub(super) fn whole(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// The query of the next page of a table: of a link to anything else than this table nothing.
    ///
    /// Scheme, host, port and what stands before `/api` may be others: behind a proxy NetBox often does not know them. The
    /// query is all that is used of a link, at the address that was given, so that nothing is sent to any other.
    pub(super) fn next(&self, table: &str, link: &str) -> Result<String, RestError> {
        let shown = clean(link);
        let refuse = || RestError::Elsewhere(self.table(table), shown.clone());
        let uri: Uri = link.parse().map_err(|_| refuse())?;
        let is_table = uri.path().ends_with(&format!("/api/{table}/"));
        match uri.query() {
            Some(query) if is_table && query.len() <= LONGEST => Ok(query.into()),
            _ => Err(refuse()),
        }
    }
}

/// Whether a host is the machine itself, by its spelling alone: what names mean, others can decide.
fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Base {
        Base::parse(text, false).unwrap()
    }

    #[test]
    fn an_address_may_lack_its_scheme_and_may_have_a_path_and_the_api_at_its_end() {
        let table = |text| base(text).table("ipam/prefixes");
        assert_eq!(table("netbox.example"), "https://netbox.example/api/ipam/prefixes/");
        assert_eq!(table("https://a:8443/nb/api/"), "https://a:8443/nb/api/ipam/prefixes/");
        assert_eq!(table("http://[::1]:8000"), "http://[::1]:8000/api/ipam/prefixes/");
    }

    #[test]
    fn the_token_travels_in_the_clear_only_within_the_machine_or_by_request() {
        assert!(Base::parse("http://127.0.0.1:8000", false).is_ok());
        assert!(Base::parse("http://localhost", false).is_ok());
        let error = Base::parse("http://netbox.example", false).unwrap_err().to_string();
        assert!(error.contains("--plain-http"), "{error}");
        assert!(Base::parse("http://localhost.example", false).is_err());
        assert!(Base::parse("http://netbox.example", true).is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "https://",
            "ftp://netbox",
            "https://a:b@netbox",
            "https://netbox/?x=1",
            "https://a b",
        ] {
            assert!(Base::parse(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_printed() {
        for address in ["https://admin:hidden@netbox.example", "ftp://admin:hidden@netbox"] {
            let error = Base::parse(address, false).unwrap_err().to_string();
            assert!(!error.contains("hidden") && error.contains("…@netbox"), "{error}");
        }
    }

    #[test]
    fn of_a_next_page_only_the_query_is_used_and_only_of_the_same_table() {
        let base = base("https://netbox.example/nb");
        let next = |link| base.next("ipam/prefixes", link);
        for link in [
            "https://netbox.example/nb/api/ipam/prefixes/?limit=5&offset=5",
            "http://NETBOX.example:8001/api/ipam/prefixes/?limit=5&offset=5",
            "/nb/api/ipam/prefixes/?limit=5&offset=5",
            "http://127.0.0.1:8001/api/ipam/prefixes/?limit=5&offset=5",
            "https://inner.example/other/api/ipam/prefixes/?limit=5&offset=5",
        ] {
            assert_eq!(next(link).unwrap(), "limit=5&offset=5", "{link}");
        }
        for link in [
            "https://netbox.example/nb/api/users/tokens/?limit=5",
            "https://netbox.example/nb/api/ipam/prefixes/../../users/tokens/?limit=5",
            "https://netbox.example/nb/ipam/prefixes/?limit=5",
            "https://netbox.example/nb/api/ipam/prefixes/",
            "?limit=5",
            "",
            "\u{1b}[2J",
        ] {
            let error = next(link).unwrap_err().to_string();
            assert!(error.contains("is not followed"), "{link}: {error}");
            assert!(!error.contains('\u{1b}'));
        }
    }
}
