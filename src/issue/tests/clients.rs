//! Client authentication and the limit on guessing.

use super::{ALICE, Call, Stage, call, word};
use crate::issue::{Order, OrderError};
use crate::oauth::client::RegistrationId;
use crate::store::ClientRecord;

const SELF: &str = "grant_type=client_credentials";

async fn outcome(stage: &Stage, call: Call<'_>) -> &'static str {
    word(&stage.token(&call).await)
}

pub(super) fn stored(id: &str, secret: Option<&str>) -> ClientRecord {
    ClientRecord {
        id: id.into(),
        name: None,
        secrets: secret.map(|secret| super::digest_of(secret).to_string()).into_iter().collect(),
        grants: vec!["client_credentials".into(), "of_the_future".into()],
        redirect_uris: Vec::new(),
        scopes: "read".into(),
        default_scopes: None,
        introspect: false,
        registration: RegistrationId::generate().unwrap(),
        created_at: 0,
        disabled: false,
        old_secrets_until: None,
        par_required: false,
        self_registered: None,
        version: 0,
    }
}

/// R6749-2.3.1a, R6749-2.3.1b, TOK-7
#[tokio::test]
async fn a_client_shows_any_of_its_secrets_in_the_header_or_in_the_form() {
    let stage = Stage::new().await;
    for secret in ["old", "r-secret"] {
        assert_eq!(outcome(&stage, call(SELF).basic(&format!("reporter:{secret}"))).await, "ok");
        let form = format!("{SELF}&client_id=reporter&client_secret={secret}");
        assert_eq!(outcome(&stage, call(&form)).await, "ok");
    }
    assert_eq!(outcome(&stage, call(SELF).basic("chosen:my+dog")).await, "ok", "a secret that a person chose");
}

/// D-2
#[tokio::test]
async fn a_client_that_forgets_to_encode_is_understood() {
    let stage = Stage::new().await;
    for halves in ["a%2Fb:p+q", "a/b:p q", "a%2fb:p%20q"] {
        assert_eq!(outcome(&stage, call(SELF).basic(halves)).await, "ok", "{halves}");
    }
    assert_eq!(outcome(&stage, call(SELF).basic("chosen:my dog")).await, "ok");
}

/// D-2: two readings that name two clients.
#[tokio::test]
async fn the_raw_reading_never_names_another_existing_client() {
    let stage = Stage::new().await;
    stage.store.add_client(stored("a%2Fb", Some("raw"))).await.unwrap();
    assert_eq!(outcome(&stage, call(SELF).basic("a%2Fb:raw")).await, "invalid_client");
    assert_eq!(outcome(&stage, call(SELF).basic("a%252Fb:raw")).await, "ok");
}

/// R6749-5.2a, R6749-5.2c, R6749-2.3b, R6749-2.3c
#[tokio::test]
async fn every_failure_to_authenticate_is_the_same_answer() {
    let stage = Stage::new().await;
    for halves in ["reporter:wrong", "nobody:wrong", "reporter:", "app:anything", "chosen:wrong", ":", "cli:"] {
        let refused = stage.token(&call(SELF).basic(halves)).await.unwrap_err();
        assert_eq!(refused.to_string(), "client authentication failed", "{halves}");
    }
    for form in ["", "&client_id=reporter", "&client_id=nobody", "&client_secret=r-secret", "&client_assertion=x"] {
        assert_eq!(outcome(&stage, call(&format!("{SELF}{form}"))).await, "invalid_client", "{form}");
    }
    let form = format!("{SELF}&client_id=app&client_secret=s");
    assert_eq!(outcome(&stage, call(&form).from("192.0.2.2")).await, "invalid_client", "a public client has no secret");
}

/// D-1, R6749-2.3a
#[tokio::test]
async fn two_ways_in_one_request_are_invalid() {
    let stage = Stage::new().await;
    let form = format!("{SELF}&client_secret=r-secret");
    assert_eq!(outcome(&stage, call(&form).basic("reporter:r-secret")).await, "invalid_request");
    let form = format!("{SELF}&client_id=chosen");
    assert_eq!(outcome(&stage, call(&form).basic("reporter:r-secret")).await, "invalid_request");
    let form = format!("{SELF}&client_id=reporter");
    assert_eq!(outcome(&stage, call(&form).basic("reporter:r-secret")).await, "ok");
}

#[tokio::test]
async fn a_client_of_the_store_is_a_client() {
    let stage = Stage::new().await;
    stage.store.add_client(stored("robot", Some("s"))).await.unwrap();
    stage.store.add_client(stored("reporter", Some("s"))).await.unwrap();
    assert_eq!(outcome(&stage, call(SELF).basic("robot:s")).await, "ok");
    assert_eq!(
        outcome(&stage, call(SELF).basic("reporter:s")).await,
        "invalid_client",
        "the configuration's comes first"
    );
    stage.store.remove_client("robot").await.unwrap();
    assert_eq!(outcome(&stage, call(SELF).basic("robot:s")).await, "invalid_client");
    assert_eq!(outcome(&stage, call(SELF).basic(&format!("{}:s", "x".repeat(10_000)))).await, "invalid_client");
}

/// R6749-2.3.1c, TOK-14
#[tokio::test]
async fn guessing_a_secret_is_held_back_for_the_guesser_alone() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        assert_eq!(outcome(&stage, call(SELF).basic("reporter:wrong")).await, "invalid_client");
    }
    assert_eq!(outcome(&stage, call(SELF).basic("reporter:r-secret")).await, "throttled");
    assert_eq!(outcome(&stage, call(SELF).basic("reporter:r-secret").from("192.0.2.2")).await, "ok");
    assert_eq!(outcome(&stage, call(SELF).basic("chosen:my dog")).await, "ok", "another name");
    assert_eq!(outcome(&stage, call(SELF).basic("reporter:r-secret").after(60)).await, "ok");
}

