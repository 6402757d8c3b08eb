//! `[server]`, `[limits]`, `[telemetry]`, `[admin]`: where the gateway listens and for whom.

use super::address::{is_local, listen};
use super::{path, tls};
use crate::config::file::Node;
use crate::config::section::Section;
use crate::http1::Limits;
use crate::http1::stream::Listen;
use crate::oauth::url::{Url, is_loopback_host};
use crate::proxy::forward::{Parameters, Provenance};
use crate::proxy::origin::TrustedProxies;
use crate::telemetry::LogFormat;
use crate::{admin, server, telemetry};
use http::HeaderValue;
use ipnet::IpNet;
use std::net::IpAddr;

/// What `[server]` and `[limits]` say.
pub(super) struct Server<'f> {
    /// For the listeners and workers.
    pub(super) settings: server::Settings,
    /// The issuer; `None`: it could not be read.
    pub(super) public_url: Option<String>,
    /// Whose forwarding fields are believed.
    pub(super) trusted: TrustedProxies,
    /// What upstreams are told of where a request comes from.
    pub(super) provenance: Provenance,
    /// `[limits] form_body`.
    pub(super) form_body: usize,
    /// `[server] hsts`, as it is sent.
    pub(super) hsts: Option<HeaderValue>,
    listeners: Vec<(&'f Node, Listen)>,
}

/// Reads `[server]` and `[limits]`.
pub(super) fn build<'f>(server: &Section<'f>, limits: &Section<'_>) -> Server<'f> {
    let behind_tls = server.boolean("behind_tls");
    let listeners = listeners(server, behind_tls);
    check_tls(server, &listeners);
    let settings = server::Settings {
        listen: listeners.iter().map(|(_, listen)| listen.clone()).collect(),
        workers: server.number("workers").unwrap_or_else(cores),
        shutdown_grace: server.duration("shutdown_grace").unwrap_or_default(),
        limits: message_limits(limits),
        connections: limits.number("connections").unwrap_or_default(),
        tls: tls::server(server),
    };
    Server {
        settings,
        public_url: public_url(server, behind_tls),
        trusted: trusted(server, behind_tls),
        provenance: provenance(server),
        form_body: size(limits, "form_body"),
        hsts: server.duration("hsts").map(|age| hsts(age.as_secs())),
        listeners,
    }
}

fn hsts(seconds: u64) -> HeaderValue {
    HeaderValue::try_from(format!("max-age={seconds}")).unwrap_or(HeaderValue::from_static("max-age=0"))
}

