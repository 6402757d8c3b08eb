//! What a route needs and what a client sees when it may not pass.

use crate::harness::{ALICE, BOB, Config, Gateway, Response, Upstream, notes};

/// PX-12: by method; HEAD needs what GET needs.
#[test]
fn scopes_are_chosen_by_route_and_method() {
    let (upstream, gateway) = notes();
    let (read, write) = (gateway.token("notes:read"), gateway.token("notes:write"));
    for (method, token, status) in [
        ("GET", &read, 200),
        ("HEAD", &read, 200),
        ("POST", &read, 403),
        ("DELETE", &read, 403),
        ("GET", &write, 403),
        ("HEAD", &write, 403),
        ("POST", &write, 200),
        ("DELETE", &write, 403),
    ] {
        let response = gateway.request(method, "/notes/1").bearer(token).send();
        assert_eq!(response.status, status, "{method}\n{response:?}");
    }
    assert_eq!(upstream.requests().len(), 3);
}

/// `any`: one of the alternatives, each of them whole.
#[test]
fn one_of_the_alternatives_must_be_held_whole() {
    let (upstream, gateway) = notes();
    for (scope, status) in [
        ("notes:write notes:delete", 200),
        ("notes:admin", 200),
        ("notes:write", 403),
        ("notes:delete", 403),
        ("notes:read notes:delete", 403),
        ("notes:read notes:write notes:delete", 200),
    ] {
        let response = gateway.request("DELETE", "/notes/1").bearer(&gateway.token(scope)).send();
        assert_eq!(response.status, status, "{scope}\n{response:?}");
    }
    assert_eq!(upstream.requests().len(), 3);
}

/// R6750-3.1b: the challenge names the alternative that lacks least, in full.
#[test]
fn the_challenge_names_the_alternative_that_lacks_least() {
    let (_upstream, gateway) = notes();
    let response = gateway.request("DELETE", "/notes/1").bearer(&gateway.token("notes:write")).send();
    response.expect_error(403, "insufficient_scope");
    let challenge = response.challenge();
    assert_eq!(challenge.get("error"), Some("insufficient_scope"));
    let scope = challenge.get("scope").unwrap();
    assert!(["notes:write notes:delete", "notes:delete notes:write"].contains(&scope), "{scope}");
}

/// A scope implies others, and never the reverse.
#[test]
fn a_scope_implies_others() {
    let (_upstream, gateway) = notes();
    let admin = gateway.token("notes:admin");
    gateway.get("/notes/1").bearer(&admin).send().expect(200);
    gateway.post("/notes/1").bearer(&admin).send().expect(200);
    let all_but = gateway.token("notes:read notes:write notes:delete");
    gateway.get("/admin/x").bearer(&all_but).send().expect(403);
}

/// A path parameter in a scope: the right shelf opens, no other, in no spelling.
#[test]
fn a_path_parameter_may_stand_in_a_scope() {
    let (upstream, gateway) = notes();
    let token = gateway.token("shelf:42");
    for target in ["/shelves/42", "/shelves/42/books", "/shelves/%34%32/books", "/shelves/4%32/"] {
        gateway.get(target).bearer(&token).send().expect(200);
        assert_eq!(upstream.last().target, target);
    }
    upstream.forget();
    for target in
        ["/shelves/43", "/shelves/4", "/shelves/420/x", "/shelves/42%20", "/shelves/{id}", "/shelves/%7Bid%7D"]
    {
        let response = gateway.get(target).bearer(&token).send();
        assert!(matches!(response.status, 400 | 403), "{target}\n{response:?}");
    }
    let response = gateway.get("/shelves/43/x").bearer(&token).send();
    assert_eq!(response.challenge().get("scope"), Some("shelf:43"));
    assert!(upstream.requests().is_empty());
}

/// Any valid token, but a valid one.
#[test]
fn an_authenticated_route_wants_any_valid_token() {
    let (upstream, gateway) = notes();
    gateway.get("/any/x").send().expect(401);
    gateway.get("/any/x").bearer("tga_nonsense").send().expect_error(401, "invalid_token");
    upstream.expect_nothing();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        gateway.request(method, "/any/x").bearer(&gateway.token("shelf:42")).send().expect(200);
        assert_eq!(upstream.last().method, method);
    }
}

