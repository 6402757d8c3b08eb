//! `[upstreams.NAME]`.

use super::tls;
use crate::config::error::Report;
use crate::config::file::{Entry, Node};
use crate::config::keys::{EJECTION, HEALTH, UPSTREAM, UPSTREAM_SERVER};
use crate::config::section::Section;
use crate::config::shape::nearest;
use crate::oauth::url::Url;
use crate::proxy::upstream::{Balance, Ejection, Health, HostHeader, Server, Upstream, Weighted};
use crate::tls::ClientTls;
use std::ops::RangeInclusive;
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
    Upstream {
        name: entry.key.clone(),
        index,
        servers: servers(&section),
        balance: match section.text_or_default("balance") {
            "round-robin" => Balance::RoundRobin,
            _ => Balance::LeastLoaded,
        },
        connect_timeout: section.duration("connect_timeout").unwrap_or_default(),
        response_timeout: section.duration("response_timeout").unwrap_or_default(),
        read_timeout: section.duration("read_timeout"),
        keep_alive: section.duration("keep_alive").unwrap_or_default(),
        retries: section.number("retries").unwrap_or_default(),
        connections: section.number("connections").unwrap_or_default(),
        pending: section.number("pending").unwrap_or_default(),
        resolve: section.duration("resolve").unwrap_or_default(),
        health: section.node("health").and_then(Node::table).and_then(|_| health(&section.section("health", HEALTH))),
        ejection: section.boolean("ejection").then(|| ejection(&section.section("ejection", EJECTION))),
        host_header: match section.text_or_default("host_header") {
            "upstream" => HostHeader::Upstream,
            _ => HostHeader::Client,
        },
        http2: section.boolean("http2"),
    }
}

fn ejection(section: &Section<'_>) -> Ejection {
    Ejection {
        failures: section.number("failures").unwrap_or_default(),
        time: section.duration("time").unwrap_or_default(),
    }
}

fn health(section: &Section<'_>) -> Option<Health> {
    let path = section.text("path")?;
    if let Some(node) = section.node("path").filter(|_| !is_path(path)) {
        section.report.problem(&node.at, "this is no path", "write \"/healthz\"");
    }
    let status = codes(section.text_or_default("status"));
    if let Some(node) = section.node("status").filter(|_| status.is_none()) {
        section.report.problem(&node.at, "these are no status codes", "write \"200-399\" or \"204\"");
    }
    Some(Health {
        path: path.to_owned(),
        interval: section.duration("interval").unwrap_or_default(),
        timeout: section.duration("timeout").unwrap_or_default(),
        healthy: section.number("healthy").unwrap_or_default(),
        unhealthy: section.number("unhealthy").unwrap_or_default(),
        status: status?,
    })
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#')
}

/// `"200-399"`, `"204"`.
fn codes(text: &str) -> Option<RangeInclusive<u16>> {
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| text.len() == 3 && (200..600).contains(code));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (code(first)?, code(last)?);
    (first <= last).then_some(first..=last)
}

/// The servers, each with its weight.
fn servers(section: &Section<'_>) -> Vec<Weighted> {
    let report = section.report;
    let tls = secured(section);
    let mut servers: Vec<(&Node, Weighted)> = Vec::new();
    for item in section.node("servers").and_then(Node::list).unwrap_or_default() {
        let whole = Section::new(item.table(), UPSTREAM_SERVER, report);
        let node = whole.node("url").unwrap_or(item);
        let Some(server) = node.text().and_then(|text| server(node, text, tls.as_ref(), report)) else { continue };
        if let Some((first, _)) = servers.iter().find(|(_, known)| known.server == server) {
            let help = "give it a `weight` for a larger share";
            report.conflict(&node.at, "this server is listed twice", help, &first.at, "the other one");
            continue;
        }
        servers.push((node, Weighted { server, weight: whole.number("weight").unwrap_or(1) }));
    }
    servers.into_iter().map(|(_, weighted)| weighted).collect()
}

/// How TLS is spoken with those that speak it.
fn secured(section: &Section<'_>) -> Option<ClientTls> {
    let items = section.node("servers").and_then(Node::list).unwrap_or_default();
    let urls = items.iter().filter_map(|item| {
        let whole = Section::new(item.table(), UPSTREAM_SERVER, section.report);
        whole.node("url").unwrap_or(item).text()
    });
    let is_secured = urls.into_iter().any(|url| url.starts_with("https:"));
    if let Some(unused) = section.entry("tls").filter(|_| !is_secured && !items.is_empty()) {
        let text = "`tls` is for servers with `https:`, and there is none";
        section.report.problem(&unused.key_at, text, SERVER_HELP);
    }
    is_secured.then(|| tls::upstream(section)).flatten()
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
    fn status_codes_are_one_or_a_range() {
        assert_eq!(codes("200-399"), Some(200..=399));
        assert_eq!(codes("204"), Some(204..=204));
        for text in ["", "-", "200-", "-200", "399-200", "100-200", "200-600", "+20-300", "0200", "2xx", "200-300-400"]
        {
            assert_eq!(codes(text), None, "{text}");
        }
        assert!(is_path("/healthz?deep=1") && !is_path("healthz") && !is_path("/a b") && !is_path("/a#b"));
    }

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