/// What `tls` is good for.
fn check_tls(server: &Section<'_>, listeners: &[(&Node, Listen)]) {
    let Some(entry) = server.entry("tls") else { return };
    if !listeners.is_empty() && !listeners.iter().any(|(_, listen)| matches!(listen, Listen::Tcp(_))) {
        server.report.warning(&entry.key_at, "`tls` is spoken over TCP alone, and there are unix sockets only");
    } else if let Some(node) = server.node("public_url")
        && server.text("public_url").is_some_and(|url| url.starts_with("http:"))
    {
        server.report.warning(&node.at, "`public_url` is http, but the gateway speaks TLS: clients need https");
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn message_limits(limits: &Section<'_>) -> Limits {
    Limits {
        head_timeout: limits.duration("head_timeout").unwrap_or_default(),
        body_timeout: limits.duration("body_timeout").unwrap_or_default(),
        idle_timeout: limits.duration("idle_timeout").unwrap_or_default(),
        tunnel_idle_timeout: limits.duration("tunnel_idle_timeout").unwrap_or_default(),
        head_size: size(limits, "head_size"),
        head_fields: limits.number("head_fields").unwrap_or_default(),
        target_size: size(limits, "target_size"),
    }
}

fn size(limits: &Section<'_>, name: &str) -> usize {
    limits.size(name).and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default()
}

fn listeners<'f>(server: &Section<'f>, behind_tls: bool) -> Vec<(&'f Node, Listen)> {
    let report = server.report;
    let mut listeners: Vec<(&Node, Listen)> = Vec::new();
    for (node, text) in server.texts("listen") {
        let Some(listen) = listen(node, text, report) else { continue };
        if !is_local(&listen) && !behind_tls && server.entry("tls").is_none() {
            report.problem(
                &node.at,
                "tokens would cross the network without encryption here",
                "write `tls = { cert = \"…\", key = \"…\" }`; or put a TLS terminator in front and say `behind_tls = true`; or listen on loopback or a unix socket",
            );
        }
        if let Some((first, _)) = listeners.iter().find(|(_, known)| collide(known, &listen)) {
            report.conflict(&node.at, "this address is listed twice", "remove one of them", &first.at, "the other one");
        }
        listeners.push((node, listen));
    }
    if let Some(node) = server.node("listen").filter(|node| node.list().is_some_and(<[Node]>::is_empty)) {
        report.problem(&node.at, "there is no address to listen on", "write \"127.0.0.1:8080\" or \"unix:PATH\"");
    }
    listeners
}

/// Whether two listeners want the same address; port 0 is a different one each time.
fn collide(one: &Listen, other: &Listen) -> bool {
    one == other && !matches!(one, Listen::Tcp(address) if address.port() == 0)
}

fn public_url(server: &Section<'_>, behind_tls: bool) -> Option<String> {
    let (node, text) = (server.node("public_url")?, server.text("public_url")?);
    let report = server.report;
    // The issuer is what is written, byte for byte (R8414-3.3); where things stand, one slash at its
    // end makes no difference (RFC 8414 section 3.1).
    if let Some((message, help)) = url_problem(text.strip_suffix('/').unwrap_or(text), behind_tls) {
        report.problem(&node.at, format!("`public_url` {message}"), help);
        return None;
    }
    Some(text.to_owned())
}

fn url_problem(url: &str, behind_tls: bool) -> Option<(&'static str, &'static str)> {
    const SHAPE: &str = "write \"https://api.example.com\"";
    let Some(url) = Url::parse(url) else { return Some(("is no URL", SHAPE)) };
    if url.has_query_or_fragment {
        return Some(("has a query or a fragment", "leave it out (RFC 8414 section 2)"));
    }
    if url.user_info.is_some() {
        return Some(("has user information", "leave it out"));
    }
    match url.scheme {
        "https" => {}
        "http" if behind_tls || is_loopback_host(url.host) => {}
        "http" => return Some(("is http, and not on loopback", "clients must reach the gateway with https")),
        _ => return Some(("is neither https nor http", SHAPE)),
    }
    (!url.path.is_empty() && path::wrong(url.path).is_some())
        .then_some(("has a path that can be read in two ways", "use letters, digits and `-._~`"))
}

fn trusted(server: &Section<'_>, behind_tls: bool) -> TrustedProxies {
    let proxy_protocol = server.boolean("proxy_protocol");
    let mut trusted = TrustedProxies { networks: Vec::new(), unix: false, proxy_protocol, behind_tls };
    for (node, text) in server.texts("trusted_proxies") {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network {
            Ok(network) => {
                if network.prefix_len() == 0 {
                    server.report.warning(&node.at, "every client is believed what it says about its own address");
                }
                trusted.networks.push(network);
            }
            Err(_) if text == "unix" => trusted.unix = true,
            Err(_) => server.report.problem(
                &node.at,
                format!("{} is no network", node.at.written()),
                "write \"10.0.0.0/8\", \"192.0.2.1\", \"fd00::/8\" or \"unix\"",
            ),
        }
    }
    if let Some(node) =
        server.node("proxy_protocol").filter(|_| proxy_protocol && server.texts("trusted_proxies").is_empty())
    {
        server.report.problem(
            &node.at,
            "there is nobody who could send it",
            "name the proxy in `trusted_proxies`: of anybody else it would not be believed",
        );
    }
    trusted
}

/// Reads `forwarded` and `forwarded_parameters`.
fn provenance(server: &Section<'_>) -> Provenance {
    let fields = server.text_or_default("forwarded");
    let written = server.entry("forwarded_parameters");
    let names = server.texts("forwarded_parameters");
    let has = |name| written.is_none() || names.iter().any(|(_, written)| *written == name);
    let parameters = Parameters { node: has("for"), proto: has("proto"), host: has("host") };
    let is_sent = matches!(fields, "both" | "forwarded");
    if let Some(entry) = written.filter(|_| names.is_empty() || !is_sent) {
        let help = "leave it out; `forwarded = \"x-forwarded\"` is for upstreams that get no `Forwarded`";
        server.report.problem(&entry.key_at, "there is no `Forwarded` that could have these parameters", help);
    }
    Provenance { x_forwarded: matches!(fields, "both" | "x-forwarded"), forwarded: is_sent.then_some(parameters) }
}

/// Reads `[admin]`.
pub(super) fn admin(section: &Section<'_>, server: &Server<'_>) -> Option<Listen> {
    let (node, text) = (section.node("listen")?, section.text("listen")?);
    let listen = listen(node, text, section.report)?;
    if !is_local(&listen) && !server.trusted.behind_tls {
        section.report.problem(
            &node.at,
            "operators' tokens would cross the network without encryption here",
            "write \"unix:PATH\" or a loopback address, or put TLS in front and say `[server] behind_tls = true`",
        );
    }
    Some(listen)
}

/// Reads `[telemetry]`.
pub(super) fn telemetry(section: &Section<'_>) -> telemetry::Settings {
    let address = section.node("listen").zip(section.text("listen"));
    let log = section.text_or_default("log");
    if let Some(node) = section.node("log")
        && let Err(error) = telemetry::check_filter(log)
    {
        section.report.problem(
            &node.at,
            format!("this is no filter: {error}"),
            "write \"info\" or \"info,tollgate::request=warn\"",
        );
    }
    telemetry::Settings {
        listen: address.and_then(|(node, text)| listen(node, text, section.report)),
        log: log.to_owned(),
        log_format: match section.text_or_default("log_format") {
            "json" => LogFormat::Json,
            "pretty" => LogFormat::Pretty,
            _ => LogFormat::Auto,
        },
    }
}

/// Reports addresses that two sections want.
pub(super) fn check_apart(
    root: &Section<'_>,
    server: &Server<'_>,
    telemetry: &telemetry::Settings,
    admin: &admin::Settings,
) {
    let node = |section| root.node(section)?.table()?.get("listen").map(|entry| &entry.node);
    let mut taken: Vec<(&Node, &Listen)> = server.listeners.iter().map(|(node, listen)| (*node, listen)).collect();
    for (node, listen) in [(node("telemetry"), &telemetry.listen), (node("admin"), &admin.listen)] {
        let Some((node, listen)) = node.zip(listen.as_ref()) else { continue };
        if let Some((other, _)) = taken.iter().find(|(_, known)| collide(known, listen)) {
            let message = "this address is taken by another section";
            root.report.conflict(
                &node.at,
                message,
                "give each section an address of its own",
                &other.at,
                "the other one",
            );
        }
        taken.push((node, listen));
    }
}

/// Reports listeners that others than this machine reach while a secret is known to everybody.
pub(super) fn check_demo(server: &Server<'_>, admin: &admin::Settings, root: &Section<'_>) {
    let admin_node = root.node("admin").and_then(|node| node.table()?.get("listen").map(|entry| &entry.node));
    let listeners = server.listeners.iter().map(|(node, listen)| (*node, listen));
    for (node, listen) in listeners.chain(admin_node.zip(admin.listen.as_ref())) {
        if root.report.is_demo() && !is_local(listen) {
            root.report.problem(
                &node.at,
                "a secret of the shipped demonstration is in use, and others can reach this address",
                "everybody knows that secret: make your own (`openssl rand -hex 32`, `tollgate hash`), or listen on loopback",
            );
        }
    }
}
