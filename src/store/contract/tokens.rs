//! Access tokens: stored, found, listed, ended.

use super::*;
use crate::oauth::token::{NotRotated, Token, TokenKind};
use crate::store::StoreError;

on_every_backend!(
    a_record_comes_back_as_it_was_stored,
    /// TOK-8
    a_token_is_not_valid_from_the_moment_it_expires,
    a_clock_that_is_set_back_costs_no_token,
    /// R7009-2.1e
    revoking_an_access_token_ends_that_token_alone,
    /// R7009-2.2
    revoking_what_does_not_exist_says_so,
    listeners_hear_of_a_revocation_before_it_returns,
    /// R7009-2.1f
    listeners_hear_of_a_revocation_that_came_second,
    a_listing_goes_in_the_order_of_digests_page_by_page,
    a_listing_shows_what_the_filter_means,
    a_token_is_found_by_its_public_identifier,
    /// TOK-13
    a_mass_revocation_ends_what_the_filter_means,
    a_revocation_of_everything_leaves_nothing,
    a_name_that_is_empty_means_nobody,
    the_tag_key_is_the_same_for_every_handle,
    /// TOK-16
    keys_are_rotated_without_a_token_becoming_invalid,
    a_hundred_concurrent_issues_are_all_kept,
    a_token_that_is_not_where_its_grant_is_is_refused,
    it_answers_a_ping,
);

async fn a_record_comes_back_as_it_was_stored(store: &Store) {
    let stored = TokenRecord { grant: Some(grant(9)), ..record("app", Some("älice \"x\"")) };
    issue(store, single(1, stored.clone())).await;
    assert_eq!(store.access_token(&digest(1), NOW).await.unwrap(), Some(stored));
    let alone = record("app", None);
    issue(store, single(2, alone.clone())).await;
    assert_eq!(store.access_token(&digest(2), NOW).await.unwrap(), Some(alone));
    assert_eq!(store.access_token(&digest(3), NOW).await.unwrap(), None);
}

async fn a_token_is_not_valid_from_the_moment_it_expires(store: &Store) {
    issue(store, single(1, record("app", None))).await;
    let end = NOW.plus(HOUR);
    let before = Timestamp::from_millis(end.as_millis() - 1);
    assert!(store.access_token(&digest(1), before).await.unwrap().is_some());
    assert!(store.access_token(&digest(1), end).await.unwrap().is_none());
    assert!(store.list(&Filter::default(), None, 10, end).await.unwrap().is_empty());
    assert!(store.find_by_public_id(&digest(1).public_id(), end).await.unwrap().is_none());
}

/// A clock that was wrong for a moment must not decide over tokens that are issued when it is right.
async fn a_clock_that_is_set_back_costs_no_token(store: &Store) {
    let later = NOW.plus(48 * HOUR);
    let late = TokenRecord { issued_at: later, expires_at: later.plus(HOUR), ..record("app", None) };
    issue(store, single(1, late)).await;
    store.access_token(&digest(1), later).await.unwrap();
    issue(store, single(2, record("app", None))).await;
    issue(store, single(3, record("app", None))).await;
    assert!(valid(store, 2).await && valid(store, 3).await);
}

async fn revoking_an_access_token_ends_that_token_alone(store: &Store) {
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    issue(store, single(3, record("app", Some("alice")))).await;
    assert!(store.revoke_access(&digest(1)).await.unwrap());
    assert_eq!(alive(store, 1..=3).await, [2, 3]);
    assert!(store.refresh_is_current(&digest(2), NOW).await.unwrap());
    assert_eq!(store.list(&of_client("app"), None, 10, NOW).await.unwrap().len(), 1);
}

async fn revoking_what_does_not_exist_says_so(store: &Store) {
    assert!(!store.revoke_access(&digest(1)).await.unwrap());
    assert_eq!(store.revoke_grant(grant(1)).await.unwrap(), 0);
    assert_eq!(store.revoke_where(&of_client("nobody")).await.unwrap(), 0);
    assert!(!store.remove_client("nobody").await.unwrap());
}

