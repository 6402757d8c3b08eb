//! A check of passwords by an existing login service: the gateway posts a name and a password to it,
//! and takes the subject that it answers.
//!
//! The service is asked over https, or over http on this machine; redirects are not followed, so that
//! a password goes nowhere else.

use super::users::{LoginError, wrong_name};
use crate::oauth::scope::Scope;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The longest answer, in octets.
const LONGEST: usize = 64 * 1024;
/// How many are asked for at a time, over the whole process.
const AT_A_TIME: usize = 256;

static ASKING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(AT_A_TIME));

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
    timeout: Duration,
    tls: Arc<ClientConfig>,
    /// How many certification authorities are believed.
    roots: usize,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, format, timeout, roots, .. } = self;
        write!(f, "Login({url}, {format:?}, {timeout:?}, {roots} authorities)")
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
        let mut store = RootCertStore::empty();
        match roots {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    store.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
                }
            }
            None => drop(store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        if store.is_empty() && url.scheme_str() == Some("https") {
            return Err(io::Error::other("it has no certificate in it"));
        }
        let roots = store.len();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(io::Error::other)?.with_root_certificates(store).with_no_client_auth();
        Ok(Self { url, format, timeout, tls: Arc::new(tls), roots })
    }

    /// Whether the service takes the pair.
    ///
    /// # Errors
    /// When it does not, does not answer in time, or answers something else.
    pub(super) async fn ask(&self, name: &str, password: &str) -> Result<Vouched, LoginError> {
        let _asking = ASKING.try_acquire().map_err(|_| LoginError::Overloaded)?;
        let failed = |why: &str| {
            tracing::error!(url = %self.url, why, "the login service cannot be used");
            LoginError::Service
        };
        let request = self.request(name, password).ok_or_else(|| failed("the request cannot be made"))?;
        let answer = tokio::time::timeout(self.timeout, self.send(request)).await;
        let (status, body) = answer.map_err(|_| failed("it did not answer in time"))?.map_err(|why| failed(&why))?;
        match status {
            StatusCode::OK => read(&body).map_err(failed),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(LoginError::Refused),
            status => Err(failed(&format!("it answered {status}"))),
        }
    }

    fn request(&self, name: &str, password: &str) -> Option<Request<Full<bytes::Bytes>>> {
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
            .body(Full::from(body))
            .ok()
    }

    /// Each question has a connection of its own: sign-ins are rare, and a connection belongs to the
    /// thread that made it.
    async fn send(&self, request: Request<Full<bytes::Bytes>>) -> Result<(StatusCode, bytes::Bytes), String> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        let tls = HttpsConnectorBuilder::new().with_tls_config((*self.tls).clone()).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(tls.wrap_connector(http));
        let response: Response<_> = client.request(request).await.map_err(|error| chain(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST).collect().await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    }
}

/// What is wrong, with its causes: the outermost says little.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
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
