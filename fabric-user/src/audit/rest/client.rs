//! One request after the other, within limits.

use std::{
    cell::Cell,
    fs, io,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde::de::DeserializeOwned;
use ureq::{
    Agent, Proxy,
    http::{HeaderMap, Response, StatusCode, header},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

use super::{Limits, RestError, Settings, Token, Version, address::Base};
use crate::audit::model::clean;

/// Asks NetBox.
pub(super) struct Client {
    agent: Agent,
    pub(super) base: Base,
    token: Token,
    pub(super) limits: Limits,
    pub(super) page: u32,
    start: Instant,
    /// What the last answer said.
    version: Cell<Option<Version>>,
}

/// Why there is no answer.
enum Failure {
    /// It will not be better.
    Final(RestError),
    /// It may be better later.
    Again {
        why: RestError,
        /// When, if NetBox says so.
        after: Option<(u16, Duration)>,
    },
}

impl Client {
    pub(super) fn new(base: Base, settings: &Settings) -> Result<Self, RestError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(base.is_tls)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("fabricctl/", env!("CARGO_PKG_VERSION")))
            // A proxy that does not only pass on what is encrypted would see the token.
            .proxy(if base.is_tls { Proxy::try_from_env() } else { None });
        if base.is_tls {
            let roots = match &settings.ca {
                Some(path) => authorities(path)?,
                None => system_authorities()?,
            };
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::Specific(Arc::new(roots)))
                .unversioned_rustls_crypto_provider(provider)
                .build();
            config = config.tls_config(tls);
        }
        Ok(Self {
            agent: config.build().into(),
            base,
            token: settings.token.clone(),
            limits: settings.limits,
            page: settings.page,
            start: Instant::now(),
            version: Cell::new(None),
        })
    }

    /// The version that NetBox has named so far.
    pub(super) fn version(&self) -> Option<Version> {
        self.version.get()
    }

    /// Notes the version that NetBox has named otherwise.
    pub(super) fn set_version(&self, version: Version) {
        self.version.set(Some(version));
    }

    /// Asks for a table, or a page of it.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        table: &str,
        query: &str,
    ) -> Result<T, RestError> {
        let name = self.base.table(table);
        let address = if query.is_empty() { name.clone() } else { format!("{name}?{query}") };
        let mut pause = self.limits.pause;
        let mut attempt = 1;
        let body = loop {
            match self.once(&name, &address) {
                Ok(body) => break body,
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again { why, .. }) if attempt >= self.limits.attempts => {
                    return Err(why);
                }
                Err(Failure::Again { after, why }) => {
                    let wait = after.map_or(pause, |(_, after)| after);
                    if wait >= self.left(&name)? {
                        return Err(after.map_or(why, |(status, after)| {
                            RestError::Busy(name.clone(), status, after.as_secs())
                        }));
                    }
                    thread::sleep(wait);
                }
            }
            pause *= 2;
            attempt += 1;
        };
        serde_json::from_slice(&body).map_err(|error| match error.is_eof() {
            true => RestError::Truncated(name, error.to_string()),
            false => RestError::Form(name, clean(&error.to_string())),
        })
    }

    /// What is left of the time for everything.
    fn left(&self, name: &str) -> Result<Duration, RestError> {
        let whole = self.limits.whole;
        let left = whole.checked_sub(self.start.elapsed()).filter(|left| !left.is_zero());
        left.ok_or_else(|| RestError::Long(name.into(), seconds(whole)))
    }

    fn once(&self, name: &str, address: &str) -> Result<Vec<u8>, Failure> {
        let left = self.left(name).map_err(Failure::Final)?;
        let time = left.min(self.limits.request);
        let asked = self
            .agent
            .get(address)
            .config()
            .timeout_global(Some(time))
            .build()
            .header(header::AUTHORIZATION, self.token.authorization())
            .header(header::ACCEPT, "application/json")
            // Versions up to 4.2 say which they are only if this is there, also in a request without a body.
            .header(header::CONTENT_TYPE, "application/json")
            .call();
        let mut response = asked.map_err(|error| self.failed(name, time, error))?;
        let version =
            response.headers().get("API-Version").and_then(|version| version.to_str().ok());
        if let Some(version) = version.and_then(|version| version.parse().ok()) {
            self.version.set(Some(version));
            if version < Version::OLDEST {
                return Err(Failure::Final(RestError::Old(self.base.whole(), version)));
            }
        }
        if response.status() != StatusCode::OK {
            return Err(self.refused(name, response));
        }
        let is_json = response.body().mime_type().is_some_and(|mime| mime.ends_with("json"));
        if !is_json {
            let mime = response.body().mime_type().map_or_else(|| "no type".into(), clean);
            return Err(Failure::Final(RestError::NoJson(name.into(), mime)));
        }
        let read = response.body_mut().with_config().limit(self.limits.bytes).read_to_vec();
        read.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => {
                Failure::Final(RestError::Large(name.into(), self.limits.bytes >> 20))
            }
            error => self.failed(name, time, error),
        })
    }

    /// What an answer other than 200 means.
    fn refused(&self, name: &str, mut response: Response<ureq::Body>) -> Failure {
        let status = response.status();
        let text = |header: &header::HeaderName| {
            response.headers().get(header).map(|value| {
                clean(&self.token.hidden_in(&String::from_utf8_lossy(value.as_bytes())))
            })
        };
        if status.is_redirection() {
            let place = text(&header::LOCATION).unwrap_or_else(|| "nowhere".into());
            return Failure::Final(RestError::Redirect(name.into(), place));
        }
        let after = retry_after(response.headers(), SystemTime::now());
        // Some proxies write into an error what was sent to them.
        let detail = detail(&mut response, &self.token);
        let number = status.as_u16();
        match number {
            401 | 403 => {
                let unfit = self.token.unfit(self.version());
                let said = match unfit {
                    Some(unfit) => format!("{detail}; {unfit}"),
                    None => detail,
                };
                Failure::Final(RestError::Denied(name.into(), number, said))
            }
            404 => Failure::Final(RestError::NotThere(name.into())),
            429 | 502 | 503 | 504 => Failure::Again {
                why: RestError::Status(name.into(), number, detail),
                after: after.map(|after| (number, after)),
            },
            _ => Failure::Final(RestError::Status(name.into(), number, detail)),
        }
    }

    /// What a failure of the connection means.
    fn failed(&self, name: &str, time: Duration, error: ureq::Error) -> Failure {
        let again = |why| Failure::Again { why, after: None };
        match error {
            ureq::Error::Timeout(_) => {
                let out = self.limits.whole.saturating_sub(self.start.elapsed()).is_zero();
                match out {
                    true => {
                        Failure::Final(RestError::Long(name.into(), seconds(self.limits.whole)))
                    }
                    false => again(RestError::Slow(name.into(), seconds(time))),
                }
            }
            ureq::Error::Rustls(error) => {
                Failure::Final(RestError::Tls(name.into(), error.to_string()))
            }
            ureq::Error::Tls(error) => Failure::Final(RestError::Tls(name.into(), error.into())),
            ureq::Error::Io(error) => {
                match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    Some(tls) => Failure::Final(RestError::Tls(name.into(), tls.to_string())),
                    None if is_cut(&error) => {
                        again(RestError::Truncated(name.into(), clean(&error.to_string())))
                    }
                    None => again(RestError::Unreachable(name.into(), clean(&error.to_string()))),
                }
            }
            ureq::Error::Protocol(error) => {
                Failure::Final(RestError::Form(name.into(), clean(&error.to_string())))
            }
            ureq::Error::LargeResponseHeader(..) => {
                Failure::Final(RestError::Form(name.into(), "its header is too long".into()))
            }
            error => Failure::Final(RestError::Unreachable(name.into(), clean(&error.to_string()))),
        }
    }
}

