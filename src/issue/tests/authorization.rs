//! What clients may ask of resource owners, and what these answer.

mod access;
mod code;

use super::clients::stored;
use super::{START, Stage, scope, settings, users};
use crate::clock::Timestamp;
use crate::issue::{AuthorizationError, AuthorizationRequest, Redirect};
use crate::oauth::client::GrantType;
use crate::oauth::params::Params;
use crate::oauth::pkce::tests::CHALLENGE;
use crate::oauth::scope::Scope;
use crate::people::users::User;
use crate::store::ClientRecord;
use std::sync::Arc;
use std::time::Duration;

/// A request of the public client `web`, all right.
fn web(more: &str) -> String {
    format!("client_id=web&response_type=code&code_challenge={CHALLENGE}&code_challenge_method=S256{more}")
}

/// A request of the public client `native`, all right.
fn native(more: &str) -> String {
    let uri = "http%3A%2F%2F127.0.0.1%3A51004%2Fcb";
    web(&format!("&redirect_uri={uri}{more}")).replace("client_id=web", "client_id=native")
}

/// A request of the confidential client `server`, which may do without PKCE.
fn server(more: &str) -> String {
    format!("client_id=server&response_type=code&redirect_uri=https://server.example/cb{more}")
}

fn alice(stage: &Stage) -> Arc<User> {
    Arc::clone(stage.users.get("alice").unwrap())
}

fn parameters(redirect: &Redirect) -> Vec<(String, String)> {
    let query = redirect.location.split_once('?').unwrap().1;
    let read = Params::parse(query.as_bytes(), &[]).unwrap();
    let names = ["tenant", "code", "error", "state", "iss"];
    names.iter().filter_map(|name| read.get(name).map(|value| ((*name).to_owned(), value.to_owned()))).collect()
}

/// The `error` of a redirect, or `local`, or `unavailable`.
fn said(error: &AuthorizationError) -> &'static str {
    match error {
        AuthorizationError::Local(_) => "local",
        AuthorizationError::Redirect(redirect) => redirect.error.unwrap(),
        AuthorizationError::Unavailable(_) => "unavailable",
    }
}

impl Stage {
    async fn ask(&self, form: &str) -> Result<AuthorizationRequest, AuthorizationError> {
        self.issuer.authorization_request(form.as_bytes(), START).await
    }

    async fn asked(&self, form: &str) -> &'static str {
        self.ask(form).await.err().as_ref().map_or("ok", said)
    }

    /// Whether alice is asked, after what she decided before.
    async fn is_asked(&self, form: &str) -> bool {
        let request = self.ask(form).await.unwrap();
        self.issuer.question(&request, &alice(self), START).await.unwrap().asked
    }

    async fn allow_at(&self, form: &str, chosen: &Scope, now: Timestamp) -> Result<Redirect, AuthorizationError> {
        let request = self.ask(form).await?;
        self.issuer.allow(&request, (&alice(self), now), chosen, now).await
    }

    /// Alice allows `chosen`: the code.
    async fn allowed(&self, form: &str, chosen: &str) -> String {
        let redirect = self.allow_at(form, &scope(chosen), START).await.unwrap();
        parameters(&redirect).into_iter().find(|(name, _)| name == "code").unwrap().1
    }
}

/// R6749-3.1c, R6749-3.1d, R6749-3.1.2d
#[tokio::test]
async fn a_request_is_read_as_it_was_sent() {
    let stage = Stage::new().await;
    let more = "&state=a%20b%26%00c&scope=read&resource=HTTPS://gate.example/&prompt=login+consent+x&login_hint=al&max_age=60&x=1";
    let request = stage.ask(&web(more)).await.unwrap();
    let expected = AuthorizationRequest {
        client_id: "web".into(),
        redirect_uri: "https://web.example/cb?tenant=1".into(),
        redirect_uri_sent: false,
        scope: Some("read".into()),
        state: Some("a b&\0c".into()),
        code_challenge: Some(CHALLENGE.into()),
        resources: vec!["https://gate.example".into()],
        prompt: Some("login consent".into()),
        login_hint: Some("al".into()),
        max_age: Some(60),
        pushed: None,
    };
    assert_eq!(request, expected);
    let bare = stage.ask(&native("&state=&scope=&prompt=&max_age=")).await.unwrap();
    assert_eq!((bare.state, bare.scope, bare.prompt, bare.max_age), (None, None, None, None));
    assert_eq!((&*bare.redirect_uri, bare.redirect_uri_sent), ("http://127.0.0.1:51004/cb", true));
}

