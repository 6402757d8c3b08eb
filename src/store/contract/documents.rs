//! Documents: made once, changed from one version to the next, listed, forgotten.

mod disk;
mod fleet;

use super::*;
use crate::store::{Document, Kind, StoreError};
use std::collections::HashSet;

on_every_backend!(
    a_document_comes_back_as_it_was_put,
    what_a_document_says_stays_out_of_logs,
    kinds_and_identifiers_do_not_meet,
    what_is_absent_is_made_by_one_of_a_hundred,
    one_version_is_changed_by_one_of_a_hundred,
    a_change_from_another_version_changes_nothing,
    what_is_absent_cannot_be_changed,
    an_expired_document_is_absent_everywhere,
    the_place_of_an_expired_document_is_free,
    a_document_that_has_expired_already_is_not_kept,
    a_change_may_prolong_a_life_and_make_it_endless,
    a_document_is_forgotten_whatever_its_version,
    a_version_never_comes_back,
    a_listing_goes_by_prefix_in_order_page_by_page,
    a_listing_begins_where_it_is_told_to,
    a_listing_leaves_out_what_expired_and_what_was_forgotten,
    kinds_without_an_index_list_nothing,
    what_is_not_the_type_asked_for_is_corrupt_and_named,
    a_document_that_is_too_long_is_refused,
    no_document_is_unlisted_after_concurrent_changes,
    listeners_hear_nothing_of_documents,
    a_revocation_of_every_token_ends_no_document,
);

const END: Timestamp = Timestamp::from_secs(1_700_003_600);

async fn put(store: &Store, kind: Kind, id: &str, value: &str, expected: Option<u64>) -> bool {
    store.put(kind, id, (&value, Some(END)), expected, NOW).await.unwrap()
}

/// Makes a document where there is none.
async fn make(store: &Store, kind: Kind, id: &str, value: &str) -> Document<String> {
    assert!(put(store, kind, id, value, None).await, "{kind:?} {id}");
    get(store, kind, id).await.unwrap()
}

/// Writes a user, from a version to another expiry.
async fn change(
    store: &Store,
    id: &str,
    expires: Option<Timestamp>,
    from: Option<&Document<String>>,
    now: Timestamp,
) -> bool {
    store.put(Kind::User, id, (&"changed", expires), from.map(|there| there.version), now).await.unwrap()
}

/// What is said of a user at some moment.
async fn user(store: &Store, id: &str, now: Timestamp) -> Option<Document<String>> {
    store.document(Kind::User, id, now).await.unwrap()
}

async fn get(store: &Store, kind: Kind, id: &str) -> Option<Document<String>> {
    store.document(kind, id, NOW).await.unwrap()
}

async fn ids(store: &Store, kind: Kind, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let found: Vec<(String, Document<String>)> = store.documents(kind, prefix, after, limit, NOW).await.unwrap();
    found.into_iter().map(|(id, _)| id).collect()
}

async fn a_document_comes_back_as_it_was_put(store: &Store) {
    assert_eq!(get(store, Kind::User, "a").await, None);
    let first = make(store, Kind::User, "a", "älice \"x\"\0").await;
    assert_eq!((first.value.as_str(), first.expires), ("älice \"x\"\0", Some(END)));
    assert!(change(store, "a", None, Some(&first), NOW).await);
    let second = get(&store.for_worker(), Kind::User, "a").await.unwrap();
    assert_eq!((second.value.as_str(), second.expires), ("changed", None));
    assert_ne!(second.version, first.version);
}

async fn what_a_document_says_stays_out_of_logs(store: &Store) {
    let there = make(store, Kind::User, "a", "hunter2").await;
    assert!(!format!("{there:?}").contains("hunter2"));
}

async fn kinds_and_identifiers_do_not_meet(store: &Store) {
    let places = [(Kind::User, "of:a"), (Kind::User, "a"), (Kind::UserCode, "a"), (Kind::Session, "of:a")];
    for (kind, id) in places.into_iter().chain([(Kind::SessionOf, "a"), (Kind::SessionOf, ""), (Kind::Session, "")]) {
        assert!(put(store, kind, id, id, None).await, "{kind:?} {id}");
    }
    assert!(store.forget(Kind::User, "a").await.unwrap());
    assert_eq!(get(store, Kind::UserCode, "a").await.unwrap().value, "a");
    assert_eq!(ids(store, Kind::User, "", None, 10).await, ["of:a"]);
    assert_eq!(ids(store, Kind::SessionOf, "", None, 10).await, ["", "a"]);
}

