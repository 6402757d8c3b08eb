//! `/livez`, `/readyz`, `/metrics`: the telemetry listener, whatever carries the messages.

use super::Telemetry;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use std::sync::Arc;

/// Whether requests should be sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// Yes, but the store does not answer: what is cached is served (`on_store_outage = "serve-cached"`).
    Degraded,
    /// No: not yet.
    Starting,
    /// No: the process is about to end.
    Draining,
    /// No: the store does not answer, so that nothing can be decided.
    StoreOut,
}

impl Readiness {
    const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready\n",
            Self::Degraded => "degraded: the store does not answer, serving what is cached\n",
            Self::Starting => "starting\n",
            Self::Draining => "draining\n",
            Self::StoreOut => "the store does not answer\n",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Ready | Self::Degraded => StatusCode::OK,
            Self::Starting | Self::Draining | Self::StoreOut => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What answers on the telemetry listener.
#[derive(Clone, Debug)]
pub struct Probes {
    telemetry: Arc<Telemetry>,
}

/// The media type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

impl Probes {
    /// The probes of a process.
    pub const fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { telemetry }
    }

    /// The answer to a request; `readiness` is asked only where it matters. The body of an answer to
    /// HEAD is for the server to leave out.
    pub fn respond(&self, method: &Method, path: &str, readiness: impl FnOnce() -> Readiness) -> Response<Bytes> {
        let known = matches!(path, "/livez" | "/readyz" | "/metrics");
        if known && method != Method::GET && method != Method::HEAD {
            let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".into());
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        match path {
            "/livez" => response(StatusCode::OK, TEXT, "alive\n".into()),
            "/readyz" => {
                let readiness = readiness();
                response(readiness.status(), TEXT, readiness.word().into())
            }
            "/metrics" => response(StatusCode::OK, OPEN_METRICS, self.telemetry.metrics().into()),
            _ => response(StatusCode::NOT_FOUND, TEXT, "there are /livez, /readyz and /metrics\n".into()),
        }
    }
}

fn response(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
