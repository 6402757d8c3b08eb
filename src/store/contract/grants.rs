//! Refresh tokens: rotation, its grace, reuse, the end of a grant.

use super::*;
use crate::store::Rotated;

on_every_backend!(
    /// R6749-6d
    a_refresh_token_is_known_until_its_grant_ends,
    /// R6749-6c
    rotation_stores_the_new_pair_and_keeps_the_old_access_token,
    /// TOK-11
    an_old_refresh_token_ends_the_family,
    /// TOK-11
    a_lost_answer_may_be_asked_for_again_within_the_grace,
    /// TOK-11
    the_replaced_pair_is_gone_and_coming_back_with_it_ends_the_family,
    /// TOK-11
    the_grace_ends,
    /// TOK-11
    the_grace_ends_when_the_successor_is_used,
    /// TOK-11
    a_grace_of_zero_allows_nothing,
    /// R6749-6d
    nonsense_ends_no_family,
    /// TOK-10
    one_of_a_hundred_concurrent_rotations_succeeds,
    /// R7009-2.1e
    ending_a_grant_ends_all_its_tokens,
    a_grant_without_a_refresh_token_ends_too,
    /// TOK-15
    used_refresh_tokens_are_remembered_while_the_family_lives,
    /// R9700-4.14a
    an_expired_family_is_unknown,
);

/// Grant 1: access token 1, refresh token 2.
async fn begin(store: &Store) {
    store.issue(pair(1, grant(1), "app", Some("alice"))).await.unwrap();
}

async fn rotate(store: &Store, presented: u64, number: u64, after: Duration, grace: Duration) -> Rotated {
    store.rotate(rotation(presented, number, grant(1), NOW.plus(after), grace)).await.unwrap()
}

async fn current(store: &Store, number: u64) -> bool {
    store.refresh_is_current(&digest(number), NOW).await.unwrap()
}

/// Whether all of grant 1 is gone.
async fn ended(store: &Store, numbers: impl IntoIterator<Item = u64>) -> bool {
    for number in numbers {
        if valid(store, number).await || known(store, number).await {
            return false;
        }
    }
    true
}

async fn a_refresh_token_is_known_until_its_grant_ends(store: &Store) {
    begin(store).await;
    let found = store.refresh_token(&digest(2), NOW).await.unwrap();
    assert_eq!(found, Some(refresh_record(grant(1), "app", Some("alice"))));
    assert!(store.refresh_token(&digest(2), NOW.plus(24 * HOUR)).await.unwrap().is_none());
    assert!(!store.refresh_is_current(&digest(2), NOW.plus(24 * HOUR)).await.unwrap());
    assert!(store.refresh_token(&digest(1), NOW).await.unwrap().is_none());
    assert!(store.access_token(&digest(2), NOW).await.unwrap().is_none());
}

async fn rotation_stores_the_new_pair_and_keeps_the_old_access_token(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    assert!(valid(store, 1).await && valid(store, 3).await);
    assert!(current(store, 4).await && !current(store, 2).await && known(store, 2).await);
}

async fn an_old_refresh_token_ends_the_family(store: &Store) {
    begin(store).await;
    let notes = Notes::on(store);
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 4, 5, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 7, Duration::ZERO, GRACE).await, Rotated::Reused);
    assert!(ended(store, 1..=8).await);
    assert!([1, 3, 5].into_iter().all(|number| notes.ended(number)) && !notes.ended(7));
    assert_eq!(rotate(store, 6, 9, Duration::ZERO, GRACE).await, Rotated::Unknown);
    assert_eq!(rotate(store, 2, 9, Duration::ZERO, GRACE).await, Rotated::Unknown);
}

async fn a_lost_answer_may_be_asked_for_again_within_the_grace(store: &Store) {
    begin(store).await;
    let notes = Notes::on(store);
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 5, Duration::from_secs(5), GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 7, GRACE, GRACE).await, Rotated::Done);
    assert!(notes.ended(3) && notes.ended(5) && !notes.ended(1));
    assert!(valid(store, 1).await && !valid(store, 3).await && !valid(store, 5).await && valid(store, 7).await);
    assert!(current(store, 8).await && !current(store, 4).await && !current(store, 6).await);
    assert_eq!(rotate(store, 8, 9, GRACE, GRACE).await, Rotated::Done);
}

