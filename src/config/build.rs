//! What the configuration means: the settings of every part, from the sections of the file. Each
//! section goes on with what it can read, so that every problem is found at once.

mod access;
mod address;
mod branding;
mod clients;
mod cors;
mod fields;
mod login;
mod path;
mod provider;
mod rate_limit;
mod registration;
mod resources;
mod routes;
mod scopes;
mod server;
mod store;
pub(super) mod tls;
mod tokens;
mod upstreams;
pub(super) mod users;

use super::Configuration;
use super::error::Report;
use super::file::Table;
use super::keys::{ADMIN, BEARER, CACHE, LIMITS, OAUTH, ROOT, SERVER, STORE, TELEMETRY};
use super::section::Section;
use crate::admin;
use crate::gateway::Plan;
use crate::issue::Clients;
use crate::people::users::Users;
use crate::store::cache::CacheSettings;
use std::path::Path;
use std::sync::Arc;

/// Where the values of environment variables come from.
pub(super) type Variables<'v> = &'v dyn Fn(&str) -> Option<String>;

/// Builds the settings of `table`; what is wrong is reported, and then the result is of no use.
pub(super) fn build(
    file: &Path,
    generation: u64,
    table: &Table,
    variable: Variables<'_>,
    report: &Report,
) -> Configuration {
    let root = Section::new(Some(table), ROOT, report);
    let server_section = root.section("server", SERVER);
    let limits = root.section("limits", LIMITS);
    let bearer = root.section("bearer", BEARER);
    let cache = root.section("cache", CACHE);
    let server = server::build(&server_section, &limits);
    let scopes = scopes::build(&root);
    let oauth = root.section("oauth", OAUTH);
    let registration = registration::build(&oauth, &limits, &scopes);
    let mut issue = tokens::settings(&oauth, &limits, server.public_url.as_deref(), registration);
    let upstreams = upstreams::build(&root);
    let clients = clients::build(&root, &scopes, tokens::pkce(&oauth), variable);
    issue.device = tokens::device(&oauth, &clients);
    let users = users::build(&root, &scopes, variable);
    let methods = tokens::methods(&bearer, "methods").unwrap_or(tokens::HEADER_ONLY);
    let surroundings =
        routes::Surroundings { scopes: &scopes, upstreams: &upstreams, methods, issue: &issue, variable };
    let provider = provider::build(&root, &issue, variable);
    let (routes, resources) = routes::build(&root, &surroundings);
    clients::check_introspection(&root, &resources);
    issue.resources = Arc::new(resources);
    let admin = root.section("admin", ADMIN);
    let telemetry = root.section("telemetry", TELEMETRY);
    let admin = admin::Settings { listen: server::admin(&admin, &server) };
    let telemetry = server::telemetry(&telemetry);
    server::check_apart(&root, &server, &telemetry, &admin);
    server::check_demo(&server, &admin, &root);
    Configuration {
        file: file.to_owned(),
        store: store::build(&root.section("store", STORE)),
        cache: cached(&cache),
        plan: Arc::new(Plan {
            routes,
            upstreams: upstreams.all,
            scopes: Arc::clone(&scopes.table),
            clients: Arc::new(Clients::new(clients)),
            users: Arc::new(Users::new(users)),
            issue: Arc::new(issue),
            login: login::build(&root),
            provider,
            bearer: methods,
            realm: tokens::realm(&bearer),
            recheck: bearer.duration("recheck").unwrap_or_default(),
            branding: Arc::new(branding::build(&root)),
            trusted: server.trusted,
            provenance: server.provenance,
            hsts: server.hsts,
            form_body: server.form_body,
            sessions: tokens::sessions(&oauth),
            serve_cached: cache.text_or_default("on_store_outage") == "serve-cached",
            generation,
        }),
        server: server.settings,
        telemetry,
        admin,
        warnings: Vec::new(),
        demo: report.is_demo(),
    }
}

fn cached(cache: &Section<'_>) -> CacheSettings {
    CacheSettings {
        max_size: cache.size("max_size").unwrap_or_default(),
        ttl: cache.duration("ttl").unwrap_or_default(),
    }
}
