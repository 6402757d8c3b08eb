//! Every known key is read, has an effect, stands in the schema, and is documented.

#![expect(clippy::wildcard_enum_match_arm, reason = "a kind that is new is seen by the test that leaves no key out")]

use super::*;
use crate::config::keys::{Key, Kind, ROOT};
use std::collections::BTreeSet;
use std::sync::LazyLock;

const FILE: &str = include_str!("../testdata/every_key.toml");

const HTPASSWD: &str = "carol:$2y$04$nDsEwrRWuCzmZD0QV4QYduRb1K1fPbBBSRuaoYwk1cIQW4zKkcNCi\n";

/// Nothing can follow from a change.
const WITHOUT_EFFECT: [&str; 1] = ["include"];

/// The key, the line of the file that is replaced, and by what.
const CHANGES: &[(&str, &str, &str)] = &[
    ("server.listen", "listen = [\"127.0.0.1:18080\", ", "listen = \"127.0.0.1:1\""),
    ("server.public_url", "public_url", "public_url = \"https://a.example/x\""),
    ("server.workers", "workers", "workers = 3"),
    ("server.behind_tls", "behind_tls", "behind_tls = true"),
    ("server.trusted_proxies", "trusted_proxies", "trusted_proxies = [\"::1\"]"),
    ("server.proxy_protocol", "proxy_protocol", "proxy_protocol = false"),
    ("server.forwarded", "forwarded =", "forwarded = \"both\""),
    ("server.forwarded_parameters", "forwarded_parameters", "forwarded_parameters = [\"for\"]"),
    ("server.shutdown_grace", "shutdown_grace", "shutdown_grace = \"6s\""),
    ("server.hsts", "hsts", "hsts = \"1d\""),
    (
        "server.tls.cert",
        "tls = { cert",
        "tls = { cert = \"two.pem\", key = \"two.key\", client_ca = \"ca.pem\", certificates = [{ cert = \"two.pem\", key = \"two.key\" }] }",
    ),
    (
        "server.tls.key",
        "tls = { cert",
        "tls = { cert = \"three.pem\", key = \"three.key\", client_ca = \"ca.pem\", certificates = [{ cert = \"two.pem\", key = \"two.key\" }] }",
    ),
    (
        "server.tls.client_ca",
        "tls = { cert",
        "tls = { cert = \"one.pem\", key = \"one.key\", certificates = [{ cert = \"two.pem\", key = \"two.key\" }] }",
    ),
    (
        "server.tls.certificates.cert",
        "tls = { cert",
        "tls = { cert = \"one.pem\", key = \"one.key\", client_ca = \"ca.pem\" }",
    ),
    (
        "server.tls.certificates.key",
        "tls = { cert",
        "tls = { cert = \"one.pem\", key = \"one.key\", client_ca = \"ca.pem\", certificates = [{ cert = \"three.pem\", key = \"three.key\" }] }",
    ),
    ("telemetry.listen", "listen = \"127.0.0.1:19090\"", "listen = \"127.0.0.1:2\""),
    ("telemetry.log", "log =", "log = \"debug\""),
    ("telemetry.log_format", "log_format", "log_format = \"json\""),
    ("admin.listen", "listen = \"unix:admin.sock\"", "listen = \"unix:b.sock\""),
    ("store.url", "url", "url = \"memory:\""),
    ("store.timeout", "timeout = \"250ms\"", "timeout = \"2s\""),
    ("store.feed_timeout", "feed_timeout", "feed_timeout = \"4s\""),
    ("cache.max_size", "max_size", "max_size = \"2MiB\""),
    ("cache.ttl", "ttl", "ttl = \"31s\""),
    ("cache.on_store_outage", "on_store_outage", "on_store_outage = \"deny\""),
    ("bearer.methods", "methods", "methods = [\"header\"]"),
    ("bearer.realm", "realm", "realm = \"x\""),
    ("bearer.recheck", "recheck", "recheck = \"0s\""),
    ("oauth.path", "path = \"/oauth2\"", "path = \"/a\""),
    ("oauth.access_token_ttl", "access_token_ttl", "access_token_ttl = \"2h\""),
    ("oauth.refresh_token_ttl", "refresh_token_ttl", "refresh_token_ttl = \"2h\""),
    ("oauth.refresh_reuse_grace", "refresh_reuse_grace", "refresh_reuse_grace = \"0s\""),
    ("oauth.authorization_code_ttl", "authorization_code_ttl", "authorization_code_ttl = \"59s\""),
    ("oauth.pkce", "pkce", "pkce = \"required\""),
    ("oauth.session_ttl", "session_ttl", "session_ttl = \"9h\""),
    ("oauth.session_idle", "session_idle", "session_idle = \"2h\""),
    ("users_file", "users_file", "users_file = \"more.toml\""),
    ("branding.name", "name = \"Fernwood\"", "name = \"Oakwood\""),
    ("branding.logo", "logo =", "logo = \"other.svg\""),
    ("branding.colour", "colour", "colour = \"#996633\""),
    ("oauth.par", "par = \"optional\"", "par = \"required\""),
    ("oauth.registration", "registration =", "registration = \"open\""),
    ("oauth.registration_scopes", "registration_scopes", "registration_scopes = \"a\""),
    ("oauth.registration_ttl", "registration_ttl", "registration_ttl = \"3d\""),
    ("oauth.device_code_ttl", "device_code_ttl", "device_code_ttl = \"11m\""),
    ("oauth.device_interval", "device_interval", "device_interval = \"6s\""),
    ("limits.head_timeout", "head_timeout", "head_timeout = \"11s\""),
    ("limits.body_timeout", "body_timeout", "body_timeout = \"11s\""),
    ("limits.idle_timeout", "idle_timeout", "idle_timeout = \"11s\""),
    ("limits.tunnel_idle_timeout", "tunnel_idle_timeout", "tunnel_idle_timeout = \"2h\""),
    ("limits.head_size", "head_size", "head_size = \"8KiB\""),
    ("limits.head_fields", "head_fields", "head_fields = 50"),
    ("limits.target_size", "target_size", "target_size = \"8KiB\""),
    ("limits.form_body", "form_body", "form_body = \"8KiB\""),
    ("limits.connections", "connections", "connections = 10"),
    ("limits.failed_logins.max", "failed_logins.max", "failed_logins.max = 11"),
    ("limits.failed_logins.per", "failed_logins.per", "failed_logins.per = \"11s\""),
    ("limits.registrations.max", "registrations.max", "registrations.max = 21"),
    ("limits.registrations.per", "registrations.per", "registrations.per = \"2h\""),
    ("limits.registered_clients", "registered_clients", "registered_clients = 5"),
    ("scopes.text", "text = \"All\"", "text = \"Everything\""),
    ("scopes.implies", "implies", "implies = []"),
    ("scopes.restricted", "restricted", "restricted = false"),
    ("clients.id", "id =", "id = \"other\""),
    ("clients.name", "name = \"An app\"", "name = \"Another\""),
    ("clients.secret", "secret =", "secret = \"file:secret\""),
    ("clients.secret_hash", "secret_hash", "secret_hash = []"),
    ("clients.grants", "grants", "grants = [\"client_credentials\"]"),
    ("clients.redirect_uris", "redirect_uris", "redirect_uris = [\"https://a.example/cb\"]"),
    ("clients.scopes", "scopes = \"a shelf:42\"", "scopes = \"a\""),
    ("clients.default_scopes", "default_scopes", "default_scopes = \"b\""),
    ("clients.pkce", "immediate_error_redirect", "immediate_error_redirect = true\npkce = \"required\""),
    ("clients.immediate_error_redirect", "immediate_error_redirect", "immediate_error_redirect = false"),
    ("clients.introspect", "introspect", "introspect = false"),
    ("clients.par", "par = \"required\"", "par = \"optional\""),
    ("users.name", "name = \"alice\"", "name = \"bob\""),
    (
        "users.password_hash",
        "password_hash",
        "password_hash = \"$argon2id$v=19$m=19456,t=2,p=1$s39F0IRIrsTKyrqZ2eKsmA$nJLLJ8o4gpiZQKUFJ+xBvm9B9XiOF6s8JQBcLpUSZFk\"",
    ),
    ("users.scopes", "scopes = \"b\"", "scopes = [\"a\"]"),
    ("upstreams.servers.url", "servers = [\"http", "servers = [\"unix:x\"]"),
    (
        "upstreams.servers.weight",
        "servers = [\"http",
        "servers = [{ url = \"http://127.0.0.1:9000\", weight = 3 }, \"unix:app.sock\"]",
    ),
    ("upstreams.balance", "balance", "balance = \"least-loaded\""),
    ("upstreams.connect_timeout", "connect_timeout", "connect_timeout = \"2s\""),
    ("upstreams.response_timeout", "response_timeout", "response_timeout = \"2s\""),
    ("upstreams.read_timeout", "read_timeout", "read_timeout = \"2s\""),
    ("upstreams.keep_alive", "keep_alive", "keep_alive = \"2s\""),
    ("upstreams.resolve", "resolve", "resolve = \"2s\""),
    ("upstreams.connections", "connections = 500", "connections = 501"),
    ("upstreams.pending", "pending", "pending = 0"),
    ("upstreams.health.path", "health.path", "health.path = \"/up\""),
    ("upstreams.health.interval", "health.interval", "health.interval = \"9s\""),
    ("upstreams.health.timeout", "health.timeout", "health.timeout = \"9s\""),
    ("upstreams.health.healthy", "health.healthy", "health.healthy = 9"),
    ("upstreams.health.unhealthy", "health.unhealthy", "health.unhealthy = 9"),
    ("upstreams.health.status", "health.status", "health.status = \"204\""),
    ("upstreams.ejection.failures", "ejection = {", "ejection = { failures = 9, time = \"20s\" }"),
    ("upstreams.ejection.time", "ejection = {", "ejection = { failures = 7, time = \"21s\" }"),
    ("upstreams.retries", "retries", "retries = 0"),
    ("upstreams.host_header", "host_header", "host_header = \"client\""),
    ("upstreams.http2", "http2", "http2 = true"),
    (
        "upstreams.tls.ca",
        "tls = { ca",
        "tls = { ca = \"two.pem\", cert = \"one.pem\", key = \"one.key\", server_name = \"b.example\" }",
    ),
    (
        "upstreams.tls.cert",
        "tls = { ca",
        "tls = { ca = \"ca.pem\", cert = \"two.pem\", key = \"two.key\", server_name = \"b.example\" }",
    ),
    ("upstreams.tls.key", "tls = { ca", "tls = { ca = \"ca.pem\", server_name = \"b.example\" }"),
    ("upstreams.tls.server_name", "tls = { ca", "tls = { ca = \"ca.pem\", cert = \"one.pem\", key = \"one.key\" }"),
    (
        "upstreams.tls.verify",
        "tls = { ca",
        "tls = { ca = \"ca.pem\", cert = \"one.pem\", key = \"one.key\", server_name = \"b.example\", verify = false }",
    ),
    ("routes.name", "name = \"shelf\"", "name = \"x\""),
    ("routes.host", "host =", "host = \"a.example\""),
    ("routes.path", "path = \"/shelf", "path = \"/x/{id}/{*rest}\""),
    ("routes.upstream", "upstream", "upstream = \"other\""),
    ("routes.scopes", "scopes = {", "scopes = \"a\""),
    ("routes.access", "scopes = {", "access = \"public\""),
    ("routes.bearer", "bearer", "bearer = [\"query\"]"),
    ("routes.rewrite", "rewrite", "rewrite = \"/y/{rest}\""),
    ("routes.body_limit", "body_limit", "body_limit = \"2MiB\""),
    ("routes.timeout", "timeout = \"5s\"", "timeout = \"6s\""),
    ("routes.headers.request.set", "headers.request.set", "headers.request.set = { \"x-tier\" = \"b\" }"),
    ("routes.headers.request.remove", "headers.request.remove", "headers.request.remove = []"),
    ("routes.headers.response.set", "headers.response.set", "headers.response.set = {}"),
    ("routes.headers.response.remove", "headers.response.remove", "headers.response.remove = []"),
    ("routes.encoded_slash", "encoded_slash", "encoded_slash = \"refuse\""),
    ("routes.encoded_percent", "encoded_percent", "encoded_percent = \"refuse\""),
    ("routes.empty_segments", "empty_segments", "empty_segments = \"refuse\""),
    ("routes.path_parameters", "path_parameters", "path_parameters = \"refuse\""),
    ("routes.upgrade", "upgrade = [", "upgrade = \"any\""),
    ("routes.case_insensitive_upstream", "case_insensitive", "case_insensitive_upstream = false"),
    ("routes.upstream_authorization", "upstream_authorization", ""),
    ("routes.upstream_401", "upstream_401", "upstream_401 = \"pass\""),
    ("routes.report_only", "report_only", "report_only = false"),
    ("routes.rate_limit.requests", "rate_limit.requests", "rate_limit.requests = 99"),
    ("routes.underscores", "underscores", "underscores = [\"x_other\"]"),
    ("routes.rate_limit.per", "rate_limit.per", "rate_limit.per = \"2s\""),
    ("routes.rate_limit.by", "rate_limit.by", "rate_limit.by = \"subject\""),
    ("routes.rate_limit.burst", "rate_limit.burst", "rate_limit.burst = 1"),
    ("routes.cors.origins", "cors.origins", "cors.origins = [\"https://b.example.com\"]"),
    ("routes.cors.credentials", "cors.credentials", "cors.credentials = false"),
    ("routes.cors.methods", "cors.methods", "cors.methods = [\"POST\"]"),
    ("routes.cors.headers", "cors.headers", "cors.headers = []"),
    ("routes.cors.expose", "cors.expose", "cors.expose = []"),
    ("routes.cors.max_age", "cors.max_age", "cors.max_age = \"2m\""),
    ("resources.path", "path = \"/files\"", "path = \"/\""),
    ("resources.name", "name = \"Files\"", "name = \"Books\""),
    ("resources.audience", "audience = \"required\"", "audience = \"accepted\""),
    ("resources.mcp", "audience = \"required\"", "mcp = true"),
    ("resources.origins", "origins", "origins = []"),
];