/// R6749-3.1.2c, R6749-3.1.2d, R6749-3.1.2e, R6749-3.1e, R9700-2.1c
#[tokio::test]
async fn who_asks_and_where_the_answer_goes_must_be_known_or_nobody_is_told() {
    let stage = Stage::new().await;
    for form in [
        web("&client_id=web"),
        web("").replace("client_id=web", "client_id="),
        web("").replace("client_id=web", "client_id=nobody"),
        web("").replace("client_id=web", "client_id=%ff"),
        web("&redirect_uri=https://evil.example/cb"),
        web("&redirect_uri=https://web.example/cb"),
        web("&redirect_uri=https://web.example/cb?tenant=1%23f"),
        web("&redirect_uri=https://web.example/cb?tenant=1&redirect_uri=https://web.example/cb?tenant=1"),
        native("").replace("51004", "51004%2F.."),
        native("").replace("127.0.0.1", "127.1"),
        server("").replace("&redirect_uri=https://server.example/cb", ""),
        format!("client_id=app&response_type=code&code_challenge={CHALLENGE}&code_challenge_method=S256"),
        web(&format!("&x={}", "x".repeat(16 * 1024))),
    ] {
        assert_eq!(stage.asked(&form).await, "local", "{form}");
    }
    assert_eq!(stage.asked(&web("&redirect_uri=https://web.example/cb?tenant=1")).await, "ok");
    assert_eq!(stage.asked(&native("")).await, "ok");
}

/// R6749-3.1e, R6749-3.1.1a, R6749-3.1.1b, R6749-4.2, R6749-4.1.2.1b, R6749-4.1.2.1c, R7636-4.2, R7636-4.3a, R7636-4.3b,
/// R7636-4.4.1, R8707-2a, R9101-5
#[tokio::test]
async fn other_errors_are_the_clients_to_know() {
    let stage = Stage::new().await;
    let no_challenge = format!("&code_challenge={CHALLENGE}&code_challenge_method=S256");
    for (form, error) in [
        (web("&state=1&state=1"), "invalid_request"),
        (web("&scope=read&scope=read"), "invalid_request"),
        (web("&response_type=code"), "invalid_request"),
        (web("&state=%ff"), "invalid_request"),
        (web("").replace("response_type=code", ""), "invalid_request"),
        (web("").replace("response_type=code", "response_type=token"), "unsupported_response_type"),
        (web("").replace("response_type=code", "response_type=code+token"), "unsupported_response_type"),
        (web("").replace("response_type=code", "response_type=id_token"), "unsupported_response_type"),
        (web("&response_mode=fragment"), "invalid_request"),
        (web("&response_mode=query"), "ok"),
        (web("").replace("S256", "plain"), "invalid_request"),
        (web("").replace("&code_challenge_method=S256", ""), "invalid_request"),
        (web("").replace(CHALLENGE, &CHALLENGE[1..]), "invalid_request"),
        (web("").replace(&no_challenge, ""), "invalid_request"),
        (server(""), "ok"),
        (server(&no_challenge), "ok"),
        (server("&code_challenge_method=S256"), "invalid_request"),
        (server(&no_challenge.replace("S256", "plain")), "invalid_request"),
        (web("&scope=unheard"), "invalid_scope"),
        (web("&scope=read++write"), "invalid_scope"),
        (native("&scope=other"), "invalid_scope"),
        (web("&resource=https://other.example"), "invalid_target"),
        (web("&resource=https://gate.example&resource=https://gate.example"), "ok"),
        (web("&prompt=none+login"), "invalid_request"),
        (web("&max_age=-1"), "invalid_request"),
        (web("&request=x"), "request_not_supported"),
        (web("&request_uri=https://web.example/r"), "request_uri_not_supported"),
    ] {
        assert_eq!(stage.asked(&form).await, error, "{form}");
    }
    let mut robot = super::client("robot", Vec::new(), &[GrantType::Password], "read");
    robot.redirect_uris = vec!["https://robot.example/cb".into()];
    let stage = Stage::with(settings(), vec![robot], users()).await;
    assert_eq!(stage.asked(&web("").replace("=web", "=robot")).await, "unauthorized_client");
}