/// R6749-3.3c, hazard 37: what a resource owner cannot grant is not there.
#[test]
fn a_resource_owners_limits_hold() {
    let (_upstream, gateway) = notes();
    let (alice, bob) = (gateway.login(ALICE), gateway.login(BOB));
    gateway.post("/notes/1").bearer(&alice.access).send().expect(200);
    assert_eq!(bob.scope, "notes:read");
    gateway.get("/notes/1").bearer(&bob.access).send().expect(200);
    gateway.post("/notes/1").bearer(&bob.access).send().expect(403);
}

fn carries_no_store(response: &Response) {
    assert!(response.field("cache-control").contains("no-store"), "{response:?}");
    assert!(response.has("x-request-id") && response.has("date"), "{response:?}");
}

/// R6750-3a, R6750-3b, R9728-5.1a, PX-8.
#[test]
fn without_a_token_the_challenge_says_how_to_get_one_and_no_error() {
    let (upstream, gateway) = notes();
    let response = gateway.get("/notes/1").send();
    response.expect(401);
    let challenge = response.challenge();
    assert_eq!(challenge.scheme, "Bearer");
    assert_eq!(challenge.get("realm"), Some("notes"));
    assert_eq!(challenge.get("scope"), Some("notes:read"));
    let metadata = format!("{}/.well-known/oauth-protected-resource", gateway.url());
    assert_eq!(challenge.get("resource_metadata"), Some(metadata.as_str()));
    for name in ["error", "error_description", "error_uri"] {
        assert_eq!(challenge.get(name), None);
    }
    carries_no_store(&response);
    assert!(response.json().is_object());
    upstream.expect_nothing();
}

/// R6750-3.1a: unknown, forged, malformed values, refresh tokens and secrets are one answer.
#[test]
fn every_invalid_token_gets_the_same_answer() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("oauth.access_token_ttl", r#""1s""#));
    let expired = gateway.token("notes:read");
    let tokens = gateway.login(ALICE);
    let revoked = gateway.token("notes:read");
    gateway.post("/oauth2/revoke").basic(crate::harness::SERVICE).form(&[("token", &revoked)]).send().expect(200);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let forged = format!("{}AAAAAAAA", &expired[..47]);
    let (cut, longer) = (&expired[..54], format!("{expired}x"));
    let mut answers = Vec::new();
    for token in [
        &expired,
        &revoked,
        &forged,
        cut,
        &longer,
        &tokens.refresh,
        "tga_",
        "x",
        "eyJhbGciOiJub25lIn0.e30.",
        "mF_9.B5f-4.1JqM",
    ] {
        let response = gateway.get("/notes/1").bearer(token).send();
        response.expect_error(401, "invalid_token");
        assert_eq!(response.challenge().get("error"), Some("invalid_token"));
        assert_eq!(response.challenge().get("realm"), Some("notes"));
        carries_no_store(&response);
        answers.push((response.challenge(), response.text()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    upstream.expect_nothing();
}

/// R6750-3.1b, R9728-5.1b, PX-8.
#[test]
fn a_missing_scope_is_403_and_names_what_the_route_needs() {
    let (upstream, gateway) = notes();
    let response = gateway.post("/notes/1").bearer(&gateway.token("notes:read")).send();
    response.expect_error(403, "insufficient_scope");
    assert_eq!(response.challenge().get("error"), Some("insufficient_scope"));
    assert_eq!(response.challenge().get("scope"), Some("notes:write"));
    carries_no_store(&response);
    upstream.expect_nothing();
}

/// PX-8: HEAD gets the same fields and no body.
#[test]
fn refusals_of_head_have_no_body() {
    let (_upstream, gateway) = notes();
    let mut connection = gateway.connect();
    let response = gateway.request("HEAD", "/notes/1").send_on(&mut connection);
    response.expect(401);
    assert!(response.has("www-authenticate"));
    // the next response begins where this one ends
    gateway.get("/public/x").send_on(&mut connection).expect(200);
}

/// PX-2, H-405: before any look at the token.
#[test]
fn no_route_is_404_and_another_method_405_whatever_the_token() {
    let (upstream, gateway) = notes();
    let admin = gateway.token("notes:admin");
    for token in [None, Some(admin.as_str()), Some("tga_forged")] {
        let sent = |method: &str, target: &str| match token {
            Some(token) => gateway.request(method, target).bearer(token).send(),
            None => gateway.request(method, target).send(),
        };
        let missing = sent("GET", "/nowhere");
        missing.expect(404);
        assert!(missing.json()["error"].is_string());
        let other = sent("PUT", "/notes/1");
        other.expect(405);
        let allow: Vec<&str> = other.field("allow").split(',').map(str::trim).collect();
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            assert!(allow.contains(&method), "{method} in {allow:?}");
        }
        assert!(!allow.contains(&"PUT"));
    }
    upstream.expect_nothing();
}

/// The same path may stand in several routes with disjoint methods.
#[test]
fn routes_may_share_a_path_with_disjoint_methods() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).add(
        r#"
[[routes]]
name = "look"
path = "/shared/{id}"
upstream = "notes"
scopes = { GET = "notes:read" }

[[routes]]
name = "change"
path = "/shared/{id}"
upstream = "notes"
scopes = { PUT = "notes:write", PATCH = "notes:write" }
"#,
    ));
    let token = gateway.token("notes:read");
    gateway.get("/shared/1").bearer(&token).send().expect(200);
    gateway.request("PUT", "/shared/1").bearer(&token).send().expect(403);
    let allow = gateway.request("DELETE", "/shared/1").send();
    allow.expect(405);
    for method in ["GET", "HEAD", "PUT", "PATCH"] {
        assert!(allow.field("allow").contains(method), "{allow:?}");
    }
}

