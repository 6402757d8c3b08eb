//! A small HTTPS client for what people sign in at: one connection a request, no redirects, a bound on
//! time and size.

use crate::tls;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::ClientConfig;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The longest answer, in octets.
const LONGEST: usize = 256 * 1024;
/// How many requests are under way at a time, over the whole process.
const AT_A_TIME: usize = 256;

static UNDER_WAY: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(AT_A_TIME));

/// Whom it believes, and for how long it waits.
#[derive(Clone)]
pub(super) struct Https {
    timeout: Duration,
    tls: Arc<ClientConfig>,
    /// Whether it sends nothing over http, wherever an answer says that something more is to be had.
    tls_alone: bool,
    /// How many certification authorities are believed.
    roots: usize,
}

impl fmt::Debug for Https {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Https({:?}, {} authorities)", self.timeout, self.roots)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpsError {
    /// Too many are under way.
    #[error("too many requests are under way")]
    Busy,
    /// No connection, or one that broke.
    #[error("{0}")]
    Failed(String),
    /// Not in time.
    #[error("no answer in time")]
    Late,
}

impl Https {
    /// A client that believes the certification authorities in `roots`, in PEM; `None`: the system's. Where it
    /// speaks `tls_alone`, an address without TLS is never asked.
    ///
    /// # Errors
    /// When it speaks https alone and there is none to believe.
    pub(super) fn new(timeout: Duration, roots: Option<&[u8]>, tls_alone: bool) -> io::Result<Self> {
        let store = tls::roots(roots)?;
        if store.is_empty() && tls_alone {
            return Err(io::Error::other("there is no certificate in them"));
        }
        let roots = store.len();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(io::Error::other)?.with_root_certificates(store).with_no_client_auth();
        Ok(Self { timeout, tls: Arc::new(tls), tls_alone, roots })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpsError> {
        let _place = UNDER_WAY.try_acquire().map_err(|_| HttpsError::Busy)?;
        let answer =
            tokio::time::timeout(self.timeout, self.exchange(request.map(|body| Full::from(Bytes::from(body)))));
        answer.await.map_err(|_| HttpsError::Late)?
    }

    /// Each request has a connection of its own: sign-ins are rare, and a connection belongs to the thread
    /// that made it.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<HttpResponse, HttpsError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        let tls = HttpsConnectorBuilder::new().with_tls_config((*self.tls).clone());
        let tls = if self.tls_alone { tls.https_only() } else { tls.https_or_http() }.enable_http1();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(tls.wrap_connector(http));
        let response: Response<_> = client.request(request).await.map_err(|error| HttpsError::Failed(chain(&error)))?;
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, LONGEST).collect().await.map_err(|error| HttpsError::Failed(error.to_string()))?;
        Ok(Response::from_parts(head, body.to_bytes().to_vec()))
    }
}

impl<'c> AsyncHttpClient<'c> for Https {
    type Error = HttpsError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpsError>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// What is wrong, with its causes: the outermost says little.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// `OpenID` Connect Discovery 1.0 section 3: keys that came over http are anybody's.
    #[tokio::test]
    async fn who_is_asked_over_https_sends_nobody_elsewhere() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 1024]).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
            }
        });
        let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        let sent = async |tls_alone| {
            let https = Https::new(Duration::from_secs(5), Some(authority.as_bytes()), tls_alone).unwrap();
            https.send(Request::get(&url).body(Vec::new()).unwrap()).await
        };
        assert_eq!(sent(false).await.unwrap().status(), 200);
        assert!(matches!(sent(true).await, Err(HttpsError::Failed(_))));
    }
}