/// R6749-4.1.2a, R6749-3.1.2b, R6749-3.1e, R6749-5.2f, R9207-2, D-11, UI-11
#[tokio::test]
async fn an_error_goes_back_with_the_state_and_the_issuer_and_nothing_else_of_the_request() {
    let stage = Stage::new().await;
    let form = web("&scope=%22%0d%0aX&state=%22%0d%0a%c3%a4%00");
    let Err(AuthorizationError::Redirect(redirect)) = stage.ask(&form).await else { panic!() };
    assert!(redirect.location.starts_with("https://web.example/cb?tenant=1&error=invalid_scope&"));
    assert!(!redirect.immediate, "somebody has to sign in first");
    let pairs = parameters(&redirect);
    let expected =
        [("tenant", "1"), ("error", "invalid_scope"), ("state", "\"\r\n\u{e4}\0"), ("iss", "https://gate.example")];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let description = redirect.location.split("error_description=").nth(1).unwrap().split('&').next().unwrap();
    assert!(!description.contains("%22") && !description.contains("%0D") && !description.contains("%5C"));
    let Err(AuthorizationError::Redirect(redirect)) = stage.ask(&web("&state=1&state=1")).await else { panic!() };
    assert!(!redirect.location.contains("state="));
    let Err(AuthorizationError::Redirect(redirect)) = stage.ask(&server("&scope=x")).await else { panic!() };
    assert!(redirect.immediate, "the administrator says so");
}

/// R6749-4.1.2.1a
#[tokio::test]
async fn a_refusal_is_told_to_the_client() {
    let stage = Stage::new().await;
    let request = stage.ask(&web("&state=s")).await.unwrap();
    let redirect = stage.issuer.refused(&request, "access_denied", "the resource owner refused");
    assert_eq!(
        redirect.location,
        "https://web.example/cb?tenant=1&error=access_denied&error_description=the%20resource%20owner%20refused\
         &state=s&iss=https%3A%2F%2Fgate.example"
    );
    assert_eq!(redirect.error, Some("access_denied"));
}

#[tokio::test]
async fn prompts_and_the_age_of_a_sign_in_are_heard() {
    let stage = Stage::new().await;
    let of = async |more: &str| stage.ask(&web(more)).await.unwrap();
    assert!(of("&prompt=none").await.is_silent() && !of("").await.is_silent());
    let later = |secs| START.plus(Duration::from_secs(secs));
    assert!(of("&prompt=login").await.needs_sign_in(START, START));
    assert!(!of("").await.needs_sign_in(START, later(1_000_000)));
    let aged = of("&max_age=60").await;
    assert!(!aged.needs_sign_in(START, later(60)) && aged.needs_sign_in(START, later(61)));
}

/// R6749-3.3c
#[tokio::test]
async fn the_question_is_cut_to_what_the_user_may_grant() {
    let stage = Stage::new().await;
    let question = async |form: &str| {
        let request = stage.ask(form).await.unwrap();
        stage.issuer.question(&request, &alice(&stage), START).await
    };
    assert_eq!(question(&web("")).await.unwrap().scope, scope("read write"), "`other` is beyond alice");
    assert_eq!(question(&web("&scope=write+other")).await.unwrap().scope, scope("write"));
    assert_eq!(said(&question(&web("&scope=other")).await.unwrap_err()), "access_denied");
}

/// The configuration may have changed while somebody looked at a page.
#[tokio::test]
async fn a_client_that_is_gone_or_has_changed_gets_nothing() {
    let before = Stage::new().await;
    let request = before.ask(&web("&scope=write")).await.unwrap();
    let now = |clients| Stage::over(before.store.clone(), settings(), clients, users());
    let outcome = async |stage: &Stage| {
        said(&stage.issuer.allow(&request, (&alice(stage), START), &scope("write"), START).await.unwrap_err())
    };
    assert_eq!(outcome(&now(Vec::new())).await, "local");
    let mut web = super::clients().into_iter().find(|client| client.id == "web").unwrap();
    web.scopes = scope("read");
    assert_eq!(outcome(&now(vec![web.clone()])).await, "invalid_scope");
    web.redirect_uris = vec!["https://web.example/other".into()];
    assert_eq!(outcome(&now(vec![web.clone()])).await, "local");
}

