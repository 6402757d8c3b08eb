//! What is known of an upstream from its configuration.

use crate::tls::ClientTls;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// What is spoken with an upstream over TLS: offered by ALPN, and nothing else is.
pub const fn protocol(http2: bool) -> &'static [u8] {
    if http2 { b"h2" } else { b"http/1.1" }
}

/// `[upstreams.NAME]`.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name in the configuration, for logs and metrics.
    pub name: String,
    /// Its position in the configuration.
    pub index: usize,
    /// At least one, none twice.
    pub servers: Vec<Weighted>,
    /// How a server is chosen.
    pub balance: Balance,
    /// How long a connection may take to be made: 504 beyond.
    pub connect_timeout: Duration,
    /// How long the response head may take: 504 beyond.
    pub response_timeout: Duration,
    /// How long a response's content may make no progress; `None`: as long as it likes.
    pub read_timeout: Option<Duration>,
    /// How long a connection is kept for the next request.
    pub keep_alive: Duration,
    /// How often a safe request may be sent again after a failure.
    pub retries: u32,
    /// Requests under way, over all workers.
    pub connections: usize,
    /// Requests that wait for one of these to end: 503 beyond.
    pub pending: usize,
    /// How long the addresses of a name are believed.
    pub resolve: Duration,
    /// `health`; `None`: servers are not asked.
    pub health: Option<Health>,
    /// `ejection`; `None`: `false`.
    pub ejection: Option<Ejection>,
    /// The `Host` that the upstream sees.
    pub host_header: HostHeader,
    /// HTTP/2 is spoken.
    pub http2: bool,
}

/// A server and its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// The server.
    pub server: Server,
    /// Its share of the requests beside those of the others; at least 1.
    pub weight: u32,
}

/// `health`: servers are asked how they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What is asked for.
    pub path: String,
    /// How often.
    pub interval: Duration,
    /// How long the answer may take.
    pub timeout: Duration,
    /// So many good answers in a row make a server healthy.
    pub healthy: u32,
    /// So many bad ones make it unhealthy.
    pub unhealthy: u32,
    /// The status codes of good answers.
    pub status: RangeInclusive<u16>,
}

/// `ejection`: a server that fails requests gets none for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// So many failures in a row.
    pub failures: u32,
    /// For how long the first time; doubled with each further one.
    pub time: Duration,
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
    /// `https://HOST:PORT`.
    Https {
        /// A name or an address.
        host: String,
        /// 443 unless given.
        port: u16,
        /// `[upstreams.NAME] tls`.
        tls: ClientTls,
    },
    /// `unix:PATH`.
    Unix(PathBuf),
}

impl Server {
    /// The host, a name or an address, and the port; `None`: it is not reached over the network.
    pub fn host(&self) -> Option<(&str, u16)> {
        match self {
            Self::Echo | Self::Unix(_) => None,
            Self::Http { host, port } | Self::Https { host, port, .. } => {
                let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
                Some((host, *port))
            }
        }
    }

    /// The server's own `Host`: without the port where it is the default one. A unix socket has no
    /// name of its own.
    pub fn authority(&self) -> String {
        match self {
            Self::Echo | Self::Unix(_) => "localhost".to_owned(),
            Self::Http { host, port } => authority(host, *port, 80),
            Self::Https { host, port, .. } => authority(host, *port, 443),
        }
    }
}

fn authority(host: &str, port: u16, default: u16) -> String {
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    if port == default { host } else { format!("{host}:{port}") }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo => formatter.write_str("echo:"),
            Self::Http { .. } => write!(formatter, "http://{}", self.authority()),
            Self::Https { .. } => write!(formatter, "https://{}", self.authority()),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// `balance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// The less loaded of two servers chosen at random.
    LeastLoaded,
    /// One after the other.
    RoundRobin,
}

impl Balance {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeastLoaded => "least-loaded",
            Self::RoundRobin => "round-robin",
        }
    }
}

/// `host_header`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostHeader {
    /// The `Host` that the client sent.
    Client,
    /// The server's own name.
    Upstream,
}

#[cfg(test)]
impl Upstream {
    /// An upstream of these servers for tests: patient, without checks.
    pub(crate) fn of(servers: Vec<Server>) -> Self {
        Self {
            name: "test".to_owned(),
            index: 0,
            servers: servers.into_iter().map(|server| Weighted { server, weight: 1 }).collect(),
            balance: Balance::RoundRobin,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            read_timeout: None,
            keep_alive: Duration::from_secs(60),
            retries: 1,
            connections: 1000,
            pending: 100,
            resolve: Duration::from_secs(10),
            health: None,
            ejection: None,
            host_header: HostHeader::Client,
            http2: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_names_itself_without_the_default_port() {
        let named = |host: &str, port| Server::Http { host: host.to_owned(), port }.authority();
        assert_eq!(named("api.internal", 80), "api.internal");
        assert_eq!(named("api.internal", 9000), "api.internal:9000");
        assert_eq!(named("::1", 9000), "[::1]:9000");
        assert_eq!(named("[::1]", 80), "[::1]");
        assert_eq!(Server::Unix("/run/api.sock".into()).authority(), "localhost");
        let settings = crate::tls::ClientSettings { unverified: true, ..Default::default() };
        let tls = ClientTls::new(settings, protocol(false)).unwrap();
        let secured = |port| Server::Https { host: "api.internal".to_owned(), port, tls: tls.clone() };
        assert_eq!(secured(443).to_string(), "https://api.internal");
        assert_eq!(secured(8443).to_string(), "https://api.internal:8443");
    }
}