/// As `CHANGES`, of the file whose users sign in elsewhere.
const CHANGES_WITH_LOGIN: &[(&str, &str, &str)] = &[
    ("login.url", "url = \"https", "url = \"http://127.0.0.1:9/check\""),
    ("login.format", "format", "format = \"json\""),
    ("login.timeout", "timeout = \"7s\"", "timeout = \"8s\""),
    ("login.ca", "ca =", "ca = \"other.pem\""),
];

/// As `CHANGES`, of the file whose store others see too.
const CHANGES_WITH_REDIS: &[(&str, &str, &str)] = &[
    ("routes.rate_limit.shared", "rate_limit.shared", "rate_limit.shared = true"),
    ("store.key_prefix", "timeout = \"250ms\"", "timeout = \"250ms\"\nkey_prefix = \"notes:\""),
];

/// As `CHANGES`, of the file whose store is reached over TLS.
const CHANGES_WITH_TLS_TO_THE_STORE: &[(&str, &str, &str)] = &[
    (
        "store.ca",
        "store =",
        "store = { url = \"rediss://127.0.0.1\", ca = \"other.pem\", cert = \"one.pem\", key = \"one.key\", server_name = \"a.example\" }",
    ),
    (
        "store.cert",
        "store =",
        "store = { url = \"rediss://127.0.0.1\", ca = \"ca.pem\", cert = \"two.pem\", key = \"two.key\", server_name = \"a.example\" }",
    ),
    ("store.key", "store =", "store = { url = \"rediss://127.0.0.1\", ca = \"ca.pem\", server_name = \"a.example\" }"),
    (
        "store.server_name",
        "store =",
        "store = { url = \"rediss://127.0.0.1\", ca = \"ca.pem\", cert = \"one.pem\", key = \"one.key\", server_name = \"b.example\" }",
    ),
];

