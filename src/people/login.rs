//! A check of passwords by an existing login service: the gateway posts a name and a password to it,
//! and takes the subject that it answers.
//!
//! The service is asked over https, or over http on this machine; redirects are not followed, so that
//! a password goes nowhere else.

use super::https::{Https, HttpsError};
use super::users::{LoginError, wrong_name};
use crate::oauth::scope::Scope;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use serde::Deserialize;
use std::fmt;
use std::io;
use std::time::Duration;

/// How the name and the password are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`.
    Json,
}

/// `[login]`.
#[derive(Clone)]
pub struct Login {
    url: Uri,
    format: Format,
    https: Https,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, https, .. } = self;
        write!(f, "Login({}, {format:?}, {https:?})", self.shown())
    }
}

/// Whom the service vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vouched {
    /// `sub`.
    pub(super) name: String,
    /// `scope`: the most that the user can grant; `None`: everything.
    pub(super) scopes: Option<Scope>,
}

#[derive(Deserialize)]
struct Answer {
    sub: String,
    scope: Option<String>,
}

impl Login {
    /// The service at `url`. `roots` are the certification authorities that are believed, in PEM;
    /// `None`: those of the system.
    ///
    /// # Errors
    /// When there is no certification authority to believe.
    pub fn new(url: Uri, format: Format, timeout: Duration, roots: Option<&[u8]>) -> io::Result<Self> {
        let https = Https::new(timeout, roots, url.scheme_str() == Some("https"))?;
        Ok(Self { url, format, https })
    }

    /// Whether the service takes the pair.
    ///
    /// # Errors
    /// When it does not, does not answer in time, or answers something else. It is not asked about a name that
    /// nobody here can have: it might trim it, and failures are counted by the name as it was typed.
    pub(super) async fn ask(&self, name: &str, password: &str) -> Result<Vouched, LoginError> {
        if wrong_name(name).is_some() {
            return Err(LoginError::Refused);
        }
        let failed = |why: &str| {
            tracing::error!(url = self.shown(), why, "the login service cannot be used");
            LoginError::Service
        };
        let request = self.request(name, password).ok_or_else(|| failed("the request cannot be made"))?;
        let answer = match self.https.send(request).await {
            Ok(answer) => answer,
            Err(HttpsError::Busy) => return Err(LoginError::Overloaded),
            Err(error) => return Err(failed(&error.to_string())),
        };
        match answer.status() {
            StatusCode::OK => read(answer.body()).map_err(failed),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(LoginError::Refused),
            status => Err(failed(&format!("it answered {status}"))),
        }
    }

    /// The URL without its query, which may have a key in it.
    fn shown(&self) -> String {
        let mut url = self.url.to_string();
        url.truncate(url.find('?').unwrap_or(url.len()));
        url
    }

    fn request(&self, name: &str, password: &str) -> Option<Request<Vec<u8>>> {
        let (media_type, body) = match self.format {
            Format::Form => (
                "application/x-www-form-urlencoded",
                format!("username={}&password={}", form_encoded(name), form_encoded(password)),
            ),
            Format::Json => {
                ("application/json", serde_json::json!({ "username": name, "password": password }).to_string())
            }
        };
        Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(header::CONTENT_TYPE, media_type)
            .header(header::ACCEPT, HeaderValue::from_static("application/json"))
            .body(body.into_bytes())
            .ok()
    }
}

fn read(body: &[u8]) -> Result<Vouched, &'static str> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| "its answer is no JSON with `sub`")?;
    if wrong_name(&answer.sub).is_some() {
        return Err("its `sub` cannot be the name of a user");
    }
    let scopes =
        answer.scope.as_deref().map(|scope| if scope.is_empty() { Ok(Scope::default()) } else { scope.parse() });
    let scopes = scopes.transpose().map_err(|_| "its `scope` is no scope")?;
    Ok(Vouched { name: answer.sub, scopes })
}

/// The serialisation of WHATWG's URL standard, section 5.2.
fn form_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, octet| {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => encoded.push(char::from(octet)),
            b' ' => encoded.push('+'),
            // Writing to a `String` cannot fail.
            _ => drop(write!(encoded, "%{octet:02X}")),
        }
        encoded
    })
}

#[cfg(test)]
mod tests;
