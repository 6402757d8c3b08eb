//! Resource owners of the store: what they get, and that it ends with them.

use super::{START, Stage, call, word};
use crate::oauth::token::{Origin, TokenDigest};
use crate::people::directory::{Directory, NewUser};
use crate::secret::Secret;
use std::sync::Arc;

const CAROL: &str = "grant_type=password&client_id=cli&username=carol&password=pw";

impl Stage {
    fn directory(&self) -> Directory {
        Directory::new(Arc::clone(&self.users), self.store.clone())
    }
}

async fn stage() -> Stage {
    let stage = Stage::new().await;
    let carol =
        NewUser { name: "Carol".to_owned(), password: Secret::new("pw"), scopes: Some("read".parse().unwrap()) };
    stage.directory().add(carol, START).await.unwrap();
    stage
}

/// R6749-4.3b, R6749-4.3c, R9700-4.15
#[tokio::test]
async fn a_user_of_the_store_gets_tokens_that_say_so_within_its_scopes() {
    let stage = stage().await;
    let issued = stage.token(&call(CAROL)).await.unwrap();
    assert_eq!(issued.scope(), "read");
    let digest = TokenDigest::of(issued.access_token().reveal().as_bytes());
    let record = stage.store.access_token(&digest, START).await.unwrap().unwrap();
    assert_eq!((record.subject.as_deref(), record.subject_origin), (Some("Carol"), Origin::Store));
    let wrong = stage.token(&call(&CAROL.replace("=pw", "=no"))).await;
    assert_eq!(word(&wrong), "invalid_grant");
}

/// Hazards, line 35
#[tokio::test]
async fn a_grant_of_a_user_who_is_disabled_or_removed_is_over() {
    for removed in [false, true] {
        let stage = stage().await;
        let issued = stage.token(&call(CAROL)).await.unwrap();
        let refresh = issued.refresh_token().unwrap().reveal();
        let again = format!("grant_type=refresh_token&client_id=cli&refresh_token={refresh}");
        let rotated = stage.token(&call(&again)).await.unwrap();
        let digest = TokenDigest::of(rotated.access_token().reveal().as_bytes());
        let record = stage.store.access_token(&digest, START).await.unwrap().unwrap();
        assert_eq!((record.subject.as_deref(), record.subject_origin), (Some("Carol"), Origin::Store));
        if removed {
            stage.directory().remove("carol", START).await.unwrap();
        } else {
            stage.directory().disable("carol", START).await.unwrap();
        }
        assert!(stage.store.access_token(&digest, START).await.unwrap().is_none());
        let refresh = rotated.refresh_token().unwrap().reveal();
        let again = format!("grant_type=refresh_token&client_id=cli&refresh_token={refresh}");
        assert_eq!(word(&stage.token(&call(&again)).await), "invalid_grant");
        assert_eq!(word(&stage.token(&call(CAROL)).await), "invalid_grant");
    }
}

/// Hazards, line 35: the password was right, then the user was removed, then the token would be stored.
#[tokio::test]
async fn no_token_lands_behind_the_removal_of_its_user() {
    let stage = stage().await;
    for client in ["cli", "kiosk"] {
        let call = call(CAROL);
        let mut request = call.request();
        request.params = crate::oauth::params::Params::parse(
            CAROL.replace("=cli", &format!("={client}")).leak().as_bytes(),
            &crate::oauth::request::REPEATABLE,
        )
        .unwrap();
        let granted = stage.issuer.grant(&request).await.unwrap();
        stage.directory().disable("carol", START).await.unwrap();
        let minted = stage.issuer.mint(granted, START).await;
        assert_eq!(word(&minted), "invalid_grant");
        let listed = stage.store.list(&crate::store::Filter::default(), None, 10, START).await.unwrap();
        assert!(listed.is_empty(), "{listed:?}");
        stage.directory().enable("carol", START).await.unwrap();
    }
}

/// R9700-4.15
#[tokio::test]
async fn a_token_of_the_store_is_not_one_of_whoever_is_configured_under_the_name() {
    let before = stage().await;
    let issued = before.token(&call(CAROL)).await.unwrap();
    let mut users = super::users();
    users[1].name = "carol".to_owned();
    let after = Stage::over(before.store.clone(), super::settings(), super::clients(), users);
    let form = format!("token={}", issued.access_token().reveal());
    for (stage, active) in [(&before, true), (&after, false)] {
        let answer = stage.issuer.introspect(&call(&form).basic("billing:b-secret").request()).await.unwrap();
        assert_eq!(matches!(answer, crate::issue::Introspection::Active(_)), active);
    }
    let refresh = issued.refresh_token().unwrap().reveal();
    let again = format!("grant_type=refresh_token&client_id=cli&refresh_token={refresh}");
    assert_eq!(word(&after.token(&call(&again)).await), "invalid_grant");
    assert_eq!(word(&before.token(&call(&again)).await), "ok");
}