async fn the_replaced_pair_is_gone_and_coming_back_with_it_ends_the_family(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 5, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 4, 7, Duration::ZERO, GRACE).await, Rotated::Reused);
    assert!(ended(store, 1..=8).await);
}

async fn the_grace_ends(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    // Asking again does not prolong it.
    assert_eq!(rotate(store, 2, 5, Duration::from_secs(9), GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 7, Duration::from_millis(10_001), GRACE).await, Rotated::Reused);
    assert!(ended(store, 1..=8).await);
}

async fn the_grace_ends_when_the_successor_is_used(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 4, 5, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 7, Duration::ZERO, GRACE).await, Rotated::Reused);
    assert!(ended(store, 1..=8).await);
}

async fn a_grace_of_zero_allows_nothing(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, Duration::ZERO).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 5, Duration::ZERO, Duration::ZERO).await, Rotated::Reused);
    assert!(ended(store, 1..=6).await);
}

async fn nonsense_ends_no_family(store: &Store) {
    begin(store).await;
    store.issue(pair(11, grant(2), "app", Some("alice"))).await.unwrap();
    assert_eq!(rotate(store, 99, 3, Duration::ZERO, GRACE).await, Rotated::Unknown);
    assert_eq!(rotate(store, 12, 3, Duration::ZERO, GRACE).await, Rotated::Unknown);
    assert_eq!(rotate(store, 1, 3, Duration::ZERO, GRACE).await, Rotated::Unknown);
    assert!(current(store, 2).await && current(store, 12).await && !valid(store, 3).await);
}

async fn one_of_a_hundred_concurrent_rotations_succeeds(store: &Store) {
    begin(store).await;
    let tries: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            let rotation = rotation(2, 100 + 2 * number, grant(1), NOW, Duration::ZERO);
            tokio::spawn(async move { store.rotate(rotation).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for one in tries {
        outcomes.push(one.await.unwrap().unwrap());
    }
    let count = |wanted: Rotated| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    assert_eq!((count(Rotated::Done), count(Rotated::Reused), count(Rotated::Unknown)), (1, 1, 98));
    assert!(ended(store, (1..3).chain(100..300)).await);
}

async fn ending_a_grant_ends_all_its_tokens(store: &Store) {
    begin(store).await;
    store.issue(pair(11, grant(2), "app", Some("alice"))).await.unwrap();
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(store.revoke_grant(grant(1)).await.unwrap(), 2);
    assert!(ended(store, 1..=4).await);
    assert!(valid(store, 11).await && current(store, 12).await);
    assert_eq!(store.list(&of_subject("alice"), None, 10, NOW).await.unwrap().len(), 1);
}

async fn a_grant_without_a_refresh_token_ends_too(store: &Store) {
    store.issue(single(1, TokenRecord { grant: Some(grant(1)), ..record("app", None) })).await.unwrap();
    assert_eq!(store.revoke_grant(grant(1)).await.unwrap(), 1);
    assert!(!valid(store, 1).await);
}

async fn used_refresh_tokens_are_remembered_while_the_family_lives(store: &Store) {
    begin(store).await;
    for step in 0..50 {
        assert_eq!(rotate(store, 2 + 2 * step, 3 + 2 * step, Duration::ZERO, GRACE).await, Rotated::Done);
    }
    assert!(known(store, 2).await && current(store, 102).await);
    assert_eq!(rotate(store, 2, 201, HOUR, GRACE).await, Rotated::Reused);
    assert!(ended(store, 1..=102).await);
}

async fn an_expired_family_is_unknown(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, 24 * HOUR, GRACE).await, Rotated::Unknown);
    assert!(!valid(store, 3).await);
}