/// `[store]` names a Redis that speaks TLS.
fn with_tls_to_the_store() -> String {
    let text = FILE.replacen("[server]\n", "store = { url = \"rediss://127.0.0.1\", ca = \"ca.pem\", cert = \"one.pem\", key = \"one.key\", server_name = \"a.example\" }\n\n[server]\n", 1);
    let (before, store) = text.split_once("[store]\n").unwrap();
    let (_, after) = store.split_once("[cache]\n").unwrap();
    format!("{before}[cache]\n{after}")
}

/// As `CHANGES`, of the file whose users may sign in at an identity provider too.
const CHANGES_WITH_PROVIDER: &[(&str, &str, &str)] = &[
    ("login.issuer", "issuer = \"https", "issuer = \"https://login.example/b\""),
    ("login.client_id", "client_id", "client_id = \"b\""),
    ("login.client_secret", "client_secret", ""),
    ("login.scopes", "scopes = \"openid", "scopes = [\"openid\"]"),
    ("login.subject_claim", "subject_claim", "subject_claim = \"sub\""),
    ("login.name", "name = \"SSO", "name = \"b\""),
    ("login.allowed_domains", "allowed_domains", ""),
    ("login.allowed_subjects", "allowed_subjects", "allowed_subjects = [\"b\"]"),
    ("login.sign_out", "sign_out", ""),
    ("login.passwords", "passwords", ""),
];

