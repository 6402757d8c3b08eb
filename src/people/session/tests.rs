use super::*;
use crate::people::directory::tests::{START, alice, directory, later, sign_in, stored};
use proptest::prelude::*;

fn sessions(store: &Store) -> Sessions {
    Sessions::new(store.clone(), Settings { ttl: Duration::from_secs(8 * 3600), idle: Duration::from_secs(3600) })
}

/// UI-7
#[tokio::test]
async fn a_session_is_known_by_its_cookie_alone_which_the_store_does_not_have() {
    let directory = directory().await;
    let sessions = sessions(directory.store());
    let owner = sign_in(&directory, "alice", "pw", START).await;
    let (cookie, session) = sessions.begin(&owner, "203.0.113.7 Firefox\n\u{1b}[2J", START).await.unwrap();
    assert_eq!(cookie.reveal().len(), LENGTH);
    assert_eq!(session.device, "203.0.113.7 Firefox[2J");
    assert_eq!((session.since, &session.subject), (START, &alice()));
    assert_eq!(sessions.find(cookie.reveal(), START).await.unwrap(), Some(session.clone()));
    // What a page shows of it does not open it.
    assert_eq!(sessions.find(&session.id, START).await.unwrap(), None);
    assert_ne!(session.id, cookie.reveal());
    let (other, _) = sessions.begin(&owner, "", START).await.unwrap();
    assert_ne!(cookie.reveal(), other.reveal());
}

/// UI-7
#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_in_any_case_after_its_time() {
    let directory = directory().await;
    let sessions = sessions(directory.store());
    let owner = sign_in(&directory, "alice", "pw", START).await;
    let (idle, _) = sessions.begin(&owner, "", START).await.unwrap();
    let (used, _) = sessions.begin(&owner, "", START).await.unwrap();
    for half_hour in 1..16 {
        let seen = sessions.find(used.reveal(), later(half_hour * 1800)).await.unwrap().unwrap().seen;
        assert_eq!(seen, later(half_hour * 1800));
    }
    assert_eq!(sessions.find(idle.reveal(), later(3600)).await.unwrap(), None);
    assert!(sessions.find(used.reveal(), later(8 * 3600 - 1)).await.unwrap().is_some());
    assert_eq!(sessions.find(used.reveal(), later(8 * 3600)).await.unwrap(), None);
    assert!(sessions.of(&alice(), later(8 * 3600)).await.unwrap().is_empty());
}

#[tokio::test]
async fn shorter_times_hold_for_sessions_that_are_under_way() {
    let directory = directory().await;
    let owner = sign_in(&directory, "alice", "pw", START).await;
    let (cookie, _) = sessions(directory.store()).begin(&owner, "", START).await.unwrap();
    let settings = Settings { ttl: Duration::from_secs(60), idle: Duration::from_secs(60) };
    let shorter = Sessions::new(directory.store().clone(), settings);
    assert_eq!(shorter.find(cookie.reveal(), later(60)).await.unwrap(), None);
    assert!(shorter.find(cookie.reveal(), later(59)).await.unwrap().is_some());
}

#[tokio::test]
async fn the_last_request_is_noted_once_a_minute_at_most() {
    let directory = directory().await;
    let sessions = sessions(directory.store());
    let owner = sign_in(&directory, "alice", "pw", START).await;
    let (cookie, session) = sessions.begin(&owner, "", START).await.unwrap();
    let version =
        async || directory.store().document::<Kept>(Kind::Session, &session.id, START).await.unwrap().unwrap().version;
    let first = version().await;
    sessions.find(cookie.reveal(), later(59)).await.unwrap();
    assert_eq!(version().await, first);
    sessions.find(cookie.reveal(), later(60)).await.unwrap();
    assert_ne!(version().await, first);
}

/// UI-7
#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_user_alone() {
    let directory = directory().await;
    let sessions = sessions(directory.store());
    let owner = sign_in(&directory, "alice", "pw", START).await;
    let bob = sign_in(&directory, "bob", "pw", START).await;
    let (first, one) = sessions.begin(&owner, "one", START).await.unwrap();
    let (second, two) = sessions.begin(&owner, "two", START).await.unwrap();
    let (third, _) = sessions.begin(&bob, "bob's", START).await.unwrap();
    let listed: Vec<_> = sessions.of(&alice(), START).await.unwrap().into_iter().map(|session| session.id).collect();
    assert!(listed.len() == 2 && listed.contains(&one.id) && listed.contains(&two.id));
    sessions.end(&bob.user().subject(), &one.id).await.unwrap();
    assert!(sessions.find(first.reveal(), START).await.unwrap().is_some(), "not bob's to end");
    sessions.end(&alice(), &one.id).await.unwrap();
    sessions.end(&alice(), "no identifier").await.unwrap();
    assert_eq!(sessions.find(first.reveal(), START).await.unwrap(), None);
    let (kept, session) = sessions.begin(&owner, "three", START).await.unwrap();
    sessions.end_all(&alice(), Some(&session.id), START).await.unwrap();
    assert_eq!(sessions.find(second.reveal(), START).await.unwrap(), None);
    assert!(sessions.find(kept.reveal(), START).await.unwrap().is_some());
    assert!(sessions.find(third.reveal(), START).await.unwrap().is_some());
}

/// UI-7; hazards, line 35
#[tokio::test]
async fn a_session_that_begins_behind_the_removal_of_its_user_is_none() {
    let directory = directory().await;
    stored(&directory, "carol", "pw").await;
    let sessions = sessions(directory.store());
    let owner = sign_in(&directory, "carol", "pw", START).await;
    let (before, _) = sessions.begin(&owner, "", START).await.unwrap();
    directory.disable("carol", later(1)).await.unwrap();
    let (behind, _) = sessions.begin(&owner, "", later(2)).await.unwrap();
    assert_eq!(sessions.find(before.reveal(), later(2)).await.unwrap(), None);
    assert_eq!(sessions.find(behind.reveal(), later(2)).await.unwrap(), None);
    directory.enable("carol", later(3)).await.unwrap();
    assert_eq!(sessions.find(behind.reveal(), later(3)).await.unwrap(), None);
    let owner = sign_in(&directory, "carol", "pw", later(3)).await;
    let (cookie, _) = sessions.begin(&owner, "", later(3)).await.unwrap();
    assert!(sessions.find(cookie.reveal(), later(3)).await.unwrap().is_some());
}

proptest! {
    #[test]
    fn any_cookie_is_looked_for_or_is_none(cookie in ".*") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sessions = sessions(directory().await.store());
            prop_assert_eq!(sessions.find(&cookie, START).await.unwrap(), None);
            Ok(())
        })?;
    }
}
