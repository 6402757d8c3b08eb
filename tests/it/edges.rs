//! What a route knows of its upstream: its credential, its refusals, how it reads paths.

use crate::harness::{ALICE, Command, Config, Gateway, Upstream, eventually, notes};

/// PX-5, PX-3: the upstream gets the gateway's own credential, in the place of the client's, and nobody else sees it.
#[test]
fn a_route_has_a_credential_of_its_own_for_the_upstream() {
    let upstream = Upstream::start();
    let route = r#"
[[routes]]
path = "/own/{*rest}"
scopes = "notes:read"
upstream = "notes"
upstream_authorization = "file:credential"

[[routes]]
path = "/open/{*rest}"
access = "public"
upstream = "notes"
upstream_authorization = "file:credential"
"#;
    let config = Config::notes(&upstream).add(route).set("telemetry.log", "\"debug\"");
    let gateway = Gateway::start(Config::notes(&upstream));
    std::fs::write(gateway.path("credential"), "Bearer upstream-secret-4711\n").unwrap();
    gateway.configure(config);
    gateway.signal("HUP");
    eventually("the routes are there", || gateway.get("/open/x").send().status == 200);
    let alice = gateway.login(ALICE).access;
    let response = gateway.get("/own/x").bearer(&alice).send();
    response.expect(200);
    assert_eq!(upstream.last().values("authorization"), ["Bearer upstream-secret-4711"]);
    gateway.get("/own/x").send().expect(401);
    gateway.get("/open/x").field("Authorization", "Basic Y2xpZW50").send().expect(200);
    assert_eq!(upstream.last().values("authorization"), ["Bearer upstream-secret-4711"]);
    gateway.get("/public/x").field("Authorization", "Basic Y2xpZW50").send().expect(200);
    assert_eq!(upstream.last().values("authorization"), ["Basic Y2xpZW50"]);
    assert!(!gateway.output().contains("upstream-secret"), "{}", gateway.output());
    assert!(!response.whole().contains("upstream-secret"));
}

/// PX-5: twice, or in a form that is no field.
#[test]
fn a_credential_for_the_upstream_is_one_value() {
    let (_upstream, gateway) = notes();
    let text = std::fs::read_to_string(gateway.path("gateway.toml")).unwrap();
    for (lines, said) in [
        (
            "upstream_authorization = \"a b\"\nheaders.request.set = { authorization = \"c\" }",
            "`Authorization` is set twice",
        ),
        ("upstream_authorization = \" a\"", "cannot be the value of a field"),
        ("upstream_authorization = \"env:NOBODY_SET_THIS\"", "is not set"),
        ("upstream_401 = \"502\"", "upstream_401"),
    ] {
        let text = text.replacen("[[routes]]", &format!("[[routes]]\n{lines}"), 1);
        Command::new().file("gateway.toml", &text).run(&["check"]).expect(1).says(said);
    }
}

/// PX-16: by default the upstream's 401 and challenge are the client's; a route may make them 502.
#[test]
fn a_refusal_by_the_upstream_is_passed_on_or_a_failure() {
    let upstream = Upstream::answering(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"inner\"\r\nContent-Length: 0\r\n\r\n",
    );
    let route = r#"
[[routes]]
path = "/failing/{*rest}"
access = "public"
upstream = "notes"
upstream_401 = "bad-gateway"
"#;
    let gateway = Gateway::start(Config::notes(&upstream).add(route));
    let passed = gateway.get("/public/x").send();
    assert_eq!(passed.expect(401).values("www-authenticate"), ["Basic realm=\"inner\""]);
    for method in ["GET", "POST"] {
        upstream.forget();
        let failed = gateway.request(method, "/failing/x").send();
        failed.expect_error(502, "bad_gateway");
        assert!(!failed.has("www-authenticate"));
        assert_eq!(upstream.requests().len(), 1, "it is not tried again");
    }
}

/// LIM-425, RFC 8470: what could be played back is safe, or comes again; a trusted front's word reaches the upstream.
#[test]
fn early_data_is_for_safe_methods() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("server.trusted_proxies", r#"["127.0.0.1"]"#));
    gateway.get("/public/x").field("Early-Data", "1").send().expect(200);
    assert_eq!(upstream.last().values("early-data"), ["1"]);
    upstream.forget();
    for method in ["POST", "PUT", "PATCH", "DELETE", "MADE-UP"] {
        let early = gateway.request(method, "/public/x").field("Early-Data", "1").send();
        early.expect_error(425, "too_early");
    }
    gateway.post("/oauth2/token").field("Early-Data", "1").body("grant_type=x").send().expect(425);
    assert!(upstream.requests().is_empty());
    gateway.post("/public/x").send().expect(200);
    let (upstream, gateway) = notes();
    gateway.post("/public/x").field("Early-Data", "1").send().expect(425);
    gateway.get("/public/x").field("Early-Data", "1").send().expect(200);
    assert!(!upstream.last().has("early-data"));
}

/// PATH-13: no spelling that the upstream takes for a protected path goes the way of a broader route.
#[test]
fn an_upstream_without_case_is_protected_in_every_spelling() {
    let upstream = Upstream::start();
    let routes = r#"
[[routes]]
path = "/site/{*rest}"
access = "public"
upstream = "notes"

[[routes]]
path = "/site/secret/{*rest}"
scopes = "notes:read"
upstream = "notes"
case_insensitive_upstream = true
"#;
    let gateway = Gateway::start(Config::notes(&upstream).add(routes));
    let alice = gateway.login(ALICE).access;
    gateway.get("/site/index").send().expect(200);
    for path in
        ["/site/secret/x", "/site/SECRET/x", "/Site/Secret/x", "/site/secret./x", "/site/secret%20/x", "/site/%53ecret"]
    {
        upstream.forget();
        gateway.get(path).send().expect(401);
        assert!(upstream.requests().is_empty(), "{path}");
        gateway.get(path).bearer(&alice).send().expect(200);
        assert_eq!(upstream.last().target, path, "forwarded as it was sent");
    }
}
