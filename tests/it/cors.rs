//! `cors` on routes, and the gateway's own endpoints for pages of other origins.

use crate::harness::{Config, Gateway, Next, Request, Response, SERVICE, Upstream};
use std::io::Write as _;

const APP: &str = "https://app.example.com";
const EVIL: &str = "https://evil.example";

/// The usual routes; `notes` and `any` speak to pages of the app.
fn config(upstream: &Upstream, more: &str) -> Config {
    let cors = format!("cors = {{ origins = [\"{APP}\", \"https://*.pages.example\"]{more} }}");
    Config::notes(upstream)
        .replace("name = \"notes\"", &format!("name = \"notes\"\n{cors}\nbody_limit = \"8B\""))
        .replace("name = \"any\"", &format!("name = \"any\"\n{cors}"))
}

fn start(more: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(config(&upstream, more));
    (upstream, gateway)
}

fn preflight(gateway: &Gateway, path: &str, origin: &str, method: &str) -> Request {
    let fields = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "authorization"),
    ];
    gateway.request("OPTIONS", path).fields(&fields)
}

#[track_caller]
fn is_open_to(response: &Response, origin: &str) {
    assert_eq!(response.field("access-control-allow-origin"), origin, "{response:?}");
    assert!(response.field("access-control-expose-headers").contains("www-authenticate"), "{response:?}");
    assert!(response.values("vary").contains(&"Origin"), "{response:?}");
}

#[track_caller]
fn is_closed(response: &Response) {
    let said = response.fields.iter().find(|(name, _)| name.starts_with("access-control-"));
    assert_eq!(said, None, "{response:?}");
}

/// PX-10: no token, no upstream.
#[test]
fn the_gateway_answers_preflights_of_routes_with_cors() {
    let (upstream, gateway) = start(", max_age = \"5m\", headers = [\"X-Tier\"]");
    for origin in [APP, "https://one.pages.example"] {
        let answer = preflight(&gateway, "/notes/1", origin, "POST").send();
        answer.expect(204);
        assert_eq!(answer.field("access-control-allow-origin"), origin);
        assert_eq!(answer.field("access-control-allow-methods"), "GET, HEAD, POST, DELETE");
        let headers = answer.field("access-control-allow-headers");
        assert!(headers.contains("authorization") && headers.ends_with("x-tier"), "{answer:?}");
        assert_eq!(answer.field("access-control-max-age"), "300");
        assert!(answer.field("vary").starts_with("Origin, Access-Control-Request-Method"));
        assert!(!answer.has("access-control-allow-credentials") && answer.has("x-request-id"));
        assert_eq!(gateway.event(&answer)["route"], "notes");
    }
    let every = preflight(&gateway, "/any/x", APP, "PATCH").send();
    assert!(every.expect(204).field("access-control-allow-methods").contains("PATCH"));
    let unknown = preflight(&gateway, "/notes/1", APP, "PATCH").send();
    assert_eq!(unknown.expect(204).field("access-control-allow-methods"), "GET, HEAD, POST, DELETE");
    upstream.expect_nothing();
}

/// PX-10
#[test]
fn a_preflight_of_another_origin_is_refused_and_told_nothing() {
    let (upstream, gateway) = start("");
    for origin in
        [EVIL, "null", "https://app.example.com.evil.example", "https://pages.example", "https://a.b.pages.example"]
    {
        let refused = preflight(&gateway, "/notes/1", origin, "GET").send();
        refused.expect_error(403, "origin_not_allowed");
        is_closed(&refused);
        assert_eq!(refused.field("vary"), "Origin");
    }
    upstream.expect_nothing();
}

/// PX-10: what is no preflight needs a token.
#[test]
fn other_options_requests_need_a_token() {
    let (upstream, gateway) = start("");
    gateway.request("OPTIONS", "/any/x").send().expect(401);
    is_open_to(gateway.request("OPTIONS", "/any/x").field("origin", APP).send().expect(401), APP);
    let with_token = preflight(&gateway, "/any/x", APP, "GET").bearer("tga_wrong").send();
    is_open_to(with_token.expect(401), APP);
    let with_content = preflight(&gateway, "/any/x", APP, "GET").body("x").send();
    with_content.expect(401);
    upstream.expect_nothing();
    let token = gateway.token("notes:read");
    gateway.request("OPTIONS", "/any/x").bearer(&token).field("origin", APP).send().expect(200);
    assert_eq!(upstream.last().method, "OPTIONS");
}

