//! Logs, metrics and probes: what the operator sees of the gateway. Knows words and numbers, nothing
//! of routes, stores or tokens; who has something to tell fills an [`Event`].

use crate::http1::stream::Listen;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// `[telemetry]`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where `/livez`, `/readyz` and `/metrics` are served; `None`: nowhere.
    pub listen: Option<Listen>,
    /// The filter of the log, `info`; `RUST_LOG` overrides it.
    pub log: String,
    /// How the log is written.
    pub log_format: LogFormat,
}

/// `log_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// What was decided of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It was forwarded.
    Allowed,
    /// A public route, or one of the gateway's own endpoints.
    Public,
    /// Refused: the request, its token or its scope.
    Denied,
    /// It would have been refused, but the route is `report_only`.
    WouldDeny,
    /// The decision could not be made, or the upstream did not answer.
    Failed,
}

/// One request, at its end.
#[derive(Clone, Copy, Debug)]
pub struct Event<'e> {
    /// `X-Request-Id`.
    pub request_id: &'e str,
    /// The method.
    pub method: &'e str,
    /// The path without the query, as received; empty when the target could not be read.
    pub path: &'e str,
    /// The position and the name of the route; `None`: none, or an endpoint.
    pub route: Option<(usize, &'e str)>,
    /// The client of the token.
    pub client: Option<&'e str>,
    /// The resource owner of the token.
    pub subject: Option<&'e str>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// What was decided.
    pub verdict: Verdict,
    /// Why, as a short stable code: `ok`, `no_token`, `expired`, `insufficient_scope`, …
    pub reason: &'static str,
    /// The status that the client got; 0 when the connection was cut before there was one.
    pub status: u16,
    /// From the request's head to the end of the response.
    pub duration: Duration,
    /// From the forwarded request to the response's head; `None`: not forwarded.
    pub upstream: Option<Duration>,
    /// Octets of the response's content.
    pub sent: u64,
}

/// The process's logs, metrics and readiness; one for the process, shared by all workers.
#[derive(Debug)]
pub struct Telemetry {
    // Private to this module.
}

impl Telemetry {
    /// Installs the log's subscriber and makes the registry of metrics.
    ///
    /// # Errors
    /// When the filter cannot be read; the text says why.
    pub fn install(settings: &Settings) -> Result<Arc<Self>, String> {
        let _ = settings;
        todo!()
    }

    /// A recorder for one worker and the routes of one configuration, by position: metrics are
    /// labelled with these names, never with paths.
    pub fn recorder(self: &Arc<Self>, routes: Vec<String>) -> Recorder {
        let _ = routes;
        todo!()
    }

    /// The gauges and counters that others keep.
    pub fn counters(&self) -> &Counters {
        todo!()
    }

    /// The text of `/metrics` (OpenMetrics).
    pub fn metrics(&self) -> String {
        todo!()
    }

    /// Writes out everything that was logged so far.
    pub fn flush(&self) {}
}

/// Gauges and counters that the rooms below the gateway keep up to date.
#[derive(Debug, Default)]
pub struct Counters {
    // Connections open, cache entries, bytes, hits and misses, store lookups and failures, reloads,
    // tokens issued by grant: filled in with the metrics.
}

/// What one worker records: no lock that another worker takes, no allocation, no system call.
#[derive(Debug)]
pub struct Recorder {
    // Private to this module.
}

impl Recorder {
    /// Counts a request and logs it, where the filter asks for `tollgate::request` at `info`.
    pub fn record(&self, event: &Event<'_>) {
        let _ = event;
        todo!()
    }
}
