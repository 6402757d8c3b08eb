//! `cors` of a route.

use super::resources::origin;
use crate::config::file::Node;
use crate::config::keys::{CORS, EDITS, HEADERS};
use crate::config::section::{Section, texts};
use crate::oauth::resource::Resources;
use crate::proxy::cors::{self, Cors, OriginPattern, Origins};
use crate::proxy::route::{METHODS, MethodAccess, RouteSpec};
use http::HeaderName;
use std::sync::Arc;

/// Reads `cors` of a route.
pub(super) fn read(route: &Section<'_>, access: Option<&MethodAccess>) -> Option<Cors> {
    route.node("cors")?.table()?;
    check_edits(route);
    let section = route.section("cors", CORS);
    let origins = origins(&section)?;
    let credentials = section.boolean("credentials");
    let methods = methods(&section, access);
    let [headers, exposed] = ["headers", "expose"].map(|key| names(&section, key));
    let cors = Cors::new(origins, credentials, &methods, section.duration("max_age")?);
    if let Some(entry) = section.entry("credentials").filter(|_| cors.is_none()) {
        let help = "name the origins, or leave `credentials` out: bearer tokens need none";
        section.report.problem(&entry.key_at, "pages of every origin could act with people's cookies", help);
    }
    Some(cors?.with_headers(&headers).with_exposed(&exposed))
}

/// Routes to MCP servers let their clients' fields through (MCP-14).
pub(super) fn serve_mcp(specs: &mut [RouteSpec], resources: &Resources) {
    for spec in specs {
        if spec.action.cors.is_some() && spec.resource.all().any(|id| resources.get(id).mcp) {
            Arc::make_mut(&mut spec.action).cors.iter_mut().for_each(Cors::serve_mcp);
        }
    }
}

fn origins(section: &Section<'_>) -> Option<Origins> {
    let listed = section.texts("origins");
    if let Some(node) = section.node("origins").filter(|_| listed.is_empty()) {
        section.report.problem(&node.at, "no origin is named", "write [\"https://app.example.com\"]");
    }
    if let Some((node, _)) = listed.iter().find(|(_, text)| *text == "*") {
        if listed.len() > 1 {
            section.report.problem(&node.at, "\"*\" is every origin already", "remove the others, or this one");
        }
        return Some(Origins::Any);
    }
    let patterns: Vec<OriginPattern> =
        listed.into_iter().filter_map(|(node, text)| pattern(section, node, text)).collect();
    (!patterns.is_empty()).then_some(Origins::Of(patterns))
}

/// `https://app.example.com`, or `https://*.example.com` for what is one label below it.
fn pattern(section: &Section<'_>, node: &Node, text: &str) -> Option<OriginPattern> {
    const LABEL: &str = "label";
    let wildcard = text.split_once("://*.");
    let found = match wildcard {
        // One below a name of one label would be everybody's: `https://*.com`.
        Some((scheme, parent)) if parent.contains('.') && !parent.contains('*') => {
            let whole = origin(&format!("{scheme}://{LABEL}.{parent}"));
            whole.and_then(|whole| whole.split_once(LABEL).map(|(start, end)| OriginPattern::below(start, end)))
        }
        None if !text.contains('*') => origin(text).map(|origin| OriginPattern::exact(&origin)),
        Some(_) | None => None,
    };
    if found.is_none() {
        let help = "write \"https://app.example.com\", \"https://*.example.com\" or \"*\"";
        section.report.problem(&node.at, format!("{} is no origin", node.at.written()), help);
    }
    found
}

/// Those that are named, each of them one that the route takes; or all that it takes.
fn methods<'f>(section: &Section<'f>, access: Option<&'f MethodAccess>) -> Vec<&'f str> {
    let listed = section.texts("methods");
    let Some(access) = access else { return Vec::new() };
    for (node, method) in &listed {
        if access.get(method).is_none() || http::Method::from_bytes(method.as_bytes()).is_err() {
            let message = format!("the route does not take the method {}", node.at.written());
            section.report.problem(&node.at, message, "remove it here, or name it in `scopes`");
        }
    }
    if !listed.is_empty() {
        return listed.into_iter().map(|(_, method)| method).collect();
    }
    if access.takes_every_method() { METHODS.to_vec() } else { access.named() }
}

fn names(section: &Section<'_>, key: &str) -> Vec<HeaderName> {
    let listed = section.texts(key).into_iter();
    let name = |(node, text): (&Node, &str)| {
        let name = HeaderName::from_bytes(text.as_bytes()).ok().filter(|name| name != "*");
        if name.is_none() {
            let message = format!("{} is no name of a field", node.at.written());
            section.report.problem(&node.at, message, "name each field");
        }
        name
    };
    listed.filter_map(name).collect()
}

/// What `cors` says must not be said in another way as well.
fn check_edits(route: &Section<'_>) {
    let edits = route.section("headers", HEADERS).section("response", EDITS);
    let set = edits.named("set").iter().map(|entry| (&entry.key_at, entry.key.as_str()));
    let removed = edits.node("remove").map(texts).unwrap_or_default().into_iter().map(|(node, text)| (&node.at, text));
    for (at, name) in set.chain(removed).filter(|(_, name)| cors::is_ours(name.as_bytes())) {
        let message = format!("`cors` says `{name}` already");
        route.report.problem(at, message, "remove it here, or remove `cors`");
    }
}
