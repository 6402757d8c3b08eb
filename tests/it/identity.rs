//! Who is asking: only the gateway says it, in whatever spelling others try.

use crate::harness::{ALICE, Config, Gateway, Recorded, Upstream, notes};

const OURS: [&str; 3] = ["X-Auth-Subject", "X-Auth-Client", "X-Auth-Scope"];

/// Names in which other gateways tell an upstream who is asking (IDH-1).
const FOREIGN: &[&str] = &[
    "X-Auth-User",
    "X-Auth-Anything",
    "X-Auth-Request-User",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Remote-User",
    "Remote-User",
    "X-User-Id",
    "X-User-Email",
    "X-Client-Cert",
    "X-Client-Cert-Subject",
    "Client-Cert",
    "Client-Cert-Chain",
    "X-SSL-Client-Verify",
    "X-SSL-Client-S-DN",
    "Proxy-Authorization",
];

/// Every spelling that some upstream reads as `name`.
fn spellings(name: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        name.to_lowercase(),
        name.to_uppercase(),
        name.replace('-', "_"),
        name.replacen('-', "_", 1),
        name.to_lowercase().replace('-', "_"),
        name.replace('-', "."),
        name.replacen('-', ".", 1),
        name.to_uppercase().replace('-', "."),
        name.replace('-', "~"),
    ]
}

fn folded(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// The names of fields that some upstream reads as `name`.
fn readings(request: &Recorded, name: &str) -> Vec<(String, String)> {
    request.fields.iter().filter(|(field, _)| folded(field) == folded(name)).cloned().collect()
}

/// IDH-1, IDH-2, IDH-4, hazards 11, 12, 13: the injected field stands there exactly once.
#[test]
fn every_spelling_of_our_fields_is_removed_and_ours_stands_once() {
    let (upstream, gateway) = notes();
    let token = gateway.login(ALICE).access;
    for (name, expected) in OURS.into_iter().zip(["alice", "notes-cli", "notes:read notes:write"]) {
        for spelling in spellings(name) {
            // twice, around other fields
            let request = gateway.get("/notes/1").field(&spelling, "root").bearer(&token).field(&spelling, "admin");
            request.send().expect(200);
            let seen = upstream.last();
            let found = readings(&seen, name);
            assert_eq!(found.len(), 1, "{spelling}\n{seen:?}");
            assert!(found[0].0.eq_ignore_ascii_case(name), "{found:?}");
            assert_eq!(sorted(&found[0].1), sorted(expected), "{spelling}");
        }
    }
}

fn sorted(scope: &str) -> Vec<&str> {
    let mut words: Vec<&str> = scope.split(' ').collect();
    words.sort_unstable();
    words
}

/// IDH-1, IDH-5: on public routes too.
#[test]
fn no_identity_passes_on_a_public_route() {
    let (upstream, gateway) = notes();
    for name in OURS.iter().chain(FOREIGN) {
        for spelling in spellings(name) {
            gateway.get("/public/x").field(&spelling, "root").send().expect(200);
            let seen = upstream.last();
            assert!(readings(&seen, name).is_empty(), "{spelling}\n{seen:?}");
        }
    }
}

/// IDH-1.
#[test]
fn fields_of_other_gateways_are_removed() {
    let (upstream, gateway) = notes();
    let token = gateway.login(ALICE).access;
    for name in FOREIGN {
        gateway.get("/notes/1").bearer(&token).field(name, "root").send().expect(200);
        let seen = upstream.last();
        assert!(readings(&seen, name).is_empty(), "{name}\n{seen:?}");
    }
}

/// IDH-3, hazard 11.
#[test]
fn names_with_an_underscore_are_dropped() {
    let (upstream, gateway) = notes();
    gateway.get("/public/x").field("X_Tenant", "1").field("_", "5").field("X-Tenant", "2").send().expect(200);
    let seen = upstream.last();
    assert!(!seen.fields.iter().any(|(name, _)| name.contains('_')), "{seen:?}");
    assert_eq!(seen.field("x-tenant"), "2");
}

/// R6749-4.4b, hazard 14: no resource owner, no subject, and not the client's copy either.
#[test]
fn a_token_without_a_resource_owner_brings_no_subject() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    for spelling in spellings("X-Auth-Subject") {
        gateway.get("/notes/1").bearer(&token).field(&spelling, "alice").send().expect(200);
        let seen = upstream.last();
        assert!(readings(&seen, "X-Auth-Subject").is_empty(), "{spelling}\n{seen:?}");
        assert_eq!(seen.field("x-auth-client"), "service");
    }
}

/// PX-6: the granted set with what it implies.
#[test]
fn the_upstream_learns_the_scopes_with_what_they_imply() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:admin");
    gateway.get("/admin/x").bearer(&token).send().expect(200);
    let seen = upstream.last();
    assert_eq!(sorted(seen.field("x-auth-scope")), ["notes:admin", "notes:read", "notes:write"]);
}