/// How many of a hundred who put at once are told that it was them, and what is there then.
async fn race(store: &Store, expected: Option<u64>) -> (Vec<String>, String) {
    let puts: Vec<_> = (0..100)
        .map(|number| {
            let store = if number % 2 == 0 { store.clone() } else { store.for_worker() };
            tokio::spawn(async move {
                let value = number.to_string();
                put(&store, Kind::AuthorizationCode, "code", &value, expected).await.then_some(value)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for put in puts {
        winners.extend(put.await.unwrap());
    }
    (winners, get(store, Kind::AuthorizationCode, "code").await.unwrap().value)
}

async fn what_is_absent_is_made_by_one_of_a_hundred(store: &Store) {
    let (winners, there) = race(store, None).await;
    assert_eq!(winners, [there]);
}

async fn one_version_is_changed_by_one_of_a_hundred(store: &Store) {
    assert!(put(store, Kind::AuthorizationCode, "code", "fresh", None).await);
    let fresh = get(store, Kind::AuthorizationCode, "code").await.unwrap();
    let (winners, there) = race(store, Some(fresh.version)).await;
    assert_eq!(winners, [there]);
}

async fn a_change_from_another_version_changes_nothing(store: &Store) {
    let there = make(store, Kind::User, "alice", "a").await;
    for expected in [None, Some(there.version ^ 1), Some(0), Some(u64::MAX)] {
        assert!(!put(store, Kind::User, "alice", "x", expected).await, "{expected:?}");
    }
    assert_eq!(get(store, Kind::User, "alice").await, Some(there));
}

async fn what_is_absent_cannot_be_changed(store: &Store) {
    assert!(!put(store, Kind::User, "alice", "x", Some(1)).await);
    assert_eq!(get(store, Kind::User, "alice").await, None);
    assert!(ids(store, Kind::User, "", None, 10).await.is_empty());
}

async fn an_expired_document_is_absent_everywhere(store: &Store) {
    make(store, Kind::User, "a", "old").await;
    let before = Timestamp::from_millis(END.as_millis() - 1);
    assert!(user(store, "a", before).await.is_some());
    assert!(user(store, "a", END).await.is_none());
    assert!(store.documents::<String>(Kind::User, "", None, 10, END).await.unwrap().is_empty());
}

async fn the_place_of_an_expired_document_is_free(store: &Store) {
    let old = make(store, Kind::User, "a", "old").await;
    let (before, late) = (Timestamp::from_millis(END.as_millis() - 1), Some(END.plus(HOUR)));
    assert!(!change(store, "a", late, Some(&old), END).await, "there is nothing to change");
    assert!(!change(store, "a", late, None, before).await, "it is there until then");
    assert!(change(store, "a", late, None, END).await);
    assert_eq!(user(store, "a", END).await.unwrap().value, "changed");
}

async fn a_document_that_has_expired_already_is_not_kept(store: &Store) {
    let there = make(store, Kind::User, "a", "x").await;
    assert!(change(store, "a", Some(NOW), Some(&there), NOW).await);
    let earlier = Timestamp::from_secs(1);
    assert_eq!(user(store, "a", earlier).await, None);
    assert!(store.documents::<String>(Kind::User, "", None, 10, earlier).await.unwrap().is_empty());
}

async fn a_change_may_prolong_a_life_and_make_it_endless(store: &Store) {
    let late = END.plus(1000 * HOUR);
    let there = make(store, Kind::User, "a", "x").await;
    assert!(change(store, "a", Some(late), Some(&there), NOW).await);
    let there = user(store, "a", END).await;
    assert!(change(store, "a", None, there.as_ref(), END).await);
    // Writes of long after have the embedded store purge.
    for id in ["b", "c"] {
        assert!(change(store, id, None, None, late.plus(HOUR)).await);
    }
    assert_eq!(ids(store, Kind::User, "", None, 10).await, ["a", "b", "c"]);
}

async fn a_document_is_forgotten_whatever_its_version(store: &Store) {
    assert!(!store.forget(Kind::User, "a").await.unwrap());
    for value in ["x", "y"] {
        make(store, Kind::User, "a", value).await;
        let forgotten = [store.forget(Kind::User, "a").await.unwrap(), store.forget(Kind::User, "a").await.unwrap()];
        assert_eq!(forgotten, [true, false]);
        assert_eq!(get(store, Kind::User, "a").await, None);
        assert!(ids(store, Kind::User, "", None, 10).await.is_empty());
    }
}

async fn a_version_never_comes_back(store: &Store) {
    let mut versions = HashSet::new();
    for _ in 0..20 {
        assert!(put(store, Kind::Session, "a", "same", None).await);
        let version = get(store, Kind::Session, "a").await.unwrap().version;
        assert!(versions.insert(version));
        store.forget(Kind::Session, "a").await.unwrap();
        assert!(!put(store, Kind::Session, "a", "late", Some(version)).await);
    }
}

async fn a_listing_goes_by_prefix_in_order_page_by_page(store: &Store) {
    let mut wanted: Vec<String> = (0..230).map(|number| format!("alice/{number}")).collect();
    for id in wanted.iter().map(String::as_str).chain(["alic", "alice", "alice0", "älice/1", "bob/1", "alice.1"]) {
        assert!(put(store, Kind::SessionOf, id, id, None).await);
    }
    wanted.sort_unstable();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = ids(store, Kind::SessionOf, "alice/", after.as_deref(), 100).await;
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        listed.extend(page);
    }
    assert_eq!(listed, wanted);
    assert_eq!(ids(store, Kind::SessionOf, "alice/", None, 1000).await, wanted);
}

async fn a_listing_begins_where_it_is_told_to(store: &Store) {
    for id in ["alice/1", "alice/2", "alice0", "bob/1", "älice/1"] {
        make(store, Kind::SessionOf, id, id).await;
    }
    let cases: [(&str, Option<&str>, usize, &[&str]); 6] = [
        ("alice/", None, 0, &[]),
        ("alice/", Some("a"), 1, &["alice/1"]),
        ("alice/", Some("alice/1"), 9, &["alice/2"]),
        ("alice/", Some("b"), 9, &[]),
        ("", Some("alice0"), 9, &["bob/1", "älice/1"]),
        ("", Some("alice/3"), 2, &["alice0", "bob/1"]),
    ];
    for (prefix, after, limit, wanted) in cases {
        assert_eq!(ids(store, Kind::SessionOf, prefix, after, limit).await, wanted, "{prefix} {after:?} {limit}");
    }
}

async fn a_listing_leaves_out_what_expired_and_what_was_forgotten(store: &Store) {
    for number in 0..250 {
        let expires = if number % 2 == 0 { NOW.plus(GRACE) } else { END };
        let id = format!("{number:03}");
        assert!(store.put(Kind::Consent, &id, (&id, Some(expires)), None, NOW).await.unwrap());
    }
    store.forget(Kind::Consent, "001").await.unwrap();
    let listed: Vec<(String, Document<String>)> =
        store.documents(Kind::Consent, "", None, 120, NOW.plus(GRACE)).await.unwrap();
    let wanted: Vec<String> = (1..121).map(|number| format!("{:03}", 2 * number + 1)).collect();
    assert_eq!(listed.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), wanted);
    assert!(listed.iter().all(|(id, document)| *id == document.value && document.expires == Some(END)));
}

async fn kinds_without_an_index_list_nothing(store: &Store) {
    for kind in [Kind::AuthorizationCode, Kind::DeviceCode, Kind::PushedRequest, Kind::Session, Kind::UserCode] {
        assert!(put(store, kind, "a", "x", None).await);
        assert!(ids(store, kind, "", None, 10).await.is_empty(), "{kind:?}");
    }
}

async fn what_is_not_the_type_asked_for_is_corrupt_and_named(store: &Store) {
    assert!(put(store, Kind::User, "alice", "hunter2", None).await);
    let one = store.document::<u64>(Kind::User, "alice", NOW).await.unwrap_err();
    let all = store.documents::<u64>(Kind::User, "", None, 10, NOW).await.unwrap_err();
    for error in [one, all] {
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("a user in ") && !text.contains("hunter2"), "{text}");
    }
    assert!(store.forget(Kind::User, "alice").await.unwrap());
}

async fn a_document_that_is_too_long_is_refused(store: &Store) {
    let longest = "x".repeat(64 * 1024 - 2);
    assert!(put(store, Kind::Session, "a", &longest, None).await);
    assert_eq!(get(store, Kind::Session, "a").await.unwrap().value, longest);
    for (id, value) in [("b", format!("{longest}x")), (&"b".repeat(1025), String::new())] {
        let refused = store.put(Kind::Session, id, (&value, None), None, NOW).await;
        assert!(matches!(refused, Err(StoreError::TooLong("a session"))), "{refused:?}");
    }
    assert_eq!(get(store, Kind::Session, "b").await, None);
}

async fn listeners_hear_nothing_of_documents(store: &Store) {
    let notes = Notes::on(store);
    issue(store, single(1, record("app", Some("alice")))).await;
    make(store, Kind::User, "alice", "x").await;
    store.forget(Kind::User, "alice").await.unwrap();
    make(store, Kind::User, "alice", "x").await;
    assert!(!notes.ended(1) && notes.emptied() == 0);
}

async fn a_revocation_of_every_token_ends_no_document(store: &Store) {
    issue(store, single(1, record("app", Some("alice")))).await;
    make(store, Kind::User, "alice", "x").await;
    assert_eq!(store.revoke_where(&Filter::default()).await.unwrap(), 1);
    assert_eq!(ids(store, Kind::User, "", None, 10).await, ["alice"]);
}

async fn no_document_is_unlisted_after_concurrent_changes(store: &Store) {
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let store = store.for_worker();
            tokio::spawn(async move {
                for round in 0..10 {
                    let id = format!("{number}/{round}");
                    assert!(put(&store, Kind::Consent, &id, "x", None).await);
                    assert!(store.forget(Kind::Consent, &id).await.unwrap());
                    ids(&store, Kind::Consent, "", None, 1000).await;
                    assert!(put(&store, Kind::Consent, &id, "x", None).await);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(ids(store, Kind::Consent, "", None, 1000).await.len(), 80);
}
