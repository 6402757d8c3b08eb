//! Logs, metrics and probes: what the operator sees of the gateway. Knows words and numbers, nothing
//! of routes, stores or tokens; who has something to tell fills an [`Event`].
//!
//! A request costs a worker no system call and no allocation here: counts go into cells of its own,
//! the log line into a buffer of its own. One thread of the process empties the buffers, so a log
//! that is slow costs lines (which are counted), never requests.

mod cells;
mod counters;
mod line;
mod log;
mod metrics;
mod probes;
mod stamp;
mod subscriber;
mod upstreams;

pub use counters::{Counter, Counters, FeedNumbers, Gauge, Timings};
pub use probes::{Probes, Readiness};
pub use stamp::rfc3339;
pub use upstreams::{ServerNumbers, UpstreamNumbers};

use crate::clock::Timestamp;
use crate::http1::stream::Listen;
use cells::{Cells, Ledger};
use line::Style;
use log::{Buffer, Log};
use std::cell::Cell;
use std::io::IsTerminal;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};

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

impl Verdict {
    /// Every verdict, at its own position.
    pub(crate) const ALL: [Self; 5] = [Self::Allowed, Self::Public, Self::Denied, Self::WouldDeny, Self::Failed];

    /// The word in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Public => "public",
            Self::Denied => "denied",
            Self::WouldDeny => "would_deny",
            Self::Failed => "failed",
        }
    }
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
    /// When the response was complete.
    pub ended: Timestamp,
    /// From the request's head to the end of the response.
    pub duration: Duration,
    /// From the forwarded request to the response's head; `None`: not forwarded.
    pub upstream: Option<Duration>,
    /// Octets of the response's content, or that went to the client over a WebSocket or the like.
    pub sent: u64,
    /// Octets from the client that were passed on: the request's content, or what came over a WebSocket or the
    /// like.
    pub received: u64,
}

/// The target of the line that each request gets.
const REQUEST_TARGET: &str = "tollgate::request";

/// The process's logs, metrics and readiness; one for the process, shared by all workers.
#[derive(Debug)]
pub struct Telemetry {
    log: Log,
    style: Style,
    logs_requests: bool,
    counters: Arc<Counters>,
    ledger: Arc<Ledger>,
    registry: prometheus_client::registry::Registry,
}

impl Telemetry {
    /// Installs the log's subscriber and makes the registry of metrics. A process has one log: what
    /// is installed second keeps metrics of its own and shares nothing but the subscriber.
    ///
    /// # Errors
    /// When the filter cannot be read, or no thread can be started; the text says why.
    pub fn install(settings: &Settings) -> Result<Arc<Self>, String> {
        let filter = filter(&settings.log, std::env::var("RUST_LOG").ok().as_deref())?;
        let terminal = std::io::stderr().is_terminal();
        let style = style(settings.log_format, terminal);
        let telemetry = Self::new(&filter, style, Box::new(std::io::stderr()))?;
        subscriber::install(filter, style, telemetry.log.events(), Arc::clone(&telemetry.counters));
        Ok(telemetry)
    }

    fn new(filter: &Targets, style: Style, output: Box<dyn std::io::Write + Send>) -> Result<Arc<Self>, String> {
        let log = Log::start(output).map_err(|error| format!("the log's thread cannot be started: {error}"))?;
        let counters = Arc::new(Counters::default());
        let ledger = Arc::new(Ledger::default());
        let registry = metrics::registry(Arc::clone(&counters), Arc::clone(&ledger), log.dropped());
        let logs_requests = filter.would_enable(REQUEST_TARGET, &tracing::Level::INFO);
        Ok(Arc::new(Self { log, style, logs_requests, counters, ledger, registry }))
    }

    /// A recorder for one worker and the routes of one configuration, by position: metrics are
    /// labelled with these names, never with paths.
    pub fn recorder(self: &Arc<Self>, routes: Vec<String>) -> Recorder {
        let lines = self.logs_requests.then(|| self.log.buffer());
        Recorder {
            cells: self.ledger.open(routes),
            counters: Arc::clone(&self.counters),
            ledger: Arc::clone(&self.ledger),
            lines,
            style: self.style,
            one_thread: PhantomData,
        }
    }

    /// The gauges and counters that others keep.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The text of `/metrics` (`OpenMetrics`).
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(std::fmt::Error) => String::from("# EOF\n"),
        }
    }

    /// Writes out everything that was logged so far; gives up on an output that takes nothing.
    pub fn flush(&self) {
        self.log.flush();
    }
}

/// What one worker records: no lock that another worker takes, no allocation, no system call.
#[derive(Debug)]
pub struct Recorder {
    cells: Arc<Cells>,
    counters: Arc<Counters>,
    ledger: Arc<Ledger>,
    lines: Option<Arc<Buffer>>,
    style: Style,
    /// Cells have one writer: a recorder cannot be shared between threads.
    one_thread: PhantomData<Cell<()>>,
}

impl Recorder {
    /// Counts a request and logs it, where the filter asks for `tollgate::request` at `info`.
    pub fn record(&self, event: &Event<'_>) {
        self.cells.record(event);
        if let Some(lines) = &self.lines {
            lines.append(|bytes, stamps| self.style.write(bytes, stamps.at(event.ended), event));
        }
    }
}

impl Recorder {
    /// The gauges and counters that others keep.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Drop for Recorder {
    /// What was counted outlives the configuration that it was counted under.
    fn drop(&mut self) {
        self.ledger.close(&self.cells);
    }
}

fn style(format: LogFormat, terminal: bool) -> Style {
    match (format, terminal) {
        (LogFormat::Json, _) | (LogFormat::Auto, false) => Style::Json,
        (LogFormat::Pretty, colours) => Style::Pretty { colours },
        (LogFormat::Auto, true) => Style::Pretty { colours: true },
    }
}

/// Checks the text of a filter. A word alone is a level: taken for a target, a slip of the pen
/// (`inof`) would end the log without a word.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(text: &str) -> Result<(), String> {
    text.parse::<Targets>().map_err(|error| error.to_string())?;
    match text.split(',').map(str::trim).find(|part| !part.contains('=') && part.parse::<LevelFilter>().is_err()) {
        Some(word) => Err(format!("`{word}` is no level: off, error, warn, info, debug or trace")),
        None => Ok(()),
    }
}

/// `RUST_LOG` where it says something, else the configuration.
fn filter(configured: &str, environment: Option<&str>) -> Result<Targets, String> {
    let (from, text) = match environment.filter(|text| !text.trim().is_empty()) {
        Some(text) => ("RUST_LOG", text),
        None => ("[telemetry] log", configured),
    };
    text.parse().map_err(|error| {
        format!("{from}: `{text}` is not a filter like `info` or `warn,tollgate::audit=info`: {error}")
    })
}

#[cfg(test)]
mod tests;
