//! What is known of an upstream from its configuration.

use std::path::PathBuf;
use std::time::Duration;

/// `[upstreams.NAME]`.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name in the configuration, for logs and metrics.
    pub name: String,
    /// Its position in the configuration.
    pub index: usize,
    /// At least one.
    pub servers: Vec<Server>,
    /// How a server is chosen.
    pub balance: Balance,
    /// How long a connection may take to be made: 504 beyond.
    pub connect_timeout: Duration,
    /// How long the response head may take: 504 beyond.
    pub response_timeout: Duration,
    /// How often a safe request may be sent again after a failure.
    pub retries: u32,
    /// The `Host` that the upstream sees.
    pub host_header: HostHeader,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Server {
    /// `echo:`; answers with what it received.
    Echo,
    /// `http://HOST:PORT`.
    Http {
        /// A name or an address.
        host: String,
        /// 80 unless given.
        port: u16,
    },
    /// `unix:PATH`.
    Unix(PathBuf),
}

/// `balance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// The less loaded of two servers chosen at random.
    LeastLoaded,
    /// One after the other.
    RoundRobin,
}

/// `host_header`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostHeader {
    /// The `Host` that the client sent.
    Client,
    /// The server's own name.
    Upstream,
}