/// `[login]` stands beside users.
fn with_provider() -> String {
    let login = "[login]\nissuer = \"https://login.example\"\nclient_id = \"a\"\nclient_secret = \"env:APP_SECRET\"\n\
        scopes = \"openid email\"\nsubject_claim = \"email\"\nname = \"SSO\"\nallowed_domains = [\"a.example\"]\n\
        allowed_subjects = [\"a@a.example\"]\nsign_out = \"provider\"\npasswords = false\n\n";
    FILE.replacen("[upstreams.notes]", &format!("{login}[upstreams.notes]"), 1)
}

/// `[login]` stands in place of users.
fn with_login() -> String {
    let text = FILE.replacen("users_file = \"users.htpasswd\"\n", "", 1);
    let (before, users) = text.split_once("[[users]]").unwrap();
    let (_, after) = users.split_once("[upstreams.notes]").unwrap();
    let login =
        "[login]\nurl = \"https://login.example/check\"\nformat = \"form\"\ntimeout = \"7s\"\nca = \"ca.pem\"\n\n";
    format!("{before}{login}[upstreams.notes]{after}")
}

static AUTHORITY: LazyLock<String> = LazyLock::new(authority);

fn authority() -> String {
    rcgen::generate_simple_self_signed(["login.example".to_owned()]).unwrap().cert.pem()
}