/// PX-11, PX-8: a page can read why it was refused.
#[test]
fn refusals_can_be_read_by_pages_of_the_app() {
    let (upstream, gateway) = start("");
    let from_app = |request: Request| request.field("origin", APP).send();
    let unknown = from_app(gateway.get("/notes/1"));
    assert!(unknown.expect(401).challenge().get("resource_metadata").is_some());
    is_open_to(&unknown, APP);
    is_open_to(from_app(gateway.get("/notes/1").bearer("tga_wrong")).expect(401), APP);
    is_open_to(from_app(gateway.get("/notes/1").field("authorization", "Bearer a b")).expect(400), APP);
    let reader = gateway.token("notes:read");
    is_open_to(from_app(gateway.post("/notes/1").bearer(&reader).body("x")).expect(403), APP);
    is_open_to(from_app(gateway.request("PATCH", "/notes/1").bearer(&reader)).expect(405), APP);
    let writer = gateway.token("notes:write");
    is_open_to(from_app(gateway.post("/notes/1").bearer(&writer).body("much too long")).expect(413), APP);
    upstream.expect_nothing();
    drop(upstream);
    is_open_to(from_app(gateway.get("/notes/1").bearer(&reader)).expect(502), APP);
    let foreign = gateway.get("/notes/1").field("origin", EVIL).send();
    is_closed(foreign.expect(401));
    assert_eq!(foreign.field("vary"), "Origin");
    is_closed(from_app(gateway.get("/admin/1")).expect(401));
    is_closed(from_app(gateway.get("/nowhere")).expect(404));
}

/// What the upstream says of CORS is left out: each field is there once.
#[test]
fn responses_say_what_the_gateway_says() {
    let upstream = Upstream::with(|_, stream| {
        let answer = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\naccess-control-allow-credentials: true\r\n\
            Access-Control-Allow-Methods: TRACE\r\nVary: Accept\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).unwrap();
        Next::Keep
    });
    let gateway = Gateway::start(config(&upstream, ", credentials = true, expose = [\"X-Total\"]"));
    let token = gateway.token("notes:read");
    let passed = gateway.get("/notes/1").bearer(&token).field("origin", APP).send();
    is_open_to(passed.expect(200), APP);
    assert_eq!(passed.field("access-control-allow-credentials"), "true");
    assert!(passed.field("access-control-expose-headers").ends_with("x-total"));
    assert!(!passed.has("access-control-allow-methods"));
    assert!(passed.values("vary").iter().any(|value| value.contains("Accept")), "{passed:?}");
    // A browser keeps it from the page; whoever else asked gets it.
    let foreign = gateway.get("/notes/1").bearer(&token).field("origin", EVIL).send();
    is_closed(foreign.expect(200));
    assert!(foreign.values("vary").contains(&"Origin"));
    is_closed(gateway.get("/notes/1").bearer(&token).send().expect(200));
    let other = gateway.get("/public/x").field("origin", EVIL).send();
    assert_eq!(other.expect(200).field("access-control-allow-origin"), "*", "a route without `cors`");
}

#[test]
fn preflights_of_routes_without_cors_are_forwarded() {
    let (upstream, gateway) = start("");
    preflight(&gateway, "/admin/x", APP, "GET").send().expect(200);
    assert_eq!((upstream.last().method.as_str(), upstream.last().field("origin")), ("OPTIONS", APP));
    assert!(!upstream.last().has("x-auth-client"));
}

#[test]
fn every_page_is_let_in_by_a_star() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(
        Config::notes(&upstream).replace("name = \"any\"", "name = \"any\"\ncors = { origins = [\"*\"] }"),
    );
    let refused = gateway.get("/any/x").field("origin", EVIL).send();
    assert_eq!(refused.expect(401).field("access-control-allow-origin"), "*");
    assert!(!refused.has("vary") && !refused.has("access-control-allow-credentials"));
    assert_eq!(
        preflight(&gateway, "/any/x", "null", "GET").send().expect(204).field("access-control-allow-origin"),
        "*"
    );
}