/// H-conn-1, H-conn-3, hazard 15: naming a field in `Connection` removes the client's, never ours.
#[test]
fn nobody_has_our_fields_removed_by_naming_them_in_connection() {
    let (upstream, gateway) = notes();
    let token = gateway.login(ALICE).access;
    for lines in [
        "Connection: x-auth-subject, x-auth-client, x-auth-scope\r\n",
        "Connection: close, X-Auth-Subject, X-AUTH-CLIENT, x-auth-scope, x-request-id, host\r\n",
        "Connection: keep-alive\r\nConnection: x-auth-subject\r\nconnection: X-Auth-Client,x-auth-scope\r\n",
        "Connection: authorization, forwarded, x-forwarded-for, x-forwarded-host, x-forwarded-proto, via, content-length\r\n",
    ] {
        let request = format!("GET /notes/1 HTTP/1.1\r\nHost: a\r\n{lines}Authorization: Bearer {token}\r\n\r\n");
        gateway.connect().send(request).response().expect(200);
        let seen = upstream.last();
        assert_eq!(seen.field("x-auth-subject"), "alice", "{lines}");
        assert_eq!(seen.field("x-auth-client"), "notes-cli", "{lines}");
        assert!(seen.has("x-auth-scope") && seen.has("x-request-id") && seen.has("x-forwarded-for"), "{seen:?}");
        assert_eq!(seen.field("host"), "a");
        assert!(!seen.has("connection") || !seen.field("connection").contains("auth"), "{seen:?}");
    }
}