/// TOK-14: names are counted in one spelling, and many names count together.
#[tokio::test]
async fn guessing_a_password_is_held_back_in_every_spelling() {
    let stage = Stage::new().await;
    for name in ["alice", "ALICE", "Alice"] {
        let form = format!("grant_type=password&client_id=cli&username={name}&password=no");
        assert_eq!(outcome(&stage, call(&form)).await, "invalid_grant");
    }
    assert_eq!(outcome(&stage, call(ALICE)).await, "throttled");
    assert_eq!(
        outcome(&stage, call("grant_type=password&client_id=cli").basic("alice:wonder:land")).await,
        "throttled"
    );
    assert_eq!(outcome(&stage, call(ALICE).from("2001:db8::1")).await, "ok");
    for number in 0..27 {
        let form = format!("grant_type=password&client_id=cli&username=user{number}&password=no");
        assert_eq!(outcome(&stage, call(&form)).await, "invalid_grant");
    }
    let other = "grant_type=password&client_id=cli&username=reporter&password=pw";
    assert_eq!(outcome(&stage, call(other)).await, "throttled");
}

/// Attempts made at the same time are no way around the limit.
#[tokio::test]
async fn no_more_guesses_are_answered_at_once_than_one_after_the_other() {
    let stage = Stage::new().await;
    let wrong = "grant_type=password&client_id=cli&username=alice&password=no";
    let attempt = || outcome(&stage, call(wrong));
    let (first, second, third, fourth, fifth) = tokio::join!(attempt(), attempt(), attempt(), attempt(), attempt());
    let outcomes = [first, second, third, fourth, fifth];
    let answered = outcomes.into_iter().filter(|outcome| *outcome == "invalid_grant").count();
    assert_eq!(answered, 3);
    assert_eq!(outcome(&stage, call(ALICE)).await, "throttled");
}

/// A flood of made-up identifiers ends before the store is asked.
#[tokio::test]
async fn made_up_identifiers_are_held_back_too() {
    let stage = Stage::new().await;
    for number in 0..30 {
        let form = format!("{SELF}&client_id=made-up-{number}");
        assert_eq!(outcome(&stage, call(&form)).await, "invalid_client");
    }
    assert_eq!(outcome(&stage, call("grant_type=client_credentials&client_id=another")).await, "throttled");
    assert_eq!(outcome(&stage, call("grant_type=password&client_id=another").basic("x:y")).await, "throttled");
    assert_eq!(outcome(&stage, call("grant_type=client_credentials&client_id=cli")).await, "unauthorized_client");
}

/// TOK-13: a token is asked for, and its client is removed while that is under way.
#[tokio::test]
async fn a_client_that_is_removed_while_it_gets_a_token_gets_none() {
    let stage = Stage::new().await;
    stage.store.add_client(stored("robot", Some("s"))).await.unwrap();
    let asked = call(SELF).basic("robot:s");
    let request = asked.request();
    let granted = stage.issuer.grant(&request).await.unwrap();
    stage.store.remove_client("robot").await.unwrap();
    assert_eq!(word(&stage.issuer.mint(granted, super::START).await), "invalid_client");
    let order = Order { client_id: "robot", subject: None, scope: None, resources: &[], lifetime: None };
    assert!(matches!(stage.issuer.issue_for(order, super::START).await, Err(OrderError::UnknownClient)));
}
