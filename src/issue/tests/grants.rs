//! What each grant gives, and refuses.

use super::{ALICE, Stage, call, client, clients, digest_of, scope, settings, users, word};
use crate::oauth::client::GrantType;
use crate::oauth::token::TokenDigest;
use std::time::Duration;

const SELF: &str = "grant_type=client_credentials";

/// R6749-5.1b, R6749-5.1c, R6749-5.1d, R6749-4.4b
#[tokio::test]
async fn a_client_gets_a_token_for_itself() {
    let stage = Stage::new().await;
    let issued = stage.token(&call(SELF).basic("chosen:my dog")).await.unwrap();
    assert_eq!((issued.scope(), issued.expires_in()), ("read write", 3600));
    assert!(issued.refresh_token().is_none(), "never for client credentials");
    let digest = TokenDigest::of(issued.access_token().reveal().as_bytes());
    let record = stage.store.access_token(&digest, super::START).await.unwrap().unwrap();
    assert_eq!((record.client_id.as_str(), record.subject), ("chosen", None));
    assert_eq!(issued.public_id(), digest.public_id());
}

/// R6749-5.2d, R6749-5.2e, R6749-5.2g, R6749-4.4a
#[tokio::test]
async fn a_grant_that_is_not_for_this_client_is_refused() {
    let stage = Stage::new().await;
    for (form, basic, expected) in [
        ("scope=read", Some("reporter:r-secret"), "invalid_request"),
        ("grant_type=implicit", Some("reporter:r-secret"), "unsupported_grant_type"),
        ("grant_type=authorization_code&code=x&client_id=cli", None, "unauthorized_client"),
        ("grant_type=authorization_code&code=x", Some("reporter:r-secret"), "unauthorized_client"),
        ("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer", Some("reporter:r-secret"), "unsupported_grant_type"),
        ("grant_type=client_credentials&client_id=app", None, "unauthorized_client"),
        ("grant_type=client_credentials&client_id=cli", None, "unauthorized_client"),
        ("grant_type=password&username=alice&password=x", Some("reporter:r-secret"), "unauthorized_client"),
        ("grant_type=refresh_token&refresh_token=x", Some("reporter:r-secret"), "unauthorized_client"),
        ("grant_type=refresh_token&client_id=cli", None, "invalid_request"),
    ] {
        let call = super::Call { basic, ..call(form) };
        assert_eq!(word(&stage.token(&call).await), expected, "{form}");
    }
}

/// R6749-5.2e, R9700-2.4
#[tokio::test]
async fn the_password_grant_does_not_exist_where_nobody_is_registered_for_it() {
    let only = client("robot", vec![digest_of("s")], &[GrantType::ClientCredentials], "read");
    let stage = Stage::with(settings(), vec![only], users()).await;
    let form = "grant_type=password&username=alice&password=wonder:land";
    assert_eq!(word(&stage.token(&call(form).basic("robot:s")).await), "unsupported_grant_type");
}

/// R6749-4.3a, R6749-4.3c
#[tokio::test]
async fn a_user_logs_in_through_the_form() {
    let stage = Stage::new().await;
    let issued = stage.token(&call(ALICE)).await.unwrap();
    assert_eq!(issued.scope(), "read write", "`other` is beyond alice");
    assert!(issued.refresh_token().is_some());
    let form = "grant_type=password&username=ALICE&password=wonder:land&scope=read";
    assert_eq!(stage.token(&call(form).basic("portal:p-secret")).await.unwrap().scope(), "read");
    let kiosk = ALICE.replace("=cli", "=kiosk");
    assert!(stage.token(&call(&kiosk)).await.unwrap().refresh_token().is_none(), "not registered for refreshing");
    for form in ["&username=alice", "&password=x", "", "&username=&password=x"] {
        let form = format!("grant_type=password&client_id=cli{form}");
        assert_eq!(word(&stage.token(&call(&form)).await), "invalid_request", "{form}");
    }
}

