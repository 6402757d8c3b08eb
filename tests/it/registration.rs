//! Clients that register themselves (RFC 7591) and look after their registration (RFC 7592).

use crate::harness::{Config, Gateway, Request, Response, Upstream};
use serde_json::{Value, json};

fn gateway(registration: &str) -> Gateway {
    Gateway::start(config(registration))
}

fn config(registration: &str) -> Config {
    Config::people()
        .set("oauth.registration", &format!("\"{registration}\""))
        .set(r#"scopes."notes:secret""#, r#"{ text = "Read secret notes", restricted = true }"#)
        .set("limits.registrations", "{ max = 5, per = \"1h\" }")
}

fn with_json(request: Request, body: &Value) -> Request {
    request.field("Content-Type", "application/json").body(body.to_string())
}

fn register(gateway: &Gateway, body: &Value) -> Response {
    with_json(gateway.post("/oauth2/register"), body).send()
}

fn app() -> Value {
    json!({ "redirect_uris": ["https://app.example/cb"], "client_name": "An <b>app</b>" })
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("{member} in {value}"))
}

/// The request of a client about its registration.
fn manage(gateway: &Gateway, method: &str, client: &Value) -> Request {
    let target = text(client, "registration_client_uri").strip_prefix(&gateway.url()).unwrap();
    gateway.request(method, target).bearer(text(client, "registration_access_token"))
}

/// R7591-3b: nobody registers unless the configuration says so.
#[test]
fn a_closed_registration_is_not_there() {
    let gateway = gateway("closed");
    register(&gateway, &app()).expect(404);
    gateway.get("/oauth2/register/dyn-1").bearer("tgm_x").send().expect(404);
    let metadata = gateway.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    assert!(metadata.get("registration_endpoint").is_none());
    gateway.cli(&["client", "invite"]).expect(1).says("closed");
}

