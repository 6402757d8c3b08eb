//! Pushed authorization requests: from the client's push to the one decision.

use super::{Stage, call, client, scope, settings, word};
use crate::clock::Timestamp;
use crate::issue::{AuthorizationError, AuthorizationRequest, IssueError, Pushed};
use crate::oauth::client::{Client, GrantType};
use crate::people::users::User;
use std::time::Duration;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const PUSH: &str = "response_type=code&client_id=web&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=read&state=abc\
                    &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

fn app(id: &str, confidential: bool) -> Client {
    let secrets = if confidential { vec![super::digest_of("w-secret")] } else { Vec::new() };
    let redirect_uris = vec!["https://app.example/cb".to_owned()];
    Client { redirect_uris, ..client(id, secrets, &[GrantType::AuthorizationCode], "read write") }
}

fn clients() -> Vec<Client> {
    vec![
        app("web", true),
        app("other", true),
        app("phone", false),
        Client { par_required: true, ..app("strict", true) },
        client("robot", vec![super::digest_of("w-secret")], &[GrantType::ClientCredentials], "read"),
    ]
}

async fn stage() -> Stage {
    Stage::with(settings(), clients(), super::users()).await
}

async fn push(stage: &Stage, form: &str, id: &str) -> Result<Pushed, IssueError> {
    let halves = format!("{id}:w-secret");
    stage.issuer.push(&call(form).basic(&halves).request(), form.as_bytes()).await
}

fn after(secs: u64) -> Timestamp {
    super::START.plus(Duration::from_secs(secs))
}

async fn bring(stage: &Stage, id: &str, uri: &str, secs: u64) -> Result<AuthorizationRequest, AuthorizationError> {
    let query = format!("client_id={id}&request_uri={uri}&scope=write&state=other&redirect_uri=https://evil.example");
    stage.issuer.authorization_request(query.as_bytes(), after(secs)).await
}

async fn decide(stage: &Stage, request: &AuthorizationRequest) -> Result<String, AuthorizationError> {
    let alice: &User = stage.users.get("alice").unwrap();
    let allowed = stage.issuer.allow(request, (alice, super::START), &scope("read"), super::START).await;
    allowed.map(|redirect| redirect.location)
}

fn is_local<T>(outcome: &Result<T, AuthorizationError>) -> bool {
    matches!(outcome, Err(AuthorizationError::Local(_)))
}

/// R9126-2.2, R9126-4a: what was pushed counts, and nothing beside it.
#[tokio::test]
async fn a_reference_stands_for_the_request_that_was_pushed() {
    let stage = stage().await;
    let pushed = push(&stage, PUSH, "web").await.unwrap();
    assert!(pushed.request_uri.starts_with("urn:ietf:params:oauth:request_uri:"));
    assert_eq!(pushed.expires_in, Duration::from_secs(60));
    assert_ne!(push(&stage, PUSH, "web").await.unwrap().request_uri, pushed.request_uri);
    let request = bring(&stage, "web", &pushed.request_uri, 59).await.unwrap();
    assert_eq!((request.scope.as_deref(), request.state.as_deref()), (Some("read"), Some("abc")));
    assert_eq!(request.redirect_uri, "https://app.example/cb");
    assert_eq!(request.code_challenge.as_deref(), Some(CHALLENGE));
    let location = decide(&stage, &request).await.unwrap();
    assert!(location.starts_with("https://app.example/cb?code=tgc_"), "{location}");
}

/// R9126-4a
#[tokio::test]
async fn a_reference_is_its_clients_alone_and_ends() {
    let stage = stage().await;
    let uri = push(&stage, PUSH, "web").await.unwrap().request_uri;
    assert!(is_local(&bring(&stage, "other", &uri, 0).await));
    assert!(is_local(&bring(&stage, "web", &format!("{uri}0"), 0).await));
    assert!(is_local(&bring(&stage, "nobody", &uri, 0).await));
    assert!(is_local(&bring(&stage, "web", &uri, 60).await));
    let uri = push(&stage, PUSH, "web").await.unwrap().request_uri;
    bring(&stage, "web", &uri, 59).await.unwrap();
    assert!(is_local(&bring(&stage, "web", &uri, 60).await), "bringing it does not make it good for longer");
}

/// R9126-4b
#[tokio::test]
async fn a_reference_may_be_brought_again_and_is_good_for_one_decision() {
    let stage = stage().await;
    let uri = push(&stage, PUSH, "web").await.unwrap().request_uri;
    let (first, second) = (bring(&stage, "web", &uri, 0).await.unwrap(), bring(&stage, "web", &uri, 1).await.unwrap());
    decide(&stage, &first).await.unwrap();
    assert!(is_local(&decide(&stage, &second).await));
    assert!(is_local(&decide(&stage, &first).await));
    assert!(is_local(&bring(&stage, "web", &uri, 2).await));
    let uri = push(&stage, PUSH, "web").await.unwrap().request_uri;
    let request = bring(&stage, "web", &uri, 0).await.unwrap();
    let (a, b, c) = tokio::join!(decide(&stage, &request), decide(&stage, &request), decide(&stage, &request));
    assert_eq!([a, b, c].iter().filter(|outcome| outcome.is_ok()).count(), 1);
}

