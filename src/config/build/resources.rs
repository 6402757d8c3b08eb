//! `[[resources]]`: what there are tokens for, and which route belongs to which.

use super::routes::{Surroundings, own_base};
use super::{cors, path, tokens};
use crate::config::error::Report;
use crate::config::file::Node;
use crate::config::keys::RESOURCE;
use crate::config::section::Section;
use crate::enforce::bearer::Methods;
use crate::enforce::decide::Access;
use crate::oauth::resource::{self, Resource, Resources, RouteResource};
use crate::oauth::scope::{OPERATOR, Scope, ScopeToken};
use crate::oauth::url::Url;
use crate::proxy::route::{MethodAccess, Reach, RouteSpec, reach};

/// Reads `[[resources]]` and gives each of `specs` its resource.
pub(super) fn build(root: &Section<'_>, specs: &mut [RouteSpec], surroundings: &Surroundings<'_>) -> Resources {
    let issuer = &surroundings.issue.issuer;
    let listed = root.tables("resources", RESOURCE);
    if let Some((node, _)) = listed.get(resource::MOST) {
        root.report.problem(&node.at, format!("there are more than {} resources", resource::MOST), "put some together");
    }
    check_names(&listed, root.report);
    let (mut gateway, mut others) = (None, Vec::new());
    for (_, section) in &listed {
        match read(section, surroundings) {
            Some(resource) if resource.path.is_empty() => gateway = Some(resource),
            Some(resource) => others.push(resource),
            None => {}
        }
    }
    let is_alone = listed.is_empty();
    let is_listed = gateway.is_some();
    let gateway = gateway.unwrap_or_else(|| Resource { identifier: issuer.clone(), ..Resource::default() });
    // Numbers first: the routes need them.
    let numbered = Resources::new(gateway, others, true);
    assign(specs, &numbered);
    cors::serve_mcp(specs, &numbered);
    check_routes(specs, &numbered, root);
    check_below(&listed, specs, &numbered, root.report);
    let whole = |resource: &Resource| describe(resource, specs, surroundings);
    let mut described = numbered.iter().map(whole);
    let mut gateway = described.next().unwrap_or_default();
    if is_alone {
        (gateway.scopes, gateway.bearer_methods) = (None, words(surroundings.methods));
    }
    let others = described.collect();
    let has_routes = below(&gateway, specs).any(|spec| needs_token(&spec.access));
    Resources::new(gateway, others, is_alone || is_listed || has_routes)
}