/// Each method's route has its own.
#[test]
fn of_one_path_the_route_of_the_asked_method_decides() {
    let upstream = Upstream::start();
    let routes = format!(
        "[[routes]]\npath = \"/split\"\nname = \"reads\"\nupstream = \"notes\"\nscopes = {{ GET = \"notes:read\" }}\n\
         cors = {{ origins = [\"{APP}\"] }}\n\
         [[routes]]\npath = \"/split\"\nname = \"writes\"\nupstream = \"notes\"\nscopes = {{ POST = \"notes:write\" }}\n"
    );
    let gateway = Gateway::start(Config::notes(&upstream).add(&routes));
    let reads = preflight(&gateway, "/split", APP, "GET").send();
    assert_eq!(reads.expect(204).field("access-control-allow-methods"), "GET, HEAD");
    upstream.expect_nothing();
    preflight(&gateway, "/split", APP, "POST").send().expect(200);
    assert_eq!(upstream.requests().len(), 1);
    is_open_to(gateway.request("PUT", "/split").field("origin", APP).send().expect(405), APP);
}

/// MCP-13, MCP-14
#[test]
fn an_mcp_client_in_a_browser_is_let_in_by_cors() {
    let config = Config::people().set("upstreams.mcp.servers", r#"["echo:"]"#).add(&format!(
        "[[routes]]\npath = \"/mcp\"\nscopes = \"notes:read\"\nupstream = \"mcp\"\ncors = {{ origins = [\"{APP}\"] }}\n\
         [[resources]]\npath = \"/mcp\"\nmcp = true\n"
    ));
    let gateway = Gateway::start(config);
    let answer = preflight(&gateway, "/mcp", APP, "POST").send();
    let headers = answer.expect(204).field("access-control-allow-headers");
    for name in ["authorization", "mcp-session-id", "mcp-protocol-version", "last-event-id"] {
        assert!(headers.split(", ").any(|known| known == name), "{name}: {answer:?}");
    }
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "notes:read"),
        ("resource", &format!("{}/mcp", gateway.url())),
    ];
    let token = gateway.ask(SERVICE, &form).tokens().access;
    let passed = gateway.post("/mcp").bearer(&token).field("origin", APP).body("{}").send();
    is_open_to(passed.expect(200), APP);
    assert!(passed.field("access-control-expose-headers").contains("mcp-session-id"));
    gateway.post("/mcp").bearer(&token).field("origin", EVIL).body("{}").send().expect(403);
    preflight(&gateway, "/mcp", EVIL, "POST").send().expect(403);
}

/// Apps in browsers get tokens from it (RFC 9700 section 2.6); what people visit is closed.
#[test]
fn pages_of_every_origin_may_call_the_endpoints_for_apps() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("oauth.registration", "\"open\""));
    for (path, methods) in [
        ("/oauth2/token", "POST"),
        ("/oauth2/revoke", "POST"),
        ("/oauth2/par", "POST"),
        ("/oauth2/register", "POST"),
        ("/oauth2/tokeninfo", "GET, HEAD"),
        ("/.well-known/oauth-authorization-server", "GET, HEAD"),
        ("/.well-known/oauth-protected-resource", "GET, HEAD"),
    ] {
        let answer = preflight(&gateway, path, EVIL, "POST").send();
        assert_eq!(answer.expect(204).field("access-control-allow-origin"), "*", "{path}");
        assert_eq!(answer.field("access-control-allow-methods"), methods);
        assert!(answer.field("access-control-allow-headers").contains("authorization"));
        assert!(!answer.has("access-control-allow-credentials"));
        gateway.request("OPTIONS", path).send().expect(405);
    }
    let form = [("grant_type", "client_credentials"), ("scope", "notes:read")];
    let issued = gateway.post("/oauth2/token").basic(SERVICE).form(&form).field("origin", EVIL).send();
    assert_eq!(issued.expect(200).field("access-control-allow-origin"), "*");
    let refused = gateway.get("/oauth2/tokeninfo").field("origin", EVIL).send();
    assert!(refused.expect(401).field("access-control-expose-headers").contains("www-authenticate"));
    gateway.get("/.well-known/oauth-authorization-server").send().expect(200).field("access-control-allow-origin");
    for path in [
        "/oauth2/authorize",
        "/oauth2/login",
        "/oauth2/consent",
        "/oauth2/account",
        "/oauth2/logout",
        "/oauth2/introspect",
    ] {
        is_closed(preflight(&gateway, path, EVIL, "POST").send().expect(405));
        is_closed(&gateway.get(path).field("origin", EVIL).send());
    }
    upstream.expect_nothing();
}
