//! The decision alone, for other proxies that forward by themselves.

use crate::harness::{ALICE, BOB, Config, Gateway, Response, Upstream};

/// What both decisions (this one, and Envoy's) are asked about: methods and targets of every kind of route, and targets that
/// seem to be somewhere else.
pub(crate) const DESCRIBED: &[(&str, &str)] = &[
    ("GET", "/notes/1"),
    ("HEAD", "/notes/1"),
    ("POST", "/notes/1"),
    ("DELETE", "/notes/1"),
    ("PATCH", "/notes/1"),
    ("OPTIONS", "/notes/1"),
    ("TRACE", "/notes/1"),
    ("DELETE", "/admin/x"),
    ("GET", "/notes"),
    ("GET", "/public/x"),
    ("GET", "/nowhere"),
    ("GET", "/public/../notes/1"),
    ("GET", "/public/%2e%2e/notes"),
    ("GET", "//notes/1"),
    ("GET", "/notes/1?x=/public/"),
    ("GET", "/public/x?y=/../notes"),
    ("GET", "/%6eotes/1"),
    ("GET", "/notes#/public/x"),
];

fn asked(gateway: &Gateway, method: &str, uri: &str, fields: &[(&str, &str)]) -> Response {
    let mut request = gateway.get("/oauth2/auth").field("X-Original-Method", method).field("X-Original-URI", uri);
    for (name, value) in fields {
        request = request.field(name, value);
    }
    request.send()
}

fn deciding(upstream: &Upstream) -> Gateway {
    Gateway::start(Config::notes(upstream).set("server.trusted_proxies", r#"["127.0.0.1"]"#))
}

/// PX-20: every way to describe a request gives the verdict that forwarding it gives.
#[test]
fn the_decision_is_that_of_the_proxy() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let (alice, bob) = (gateway.login(ALICE).access, gateway.login(BOB).access);
    for &(method, path) in DESCRIBED.iter().chain(&[("GET", "*")]) {
        for token in [None, Some("x"), Some(&*alice), Some(&*bob)] {
            let bearer = token.map(|token| format!("Bearer {token}"));
            let mut direct = gateway.request(method, path);
            let mut fields = Vec::new();
            if let Some(bearer) = &bearer {
                direct = direct.field("Authorization", bearer);
                fields.push(("Authorization", bearer.as_str()));
            }
            let (direct, decided) = (direct.send(), asked(&gateway, method, path, &fields));
            let expected = match direct.status {
                200..300 => 200,
                401 => 401,
                _ => 403,
            };
            assert_eq!(decided.status, expected, "{method} {path} {token:?}: {direct:?}\n{decided:?}");
            assert_eq!(decided.values("www-authenticate"), direct.values("www-authenticate"), "{method} {path}");
            assert!(decided.has("x-request-id"));
            assert_eq!(decided.field("cache-control"), "no-store");
        }
    }
}

/// PX-6, hazard 14: what the other proxy hands on is what an upstream of ours would see, and what is not
/// known is not there.
#[test]
fn a_permit_says_who_asks() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let tokens = gateway.login(ALICE);
    let bearer = format!("Bearer {}", tokens.access);
    let spoofed = [("Authorization", bearer.as_str()), ("X-Auth-Subject", "root"), ("X-Auth-Scope", "all")];
    let decided = asked(&gateway, "GET", "/notes/1", &spoofed);
    decided.expect(200);
    assert_eq!(decided.values("x-auth-subject"), ["alice"]);
    assert_eq!(decided.values("x-auth-scope").len(), 1);
    assert!(!decided.field("x-auth-scope").contains("all"));
    let service = format!("Bearer {}", gateway.token("notes:read"));
    let decided = asked(&gateway, "GET", "/notes/1", &[("Authorization", &service), ("X-Auth-Subject", "root")]);
    decided.expect(200);
    assert!(!decided.has("x-auth-subject") && decided.has("x-auth-client"));
    let public = asked(&gateway, "GET", "/public/x", &[("X-Auth-Subject", "root")]);
    public.expect(200);
    assert!(!public.has("x-auth-subject"));
    upstream.expect_nothing();
}

/// Each proxy has names of its own; the query is searched for a token as it would be.
#[test]
fn traefik_caddy_and_ingress_describe_in_their_own_words() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let token = gateway.login(ALICE).access;
    let ask = |fields: &[(&str, &str)]| {
        fields.iter().fold(gateway.post("/oauth2/auth"), |request, (name, value)| request.field(name, value)).send()
    };
    let uri = format!("/notes/1?access_token={token}&a=b");
    ask(&[("X-Forwarded-Method", "GET"), ("X-Forwarded-Host", "api.example"), ("X-Forwarded-Uri", &uri)]).expect(200);
    let url = format!("https://api.example{uri}");
    ask(&[("X-Original-Method", "GET"), ("X-Original-URL", &url)]).expect(200);
    ask(&[("X-Original-Method", "GET"), ("X-Original-URL", "https://api.example/notes/1")]).expect(401);
}