/// H-conn-1: what `Connection` names does not pass.
#[test]
fn fields_that_connection_names_are_not_forwarded() {
    let (upstream, gateway) = notes();
    let fields =
        "Connection: X-Hop\r\nX-Hop: 1\r\nx-hop: 2\r\nCONNECTION: x-Second ,close\r\nX-Second: 3\r\nX-End: 4\r\n";
    gateway.connect().send(format!("GET /public/x HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).response().expect(200);
    let seen = upstream.last();
    assert!(!seen.has("x-hop") && !seen.has("x-second"), "{seen:?}");
    assert_eq!(seen.field("x-end"), "4");
}

const FORWARDING: &[(&str, &str)] = &[
    ("Forwarded", "for=198.51.100.7;host=evil.example;proto=https"),
    ("X-Forwarded-For", "198.51.100.7"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Port", "444"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Forwarded-Uri", "/public/x"),
    ("X-Forwarded-Method", "GET"),
    ("X-Forwarded-Server", "evil"),
    ("X-Forwarded-Scheme", "https"),
    ("X-Real-IP", "198.51.100.7"),
    ("X-Original-URL", "/public/evil"),
    ("X-Original-URI", "/public/evil"),
    ("X-Original-Method", "GET"),
    ("X-Rewrite-URL", "/public/evil"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-HTTP-Method", "DELETE"),
    ("X-Method-Override", "DELETE"),
];

/// FWD-1, FWD-5, hazards 16, 17: from peers that are not trusted nothing of it is believed or passed on.
#[test]
fn forwarding_fields_of_untrusted_peers_are_replaced() {
    let (upstream, gateway) = notes();
    gateway.get("/public/x").host("api.example.com").fields(FORWARDING).send().expect(200);
    let seen = upstream.last();
    let evil = seen
        .fields
        .iter()
        .filter(|(_, value)| ["evil", "198.51.100.7", "444", "DELETE"].iter().any(|trace| value.contains(trace)));
    assert_eq!(evil.count(), 0, "{seen:?}");
    assert_eq!(seen.field("x-forwarded-for"), "127.0.0.1");
    assert_eq!(seen.field("x-forwarded-host"), "api.example.com");
    assert_eq!(seen.field("x-forwarded-proto"), "http");
    for name in ["X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Real-IP", "X-Forwarded-Prefix"] {
        assert!(!seen.has(name), "{name} in\n{seen:?}");
    }
}

/// PX-19, FWD-5, hazards 16, 19: no field of the client lets anything pass.
#[test]
fn no_field_bypasses_the_check() {
    let (upstream, gateway) = notes();
    for (name, value) in FORWARDING.iter().chain(&[
        ("User-Agent", "ELB-HealthChecker/2.0"),
        ("User-Agent", "GoogleHC/1.0"),
        ("User-Agent", "kube-probe/1.30"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Auth-Subject", "alice"),
        ("X-Auth-Scope", "notes:admin"),
        ("X-Remote-User", "alice"),
        ("Cookie", "session=admin"),
        ("X-Requested-With", "XMLHttpRequest"),
        ("Upgrade", "websocket"),
        ("Access-Control-Request-Method", "GET"),
        ("Origin", "null"),
    ]) {
        for method in ["GET", "POST"] {
            let response = gateway.request(method, "/admin/x").field(name, value).send();
            assert_eq!(response.status, 401, "{method} {name}: {value}");
        }
    }
    upstream.expect_nothing();
}

/// FWD-2: only from the listed peers, and then the list is extended.
#[test]
fn forwarding_fields_of_trusted_peers_are_extended() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("server.trusted_proxies", r#"["127.0.0.0/8"]"#));
    let request = gateway
        .get("/public/x")
        .field("X-Forwarded-For", "203.0.113.9")
        .field("X-Forwarded-Proto", "https")
        .field("X-Forwarded-Host", "app.example.com")
        .field("X-Request-Id", "kept-from-the-front");
    let response = request.send();
    assert_eq!(response.expect(200).field("x-request-id"), "kept-from-the-front");
    let seen = upstream.last();
    assert_eq!(seen.field("x-forwarded-for").replace(' ', ""), "203.0.113.9,127.0.0.1");
    assert_eq!(seen.field("x-forwarded-proto"), "https");
    assert_eq!(seen.field("x-request-id"), "kept-from-the-front");
}

/// Hazard 17: junk in forwarding fields of a trusted peer neither breaks nor grows anything.
#[test]
fn junk_in_forwarding_fields_of_trusted_peers_is_survived() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("server.trusted_proxies", r#"["127.0.0.0/8"]"#));
    let long = vec!["1.1.1.1"; 2500].join(",");
    for (name, value) in [
        ("Forwarded", r#"for="a,b""#),
        ("Forwarded", r#"for="_hidden", for=unknown"#),
        ("Forwarded", r#"for="[2001:db8::1]:4711";proto=http"#),
        ("Forwarded", r#"for="unterminated"#),
        ("Forwarded", ";;;,,,="),
        ("X-Forwarded-For", "unknown"),
        ("X-Forwarded-For", "\"1.2.3.4\", junk, , ::1"),
        ("X-Forwarded-For", long.as_str()),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Host", "a b@c/d"),
    ] {
        let status = gateway.get("/public/x").field(name, value).send().status;
        assert!(matches!(status, 200 | 400), "{status} for {name}: {value:.60}");
        gateway.get("/admin/x").field(name, value).send().expect(if status == 200 { 401 } else { 400 });
    }
    gateway.get("/public/x").send().expect(200);
}

/// Hazard 13: what an operator sets stands once, however often and however spelled a client sends it.
#[test]
fn an_operators_identity_field_stands_once() {
    let upstream = Upstream::start();
    let route = r#"
[[routes]]
path = "/legacy"
access = "public"
upstream = "notes"
headers.request = { set = { "x-user" = "gateway", "X-Tier" = "gold" } }
"#;
    let gateway = Gateway::start(Config::notes(&upstream).add(route));
    let request = gateway.get("/legacy").field("X-USER", "eve").field("X-User", "eve").field("X_User", "eve");
    request.field("x.user", "eve").field("X-TIER", "eve").field("x_tier", "eve").send().expect(200);
    let seen = upstream.last();
    assert_eq!((seen.field("x-user"), seen.field("x-tier")), ("gateway", "gold"));
    assert!(!seen.holds("eve"), "{seen:?}");
}

/// Hazards 16 and 18: a trusted proxy hands its client's fields on, and those that some programs take for the path or the
/// method are not its own.
#[test]
fn nobody_tells_the_upstream_another_path_or_method() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("server.trusted_proxies", r#"["127.0.0.0/8"]"#));
    let overrides = [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "DELETE"),
        ("X-Method-Override", "DELETE"),
        ("X-Original-URL", "/admin"),
        ("X-Original-URI", "/admin"),
        ("X-Rewrite-URL", "/admin"),
        ("X-Override-URL", "/admin"),
    ];
    gateway.get("/public/x").fields(&overrides).send().expect(200);
    for (name, _) in overrides {
        assert!(!upstream.last().has(&name.to_ascii_lowercase()), "{name}");
    }
}

/// FWD-2, hazard 17: what a client says inside quotes it never closed does not take in what the gateway says.
#[test]
fn a_malformed_forwarded_field_is_not_extended() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("server.trusted_proxies", r#"["127.0.0.0/8"]"#));
    for (said, passes) in [("for=\"open", ""), ("for=1.2.3.4;for=5.6.7.8", ""), ("for=1.2.3.4", "for=1.2.3.4, ")] {
        gateway.get("/public/x").host("a").field("Forwarded", said).send().expect(200);
        assert_eq!(upstream.last().field("forwarded"), format!("{passes}for=127.0.0.1;proto=http;host=a"));
    }
}

/// `X-Request-Id` is made anew for peers that are not trusted, and stands in request and response.
#[test]
fn the_request_id_of_an_untrusted_peer_is_replaced() {
    let (upstream, gateway) = notes();
    let response = gateway.get("/public/x").field("X-Request-Id", "chosen").send();
    let id = response.expect(200).field("x-request-id").to_owned();
    assert_ne!(id, "chosen");
    assert_eq!(upstream.last().field("x-request-id"), id);
    let other = gateway.get("/public/x").send();
    assert_ne!(other.field("x-request-id"), id);
}