/// Three certificates and their keys, the same in each test.
static PAIRS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let make = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let made = ["one.example", "two.example", "three.example"].map(make);
    made.iter().map(|made| (made.cert.pem(), made.signing_key.serialize_pem())).collect()
});

fn load(text: &str) -> Configuration {
    let svg = |width| format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\"/>");
    let folder = Folder::new(&[
        ("gateway.toml", text),
        ("secret", "another-secret-of-a-file-0123"),
        ("users.htpasswd", HTPASSWD),
        ("more.toml", ""),
        ("logo.svg", &svg(1)),
        ("other.svg", &svg(2)),
        ("ca.pem", &AUTHORITY),
        ("other.pem", &(authority() + &authority())),
        ("one.pem", &PAIRS[0].0),
        ("one.key", &PAIRS[0].1),
        ("two.pem", &PAIRS[1].0),
        ("two.key", &PAIRS[1].1),
        ("three.pem", &PAIRS[2].0),
        ("three.key", &PAIRS[2].1),
    ]);
    folder.load().unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

/// Everything that the configuration says, as text.
fn said(configuration: &Configuration) -> String {
    let Configuration { server, telemetry, admin, store, cache, plan, .. } = configuration;
    let specs: Vec<_> = plan.routes.routes().iter().map(|route| &route.spec).collect();
    let first = format!("{server:?}{telemetry:?}{admin:?}{store:?}{cache:?}{specs:?}{:?}", plan.upstreams);
    let scopes = plan.scopes.declared();
    // They stand in no order.
    let mut users: Vec<String> = plan.users.iter().map(|user| format!("{user:?}")).collect();
    users.sort_unstable();
    let rest = format!("{scopes:?}{:?}{:?}{:?}{:?}", plan.clients, users, plan.issue, plan.bearer)
        + &format!("{:?}{:?}", plan.login, plan.provider);
    // Neither users nor clients show their hashes.
    let hash = plan.users.get("alice").map(|user| user.password_hash.clone());
    let secrets = plan.clients.iter().flat_map(|client| &client.secrets).map(ToString::to_string);
    let hashes: Vec<String> = hash.into_iter().chain(secrets).collect();
    let last = format!("{}{:?}{:?}{}", plan.realm, plan.recheck, plan.trusted, plan.form_body);
    let last = format!("{last}{}{:?}{:?}", plan.serve_cached, plan.hsts, plan.provenance);
    let all = format!("{first}{rest}{hashes:?}{last}{:?}{:?}", plan.branding, plan.sessions);
    // Each file is in a folder of its own, which stands in the places of the routes.
    all.replace(&configuration.file.display().to_string(), "")
}