/// Whole seconds, as many as it is at most.
fn seconds(time: Duration) -> u64 {
    time.as_secs_f64().ceil() as u64
}

/// Whether a connection ended in the middle of something.
fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted)
}

/// What NetBox says of an error, as far as it is a sentence.
fn detail(response: &mut Response<ureq::Body>, token: &Token) -> String {
    /// Bytes of an error that are looked at.
    const LONGEST: u64 = 64 << 10;
    let reason = response.status().canonical_reason().unwrap_or("it does not say why").to_owned();
    let body = response.body_mut().with_config().limit(LONGEST).read_to_vec().unwrap_or_default();
    let said: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let detail = said.as_ref().and_then(|said| said.get("detail").or_else(|| said.get("error")));
    detail
        .and_then(serde_json::Value::as_str)
        .map(|said| clean(&token.hidden_in(said)))
        .filter(|said| !said.is_empty())
        .unwrap_or(reason)
}

/// When to come again: seconds, or a time (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    Some(then.duration_since(now).unwrap_or_default())
}

/// The certificates in a file.
fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, RestError> {
    let refuse = |why: String| RestError::Authority(path.display().to_string(), why);
    let text = fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| refuse(error.to_string()))?
        {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(refuse("there is no `BEGIN CERTIFICATE` in it".into()));
    }
    Ok(found)
}

/// The certificates that the system trusts.
fn system_authorities() -> Result<Vec<Certificate<'static>>, RestError> {
    let found = rustls_native_certs::load_native_certs();
    let certificates: Vec<_> = found
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    if certificates.is_empty() {
        let why = found.errors.first().map_or_else(|| "there are none".into(), ToString::to_string);
        return Err(RestError::NoAuthorities(why));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_again_is_said_in_seconds_or_as_a_time() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let after = |text: &str| {
            let headers = [(header::RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            retry_after(&headers, now).map(|after| after.as_secs())
        };
        assert_eq!(after("7"), Some(7));
        assert_eq!(after("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        for text in ["soon", "-1", "Sun, 06 Foo 1994 08:49:37 GMT"] {
            assert_eq!(after(text), None, "{text}");
        }
    }
}