/// R7591-3.2.1a, R7591-2a, R7591-2c, R7591-5d, R7592-2: the answer says what was registered, defaults included.
#[test]
fn a_client_registers_itself() {
    let gateway = gateway("open");
    let metadata = gateway.get("/.well-known/oauth-authorization-server").send().json();
    assert_eq!(metadata["registration_endpoint"], format!("{}/oauth2/register", gateway.url()));
    let mut body = app();
    body["of_the_future"] = json!({ "a": 1 });
    body["tos_uri"] = "https://app.example/tos".into();
    let response = register(&gateway, &body);
    response.expect(201);
    assert!(response.field("cache-control").contains("no-store"));
    let client = response.json();
    assert_eq!(client["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(client["grant_types"], json!(["authorization_code"]));
    assert_eq!(client["response_types"], json!(["code"]));
    assert_eq!(client["redirect_uris"], body["redirect_uris"]);
    assert_eq!((&client["client_name"], &client["tos_uri"]), (&body["client_name"], &body["tos_uri"]));
    assert!(client["client_id_issued_at"].as_u64().is_some_and(|at| at > 1_700_000_000));
    assert_eq!(client["client_secret_expires_at"], 0);
    assert!(client.get("of_the_future").is_none(), "{client}");
}

/// R7591-5d: it is somebody, but has no more than others gave it.
#[test]
fn a_client_that_registers_itself_gets_nothing_for_itself() {
    let gateway = gateway("open");
    let client = register(&gateway, &app()).expect(201).json();
    let scopes: Vec<&str> = text(&client, "scope").split(' ').collect();
    assert!(scopes.contains(&"notes:read") && !scopes.contains(&"notes:secret"), "{scopes:?}");
    assert!(!scopes.contains(&"tollgate:admin"), "{scopes:?}");
    let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    let other = register(&gateway, &app()).json();
    assert_ne!((id, secret), (text(&other, "client_id"), text(&other, "client_secret")));
    assert!(!id.starts_with("https://"));
    let form = [("grant_type", "client_credentials")];
    gateway.post("/oauth2/token").basic((id, secret)).form(&form).send().expect_error(400, "unauthorized_client");
    let listed = gateway.cli(&["client", "list"]);
    listed.expect(0).says("unverified");
    let everything = format!("{}{}", gateway.output(), listed.all());
    assert!(!everything.contains(secret) && !everything.contains(text(&client, "registration_access_token")));
}

/// R7591-2b, R7591-3.2.1a, R8252-8.4: a public client has no secret; a grant beyond the policy is left out, and the answer shows it.
#[test]
fn a_public_client_gets_no_secret_and_no_other_grants() {
    let gateway = gateway("open");
    let mut body = app();
    body["token_endpoint_auth_method"] = "none".into();
    body["grant_types"] = json!(["authorization_code", "refresh_token", "password", "client_credentials", "implicit"]);
    body["scope"] = "notes:read notes:secret tollgate:admin".into();
    let client = register(&gateway, &body).expect(201).json();
    assert!(client.get("client_secret").is_none() && client.get("client_secret_expires_at").is_none());
    assert_eq!(client["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(client["scope"], "notes:read");
    let form = [("grant_type", "password"), ("username", "alice"), ("password", "correct horse")];
    let form = [&form[..], &[("client_id", text(&client, "client_id"))]].concat();
    gateway.post("/oauth2/token").form(&form).send().expect_error(400, "unauthorized_client");
}

/// R7591-3a, R7591-3.2.2, R7591-2d, R7591-5a, R7591-5c.
#[test]
fn what_cannot_be_registered_is_refused_with_its_reason() {
    let gateway = gateway("open");
    for (member, value, error) in [
        ("redirect_uris", json!(["http://app.example/cb"]), "invalid_redirect_uri"),
        ("redirect_uris", json!(["javascript:alert(1)"]), "invalid_redirect_uri"),
        ("redirect_uris", json!([]), "invalid_redirect_uri"),
        ("redirect_uris", json!("https://app.example/cb"), "invalid_client_metadata"),
        ("response_types", json!(["token"]), "invalid_client_metadata"),
        ("grant_types", json!(["client_credentials"]), "invalid_client_metadata"),
        ("logo_uri", json!("http://app.example/logo.png"), "invalid_client_metadata"),
        ("client_uri", json!("javascript:alert(1)"), "invalid_client_metadata"),
        ("client_name", json!("a\u{202e}b"), "invalid_client_metadata"),
        ("token_endpoint_auth_method", json!("tls_client_auth"), "invalid_client_metadata"),
        ("scope", json!("notes:secret"), "invalid_client_metadata"),
    ] {
        let mut body = app();
        body[member] = value;
        let response = register(&gateway, &body);
        response.expect_error(400, error);
        assert!(response.field("cache-control").contains("no-store"));
    }
    let mut both = app();
    both["jwks"] = json!({ "keys": [] });
    both["jwks_uri"] = "https://app.example/jwks".into();
    register(&gateway, &both).expect_error(400, "invalid_client_metadata");
    register(&gateway, &json!([app()])).expect_error(400, "invalid_client_metadata");
    let form = [("client_name", "x")];
    gateway.post("/oauth2/register").form(&form).send().expect_error(400, "invalid_client_metadata");
    let post = || gateway.post("/oauth2/register").field("Content-Type", "application/json");
    post().body("{").send().expect_error(400, "invalid_client_metadata");
    post().body(format!("{{\"client_name\": \"{}\"}}", "x".repeat(70_000))).send().expect(413);
    let response = gateway.get("/oauth2/register").send();
    response.expect(405);
    assert_eq!(response.field("allow"), "POST");
}

/// R7591-3b: with an initial access token, so often and so long as the operator said.
#[test]
fn whom_the_operator_invites_registers() {
    let gateway = gateway("token");
    let response = register(&gateway, &app());
    response.expect(401);
    assert_eq!((response.challenge().scheme.as_str(), response.challenge().get("error")), ("Bearer", None));
    let with = |token: &str| with_json(gateway.post("/oauth2/register").bearer(token), &app()).send();
    let wrong = with("tgi_0000");
    wrong.expect(401);
    assert_eq!(wrong.challenge().get("error"), Some("invalid_token"));
    with(&gateway.token("notes:read")).expect(401);
    let invited = gateway.cli(&["client", "invite", "--uses", "2", "--ttl", "1h"]);
    let token = invited.expect(0).stdout.trim();
    assert!(token.starts_with("tgi_"), "{token}");
    with(token).expect(201);
    with(token).expect(201);
    with(token).expect(401);
    let json = gateway.cli(&["client", "invite", "--json"]);
    let json: Value = serde_json::from_str(&json.expect(0).stdout).unwrap();
    assert_eq!(json["uses"], 1);
    with(text(&json, "token")).expect(201);
    gateway.cli(&["client", "invite", "--uses", "0"]).expect(1);
    assert!(!gateway.output().contains(token));
}

/// R7591-5e: registrations are limited in rate.
#[test]
fn too_many_registrations_have_to_wait() {
    let gateway = gateway("open");
    for _ in 0..5 {
        register(&gateway, &app()).expect(201);
    }
    let response = register(&gateway, &app());
    response.expect(429);
    assert!(response.field("retry-after").parse::<u64>().is_ok_and(|wait| (1..=3600).contains(&wait)));
}

/// R7591-5e: and in number; R7591-5e, design section 5: an unused one ends, and is no client then.
#[test]
fn registrations_are_bounded_and_end_unused() {
    let gateway =
        Gateway::start(config("open").set("limits.registered_clients", "2").set("oauth.registration_ttl", "\"1s\""));
    let client = register(&gateway, &app()).expect(201).json();
    register(&gateway, &app()).expect(201);
    register(&gateway, &app()).expect(429);
    let credentials = (text(&client, "client_id"), text(&client, "client_secret"));
    crate::harness::eventually("the registration ends", || {
        let form = [("grant_type", "client_credentials")];
        let response = gateway.post("/oauth2/token").basic(credentials).form(&form).send();
        response.status == 401 && response.json()["error"] == "invalid_client"
    });
    manage(&gateway, "GET", &client).send().expect(401);
}

/// R7592-2.1, R7592-2.2, R7592-2.3: looked at, changed, ended.
#[test]
fn a_client_manages_its_registration() {
    let gateway = gateway("open");
    let client = register(&gateway, &app()).expect(201).json();
    let id = text(&client, "client_id");
    let shown = manage(&gateway, "GET", &client).send();
    shown.expect(200);
    assert!(shown.field("cache-control").contains("no-store"));
    let shown = shown.json();
    for member in ["client_id", "redirect_uris", "client_name", "registration_access_token", "registration_client_uri"]
    {
        assert_eq!(shown[member], client[member], "{member}");
    }
    assert!(shown.get("client_secret").is_none(), "only its digest is known");

    let put = |body: &Value| with_json(manage(&gateway, "PUT", &client), body).send();
    let mut body = app();
    put(&body).expect_error(400, "invalid_client_metadata");
    body["client_id"] = id.into();
    body["redirect_uris"] = json!(["https://app.example/other"]);
    body["client_secret"] = client["client_secret"].clone();
    let changed = put(&body).expect(200).json();
    assert_eq!(changed["redirect_uris"], body["redirect_uris"]);
    assert_eq!(changed["client_secret"], client["client_secret"]);
    for (member, value) in [
        ("client_secret", json!("wrong")),
        ("client_id", json!("other")),
        ("registration_access_token", json!("x")),
        ("registration_client_uri", json!("x")),
        ("client_secret_expires_at", json!(0)),
        ("client_id_issued_at", json!(0)),
    ] {
        let mut wrong = body.clone();
        wrong[member] = value;
        put(&wrong).expect_error(400, "invalid_client_metadata");
    }

    let target = format!("/oauth2/register/{id}");
    gateway.get(&target).send().expect(401);
    let other = register(&gateway, &app()).json();
    let wrong = gateway.get(&target).bearer(text(&other, "registration_access_token")).send();
    wrong.expect(401);
    assert_eq!(wrong.challenge().get("error"), Some("invalid_token"));
    let unknown = gateway.get("/oauth2/register/dyn-0").bearer(text(&client, "registration_access_token")).send();
    unknown.expect(401);
    let patch = manage(&gateway, "PATCH", &client).send();
    patch.expect(405);
    assert_eq!(patch.field("allow"), "DELETE, GET, HEAD, PUT");

    manage(&gateway, "DELETE", &client).send().expect(204);
    manage(&gateway, "GET", &client).send().expect(401);
    manage(&gateway, "DELETE", &client).send().expect(401);
    gateway.cli(&["client", "show", id]).expect(1).says("no such client");
    let form = [("grant_type", "client_credentials")];
    let credentials = (id, text(&client, "client_secret"));
    gateway.post("/oauth2/token").basic(credentials).form(&form).send().expect_error(401, "invalid_client");
}

/// R7592-2.1: a client that an operator has disabled may not look.
#[test]
fn a_disabled_client_is_told_so_and_nothing_else() {
    let gateway = gateway("open");
    let client = register(&gateway, &app()).expect(201).json();
    gateway.cli(&["client", "disable", text(&client, "client_id")]).expect(0);
    for method in ["GET", "DELETE"] {
        manage(&gateway, method, &client).send().expect(403);
    }
    gateway.cli(&["client", "enable", text(&client, "client_id")]).expect(0);
    manage(&gateway, "GET", &client).send().expect(200);
}

/// R7591-5b: none of its tokens ever reaches an upstream.
#[test]
fn registration_tokens_stay_out_of_upstreams() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("oauth.registration", "\"open\""));
    let client = register(&gateway, &app()).expect(201).json();
    let token = text(&client, "registration_access_token");
    gateway.get(&format!("/public/x?access_token={token}")).bearer(token).send();
    assert!(!upstream.requests().iter().any(|request| format!("{request:?}").contains(token)));
}