/// PX-20, hazard 16: fields that disagree are the client's doing.
#[test]
fn a_description_that_contradicts_itself_is_bad() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let bearer = format!("Bearer {}", gateway.login(ALICE).access);
    for (name, value) in [
        ("X-Forwarded-Uri", "/public/x"),
        ("X-Forwarded-Method", "POST"),
        ("X-Original-URL", "http://a.example/public/x"),
        ("X-Original-URI", "/notes/1"),
        ("X-Original-Method", "GET"),
    ] {
        asked(&gateway, "GET", "/notes/1", &[("Authorization", &bearer), (name, value)])
            .expect_error(400, "invalid_request");
    }
    let method_less = gateway.get("/oauth2/auth").field("X-Original-URI", "/public/x").send();
    method_less.expect_error(400, "invalid_request");
    assert!(method_less.json()["error_description"].as_str().unwrap().contains("X-Original-Method"));
    gateway.get("/oauth2/auth").field("X-Original-Method", "GET").send().expect(400);
}

/// PX-20: nobody else may ask, whatever it says of itself.
#[test]
fn an_untrusted_peer_gets_no_decision() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream));
    for path in ["/public/x", "/notes/1"] {
        let fields = [("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=127.0.0.1")];
        asked(&gateway, "GET", path, &fields).expect_error(403, "access_denied");
    }
}

/// The gateway's own endpoints are nobody else's to forward.
#[test]
fn the_gateways_own_endpoints_are_not_decided_on() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    for path in ["/oauth2/token", "/oauth2/auth", "/.well-known/oauth-authorization-server", "/oauth2/%61uth"] {
        asked(&gateway, "GET", path, &[]).expect(403);
    }
}

/// The log is about the request that was decided on.
#[test]
fn the_log_names_the_described_request_without_its_query() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let token = gateway.login(ALICE).access;
    let decided = asked(&gateway, "DELETE", &format!("/notes/7?access_token={token}"), &[]);
    let event = gateway.event(&decided);
    assert_eq!((event["method"].as_str(), event["path"].as_str()), (Some("DELETE"), Some("/notes/7")), "{event}");
    assert!(!gateway.output().contains(&token));
}

/// LIM-414, H-line-1: a description is read as strictly as a request.
#[test]
fn a_description_is_bounded_and_cannot_be_split() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let long = format!("/public/{}", "a".repeat(17 * 1024));
    asked(&gateway, "GET", &long, &[]).expect(403);
    for (method, uri) in [
        ("GET", "/public/x HTTP/1.1"),
        ("GET /public/x HTTP/1.1", "/notes/1"),
        ("GET", "public/x"),
        ("CONNECT", "a.example:443"),
        ("GET", "http://"),
        ("GET\t", "/public/\tx"),
    ] {
        let decided = asked(&gateway, method, uri, &[]);
        assert_eq!(decided.status, 403, "{method} {uri}: {decided:?}");
    }
}

/// PX-20, hazard 16: a client that sends its target as a URL does not choose the host that is decided on.
#[test]
fn a_host_in_the_target_does_not_replace_the_host_that_the_proxy_names() {
    let upstream = Upstream::start();
    let open = "[[routes]]\nname = \"open\"\nhost = \"open.example\"\npath = \"/{*rest}\"\naccess = \"public\"\nupstream = \"notes\"\n";
    let config = Config::notes(&upstream).set("server.trusted_proxies", r#"["127.0.0.1"]"#).add(open);
    let gateway = Gateway::start(config);
    asked(&gateway, "GET", "/notes/1", &[("X-Forwarded-Host", "open.example")]).expect(200);
    asked(&gateway, "GET", "/notes/1", &[("X-Forwarded-Host", "api.example")]).expect(401);
    for target in ["http://open.example/notes/1", "HTTPS://open.example/notes/1"] {
        asked(&gateway, "GET", target, &[("X-Forwarded-Host", "api.example")]).expect_error(400, "invalid_request");
        asked(&gateway, "GET", target, &[("X-Forwarded-Host", "open.example")]).expect(200);
    }
}

/// LIM-425: what could be a replay is not permitted where it changes something.
#[test]
fn what_came_in_early_data_is_decided_on_as_it_would_be_forwarded() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    for (method, status) in [("GET", 200), ("POST", 403)] {
        let direct = gateway.request(method, "/public/x").field("Early-Data", "1").send();
        assert_eq!(direct.status == 425, status == 403, "{direct:?}");
        asked(&gateway, method, "/public/x", &[("Early-Data", "1")]).expect(status);
        asked(&gateway, method, "/public/x", &[]).expect(gateway.request(method, "/public/x").send().status);
    }
}

/// PX-10, PX-20: the preflight of a page that may not call the route reaches nobody.
#[test]
fn a_preflight_of_an_origin_that_is_not_named_is_refused() {
    let upstream = Upstream::start();
    let config = Config::notes(&upstream).set("server.trusted_proxies", r#"["127.0.0.1"]"#);
    let cors = "name = \"notes\"\ncors = { origins = [\"https://app.example\"] }\n";
    let gateway = Gateway::start(config.replace("name = \"notes\"\n", cors));
    for (origin, direct, decided) in
        [("https://app.example", 204, 200), ("https://evil.example", 403, 403), ("null", 403, 403)]
    {
        let preflight = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
        let request = gateway.request("OPTIONS", "/notes/1");
        preflight.iter().fold(request, |request, (name, value)| request.field(name, value)).send().expect(direct);
        let answer = asked(&gateway, "OPTIONS", "/notes/1", &preflight);
        answer.expect(decided);
        assert_eq!(answer.has("access-control-allow-origin"), decided == 200, "{answer:?}");
        assert!(answer.has("vary"), "{answer:?}");
    }
    upstream.expect_nothing();
}