/// R6749-4.3b
#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_one_answer() {
    let stage = Stage::new().await;
    let mut answers = Vec::new();
    for (name, password) in [("alice", "no"), ("nobody", "no"), ("nobody", "wonder:land")] {
        let form = format!("grant_type=password&client_id=cli&username={name}&password={password}");
        let refused = stage.token(&call(&form)).await;
        assert_eq!(word(&refused), "invalid_grant");
        answers.push(refused.unwrap_err().to_string());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// R6749-4.3d
#[tokio::test]
async fn a_user_logs_in_with_http_basic() {
    let stage = Stage::new().await;
    let form = "grant_type=password&client_id=cli";
    let issued = stage.token(&call(form).basic("alice:wonder:land")).await.unwrap();
    assert_eq!(issued.scope(), "read write");
    for (form, basic, expected) in [
        (form, "alice:no", "invalid_owner"),
        (form, "nobody:no", "invalid_owner"),
        ("grant_type=password&client_id=cli&username=alice", "alice:wonder:land", "invalid_request"),
        ("grant_type=password&client_id=cli&password=x", "alice:wonder:land", "invalid_request"),
        ("grant_type=password&client_id=cli&client_secret=x", "alice:wonder:land", "invalid_request"),
        ("grant_type=password&client_id=app", "alice:wonder:land", "unauthorized_client"),
        ("grant_type=password&client_id=portal", "alice:wonder:land", "invalid_request"),
        ("grant_type=password", "alice:wonder:land", "invalid_client"),
    ] {
        assert_eq!(word(&stage.token(&call(form).basic(basic)).await), expected, "{form} {basic}");
    }
}

/// R6749-3.3a, R6749-3.3c
#[tokio::test]
async fn the_scope_is_the_intersection() {
    let stage = Stage::new().await;
    for (asked, expected) in [
        ("write", Ok("write")),
        ("write+other", Ok("write")),
        ("other", Err("invalid_scope")),
        ("unheard", Err("invalid_scope")),
        ("read++write", Err("invalid_scope")),
        ("re%22ad", Err("invalid_scope")),
        ("", Ok("read write")),
    ] {
        let outcome = stage.token(&call(&format!("{ALICE}&scope={asked}"))).await;
        match expected {
            Ok(scope) => assert_eq!(outcome.unwrap().scope(), scope, "{asked}"),
            Err(error) => assert_eq!(word(&outcome), error, "{asked}"),
        }
    }
}

/// R6749-6b, R6749-6c
#[tokio::test]
async fn a_refresh_narrows_one_token_and_not_the_grant() {
    let stage = Stage::new().await;
    let (refresh, _) = stage.family().await;
    let narrowed = format!("grant_type=refresh_token&client_id=cli&scope=read&refresh_token={refresh}");
    let beyond = narrowed.replace("scope=read", "scope=read+other");
    assert_eq!(word(&stage.token(&call(&beyond)).await), "invalid_scope");
    let issued = stage.token(&call(&narrowed)).await.unwrap();
    assert_eq!(issued.scope(), "read");
    let next = issued.refresh_token().unwrap().reveal();
    let next = format!("grant_type=refresh_token&client_id=cli&refresh_token={next}");
    assert_eq!(stage.token(&call(&next)).await.unwrap().scope(), "read write");
}

/// R6749-6a, R6749-6d
#[tokio::test]
async fn a_refresh_token_is_good_for_its_client_alone() {
    let stage = Stage::new().await;
    let (refresh, access) = stage.family().await;
    let of = |client: &str, token: &str| format!("grant_type=refresh_token&client_id={client}&refresh_token={token}");
    let forged = refresh.replace("tgr_", "tgr_0").split_at(55).0.to_owned();
    for form in [of("rival", &refresh), of("cli", &access), of("cli", "x"), of("cli", &forged)] {
        assert_eq!(word(&stage.token(&call(&form)).await), "invalid_grant", "{form}");
    }
    assert_eq!(word(&stage.token(&call(&of("cli", &refresh)).after(24 * 3600)).await), "invalid_grant", "expired");
    assert_eq!(word(&stage.token(&call(&of("cli", &refresh))).await), "ok", "what others tried has ended nothing");
}

/// TOK-11, R9700-4.14a
#[tokio::test]
async fn reuse_outside_the_grace_ends_the_family() {
    let stage = Stage::new().await;
    let (first, _) = stage.family().await;
    let of = |token: &str| format!("grant_type=refresh_token&client_id=cli&refresh_token={token}");
    let second = stage.token(&call(&of(&first)).after(100)).await.unwrap();
    let second = second.refresh_token().unwrap().reveal();
    assert_eq!(word(&stage.token(&call(&of(&first)).after(111)).await), "invalid_grant");
    assert_eq!(word(&stage.token(&call(&of(second)).after(112)).await), "invalid_grant", "the family is gone");
}

/// TOK-11
#[tokio::test]
async fn inside_the_grace_a_lost_answer_is_replaced() {
    let stage = Stage::new().await;
    let (first, _) = stage.family().await;
    let of = |token: &str| format!("grant_type=refresh_token&client_id=cli&refresh_token={token}");
    let lost = stage.token(&call(&of(&first)).after(100)).await.unwrap();
    let again = stage.token(&call(&of(&first)).after(105)).await.unwrap();
    let (lost, again) = (lost.refresh_token().unwrap().reveal(), again.refresh_token().unwrap().reveal());
    assert_eq!(word(&stage.token(&call(&of(again)).after(106)).await), "ok");
    assert_eq!(word(&stage.token(&call(&of(lost)).after(107)).await), "invalid_grant");
}

/// R9700-4.14a, TOK-8
#[tokio::test]
async fn no_token_outlives_its_grant() {
    let stage = Stage::new().await;
    let (refresh, _) = stage.family().await;
    let form = format!("grant_type=refresh_token&client_id=cli&refresh_token={refresh}");
    let issued = stage.token(&call(&form).after(24 * 3600 - 600)).await.unwrap();
    assert_eq!(issued.expires_in(), 600);
}

/// TOK-13
#[tokio::test]
async fn a_refresh_follows_what_the_configuration_has_become() {
    let before = Stage::new().await;
    let (refresh, _) = before.family().await;
    let form = format!("grant_type=refresh_token&client_id=cli&refresh_token={refresh}");
    let gone = Stage::over(before.store.clone(), settings(), clients(), Vec::new());
    assert_eq!(word(&gone.token(&call(&form)).await), "invalid_grant");
    let mut users = users();
    users[0].scopes = Some(scope("read"));
    let less = Stage::over(before.store.clone(), settings(), clients(), users);
    let form = format!("{form}&scope=read+write");
    assert_eq!(less.token(&call(&form)).await.unwrap().scope(), "read");
}

/// Two tokens are never alike, and a lifetime is what is enforced.
#[tokio::test]
async fn lifetimes_are_rounded_down() {
    let mut settings = settings();
    settings.access_token_ttl = Duration::from_millis(1999);
    let stage = Stage::with(settings, clients(), users()).await;
    let one = stage.token(&call(SELF).basic("reporter:old")).await.unwrap();
    let two = stage.token(&call(SELF).basic("reporter:old")).await.unwrap();
    assert_eq!(one.expires_in(), 1);
    assert_ne!(one.access_token().reveal(), two.access_token().reveal());
}
