//! `[[routes]]`.

use super::fields::{Side, edits, underscored};
use super::scopes::Scopes;
use super::upstreams::Upstreams;
use super::{Variables, access, cors, path, rate_limit, resources, tokens};
use crate::config::file::{Node, Value};
use crate::config::keys::ROUTE;
use crate::config::secret;
use crate::config::section::Section;
use crate::config::source::Place;
use crate::endpoint::EXT_AUTHZ;
use crate::enforce::bearer::Methods;
use crate::issue::Settings;
use crate::oauth::resource::{Resources, RouteResource};
use crate::proxy::route::{
    Action, HeaderEdits, MethodAccess, Rewrite, RouteError, RouteSpec, RouteTable, Upgrade, is_tunnelled,
};
use crate::proxy::target::PathPolicy;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

/// What routes refer to.
pub(super) struct Surroundings<'s> {
    /// `[scopes]`.
    pub(super) scopes: &'s Scopes,
    /// `[upstreams]`.
    pub(super) upstreams: &'s Upstreams,
    /// `[bearer] methods`.
    pub(super) methods: Methods,
    /// `[oauth]`: the gateway's own paths.
    pub(super) issue: &'s Settings,
    /// Where `env:` looks.
    pub(super) variable: Variables<'s>,
}

/// Reads `[[routes]]`, and `[[resources]]` above them.
pub(super) fn build(root: &Section<'_>, surroundings: &Surroundings<'_>) -> (RouteTable, Resources) {
    let mut places: HashMap<String, &Place> = HashMap::new();
    let mut names: HashMap<&str, &Node> = HashMap::new();
    let mut specs = Vec::new();
    for (node, section) in root.tables("routes", ROUTE) {
        if let Some((name_node, name)) = section.node("name").zip(section.text("name"))
            && let Some(first) = names.insert(name, name_node)
        {
            let message = format!("two routes have the name `{name}`");
            root.report.conflict(&name_node.at, message, "rename one of them", &first.at, "the other one");
        }
        let place = node.at.to_string();
        places.insert(place.clone(), &node.at);
        specs.extend(route(&section, &node.at, place, surroundings));
    }
    rate_limit::check_shared(root);
    let resources = resources::build(root, &mut specs, surroundings);
    let table = RouteTable::new(specs).unwrap_or_else(|errors| {
        for error in &errors {
            explain(error, &places, root);
        }
        RouteTable::default()
    });
    (table, resources)
}

fn explain(error: &RouteError, places: &HashMap<String, &Place>, root: &Section<'_>) {
    let at = |place: &str| places.get(place).copied().or_else(|| root.entry("routes").map(|entry| &entry.key_at));
    match error {
        RouteError::Conflict { name, place, other_name, other, why } => {
            if let Some((at, other)) = at(place).zip(at(other)) {
                let message = format!("the routes `{name}` and `{other_name}` both take the same requests: {why}");
                let help = "make their paths, hosts or methods different";
                root.report.conflict(at, message, help, other, "the other one");
            }
        }
        RouteError::Malformed { name, place, why } => {
            if let Some(at) = at(place) {
                let help = "a path is \"/notes/{id}\" or \"/files/{*rest}\"; [[routes]] in docs/configuration.md has every rule";
                root.report.problem(at, format!("the route `{name}` is wrong: {why}"), help);
            }
        }
    }
}

fn route(section: &Section<'_>, at: &Place, place: String, surroundings: &Surroundings<'_>) -> Option<RouteSpec> {
    let path = section.text("path");
    if let Some((node, path)) = section.node("path").zip(path) {
        check_own(section, node, path, surroundings.issue);
    }
    let written = section.node("host").zip(section.text("host"));
    // `None`: there is a host, and it is none that can be compared.
    let host = written.map_or(Some(None), |(node, host)| folded_host(section, node, host).map(Some));
    if let Some(node) = section.node("name").filter(|node| node.text() == Some("")) {
        section.report.problem(&node.at, "the name is empty", "leave it out: the path is the name then");
    }
    let access = access::read(section, at, path.unwrap_or_default(), surroundings.scopes);
    let action = action(section, path.unwrap_or_default(), access.as_ref(), surroundings);
    let path = path?;
    Some(RouteSpec {
        name: section.text("name").unwrap_or(path).to_owned(),
        place,
        host: host?,
        path: path.to_owned(),
        resource: RouteResource::default(),
        access: access?,
        action: Arc::new(action?),
    })
}

/// The gateway's own paths win over every route: one below them would never be taken (PX-19).
fn check_own(section: &Section<'_>, node: &Node, route: &str, issue: &Settings) {
    if let Some(base) = own_base(route, issue) {
        let message = format!("the gateway answers below `{base}` itself, so this route would never be taken");
        section.report.problem(&node.at, message, "change the route's `path`, or `path` in `[oauth]`");
    }
}

/// The path of the gateway's own that `path` is below.
pub(super) fn own_base(path: &str, issue: &Settings) -> Option<String> {
    let issuer_path =
        issue.issuer.trim_end_matches('/').splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
    let mut own = vec![format!("{issuer_path}{}", issue.path), EXT_AUTHZ.to_owned()];
    for document in ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"] {
        own.extend([document.to_owned(), format!("{issuer_path}{document}")]);
    }
    own.into_iter().find(|base| path::is_below(path, base))
}

