//! What a token is (RFC 7662, tokeninfo) and taking it back (RFC 7009).

use crate::harness::{ALICE, BILLING, Config, Gateway, READER, Response, SERVICE, WEB, notes};
use serde_json::json;

fn revoke(gateway: &Gateway, client: (&str, &str), token: &str) -> Response {
    gateway.post("/oauth2/revoke").basic(client).form(&[("token", token)]).send()
}

fn revoke_as_cli(gateway: &Gateway, token: &str) -> Response {
    gateway.post("/oauth2/revoke").form(&[("client_id", "notes-cli"), ("token", token)]).send()
}

/// R7662-2.2a.
#[test]
fn introspection_describes_an_active_token() {
    let gateway = Gateway::start(Config::people());
    let tokens = gateway.login(ALICE);
    let json = gateway.introspect(&tokens.access);
    assert_eq!(json["active"], true);
    assert_eq!(json["client_id"], "notes-cli");
    assert_eq!(json["sub"], "alice");
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["iss"], gateway.url());
    let mut scope: Vec<&str> = json["scope"].as_str().unwrap().split(' ').collect();
    scope.sort_unstable();
    assert_eq!(scope, ["notes:read", "notes:write"]);
    let (exp, iat) = (json["exp"].as_u64().unwrap(), json["iat"].as_u64().unwrap());
    assert!((3599..=3600).contains(&(exp - iat)), "{json}");
    assert!(json["nbf"].is_u64() && json["jti"].is_string(), "{json}");
    assert!(!json.to_string().contains(&tokens.access[4..]));
    let refresh = gateway.introspect(&tokens.refresh);
    assert_eq!(refresh["active"], true);
    assert!(refresh.get("token_type").is_none(), "a refresh token has no type: {refresh}");
}

/// R6749-4.4b: a token without a resource owner has no `sub`.
#[test]
fn a_token_without_a_resource_owner_has_no_sub() {
    let gateway = Gateway::start(Config::people());
    let token = gateway.token("notes:read");
    let json = gateway.introspect(&token);
    assert_eq!(json["client_id"], "service");
    assert!(json.get("sub").is_none() && json.get("username").is_none(), "{json}");
    let info = gateway.get("/oauth2/tokeninfo").bearer(&token).send().expect(200).json();
    assert!(info.get("sub").is_none(), "{info}");
}