/// The paths of all keys that this version takes.
fn paths(keys: &[Key], prefix: &str, found: &mut BTreeSet<String>) {
    for key in keys {
        let path = if prefix.is_empty() { key.name.to_owned() } else { format!("{prefix}.{}", key.name) };
        descend(&key.kind, path, found);
    }
}

fn descend(kind: &Kind, path: String, found: &mut BTreeSet<String>) {
    match kind {
        Kind::Later(_) => {}
        Kind::Table(keys) | Kind::Named(Kind::TextOr(Kind::Table(keys))) => paths(keys, &path, found),
        Kind::List(Kind::TextOr(kind @ Kind::Table(_)) | kind @ Kind::Table(_))
        | Kind::Named(kind @ Kind::Table(_))
        | Kind::BooleanOr(kind @ Kind::Table(_)) => descend(kind, path, found),
        _ => {
            found.insert(path);
        }
    }
}

#[test]
fn a_change_of_any_key_changes_what_the_configuration_says() {
    check_changes(FILE, CHANGES);
    check_changes(&with_login(), CHANGES_WITH_LOGIN);
    check_changes(&with_provider(), CHANGES_WITH_PROVIDER);
    check_changes(&FILE.replace("redb:a.redb", "redis://127.0.0.1"), CHANGES_WITH_REDIS);
    check_changes(&with_tls_to_the_store(), CHANGES_WITH_TLS_TO_THE_STORE);
}

fn check_changes(file: &str, changes: &[(&str, &str, &str)]) {
    let before = said(&load(file));
    assert_eq!(before, said(&load(file)));
    for (path, line, with) in changes {
        let matching: Vec<_> = file.lines().filter(|text| text.starts_with(line)).collect();
        let first = matching.first().unwrap_or_else(|| panic!("{path}: no line begins with {line}"));
        let text = file.replacen(&format!("\n{first}\n"), &format!("\n{with}\n"), 1);
        assert_ne!(text, file, "{path}");
        assert_ne!(said(&load(&text)), before, "{path} has no effect");
    }
}

#[test]
fn no_key_is_left_out_of_the_test_before() {
    let mut known = BTreeSet::new();
    paths(ROOT, "", &mut known);
    let changed =
        [CHANGES, CHANGES_WITH_LOGIN, CHANGES_WITH_PROVIDER, CHANGES_WITH_REDIS, CHANGES_WITH_TLS_TO_THE_STORE]
            .concat();
    let changed = changed.iter().map(|(path, ..)| *path);
    let tested: BTreeSet<String> = changed.chain(WITHOUT_EFFECT).map(str::to_owned).collect();
    assert_eq!(known.symmetric_difference(&tested).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Whether `text` is a value of `kind`.
fn fits(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Boolean | Kind::BooleanOr(_) => text == "true" || text == "false",
        Kind::Choice(words, _) => words.contains(&text),
        Kind::Duration(..) => crate::config::value::duration(text).is_some(),
        Kind::Integer(..) => text.parse::<i64>().is_ok(),
        Kind::Size(..) => crate::config::value::size(text).is_some(),
        _ => matches!(kind, Kind::Text | Kind::TextOr(_)),
    }
}

fn check_texts(keys: &[Key]) {
    for key in keys {
        assert!(key.default.is_none_or(|text| fits(key.kind, text)), "{}", key.name);
        match key.kind {
            Kind::Duration(least, most) | Kind::Size(least, most) => {
                assert!(fits(key.kind, least) && fits(key.kind, most), "{}", key.name);
            }
            Kind::Table(keys)
            | Kind::BooleanOr(&Kind::Table(keys))
            | Kind::List(&(Kind::Table(keys) | Kind::TextOr(&Kind::Table(keys))))
            | Kind::Named(&(Kind::Table(keys) | Kind::TextOr(&Kind::Table(keys)))) => check_texts(keys),
            _ => {}
        }
    }
}

#[test]
fn every_default_and_every_bound_can_be_read() {
    check_texts(ROOT);
}

/// The names of the properties of a schema, as `paths` makes them; with what later versions take.
fn properties(schema: &serde_json::Value, prefix: &str, found: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        assert!(property["description"].is_string(), "{path}");
        let of_boolean = Some(&property["anyOf"]).filter(|any| any[0]["type"] == "boolean").map(|any| &any[1]);
        let inner = [
            &property["items"],
            &property["items"]["anyOf"][1],
            of_boolean.unwrap_or(&serde_json::Value::Null),
            &property["additionalProperties"],
            &property["additionalProperties"]["anyOf"][1],
        ];
        let nested = std::iter::once(property).chain(inner).find(|schema| schema["properties"].is_object());
        match nested {
            Some(nested) => properties(nested, &path, found),
            None => {
                found.insert(path);
            }
        }
    }
}