/// The host as it is compared; `None`: it is none, which has been reported.
fn folded_host(section: &Section<'_>, node: &Node, host: &str) -> Option<String> {
    let folded = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let name = folded.strip_prefix("*.").unwrap_or(&folded);
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_address = address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()) && !folded.starts_with('*');
    if is_address || name.split('.').all(label) {
        return Some(folded);
    }
    let help = "write a name without scheme, port and path: \"api.example.com\" or \"*.example.com\"";
    section.report.problem(&node.at, format!("{} is no host", node.at.written()), help);
    None
}

fn action(
    section: &Section<'_>,
    path: &str,
    access: Option<&MethodAccess>,
    surroundings: &Surroundings<'_>,
) -> Option<Action> {
    let upstream = section.node("upstream").zip(section.text("upstream"));
    let upstream = upstream.and_then(|(node, name)| surroundings.upstreams.find(node, name, section.report));
    let keeps = |name| section.text_or_default(name) == "keep";
    let headers = section.section("headers", crate::config::keys::HEADERS);
    let mut request_headers = edits(&headers, Side::Request);
    upstream_authorization(section, surroundings.variable, &mut request_headers);
    let response_headers = edits(&headers, Side::Response);
    let rewrite = rewrite(section, path);
    let bearer = bearer(section, surroundings.methods);
    let rate_limit = rate_limit::read(section, path, access);
    let cors = cors::read(section, access);
    Some(Action {
        upstream: upstream?,
        bearer,
        rewrite,
        path_policy: PathPolicy {
            encoded_slash: keeps("encoded_slash"),
            encoded_percent: keeps("encoded_percent"),
            empty_segments: keeps("empty_segments"),
            path_parameters: keeps("path_parameters"),
        },
        body_limit: section.size("body_limit"),
        timeout: section.duration("timeout"),
        request_headers,
        response_headers,
        upgrade: upgrade(section),
        report_only: section.boolean("report_only"),
        rate_limit,
        cors,
        case_blind: section.boolean("case_insensitive_upstream"),
        underscored: underscored(section),
        refusal_is_failure: section.text_or_default("upstream_401") == "bad-gateway",
    })
}

/// `true` is WebSocket, `"any"` all that can be; else those that are named.
fn upgrade(section: &Section<'_>) -> Upgrade {
    let websocket = || Upgrade::Only(vec!["websocket".to_owned()]);
    let Some(node) = section.node("upgrade") else { return websocket() };
    if let Value::Boolean(allowed) = node.value {
        return if allowed { websocket() } else { Upgrade::default() };
    }
    if node.text() == Some("any") {
        return Upgrade::Any;
    }
    let named = section.texts("upgrade");
    for (node, name) in named.iter().filter(|(_, name)| !is_protocol(name)) {
        let help = "name protocols as clients do, \"websocket\" or \"spdy/3.1\", or write \"any\"";
        section.report.problem(&node.at, format!("`{name}` is nothing that a connection is switched to here"), help);
    }
    Upgrade::Only(named.into_iter().map(|(_, name)| name.to_ascii_lowercase()).collect())
}

fn is_protocol(name: &str) -> bool {
    let is_text = |octet: u8| octet.is_ascii_alphanumeric() || b"-._+/".contains(&octet);
    is_tunnelled(name.as_bytes()) && name != "any" && name.bytes().all(is_text)
}

/// The gateway's own credential for the upstream (PX-5): a secret, which is shown nowhere.
fn upstream_authorization(section: &Section<'_>, variable: Variables<'_>, edits: &mut HeaderEdits) {
    let Some(node) = section.node("upstream_authorization") else { return };
    if edits.set.iter().any(|(name, _)| *name == AUTHORIZATION) || edits.remove.contains(&AUTHORIZATION) {
        let help = "leave `authorization` out of `headers.request`";
        section.report.problem(&node.at, "`Authorization` is set twice", help);
    }
    let Some(secret) = secret::read(node, variable, section.report) else { return };
    match HeaderValue::from_str(secret.reveal()) {
        Ok(mut value) if secret.reveal().trim() == secret.reveal() => {
            value.set_sensitive(true);
            edits.set.push((AUTHORIZATION, value));
        }
        _ => section.report.problem(
            &node.at,
            "the secret cannot be the value of a field",
            "it is the whole value, for example `Bearer …` or `Basic …`, in one line",
        ),
    }
}

fn rewrite(section: &Section<'_>, path: &str) -> Option<Rewrite> {
    let (node, template) = section.node("rewrite").zip(section.text("rewrite"))?;
    Rewrite::parse(template, path)
        .map_err(|why| section.report.problem(&node.at, format!("`rewrite`: {why}"), "write \"/internal/{rest}\""))
        .ok()
}

/// The ways of the route: narrower than those of the gateway, never wider.
fn bearer(section: &Section<'_>, all: Methods) -> Methods {
    let Some(own) = tokens::methods(section, "bearer") else { return all };
    for (node, word) in section.texts("bearer") {
        let allowed = match word {
            "header" => all.header,
            "form" => all.form,
            "query" => all.query,
            _ => true,
        };
        if !allowed {
            let help = format!("add \"{word}\" to `methods` in `[bearer]`, or remove it here");
            section.report.problem(&node.at, format!("`{word}` is not among `methods` in `[bearer]`"), help);
        }
    }
    own
}