/// Two resources of one path or one name.
fn check_names(listed: &[(&Node, Section<'_>)], report: &Report) {
    for (key, what) in [("path", "the path"), ("name", "the name")] {
        let texts = listed.iter().filter_map(|(_, section)| section.node(key).zip(section.text(key)));
        let texts: Vec<(&Node, &str)> = texts.collect();
        for (at, (node, text)) in texts.iter().enumerate() {
            if let Some((first, _)) = texts[..at].iter().find(|(_, known)| known == text) {
                let message = format!("two resources have {what} `{text}`");
                report.conflict(&node.at, message, "make them one, or different", &first.at, "the other one");
            }
        }
    }
}

fn read(section: &Section<'_>, surroundings: &Surroundings<'_>) -> Option<Resource> {
    let report = section.report;
    let mcp = section.boolean("mcp");
    if let Some(node) = section.node("name").filter(|node| node.text() == Some("")) {
        report.problem(&node.at, "the name is empty", "leave it out");
    }
    if let Some(node) = section.node("audience").filter(|node| mcp && node.text() == Some("accepted")) {
        let help = "remove `audience`: with `mcp = true` it is \"required\"";
        report.problem(&node.at, "an MCP server must demand tokens that are for it", help);
    }
    if let Some(node) = section.node("mcp").filter(|_| mcp && !surroundings.methods.header) {
        let help = "add \"header\" to `methods` in `[bearer]`";
        report.problem(&node.at, "an MCP server takes tokens only in the header, where none may stand", help);
    }
    if let Some(entry) = section.entry("origins").filter(|_| !mcp) {
        let help = "say `mcp = true`, or remove it";
        report.problem(&entry.key_at, "`Origin` is only checked for MCP servers", help);
    }
    let origins = origins(section, &surroundings.issue.issuer);
    let (node, path) = section.node("path").zip(section.text("path"))?;
    let path = checked_path(node, path, surroundings, report)?;
    let public_url = &surroundings.issue.issuer;
    Some(Resource {
        // The gateway as a whole is called what `public_url` is, byte for byte.
        identifier: if path.is_empty() { public_url.clone() } else { format!("{}{path}", origin_of(public_url)) },
        path: path.to_owned(),
        name: section.text("name").map(str::to_owned),
        requires_audience: mcp || section.text_or_default("audience") == "required",
        mcp,
        origins: if mcp { origins } else { Vec::new() },
        ..Resource::default()
    })
}

/// The path without its slash where it is the only one.
fn checked_path<'p>(node: &Node, path: &'p str, surroundings: &Surroundings<'_>, report: &Report) -> Option<&'p str> {
    if path == "/" {
        return Some("");
    }
    if let Some(why) = path::wrong(path) {
        report.problem(&node.at, format!("`path` of a resource {why}"), "write \"/notes\", or \"/\" for everything");
        return None;
    }
    if let Some(base) = own_base(path, surroundings.issue) {
        let message = format!("the gateway answers below `{base}` itself, so no request is for this resource");
        report.problem(&node.at, message, "change `path`");
        return None;
    }
    Some(path)
}

/// The origins whose pages may call it: that of `public_url`, and those that are listed.
fn origins(section: &Section<'_>, public_url: &str) -> Vec<String> {
    let own = origin(origin_of(public_url));
    let listed = section.texts("origins").into_iter().filter_map(|(node, text)| {
        let found = origin(text);
        if found.is_none() {
            let message = format!("{} is no origin", node.at.written());
            section.report.problem(&node.at, message, "write \"https://app.example.com\"");
        }
        found
    });
    // Every problem is reported, whatever becomes of the rest.
    own.into_iter().chain(listed.collect::<Vec<_>>()).collect()
}

/// As browsers write it (RFC 6454 section 6.2): in lower case, without a default port.
pub(super) fn origin(text: &str) -> Option<String> {
    let url =
        Url::parse(text).filter(|url| url.path.is_empty() && !url.has_query_or_fragment && url.user_info.is_none())?;
    let scheme = url.scheme.to_ascii_lowercase();
    let default = match &*scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host = url.host.to_ascii_lowercase();
    Some(match url.port.filter(|port| *port != default) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// A URL up to its path.
fn origin_of(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + "://".len());
    let path = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    &url[..path]
}

/// Gives each route the resource with the longest path that it is below. Where only some of its
/// requests are below another, and no route of the same host takes all that is there, the path of each
/// request decides.
fn assign(specs: &mut [RouteSpec], resources: &Resources) {
    let resource_of = |spec: &RouteSpec| {
        let mut whole = resources.get(resource::ResourceId::GATEWAY);
        let mut inner = Vec::new();
        for resource in resources.iter().skip(1) {
            match reach(&spec.path, &resource.path) {
                Reach::All | Reach::Within if resource.path.len() > whole.path.len() => whole = resource,
                Reach::Some if !is_covered(spec, resource, specs) => inner.push(resource),
                Reach::All | Reach::Within | Reach::Some | Reach::None => {}
            }
        }
        RouteResource::new(whole.id, &inner)
    };
    let found: Vec<RouteResource> = specs.iter().map(resource_of).collect();
    for (spec, resource) in specs.iter_mut().zip(found) {
        spec.resource = resource;
    }
}

/// Whether another route of the same host takes every path of `resource` before `spec` can.
fn is_covered(spec: &RouteSpec, resource: &Resource, specs: &[RouteSpec]) -> bool {
    specs.iter().any(|other| other.host == spec.host && reach(&other.path, &resource.path) == Reach::All)
}

/// The routes with requests to `resource`.
fn below<'s>(resource: &Resource, specs: &'s [RouteSpec]) -> impl Iterator<Item = &'s RouteSpec> {
    let id = resource.id;
    specs.iter().filter(move |spec| spec.resource.all().any(|one| one == id))
}

/// A resource without a route protects nothing: a slip of the pen.
fn check_below(listed: &[(&Node, Section<'_>)], specs: &[RouteSpec], resources: &Resources, report: &Report) {
    for (_, section) in listed {
        let Some((node, path)) = section.node("path").zip(section.text("path")) else { continue };
        let Some(resource) = resources.iter().skip(1).find(|resource| resource.path == path) else { continue };
        if below(resource, specs).next().is_none() {
            let message = format!("no route is below `{path}`, so this resource protects nothing");
            report.problem(&node.at, message, "change `path`, or add a route");
        }
    }
}

/// A route to an MCP server that says that a token must stand elsewhere; and one whose paths could be those
/// of another resource but for upper and lower case, which it does not tell apart.
fn check_routes(specs: &[RouteSpec], resources: &Resources, root: &Section<'_>) {
    for (node, section) in root.tables("routes", crate::config::keys::ROUTE) {
        let place = node.at.to_string();
        let spec = specs.iter().find(|spec| spec.place == place);
        if let Some(blind) = section.node("case_insensitive_upstream")
            && spec.is_some_and(|spec| spec.action.case_blind && spec.resource.all().count() > 1)
        {
            let message = "this route reaches into several resources, which are told apart by upper and lower case";
            root.report.problem(&blind.at, message, "make it one route for each of `[[resources]]`");
        }
        let Some((bearer, own)) = section.node("bearer").zip(tokens::methods(&section, "bearer")) else { continue };
        if spec.is_some_and(|spec| resources.get(spec.resource.whole()).mcp) && own != tokens::HEADER_ONLY {
            let message = "an MCP server takes tokens only in the header";
            root.report.problem(&bearer.at, message, "write [\"header\"], or leave the key out");
        }
    }
}

/// What the routes of a resource need, and how they take it.
fn describe(resource: &Resource, specs: &[RouteSpec], surroundings: &Surroundings<'_>) -> Resource {
    let mut needed: Vec<ScopeToken> = Vec::new();
    let mut methods = surroundings.methods;
    for spec in below(resource, specs) {
        for access in accesses(&spec.access) {
            needed.extend(scopes_of(access, surroundings));
        }
        let own = spec.action.bearer;
        if needs_token(&spec.access) {
            methods.header &= own.header;
            methods.form &= own.form;
            methods.query &= own.query;
        }
    }
    if resource.path.is_empty() && !needed.is_empty() {
        // The operator's API is a part of the gateway as a whole.
        needed.extend(OPERATOR.parse());
    }
    if resource.mcp {
        methods = tokens::HEADER_ONLY;
    }
    // In the order of the file, as everywhere.
    let declared = surroundings.scopes.table.declared().iter().map(|scope| &scope.name);
    let in_order = declared.filter(|name| needed.contains(name)).cloned();
    let all: Scope = in_order.chain(needed.iter().cloned()).collect();
    Resource { scopes: Some(all), bearer_methods: words(methods), ..resource.clone() }
}

fn accesses(access: &MethodAccess) -> Vec<&Access> {
    match access {
        MethodAccess::Every(access) => vec![&**access],
        MethodAccess::PerMethod { methods, other } => {
            methods.iter().map(|(_, access)| &**access).chain(other.as_deref()).collect()
        }
    }
}

fn needs_token(access: &MethodAccess) -> bool {
    accesses(access).into_iter().any(|access| !matches!(access, Access::Public))
}

/// The scopes of every alternative; those of a template are what it can become.
fn scopes_of(access: &Access, surroundings: &Surroundings<'_>) -> Vec<ScopeToken> {
    let Access::Scopes(alternatives) = access else { return Vec::new() };
    let mut found = Vec::new();
    for alternative in alternatives {
        found.extend(alternative.scope.iter().filter(|token| !token.as_str().contains('{')).cloned());
        for (prefix, _, suffix) in &alternative.templates {
            found.extend(surroundings.scopes.between(prefix, suffix).cloned());
        }
    }
    found
}

/// The names of RFC 9728: the form is called `body` there.
fn words(methods: Methods) -> Vec<&'static str> {
    let named = [(methods.header, "header"), (methods.form, "body"), (methods.query, "query")];
    named.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect()
}