async fn listeners_hear_of_a_revocation_before_it_returns(store: &Store) {
    let notes = Notes::on(store);
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    issue(store, single(3, record("app", None))).await;
    issue(store, single(4, record("app", None))).await;
    assert_eq!(*notes.issued.lock().unwrap(), [digest(1), digest(3), digest(4)]);
    store.revoke_access(&digest(3)).await.unwrap();
    assert!(notes.ended(3) && !notes.ended(1));
    store.revoke_grant(grant(1)).await.unwrap();
    assert!(notes.ended(1) && !notes.ended(4));
    store.revoke_where(&of_client("app")).await.unwrap();
    assert!(notes.ended(4));
}

/// What another revocation has just removed may still be cached here: whoever answers that it is gone
/// must not accept it afterwards.
async fn listeners_hear_of_a_revocation_that_came_second(store: &Store) {
    let notes = Notes::on(store);
    assert!(!store.revoke_access(&digest(1)).await.unwrap());
    assert!(notes.ended(1));
}

async fn a_listing_goes_in_the_order_of_digests_page_by_page(store: &Store) {
    for number in 0..25 {
        issue(store, single(NEIGHBOURS * number, record("app", None))).await;
    }
    let mut wanted: Vec<TokenDigest> = (0..25).map(|number| digest(NEIGHBOURS * number)).collect();
    wanted.sort_unstable();
    for filter in [Filter::default(), of_client("app")] {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(&filter, after, 10, NOW).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 10);
            after = Some(last.digest);
            listed.extend(page.iter().map(|line| line.digest));
        }
        assert_eq!(listed, wanted);
    }
    assert!(store.list(&Filter::default(), None, 0, NOW).await.unwrap().is_empty());
}

async fn a_listing_shows_what_the_filter_means(store: &Store) {
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    issue(store, single(3, record("app", Some("bob")))).await;
    issue(store, single(4, record("app2", Some("alice")))).await;
    issue(store, single(5, record("ap", None))).await;
    let both = Filter { client_id: Some("app".to_owned()), subject: Some("alice".to_owned()) };
    for (filter, wanted) in
        [(of_client("app"), vec![1, 3]), (of_subject("alice"), vec![1, 4]), (both, vec![1]), (of_client("a"), vec![])]
    {
        let listed = store.list(&filter, None, 10, NOW).await.unwrap();
        let mut wanted: Vec<_> = wanted.into_iter().map(digest).collect();
        wanted.sort_unstable();
        assert_eq!(listed.iter().map(|line| line.digest).collect::<Vec<_>>(), wanted, "{filter:?}");
    }
}

/// TOK-6
async fn a_token_is_found_by_its_public_identifier(store: &Store) {
    let stored = record("app", Some("alice"));
    issue(store, single(1, stored.clone())).await;
    issue(store, single(2, record("app", None))).await;
    let found = store.find_by_public_id(&digest(1).public_id(), NOW).await.unwrap().unwrap();
    assert_eq!((found.digest, found.record), (digest(1), stored));
    for nonsense in ["", "*", "0000000000000000", "+000000000000000", "zzzzzzzzzzzzzzzz"] {
        assert!(store.find_by_public_id(nonsense, NOW).await.unwrap().is_none());
    }
}

async fn a_mass_revocation_ends_what_the_filter_means(store: &Store) {
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    issue(store, pair(3, grant(2), "app", Some("bob"))).await;
    issue(store, pair(5, grant(3), "other", Some("alice"))).await;
    let both = Filter { client_id: Some("app".to_owned()), subject: Some("alice".to_owned()) };
    let steps = [(both, vec![3, 4, 5, 6]), (of_subject("alice"), vec![3, 4]), (of_client("app"), vec![])];
    for (filter, left) in steps {
        assert_eq!(store.revoke_where(&filter).await.unwrap(), 1);
        assert_eq!(alive(store, 1..=6).await, left, "{filter:?}");
    }
}