#[test]
fn the_schema_and_the_known_keys_are_the_same() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let mut in_schema = BTreeSet::new();
    properties(&schema, "", &mut in_schema);
    let mut known = BTreeSet::new();
    paths(ROOT, "", &mut known);
    let later: Vec<_> = in_schema.difference(&known).collect();
    assert!(known.is_subset(&in_schema));
    assert!(later.iter().any(|path| *path == "issuers") && later.iter().any(|path| *path == "upstreams.identity"));
    assert!(!later.iter().any(|path| path.starts_with("limits")), "{later:?}");
    assert_eq!(schema["properties"]["limits"]["properties"]["head_fields"]["default"], 100);
    assert_eq!(schema["properties"]["server"]["required"], serde_json::json!(["listen", "public_url"]));
}

/// Whether `schema` takes `value`; of the keywords those that the schema of this file uses, patterns
/// and bounds left out.
fn takes(schema: &serde_json::Value, value: &serde_json::Value) -> bool {
    let kind = match value {
        serde_json::Value::Object(_) => "object",
        serde_json::Value::Array(_) => "array",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Bool(_) => "boolean",
        _ => "integer",
    };
    let of_kind = schema["type"].as_str().is_none_or(|wanted| wanted == kind);
    let in_words = schema["enum"].as_array().is_none_or(|words| words.contains(value));
    let in_choices = schema["anyOf"].as_array().is_none_or(|choices| choices.iter().any(|choice| takes(choice, value)));
    let items = value.as_array().into_iter().flatten().all(|item| takes(&schema["items"], item));
    let members = value.as_object().into_iter().flatten().all(|(key, member)| {
        let named = schema["properties"].get(key);
        let other = schema.get("additionalProperties");
        named.or(other).is_none_or(|schema| *schema != false && takes(schema, member))
    });
    let present = |key: &serde_json::Value| value.get(key.as_str().unwrap_or_default()).is_some();
    let required = schema["required"].as_array().is_none_or(|keys| keys.iter().all(present));
    of_kind && in_words && in_choices && items && members && required && schema.get("not").is_none()
}

#[test]
fn the_schema_takes_what_is_right_and_refuses_later_keys() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let json = |text: &str| toml::from_str::<serde_json::Value>(text).unwrap();
    for right in [FILE, SMALL, include_str!("../../../gateway.toml"), include_str!("../testdata/contract.toml")] {
        assert!(takes(&schema, &json(right)));
    }
    for (from, to) in
        [("retries = 1", "retries = \"1\""), ("retries = 1", "identity = \"jwt\""), ("retries = 1", "retrys = 1")]
    {
        assert!(!takes(&schema, &json(&FILE.replacen(from, to, 1))), "{to}");
    }
}

#[test]
fn the_reference_documents_every_key() {
    let reference = include_str!("../../../docs/configuration.md");
    let mut known = BTreeSet::new();
    paths(ROOT, "", &mut known);
    for path in &known {
        let name = path.rsplit('.').next().unwrap();
        assert!(
            reference.contains(&format!("`{name}`")) || reference.contains(&format!("{name} =")),
            "{path} is not documented"
        );
    }
}
