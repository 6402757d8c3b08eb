//! `[upstreams.NAME]`.

use super::tls;
use crate::config::error::Report;
use crate::config::file::{Entry, Node};
use crate::config::keys::UPSTREAM;
use crate::config::section::Section;
use crate::config::shape::nearest;
use crate::oauth::url::Url;
use crate::proxy::upstream::{Balance, HostHeader, Server, Upstream};
use crate::tls::ClientTls;
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
    let is_secured = servers.iter().any(|(_, text)| text.starts_with("https:"));
    if let Some(unused) = section.entry("tls").filter(|_| !is_secured && !servers.is_empty()) {
        report.problem(&unused.key_at, "`tls` is for servers with `https:`, and there is none", SERVER_HELP);
    }
    let tls = is_secured.then(|| tls::upstream(&section)).flatten();
    Upstream {
        name: entry.key.clone(),
        index,
        servers: servers.into_iter().filter_map(|(node, text)| server(node, text, tls.as_ref(), report)).collect(),
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

const SERVER_HELP: &str =
    "write \"http://127.0.0.1:9000\", \"https://api.internal\", \"unix:/run/app.sock\" or \"echo:\"";

fn server(node: &Node, text: &str, tls: Option<&ClientTls>, report: &Report) -> Option<Server> {
    if text == "echo:" {
        return Some(Server::Echo);
    }
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Some(Server::Unix(path.into()));
    }
    let Some((host, port, is_https)) = address(text) else {
        // A URL may hold a password, and is not repeated.
        report.problem(&node.at, "this is no server", SERVER_HELP);
        return None;
    };
    if !is_https {
        return Some(Server::Http { host, port });
    }
    let tls = tls?;
    if tls.name_of(&host).is_none() {
        report.problem(&node.at, "no certificate can be for this host", "name the one to expect: `tls.server_name`");
        return None;
    }
    Some(Server::Https { host, port, tls: tls.clone() })
}

/// `http://HOST[:PORT][/]`, `https://` likewise, and nothing else: a path belongs into a route's `rewrite`.
fn address(text: &str) -> Option<(String, u16, bool)> {
    let url = Url::parse(text).filter(|url| matches!(url.scheme, "http" | "https"))?;
    let bare = url.user_info.is_none() && url.path.trim_end_matches('/').is_empty() && !url.has_query_or_fragment;
    let is_https = url.scheme == "https";
    let port = url.port.unwrap_or(if is_https { 443 } else { 80 });
    (bare && port != 0).then(|| (url.host.to_owned(), port, is_https))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_server_is_a_host_and_a_port() {
        let named = |host: &str, port, is_https| Some((host.to_owned(), port, is_https));
        assert_eq!(address("http://127.0.0.1:9000"), named("127.0.0.1", 9000, false));
        assert_eq!(address("http://app.internal/"), named("app.internal", 80, false));
        assert_eq!(address("http://[::1]:9000"), named("[::1]", 9000, false));
        assert_eq!(address("https://app.internal"), named("app.internal", 443, true));
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
            assert_eq!(address(text), None, "{text}");
        }
    }
}