/// R7662-2.2b, R7662-4a: nothing but `{"active":false}`.
#[test]
fn whatever_is_not_active_is_only_that() {
    let gateway = Gateway::start(Config::people().set("oauth.access_token_ttl", r#""1s""#));
    let expired = gateway.token("notes:read");
    let revoked = gateway.token("notes:read");
    revoke(&gateway, SERVICE, &revoked).expect(200);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    for token in [expired.as_str(), &revoked, "tga_nonsense", "x", "é", SERVICE.1] {
        assert_eq!(gateway.introspect(token), json!({ "active": false }), "{token}");
    }
}

/// R7662-2.1a to R7662-2.1c, R7662-4b, hazard 36.
#[test]
fn introspection_is_for_those_who_may() {
    let gateway = Gateway::start(Config::people());
    let token = gateway.token("notes:read");
    let ask = |client: (&str, &str)| gateway.post("/oauth2/introspect").basic(client).form(&[("token", &token)]).send();
    let response = ask(BILLING);
    assert!(response.expect(200).field("cache-control").contains("no-store"));
    assert_eq!(ask(SERVICE).expect(200).json()["active"], true, "its own token");
    let other = ask(READER);
    if other.status == 200 {
        assert_eq!(other.json(), json!({ "active": false }), "another client's token");
    } else {
        other.expect_error(403, "unauthorized_client");
    }
    for client in [("nobody", "x"), (BILLING.0, "wrong")] {
        let refused = ask(client);
        refused.expect_error(401, "invalid_client");
        assert_eq!(refused.challenge().scheme, "Basic");
    }
    gateway.post("/oauth2/introspect").form(&[("token", &token)]).send().expect(401);
    gateway.post("/oauth2/introspect").basic(BILLING).form(&[]).send().expect_error(400, "invalid_request");
    let allow = gateway.get("/oauth2/introspect").basic(BILLING).send();
    assert_eq!(allow.expect(405).field("allow"), "POST");
    let hint = [("token", token.as_str()), ("token_type_hint", "refresh_token")];
    let hinted = gateway.post("/oauth2/introspect").basic(BILLING).form(&hint).send();
    assert_eq!(hinted.json()["active"], true, "a wrong hint is only a hint");
}

/// The bearer's own token: `scope` as a list.
#[test]
fn tokeninfo_tells_the_bearer_about_its_token() {
    let gateway = Gateway::start(Config::people());
    let token = gateway.login(ALICE).access;
    let response = gateway.get("/oauth2/tokeninfo").bearer(&token).send();
    assert!(response.expect(200).field("cache-control").contains("no-store"));
    let info = response.json();
    assert_eq!(info["client_id"], "notes-cli");
    assert_eq!(info["sub"], "alice");
    assert_eq!(info["token_type"], "Bearer");
    assert!(info["expires_in"].as_u64().is_some_and(|seconds| seconds <= 3600));
    let mut scope: Vec<&str> = info["scope"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    scope.sort_unstable();
    assert_eq!(scope, ["notes:read", "notes:write"]);
    let none = gateway.get("/oauth2/tokeninfo").send();
    none.expect(401);
    assert_eq!(none.challenge().get("error"), None);
    gateway.get("/oauth2/tokeninfo").bearer("tga_forged").send().expect_error(401, "invalid_token");
}

/// R7009-2.1f, promise 1: once `/revoke` has answered, this node accepts the token no more.
#[test]
fn a_revoked_token_is_refused_at_once() {
    let (_upstream, gateway) = notes();
    for _ in 0..50 {
        let token = gateway.token("notes:read");
        gateway.get("/notes/1").bearer(&token).send().expect(200);
        revoke(&gateway, SERVICE, &token).expect(200);
        gateway.get("/notes/1").bearer(&token).send().expect_error(401, "invalid_token");
    }
}

/// Promise 1 under load: no request that begins after the answer passes.
#[test]
fn a_revoked_token_is_refused_at_once_under_load() {
    let (_upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    let revoked = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = gateway.connect();
                let mut refused = 0;
                while refused < 20 {
                    let before = revoked.load(std::sync::atomic::Ordering::SeqCst);
                    let status = gateway.get("/notes/1").bearer(&token).send_on(&mut connection).status;
                    assert!(status == 401 || !before, "{status} after the revocation was answered");
                    refused += u32::from(status == 401);
                }
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        revoke(&gateway, SERVICE, &token).expect(200);
        revoked.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}

/// R7009-2.1e: an access token ends alone, a refresh token ends the grant.
#[test]
fn revoking_a_refresh_token_ends_the_grant_and_an_access_token_only_itself() {
    let (_upstream, gateway) = notes();
    let first = gateway.login(ALICE);
    revoke_as_cli(&gateway, &first.access).expect(200);
    gateway.get("/notes/1").bearer(&first.access).send().expect(401);
    let second = gateway.refresh(&first.refresh).tokens();
    let third = gateway.refresh(&second.refresh).tokens();
    for tokens in [&second, &third] {
        gateway.get("/notes/1").bearer(&tokens.access).send().expect(200);
    }
    revoke_as_cli(&gateway, &third.refresh).expect(200);
    for tokens in [&second, &third] {
        gateway.get("/notes/1").bearer(&tokens.access).send().expect(401);
    }
    gateway.refresh(&third.refresh).expect_error(400, "invalid_grant");
}

/// R7009-2.2, R7009-2.1c: unknown tokens and hints are no errors; the answers look alike.
#[test]
fn revoking_what_is_not_there_is_a_success() {
    let gateway = Gateway::start(Config::people());
    let token = gateway.token("notes:read");
    let done = revoke(&gateway, SERVICE, &token);
    done.expect(200);
    for unknown in [token.as_str(), "tga_nonsense", "x", "tgr_0"] {
        assert_eq!(revoke(&gateway, SERVICE, unknown).expect(200).body, done.body, "{unknown}");
    }
    let tokens = gateway.login(ALICE);
    for (token, hint) in
        [(&tokens.access, "refresh_token"), (&tokens.refresh, "access_token"), (&tokens.refresh, "magic")]
    {
        let form = [("client_id", "notes-cli"), ("token", token), ("token_type_hint", hint)];
        gateway.post("/oauth2/revoke").form(&form).send().expect(200);
        assert_eq!(gateway.introspect(token)["active"], false, "{hint}");
    }
}

/// R7009-2.1a, R7009-2.1b, R7009-2.1d, R7009-2a.
#[test]
fn revocation_is_for_the_tokens_own_client() {
    let gateway = Gateway::start(Config::people());
    let token = gateway.token("notes:read");
    revoke(&gateway, WEB, &token).expect_error(400, "invalid_grant");
    revoke(&gateway, (SERVICE.0, "wrong"), &token).expect_error(401, "invalid_client");
    gateway.post("/oauth2/revoke").form(&[("token", &token)]).send().expect_error(401, "invalid_client");
    revoke_as_cli(&gateway, &token).expect_error(400, "invalid_grant");
    gateway.post("/oauth2/revoke").basic(SERVICE).form(&[]).send().expect_error(400, "invalid_request");
    let get = gateway.get(&format!("/oauth2/revoke?token={token}&callback=x")).basic(SERVICE).send();
    assert_eq!(get.expect(405).field("allow"), "POST");
    assert_eq!(gateway.introspect(&token)["active"], true);
}