/// `"*"` is every other method.
#[test]
fn a_star_is_every_other_method() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).add(
        r#"
[[routes]]
path = "/rest/{*rest}"
upstream = "notes"
scopes = { GET = "notes:read", "*" = "notes:write" }
"#,
    ));
    let (read, write) = (gateway.token("notes:read"), gateway.token("notes:write"));
    for method in ["PUT", "PATCH", "DELETE", "MKCOL", "OPTIONS"] {
        gateway.request(method, "/rest/1").bearer(&read).send().expect(403);
        gateway.request(method, "/rest/1").bearer(&write).send().expect(200);
    }
    gateway.request("HEAD", "/rest/1").bearer(&write).send().expect(403);
}

/// Hazard 27: facts are cached, never decisions; order does not matter.
#[test]
fn a_decision_on_one_route_says_nothing_about_another() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    for _ in 0..3 {
        gateway.get("/notes/1").bearer(&token).send().expect(200);
        gateway.get("/admin/1").bearer(&token).send().expect(403);
        gateway.post("/notes/1").bearer(&token).send().expect(403);
        gateway.get("/any/1").bearer(&token).send().expect(200);
    }
    assert_eq!(upstream.requests().len(), 6);
}

/// `report_only`: everything passes, and the log says what would have been refused.
#[test]
fn report_only_lets_everything_pass_and_logs_the_refusal() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).add(
        r#"
[[routes]]
name = "trial"
path = "/trial/{*rest}"
upstream = "notes"
scopes = "notes:admin"
report_only = true
"#,
    ));
    let token = gateway.token("notes:read");
    for (request, reason) in [
        (gateway.get("/trial/x"), "no_token"),
        (gateway.get("/trial/x").bearer("tga_forged"), "forged"),
        (gateway.get("/trial/x").bearer(&token), "insufficient_scope"),
    ] {
        let response = request.send();
        response.expect(200);
        assert!(!upstream.last().holds("tga_"));
        let event = gateway.event(&response);
        assert_eq!(event["reason"], reason, "{event}");
        assert!(event["verdict"].as_str().unwrap().contains("would"), "{event}");
    }
}
