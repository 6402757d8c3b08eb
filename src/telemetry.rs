//! Logs and metrics: what the operator sees of the gateway.

use crate::server::Listen;

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