async fn a_revocation_of_everything_leaves_nothing(store: &Store) {
    for number in 0..600 {
        issue(store, single(NEIGHBOURS * number, record("app", Some("alice")))).await;
    }
    issue(store, pair(1001, grant(1), "other", None)).await;
    assert_eq!(store.revoke_where(&Filter::default()).await.unwrap(), 601);
    assert!(store.list(&Filter::default(), None, 10, NOW).await.unwrap().is_empty());
    assert!(!known(store, 1002).await);
}

async fn a_name_that_is_empty_means_nobody(store: &Store) {
    issue(store, single(1, record("app", Some("alice")))).await;
    let (nobody, app, alice) = (Some(String::new()), Some("app".to_owned()), Some("alice".to_owned()));
    for (client_id, subject) in [(nobody.clone(), None), (None, nobody.clone()), (nobody.clone(), alice), (app, nobody)]
    {
        let filter = Filter { client_id, subject };
        assert_eq!(store.revoke_where(&filter).await.unwrap(), 0, "{filter:?}");
        assert!(store.list(&filter, None, 10, NOW).await.unwrap().is_empty());
    }
    assert!(valid(store, 1).await);
}

async fn the_tag_key_is_the_same_for_every_handle(store: &Store) {
    let token = Token::mint(TokenKind::Access, &store.tag_keys().unwrap()).unwrap();
    let text = token.secret().reveal().as_bytes();
    assert!(store.for_worker().tag_keys().unwrap().recognise(TokenKind::Access, text));
    assert!(store.clone().tag_keys().unwrap().recognise(TokenKind::Access, text));
}

/// TOK-16: what was made before a rotation, and before two, is still recognised; a second one has to wait.
async fn keys_are_rotated_without_a_token_becoming_invalid(store: &Store) {
    let worker = store.for_worker();
    let made = || Token::mint(TokenKind::Access, &store.tag_keys().unwrap()).unwrap();
    let first = made();
    let keys = store.rotate_tag_keys(NOW, false).await.unwrap().unwrap();
    assert_eq!(keys.former().0, 1);
    assert!(matches!(worker.rotate_tag_keys(NOW, false).await.unwrap(), Err(NotRotated::TooSoon(_))));
    let second = made();
    worker.rotate_tag_keys(NOW.plus(HOUR), false).await.unwrap().unwrap();
    for token in [first, second, made()] {
        assert!(worker.tag_keys().unwrap().recognise(TokenKind::Access, token.secret().reveal().as_bytes()));
    }
}

async fn a_hundred_concurrent_issues_are_all_kept(store: &Store) {
    let issues: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.issue(single(NEIGHBOURS * number, record("app", None))).await })
        })
        .collect();
    for issue in issues {
        assert_eq!(issue.await.unwrap().unwrap(), Issued::Done);
    }
    assert_eq!(store.list(&of_client("app"), None, 1000, NOW).await.unwrap().len(), 100);
}

async fn it_answers_a_ping(store: &Store) {
    store.ping().await.unwrap();
    store.for_worker().ping().await.unwrap();
}

async fn a_token_that_is_not_where_its_grant_is_is_refused(store: &Store) {
    let mut elsewhere = pair(1, grant(1), "app", None);
    elsewhere.access.0 = digest(NEIGHBOURS);
    let mut alone = single(1, record("app", None));
    alone.access.1.grant = Some(grant_of(NEIGHBOURS));
    for wrong in [elsewhere, alone, pair(1, grant_of(NEIGHBOURS), "app", None)] {
        assert!(matches!(store.issue(wrong).await, Err(StoreError::Misplaced)));
    }
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    for (presented, number) in [(2, NEIGHBOURS), (NEIGHBOURS, 3)] {
        let refused = store.rotate(rotation(presented, number, grant(1), NOW, GRACE)).await;
        assert!(matches!(refused, Err(StoreError::Misplaced)));
    }
    assert_eq!(alive(store, 1..=4).await, [1, 2]);
}
