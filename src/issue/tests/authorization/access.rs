//! Access as an operator sees and ends it: anybody's, of any client.

use super::super::{ALICE, START, Stage, call, clients, scope, settings, users};
use super::{alice, server, web};
use crate::clock::Timestamp;
use crate::issue::{Access, AccessFilter};
use crate::oauth::token::Origin;
use crate::people::password::tests::quick_hash;
use crate::people::users::{Subject, User};
use crate::store::Kind;
use std::time::Duration;

const PORTAL: &str = "grant_type=password&username=bob&password=pw";

/// A stage with another user, who has let `cli` in by password.
async fn stage() -> Stage {
    let bob = User {
        name: "bob".into(),
        password_hash: quick_hash("pw"),
        scopes: Some(scope("read")),
        origin: Origin::Configuration,
    };
    let stage = Stage::with(settings(), clients(), users().into_iter().chain([bob]).collect()).await;
    stage.token(&call(&format!("{PORTAL}&client_id=cli"))).await.unwrap();
    stage
}

impl Stage {
    async fn meant(&self, filter: AccessFilter<'_>, now: Timestamp) -> Vec<Access> {
        self.issuer.all_access(filter, None, 100, now).await.unwrap()
    }

    /// Who has let which client in, in a fixed order.
    async fn pairs(&self, filter: AccessFilter<'_>, now: Timestamp) -> Vec<String> {
        let line =
            |access: &Access| format!("{} {}", access.spellings.first().map_or("?", String::as_str), access.client_id);
        let mut pairs: Vec<_> = self.meant(filter, now).await.iter().map(line).collect();
        pairs.sort();
        pairs
    }
}

fn of_client(id: &str) -> AccessFilter<'_> {
    AccessFilter { owners: None, client_id: Some(id) }
}

fn of_owner(owner: &Subject) -> AccessFilter<'_> {
    AccessFilter { owners: Some(std::slice::from_ref(owner)), client_id: None }
}

/// UI-10: a consent, a token, a grant whose tokens have expired: each is access; what a client has for
/// itself is not.
#[tokio::test]
async fn access_is_found_whatever_is_left_of_it() {
    let stage = stage().await;
    stage.allowed(&web("&scope=read"), "read").await;
    stage.token(&call(ALICE)).await.unwrap();
    stage.token(&call("grant_type=client_credentials").basic("reporter:r-secret")).await.unwrap();
    let all = AccessFilter::default();
    assert_eq!(stage.pairs(all, START).await, ["alice cli", "alice web", "bob cli"]);
    assert_eq!(stage.pairs(of_client("cli"), START).await, ["alice cli", "bob cli"]);
    assert_eq!(stage.pairs(of_client("web"), START).await, ["alice web"]);
    assert_eq!(stage.pairs(of_owner(&alice(&stage).subject()), START).await, ["alice cli", "alice web"]);
    let shouted = Subject { name: "ALICE".to_owned(), origin: Origin::Configuration };
    assert_eq!(stage.pairs(of_owner(&shouted), START).await, ["alice web"], "tokens have one spelling");
    // The access tokens have expired, the grants have not.
    let later = START.plus(Duration::from_hours(2));
    assert_eq!(stage.pairs(all, later).await, ["alice cli", "alice web", "bob cli"]);
    let seen = stage.issuer.access_of(&alice(&stage).subject(), later).await.unwrap();
    assert_eq!(seen.iter().map(|access| &*access.client_id).collect::<Vec<_>>(), ["cli", "web"]);
    let used = stage.meant(all, START).await.into_iter().map(|access| (access.client_id, access.last_used));
    for (client, last_used) in used {
        assert_eq!(last_used.is_some(), client == "cli");
    }
    let much_later = START.plus(Duration::from_hours(25));
    assert_eq!(stage.pairs(all, much_later).await, ["alice web"]);
}

#[tokio::test]
async fn access_is_read_page_by_page() {
    let stage = stage().await;
    stage.token(&call(ALICE)).await.unwrap();
    for form in [web("&scope=read"), server("&scope=read")] {
        stage.allowed(&form, "read").await;
    }
    let whole: Vec<_> = stage.meant(AccessFilter::default(), START).await.into_iter().map(|one| one.id).collect();
    assert_eq!(whole.len(), 4);
    let (mut paged, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = stage.issuer.all_access(AccessFilter::default(), after.as_deref(), 1, START).await.unwrap();
        let Some(access) = page.into_iter().next() else { break };
        after = Some(access.id.clone());
        paged.push(access.id);
    }
    assert_eq!(paged, whole);
}

/// UI-10, R7009-2.1e: the tokens and the consent end, and nobody else's.
#[tokio::test]
async fn ended_access_is_asked_for_again() {
    let stage = stage().await;
    let (refresh, _) = stage.family().await;
    stage.allowed(&web("&scope=read"), "read").await;
    let mut ended = 0;
    for access in stage.meant(of_owner(&alice(&stage).subject()), START).await {
        ended += stage.issuer.end_access(&access).await.unwrap();
    }
    assert_eq!(ended, 1);
    assert!(stage.is_asked(&web("&scope=read")).await);
    let form = format!("grant_type=refresh_token&client_id=cli&refresh_token={refresh}");
    assert!(stage.token(&call(&form)).await.is_err());
    assert_eq!(stage.pairs(AccessFilter::default(), START).await, ["bob cli"]);
}

/// A reload may spell a name anew: what was issued before is of the same user, and ends with the rest.
#[tokio::test]
async fn a_user_in_two_spellings_is_one() {
    let stage = stage().await;
    let before = stage.issuer.token(&call(ALICE).request()).await.unwrap();
    let shouted = User { name: "Alice".into(), ..users().remove(0) };
    let stage = Stage::over(stage.store.clone(), settings(), clients(), vec![shouted]);
    let _ = stage.token(&call(ALICE)).await.unwrap();
    let owners = ["alice", "Alice"].map(|name| Subject { name: name.to_owned(), origin: Origin::Configuration });
    let filter = AccessFilter { owners: Some(&owners), client_id: None };
    let access = stage.meant(filter, START).await;
    assert_eq!(access.len(), 1);
    assert_eq!(stage.issuer.end_access(&access[0]).await.unwrap(), 2);
    let digest = crate::oauth::token::TokenDigest::of(before.access_token().reveal().as_bytes());
    assert!(stage.store.access_token(&digest, START).await.unwrap().is_none());
}

/// A consent of an earlier version says its owner by a digest alone; it is found and ended all the same.
#[tokio::test]
async fn a_consent_that_does_not_say_whose_it_is_ends_too() {
    let stage = stage().await;
    stage.allowed(&web("&scope=read"), "read").await;
    let owner = alice(&stage).subject();
    let listed = stage.store.documents::<serde_json::Value>(Kind::Consent, "", None, 9, START).await.unwrap();
    let [(id, consent)] = <[_; 1]>::try_from(listed).ok().unwrap();
    let mut value = consent.value;
    assert_eq!(value.as_object_mut().unwrap().remove("subject"), Some("alice".into()));
    assert!(stage.store.put(Kind::Consent, &id, (&value, None), Some(consent.version), START).await.unwrap());
    assert!(!stage.is_asked(&web("&scope=read")).await);
    assert_eq!(stage.pairs(of_owner(&owner), START).await, ["? web"]);
    let access = stage.meant(of_client("web"), START).await;
    assert_eq!(stage.issuer.end_access(&access[0]).await.unwrap(), 0);
    assert!(stage.is_asked(&web("&scope=read")).await);
}