/// R9126-2.1a, R9126-2.1b, R9126-2.3, R9126-7
#[tokio::test]
async fn a_push_is_checked_like_an_authorization_request() {
    let stage = stage().await;
    let with = async |from: &str, to: &str, id: &str| word(&push(&stage, &PUSH.replace(from, to), id).await);
    assert_eq!(with("", "", "web").await, "ok");
    for (from, to, error) in [
        ("client_id=web&", "", "invalid_request"),
        ("client_id=web", "client_id=other", "invalid_request"),
        ("&scope", "&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ax&scope", "invalid_request"),
        ("app.example", "evil.example", "invalid_request"),
        ("response_type=code", "response_type=token", "unsupported_response_type"),
        ("scope=read", "scope=unheard", "invalid_scope"),
        ("&scope", "&request=x.y.z&scope", "request_not_supported"),
        ("code_challenge_method=S256", "code_challenge_method=plain", "invalid_request"),
        ("&state", "&resource=https%3A%2F%2Felsewhere.example&state", "invalid_target"),
    ] {
        assert_eq!(with(from, to, "web").await, error, "{from} -> {to}");
    }
    assert_eq!(with("client_id=web", "client_id=nobody", "nobody").await, "invalid_client");
    let robot = PUSH.replace("client_id=web", "client_id=robot");
    assert_ne!(word(&push(&stage, &robot, "robot").await), "ok");
    let unproved = stage.issuer.push(&call(PUSH).request(), PUSH.as_bytes()).await;
    assert_eq!(word(&unproved), "invalid_client", "a confidential client shows its secret");
}

/// R9126-2.3
#[tokio::test]
async fn what_is_pushed_in_the_name_of_a_public_client_is_limited() {
    let stage = stage().await;
    let form = PUSH.replace("client_id=web", "client_id=phone");
    let attempt =
        async |address: &str| word(&stage.issuer.push(&call(&form).from(address).request(), form.as_bytes()).await);
    for _ in 0..300 {
        assert_eq!(attempt("192.0.2.1").await, "ok");
    }
    assert_eq!(attempt("192.0.2.1").await, "throttled");
    assert_eq!(attempt("192.0.2.2").await, "ok");
}

/// R9126-5
#[tokio::test]
async fn where_a_push_is_demanded_a_plain_request_is_refused() {
    let stage = stage().await;
    let strict = PUSH.replace("client_id=web", "client_id=strict");
    let refused = async |stage: &Stage, query: &str| match stage
        .issuer
        .authorization_request(query.as_bytes(), super::START)
        .await
    {
        Err(AuthorizationError::Redirect(redirect)) => redirect.error.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&stage, &strict).await, "invalid_request");
    assert!(stage.issuer.authorization_request(PUSH.as_bytes(), super::START).await.is_ok());
    let uri = push(&stage, &strict, "strict").await.unwrap().request_uri;
    bring(&stage, "strict", &uri, 0).await.unwrap();
    assert_eq!(stage.issuer.metadata("x")["require_pushed_authorization_requests"], false);
    let all = super::Settings { par_required: true, ..settings() };
    let all = Stage::with(all, clients(), super::users()).await;
    assert_eq!(refused(&all, PUSH).await, "invalid_request");
    assert_eq!(all.issuer.metadata("x")["require_pushed_authorization_requests"], true);
    assert_eq!(all.issuer.metadata("x")["pushed_authorization_request_endpoint"], "x/par");
}

/// R9101-5, R9101-5.2
#[tokio::test]
async fn a_foreign_reference_is_not_fetched() {
    let stage = stage().await;
    let query = format!("{PUSH}&request_uri=https%3A%2F%2Fapp.example%2Frequest");
    match stage.issuer.authorization_request(query.as_bytes(), super::START).await {
        Err(AuthorizationError::Redirect(redirect)) => assert_eq!(redirect.error, Some("request_uri_not_supported")),
        other => panic!("{other:?}"),
    }
}

/// R9126-4b: a refusal is a decision as well.
#[tokio::test]
async fn a_refusal_uses_a_reference_up() {
    let stage = stage().await;
    let uri = push(&stage, PUSH, "web").await.unwrap().request_uri;
    let request = bring(&stage, "web", &uri, 0).await.unwrap();
    let denied = stage.issuer.deny(&request).await.unwrap();
    assert_eq!(denied.error, Some("access_denied"));
    assert!(is_local(&decide(&stage, &request).await));
    assert!(is_local(&bring(&stage, "web", &uri, 1).await));
    let uri = push(&stage, PUSH, "web").await.unwrap().request_uri;
    let request = bring(&stage, "web", &uri, 0).await.unwrap();
    let alice: &User = stage.users.get("alice").unwrap();
    let nothing = crate::oauth::scope::Scope::default();
    let nothing = stage.issuer.allow(&request, (alice, super::START), &nothing, super::START).await;
    assert!(matches!(nothing, Err(AuthorizationError::Redirect(_))));
    assert!(is_local(&decide(&stage, &request).await));
}

/// R9126-2.3: what could never be brought is not kept, and that is not the store's fault.
#[tokio::test]
async fn a_push_that_is_too_long_is_refused() {
    let stage = stage().await;
    for state in ["a".repeat(16 * 1024), "\u{1}".repeat(15 * 1024)] {
        let pushed = push(&stage, &PUSH.replace("abc", &state), "web").await;
        assert!(matches!(pushed, Err(IssueError::TooLong)), "{pushed:?}");
    }
}
