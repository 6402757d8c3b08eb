//! What is known of an upstream from its configuration.

use std::fmt;
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
    /// HTTP/2 is spoken.
    pub http2: bool,
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

impl Server {
    /// The server's own `Host`: without the port where it is the default one. A unix socket has no
    /// name of its own.
    pub fn authority(&self) -> String {
        match self {
            Self::Echo | Self::Unix(_) => "localhost".to_owned(),
            Self::Http { host, port } => {
                let host =
                    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.clone() };
                if *port == 80 { host } else { format!("{host}:{port}") }
            }
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo => formatter.write_str("echo:"),
            Self::Http { .. } => write!(formatter, "http://{}", self.authority()),
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

/// `host_header`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostHeader {
    /// The `Host` that the client sent.
    Client,
    /// The server's own name.
    Upstream,
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
    }
}
