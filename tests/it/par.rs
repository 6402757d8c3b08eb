//! Pushed authorization requests (RFC 9126), as the client sees them.

use crate::harness::{ALICE, Browser, Config, Form, Gateway, Response};

const WEBSITE: (&str, &str) = ("website", "website-secret-3Fk7");
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn gateway() -> Gateway {
    Gateway::start(config())
}

fn config() -> Config {
    Config::people().add(&format!(
        "[[clients]]\nid = \"{}\"\nsecret = \"{}\"\ngrants = [\"authorization_code\"]\nscopes = \"notes:read\"\n\
         redirect_uris = [\"https://site.example/cb\"]\npar = \"required\"\n",
        WEBSITE.0, WEBSITE.1
    ))
}

/// The parameters of a good push, less `without`, and `more`.
fn push(gateway: &Gateway, without: &str, more: &[(&str, &str)]) -> Response {
    let all = [
        ("response_type", "code"),
        ("client_id", WEBSITE.0),
        ("redirect_uri", "https://site.example/cb"),
        ("scope", "notes:read"),
        ("state", "xyz"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let mut form: Vec<_> = all.into_iter().filter(|(name, _)| *name != without).collect();
    form.extend_from_slice(more);
    gateway.post("/oauth2/par").basic(WEBSITE).form(&form).send()
}

/// R9126-2.1a, R9126-2.2, R9126-5: taken, and nobody keeps the answer.
#[test]
fn a_pushed_request_gets_a_reference() {
    let gateway = gateway();
    let response = push(&gateway, "", &[]);
    response.expect(201);
    assert!(response.field("cache-control").contains("no-store"));
    assert!(response.field("content-type").starts_with("application/json"));
    let json = response.json();
    let uri = json["request_uri"].as_str().unwrap();
    assert!(uri.strip_prefix("urn:ietf:params:oauth:request_uri:").is_some_and(|random| random.len() >= 32), "{uri}");
    assert_eq!(json["expires_in"].as_u64(), Some(60));
    assert_ne!(push(&gateway, "", &[]).json()["request_uri"], uri);
    let metadata = gateway.get("/.well-known/oauth-authorization-server").send().json();
    assert_eq!(metadata["pushed_authorization_request_endpoint"], format!("{}/oauth2/par", gateway.url()));
    assert_eq!(metadata["require_pushed_authorization_requests"], false);
    assert!(!gateway.output().contains(uri));
}

/// R9126-2.1a, R9126-2.1b, R9126-2.3, R9126-7.
#[test]
fn a_push_that_is_not_right_is_refused() {
    let gateway = gateway();
    push(&gateway, "client_id", &[]).expect_error(400, "invalid_request");
    push(&gateway, "code_challenge", &[]).expect_error(400, "invalid_request");
    push(&gateway, "redirect_uri", &[("redirect_uri", "https://evil.example/cb")]).expect_error(400, "invalid_request");
    push(&gateway, "", &[("request_uri", "urn:ietf:params:oauth:request_uri:x")]).expect_error(400, "invalid_request");
    push(&gateway, "", &[("request", "x.y.z")]).expect_error(400, "request_not_supported");
    push(&gateway, "response_type", &[("response_type", "token")]).expect_error(400, "unsupported_response_type");
    push(&gateway, "scope", &[("scope", "notes:write")]).expect_error(400, "invalid_scope");
    push(&gateway, "", &[("state", "again")]).expect_error(400, "invalid_request");
    let form = [("response_type", "code"), ("client_id", WEBSITE.0)];
    gateway.post("/oauth2/par").form(&form).send().expect_error(401, "invalid_client");
    gateway.post("/oauth2/par").basic((WEBSITE.0, "wrong")).form(&form).send().expect_error(401, "invalid_client");
    let response = gateway.get("/oauth2/par").send();
    response.expect(405);
    assert_eq!(response.field("allow"), "POST");
    push(&gateway, "state", &[("state", &"x".repeat(70_000))]).expect(413);
}

/// R9126-5: for everybody, where the configuration says so.
#[test]
fn the_metadata_says_that_requests_have_to_be_pushed() {
    let gateway = Gateway::start(config().set("oauth.par", "\"required\""));
    let metadata = gateway.get("/.well-known/oauth-authorization-server").send().json();
    assert_eq!(metadata["require_pushed_authorization_requests"], true);
    push(&gateway, "", &[]).expect(201);
}

/// R9126-4b: to refuse is a decision, and an error is an answer: a request is good for one of them.
#[test]
fn a_refusal_and_an_error_use_a_reference_up() {
    let gateway = gateway();
    let pushed = |more: &[(&str, &str)]| {
        let uri = push(&gateway, "", more).json()["request_uri"].as_str().unwrap().to_owned();
        format!("/oauth2/authorize?client_id={}&request_uri={uri}", WEBSITE.0)
    };
    let browser = Browser::new(&gateway);
    let address = pushed(&[]);
    let page = browser.sign_in(&browser.get(&address), ALICE);
    Form::to(&browser.get(&address), "/oauth2/consent");
    let form = Form::to(&page, "/oauth2/consent");
    let refused = browser.submit(&form, &[("decision", "deny")]);
    assert!(refused.expect(303).field("location").contains("error=access_denied"));
    browser.get(&address).expect(400);
    browser.submit(&form, &[("decision", "allow")]).expect(400);

    let silent = pushed(&[("prompt", "none")]);
    let stranger = Browser::new(&gateway);
    assert!(stranger.get(&silent).expect(302).field("location").contains("error=login_required"));
    stranger.get(&silent).expect(400);
}
