//! `[upstreams.NAME]`.

use crate::config::error::Report;
use crate::config::file::{Entry, Node};
use crate::config::keys::UPSTREAM;
use crate::config::section::Section;
use crate::config::shape::nearest;
use crate::oauth::url::Url;
use crate::proxy::upstream::{Balance, HostHeader, Server, Upstream};
use std::sync::Arc;

/// Every upstream, at its `index`.
pub(super) struct Upstreams {
    /// For the gateway.
    pub(super) all: Vec<Arc<Upstream>>,
}

/// Reads `[upstreams]`.
pub(super) fn build(root: &Section<'_>) -> Upstreams {
    let entries = root.named("upstreams").iter().enumerate();
    Upstreams { all: entries.map(|(index, entry)| Arc::new(upstream(index, entry, root.report))).collect() }
}

impl Upstreams {
    /// The upstream that a route names.
    pub(super) fn find(&self, node: &Node, name: &str, report: &Report) -> Option<Arc<Upstream>> {
        let found = self.all.iter().find(|upstream| upstream.name == name);
        if found.is_none() {
            let help = match nearest(name, self.all.iter().map(|upstream| upstream.name.as_str())) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("add [upstreams.{name}] with `servers`"),
            };
            report.problem(&node.at, format!("there is no upstream `{name}`"), help);
        }
        found.map(Arc::clone)
    }
}

fn upstream(index: usize, entry: &Entry, report: &Report) -> Upstream {
    let section = Section::new(entry.node.table(), UPSTREAM, report);
    if entry.key.is_empty() || entry.key.contains(|c: char| c.is_control() || c.is_whitespace()) {
        report.problem(&entry.key_at, "this cannot be the name of an upstream", "a name has no spaces");
    }
    if let Some(node) = section.node("servers").filter(|node| node.list().is_some_and(<[_]>::is_empty)) {
        report.problem(&node.at, "an upstream needs a server", SERVER_HELP);
    }
    let servers = section.texts("servers");
    Upstream {
        name: entry.key.clone(),
        index,
        servers: servers.into_iter().filter_map(|(node, text)| server(node, text, report)).collect(),
        balance: match section.text_or_default("balance") {
            "round-robin" => Balance::RoundRobin,
            _ => Balance::LeastLoaded,
        },
        connect_timeout: section.duration("connect_timeout").unwrap_or_default(),
        response_timeout: section.duration("response_timeout").unwrap_or_default(),
        retries: section.number("retries").unwrap_or_default(),
        host_header: match section.text_or_default("host_header") {
            "upstream" => HostHeader::Upstream,
            _ => HostHeader::Client,
        },
        http2: section.boolean("http2"),
    }
}

const SERVER_HELP: &str = "write \"http://127.0.0.1:9000\", \"unix:/run/app.sock\" or \"echo:\"";

fn server(node: &Node, text: &str, report: &Report) -> Option<Server> {
    if text == "echo:" {
        return Some(Server::Echo);
    }
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Some(Server::Unix(path.into()));
    }
    if text.starts_with("https:") {
        report.later(&node.at, "TLS to an upstream (`https:`)", "use http within one machine or a mesh");
        return None;
    }
    let server = http(text);
    if server.is_none() {
        // A URL may hold a password, and is not repeated.
        report.problem(&node.at, "this is no server", SERVER_HELP);
    }
    server
}

/// `http://HOST[:PORT][/]` and nothing else: a path belongs into a route's `rewrite`.
fn http(text: &str) -> Option<Server> {
    let url = Url::parse(text).filter(|url| url.scheme == "http")?;
    let bare = url.user_info.is_none() && url.path.trim_end_matches('/').is_empty() && !url.has_query_or_fragment;
    let port = url.port.unwrap_or(80);
    (bare && port != 0).then(|| Server::Http { host: url.host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_server_is_a_host_and_a_port() {
        let named = |host: &str, port| Some(Server::Http { host: host.to_owned(), port });
        assert_eq!(http("http://127.0.0.1:9000"), named("127.0.0.1", 9000));
        assert_eq!(http("http://app.internal/"), named("app.internal", 80));
        assert_eq!(http("http://[::1]:9000"), named("[::1]", 9000));
        for text in [
            "",
            "127.0.0.1:9000",
            "http://",
            "http://a/path",
            "http://a?q",
            "http://u@a",
            "http://a:0",
            "http://a:99999",
            "http://a:",
            "ftp://a",
            "http://a#f",
        ] {
            assert_eq!(http(text), None, "{text}");
        }
    }
}