/// R6749-10.2, R8252-8.6
#[tokio::test]
async fn a_consent_is_remembered_where_nobody_else_can_get_the_answer() {
    let stage = Stage::new().await;
    assert!(stage.is_asked(&web("")).await && stage.is_asked(&server("")).await);
    for form in [web("&scope=write"), native("&scope=write"), server("&scope=write")] {
        stage.allowed(&form, "write").await;
    }
    assert!(!stage.is_asked(&web("&scope=write")).await, "https");
    assert!(!stage.is_asked(&web("&scope=read")).await, "write implies read");
    assert!(stage.is_asked(&web("&scope=write&prompt=consent")).await);
    assert!(stage.is_asked(&native("&scope=write")).await, "any program can listen on loopback");
    let scheme = native("&scope=write").replace("http%3A%2F%2F127.0.0.1%3A51004%2Fcb", "com.example.native:/cb");
    assert!(stage.is_asked(&scheme).await, "any app can register a scheme");
    let loopback = server("&scope=write").replace("https://server.example/cb", "http://localhost:9/cb");
    assert!(!stage.is_asked(&loopback).await, "a secret is asked for");
}

#[tokio::test]
async fn what_was_asked_and_not_chosen_is_not_remembered() {
    let stage = Stage::new().await;
    stage.allowed(&web("&scope=read+write"), "read").await;
    assert!(!stage.is_asked(&web("&scope=read")).await && stage.is_asked(&web("&scope=read+write")).await);
    stage.allowed(&web("&scope=write"), "write").await;
    assert!(!stage.is_asked(&web("&scope=read+write")).await, "both were allowed");
    stage.allowed(&web("&prompt=consent"), "read").await;
    assert!(stage.is_asked(&web("&scope=write")).await, "one of them is no longer");
}

/// UI-5
#[tokio::test]
async fn no_more_can_be_allowed_than_was_asked() {
    let stage = Stage::new().await;
    for (form, chosen) in [("&scope=read", "write"), ("&scope=read", "read write"), ("", "other"), ("", "unheard")] {
        let refused = stage.allow_at(&web(form), &scope(chosen), START).await.unwrap_err();
        assert_eq!(said(&refused), "local", "{form} {chosen}");
    }
    let nothing = stage.allow_at(&web(""), &Scope::default(), START).await.unwrap_err();
    assert_eq!(said(&nothing), "access_denied");
    assert!(stage.is_asked(&web("&scope=read")).await, "nothing is remembered of it");
}

/// UI-10
#[tokio::test]
async fn what_was_allowed_is_seen_and_taken_back() {
    let stage = Stage::new().await;
    let subject = alice(&stage).subject();
    stage.allowed(&web("&scope=read"), "read").await;
    let _ = stage.family().await;
    let access = stage.issuer.access_of(&subject, START).await.unwrap();
    let seen: Vec<_> = access.iter().map(|access| (&*access.client_id, access.scope.to_string())).collect();
    assert_eq!(seen, [("cli", "read write".to_owned()), ("web", "read".to_owned())]);
    assert!(access.iter().all(|access| access.since == START && access.until.is_none()));
    stage.issuer.take_back(&subject, Some("web"), START).await.unwrap();
    assert!(stage.is_asked(&web("&scope=read")).await);
    let ids = async || {
        let access = stage.issuer.access_of(&subject, START).await.unwrap();
        access.into_iter().map(|access| access.client_id).collect::<Vec<_>>()
    };
    assert_eq!(ids().await, ["cli"]);
    stage.allowed(&web("&scope=read"), "read").await;
    stage.allowed(&server("&scope=read"), "read").await;
    stage.issuer.take_back(&subject, None, START).await.unwrap();
    assert_eq!(ids().await, [""; 0]);
}

/// A client of the store that is registered anew is another one, whatever it is called.
#[tokio::test]
async fn a_consent_is_not_for_the_next_client_of_that_name() {
    let stage = Stage::new().await;
    let record = || ClientRecord {
        name: Some("Web".into()),
        grants: vec!["authorization_code".into()],
        redirect_uris: vec!["https://web.example/cb".into()],
        ..stored("web2", None)
    };
    stage.store.add_client(record()).await.unwrap();
    let form = web("").replace("=web", "=web2");
    stage.allowed(&form, "read").await;
    assert!(!stage.is_asked(&form).await);
    assert_eq!(stage.issuer.access_of(&alice(&stage).subject(), START).await.unwrap()[0].client_name, "Web");
    stage.store.remove_client("web2").await.unwrap();
    assert_eq!(stage.asked(&form).await, "local");
    stage.store.add_client(record()).await.unwrap();
    assert!(stage.is_asked(&form).await);
}
