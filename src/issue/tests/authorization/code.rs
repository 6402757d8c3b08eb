//! How codes are redeemed: once, by their client, with everything they are bound to.

use super::{alice, native, server, web};
use crate::issue::tests::{Call, START, Stage, call, clients, scope, settings, users, word};
use crate::issue::{IssueError, IssuedToken};
use crate::oauth::pkce::tests::{CHALLENGE, VERIFIER};
use crate::oauth::token::{GrantId, TokenDigest};
use crate::people::directory::{Directory, NewUser};
use crate::secret::Secret;
use crate::store::Filter;
use std::task::Poll;
use std::time::Duration;

fn redeem(client: &str, code: &str) -> String {
    format!("grant_type=authorization_code&client_id={client}&code={code}&code_verifier={VERIFIER}")
}

async fn live(stage: &Stage) -> usize {
    stage.store.list(&Filter::default(), None, 1000, START).await.unwrap().len()
}

async fn grant_of(stage: &Stage, issued: &IssuedToken) -> Option<GrantId> {
    let digest = TokenDigest::of(issued.access_token().reveal().as_bytes());
    stage.store.access_token(&digest, START).await.unwrap().and_then(|record| record.grant)
}

async fn outcome(stage: &Stage, call: Call<'_>) -> &'static str {
    word(&stage.token(&call).await)
}

/// R6749-4.1.2a, R6749-4.1.2c, R8707-2b
#[tokio::test]
async fn a_code_gives_what_was_allowed() {
    let stage = Stage::new().await;
    let code = stage.allowed(&web("&resource=https://gate.example"), "write").await;
    let issued = stage.token(&call(&redeem("web", &code))).await.unwrap();
    assert_eq!((issued.scope(), issued.expires_in()), ("write", 3600));
    let digest = TokenDigest::of(issued.access_token().reveal().as_bytes());
    let record = stage.store.access_token(&digest, START).await.unwrap().unwrap();
    assert_eq!((record.client_id.as_str(), record.subject.as_deref()), ("web", Some("alice")));
    assert_eq!(record.audience, ["https://gate.example"]);
    let refresh = issued.refresh_token().unwrap().reveal();
    let form = format!("grant_type=refresh_token&client_id=web&refresh_token={refresh}");
    assert_eq!(stage.token(&call(&form)).await.unwrap().scope(), "write", "the consent's, not the client's");
    let code = stage.allowed(&native("&scope=read"), "read").await;
    let issued = stage.token(&call(&redeem("native", &code))).await.unwrap();
    assert!(issued.refresh_token().is_none(), "not registered for refreshing");
}

/// R6749-4.1.2b
#[tokio::test]
async fn a_code_that_waited_too_long_is_worth_nothing() {
    let stage = Stage::new().await;
    let code = stage.allowed(&web("&scope=read"), "read").await;
    assert_eq!(outcome(&stage, call(&redeem("web", &code)).after(60)).await, "invalid_grant");
    let code = stage.allowed(&web("&scope=read"), "read").await;
    assert_eq!(outcome(&stage, call(&redeem("web", &code)).after(59)).await, "ok");
}

/// R6749-4.1.2c, R6749-4.1.3a, R6749-4.1.3b, R7636-4.6a, R7636-4.6b, D-5: and what others try does not burn it.
#[tokio::test]
async fn a_code_is_good_for_its_client_its_redirect_uri_and_its_verifier_alone() {
    let stage = Stage::new().await;
    let uri = "https%3A%2F%2Fweb.example%2Fcb%3Ftenant%3D1";
    let code = stage.allowed(&web(&format!("&scope=read&redirect_uri={uri}")), "read").await;
    let right = redeem("web", &code);
    for (form, expected) in [
        (redeem("native", &code), "invalid_grant"),
        (right.replace(VERIFIER, CHALLENGE), "invalid_grant"),
        (right.replace(VERIFIER, "short"), "invalid_grant"),
        (right.replace(&format!("&code_verifier={VERIFIER}"), ""), "invalid_grant"),
        (format!("{right}&redirect_uri=https://web.example/cb"), "invalid_grant"),
        (format!("{right}&resource=https://other.example"), "invalid_target"),
        (right.replace(&code, "x"), "invalid_grant"),
        (right.replace("tgc_", "tga_"), "invalid_grant"),
        (right.replace(&format!("code={code}&"), ""), "invalid_request"),
    ] {
        assert_eq!(outcome(&stage, call(&form)).await, expected, "{form}");
    }
    assert_eq!(outcome(&stage, call(&right).basic("server:s-secret")).await, "invalid_request", "two clients");
    let other = right.replace("client_id=web&", "");
    assert_eq!(outcome(&stage, call(&other).basic("server:s-secret")).await, "invalid_grant");
    assert_eq!(outcome(&stage, call(&format!("{right}&redirect_uri={uri}"))).await, "ok");
    assert_eq!(live(&stage).await, 1);
}

/// D-4, R7636-D
#[tokio::test]
async fn without_a_challenge_the_redirect_uri_has_to_be_named_again() {
    let stage = Stage::new().await;
    let form = |code: &str, more: &str| format!("grant_type=authorization_code&code={code}{more}");
    let uri = "&redirect_uri=https://server.example/cb";
    let code = stage.allowed(&server("&scope=read"), "read").await;
    let attempt = async |form: String| outcome(&stage, call(&form).basic("server:s-secret")).await;
    assert_eq!(attempt(form(&code, "")).await, "invalid_grant");
    assert_eq!(attempt(form(&code, &format!("{uri}&code_verifier={VERIFIER}"))).await, "invalid_request");
    assert_eq!(attempt(form(&code, "&redirect_uri=http://localhost/cb")).await, "invalid_grant");
    assert_eq!(outcome(&stage, call(&form(&code, uri)).basic("server:wrong")).await, "invalid_client");
    assert_eq!(attempt(form(&code, uri)).await, "ok");
    let code = stage.allowed(&native("&scope=read"), "read").await;
    assert_eq!(outcome(&stage, call(&redeem("native", &code))).await, "ok", "the challenge binds it");
}

/// R6749-4.1.2d, D-5
#[tokio::test]
async fn a_replay_ends_what_the_code_gave() {
    let stage = Stage::new().await;
    for client in ["web", "native"] {
        let form = if client == "web" { web("&scope=read") } else { native("&scope=read") };
        let code = stage.allowed(&form, "read").await;
        let right = redeem(client, &code);
        let issued = stage.token(&call(&right)).await.unwrap();
        for (form, why) in [
            (right.replace(VERIFIER, CHALLENGE), "a wrong verifier"),
            (redeem(if client == "web" { "native" } else { "web" }, &code), "another client"),
        ] {
            assert_eq!(outcome(&stage, call(&form)).await, "invalid_grant");
            assert!(grant_of(&stage, &issued).await.is_some(), "{why} ends nothing");
        }
        let refresh = issued.refresh_token().map(|token| token.reveal().to_owned());
        // Long after the code itself would have expired.
        assert_eq!(outcome(&stage, call(&right).after(3000)).await, "invalid_grant");
        assert!(grant_of(&stage, &issued).await.is_none());
        let form = format!("grant_type=refresh_token&client_id=web&refresh_token={}", refresh.unwrap_or_default());
        if client == "web" {
            assert_eq!(outcome(&stage, call(&form)).await, "invalid_grant");
        }
        assert_eq!(outcome(&stage, call(&right)).await, "invalid_grant", "and again");
    }
    assert_eq!(live(&stage).await, 0);
}

/// O21-4.1.3, R6749-4.1.2d: one answer has a token, and the others end it.
#[test]
fn of_a_hundred_redemptions_at_the_same_time_one_gives_a_token() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let main = runtime();
    let stage = main.block_on(Stage::new());
    let form = redeem("web", &main.block_on(stage.allowed(&web("&scope=read"), "read")));
    let attempts = async || {
        let attempt = || outcome(&stage, call(&form));
        let mut all: Vec<_> = std::iter::repeat_with(|| Box::pin(attempt())).take(25).collect();
        let mut outcomes = Vec::new();
        std::future::poll_fn(|context| {
            all.retain_mut(|attempt| match attempt.as_mut().poll(context) {
                Poll::Ready(outcome) => {
                    outcomes.push(outcome);
                    false
                }
                Poll::Pending => true,
            });
            if all.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        outcomes
    };
    // Workers have a thread and a runtime each.
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| runtime().block_on(attempts()))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let count = |word| outcomes.iter().filter(|outcome| **outcome == word).count();
    assert_eq!((count("ok"), count("invalid_grant")), (1, 99));
    assert_eq!(main.block_on(live(&stage)), 0, "a replay ends the grant, however early it comes");
}

/// R6749-4.1.2d: the replay is through before there is anything that it could have ended.
#[tokio::test]
async fn a_replay_in_the_middle_of_a_redemption_ends_the_tokens_to_be() {
    let stage = Stage::new().await;
    let code = stage.allowed(&web("&scope=read"), "read").await;
    let form = redeem("web", &code);
    let granted = stage.issuer.grant(&call(&form).request()).await.unwrap();
    assert_eq!(outcome(&stage, call(&form)).await, "invalid_grant");
    let issued = stage.issuer.mint(granted, START).await.unwrap();
    assert_eq!((grant_of(&stage, &issued).await, live(&stage).await), (None, 0));
    let refresh = issued.refresh_token().unwrap().reveal();
    let form = format!("grant_type=refresh_token&client_id=web&refresh_token={refresh}");
    assert_eq!(outcome(&stage, call(&form)).await, "invalid_grant");
}

/// UI-10: taken back before, in the middle of, and after the redemption.
#[tokio::test]
async fn a_code_ends_with_its_consent() {
    let stage = Stage::new().await;
    let subject = alice(&stage).subject();
    let code = async || stage.allowed(&web("&scope=read"), "read").await;
    let before = code().await;
    stage.issuer.take_back(&subject, Some("web"), START).await.unwrap();
    let another = code().await;
    assert_eq!(outcome(&stage, call(&redeem("web", &before))).await, "invalid_grant", "another consent does not help");
    let form = redeem("web", &another);
    let granted = stage.issuer.grant(&call(&form).request()).await.unwrap();
    stage.issuer.take_back(&subject, None, START).await.unwrap();
    let refused = stage.issuer.mint(granted, START).await;
    assert!(matches!(refused, Err(IssueError::InvalidGrant(_))), "{refused:?}");
    assert_eq!(live(&stage).await, 0);
    let issued = stage.token(&call(&redeem("web", &code().await))).await.unwrap();
    stage.issuer.take_back(&subject, Some("web"), START).await.unwrap();
    assert_eq!((grant_of(&stage, &issued).await, live(&stage).await), (None, 0));
}

/// The configuration may have changed since the resource owner allowed something.
#[tokio::test]
async fn a_code_follows_what_client_and_user_have_become() {
    let before = Stage::new().await;
    let code = async || before.allowed(&web("&scope=read+write"), "read write").await;
    let gone = Stage::over(before.store.clone(), settings(), clients(), Vec::new());
    assert_eq!(outcome(&gone, call(&redeem("web", &code().await))).await, "invalid_grant");
    let mut less = users();
    less[0].scopes = Some(scope("read"));
    let less = Stage::over(before.store.clone(), settings(), clients(), less);
    assert_eq!(less.token(&call(&redeem("web", &code().await))).await.unwrap().scope(), "read");
}

/// A user of the store who was disabled since: nothing is given, in the middle of a redemption either.
#[tokio::test]
async fn a_disabled_user_grants_nothing() {
    let stage = Stage::new().await;
    let directory = Directory::new(std::sync::Arc::clone(&stage.users), stage.store.clone());
    let new = NewUser { name: "bob".into(), password: Secret::new("a long password"), scopes: None };
    directory.add(new, START).await.unwrap();
    let now = START.plus(Duration::from_secs(1));
    let (bob, _) = directory.named("bob", now).await.unwrap().unwrap();
    let request = stage.ask(&web("&scope=read")).await.unwrap();
    let code = async || {
        let redirect = stage.issuer.allow(&request, (&bob, now), &scope("read"), now).await.unwrap();
        super::parameters(&redirect)[1].1.clone()
    };
    let (first, second, third) = (code().await, code().await, code().await);
    assert_eq!(outcome(&stage, call(&redeem("web", &first)).after(1)).await, "ok");
    let form = redeem("web", &second);
    let granted = stage.issuer.grant(&call(&form).after(1).request()).await.unwrap();
    directory.disable("bob", now).await.unwrap();
    assert_eq!(word(&stage.issuer.mint(granted, now).await), "invalid_grant");
    assert_eq!(outcome(&stage, call(&redeem("web", &third)).after(1)).await, "invalid_grant");
    assert_eq!(live(&stage).await, 0);
}
