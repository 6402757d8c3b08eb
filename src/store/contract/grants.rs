//! Refresh tokens: rotation, its grace, reuse, the end of a grant.

use super::*;
use crate::store::Rotated;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

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
    /// UI-10
    a_survey_shows_tokens_and_grants_that_the_filter_means,
    a_survey_goes_on_behind_a_chunk_and_stops_when_told,
);

/// Grant 1: access token 1, refresh token 2.
async fn begin(store: &Store) {
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
}

async fn rotate(store: &Store, presented: u64, number: u64, after: Duration, grace: Duration) -> Rotated {
    store.rotate(rotation(presented, number, grant(1), NOW.plus(after), grace)).await.unwrap()
}

async fn current(store: &Store, number: u64) -> bool {
    store.refresh_is_current(&digest(number), NOW).await.unwrap()
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
    let steps = [(2, 3, Rotated::Done), (4, 5, Rotated::Done), (2, 7, Rotated::Reused), (6, 9, Rotated::Unknown)];
    for (presented, number, outcome) in steps {
        assert_eq!(rotate(store, presented, number, Duration::ZERO, GRACE).await, outcome);
    }
    assert!(alive(store, 1..=10).await.is_empty());
    assert!(notes.all_of([1, 3, 5]));
}

async fn a_lost_answer_may_be_asked_for_again_within_the_grace(store: &Store) {
    begin(store).await;
    let notes = Notes::on(store);
    for (number, after) in [(3, Duration::ZERO), (5, GRACE / 2), (7, GRACE)] {
        assert_eq!(rotate(store, 2, number, after, GRACE).await, Rotated::Done);
        assert!(current(store, number + 1).await);
    }
    assert!(notes.all_of([3, 5]) && !notes.ended(1));
    assert_eq!(alive(store, [1, 3, 5, 7]).await, [1, 7]);
    assert_eq!(rotate(store, 8, 9, GRACE, GRACE).await, Rotated::Done);
}

async fn the_replaced_pair_is_gone_and_coming_back_with_it_ends_the_family(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 5, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 4, 7, Duration::ZERO, GRACE).await, Rotated::Reused);
    assert!(alive(store, 1..=8).await.is_empty());
}

async fn the_grace_ends(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    // Asking again does not prolong it.
    assert_eq!(rotate(store, 2, 5, Duration::from_secs(9), GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 7, Duration::from_millis(10_001), GRACE).await, Rotated::Reused);
    assert!(alive(store, 1..=8).await.is_empty());
}

async fn the_grace_ends_when_the_successor_is_used(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 4, 5, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 7, Duration::ZERO, GRACE).await, Rotated::Reused);
    assert!(alive(store, 1..=8).await.is_empty());
}

async fn a_grace_of_zero_allows_nothing(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, Duration::ZERO).await, Rotated::Done);
    assert_eq!(rotate(store, 2, 5, Duration::ZERO, Duration::ZERO).await, Rotated::Reused);
    assert!(alive(store, 1..=6).await.is_empty());
}

async fn nonsense_ends_no_family(store: &Store) {
    begin(store).await;
    issue(store, pair(11, grant(2), "app", Some("alice"))).await;
    // Never issued; of another family; an access token.
    for presented in [99, 12, 1] {
        assert_eq!(rotate(store, presented, 3, Duration::ZERO, GRACE).await, Rotated::Unknown);
    }
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
    assert!(alive(store, (1..3).chain(100..300)).await.is_empty());
}

async fn ending_a_grant_ends_all_its_tokens(store: &Store) {
    begin(store).await;
    issue(store, pair(11, grant(2), "app", Some("alice"))).await;
    assert_eq!(rotate(store, 2, 3, Duration::ZERO, GRACE).await, Rotated::Done);
    assert_eq!(store.revoke_grant(grant(1)).await.unwrap(), 2);
    assert_eq!(alive(store, (1..=4).chain(11..=12)).await, [11, 12]);
    assert_eq!(store.list(&of_subject("alice"), None, 10, NOW).await.unwrap().len(), 1);
}

async fn a_grant_without_a_refresh_token_ends_too(store: &Store) {
    issue(store, single(1, TokenRecord { grant: Some(grant(1)), ..record("app", None) })).await;
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
    assert!(alive(store, 1..=102).await.is_empty());
}

async fn an_expired_family_is_unknown(store: &Store) {
    begin(store).await;
    assert_eq!(rotate(store, 2, 3, 24 * HOUR, GRACE).await, Rotated::Unknown);
    assert!(!valid(store, 3).await);
}

/// What a client does with refresh token number `presented` of those it got, `after` a while.
#[derive(Clone, Debug)]
struct Attempt {
    presented: u64,
    after: Duration,
    grace: Duration,
}

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let attempt = (0..4_u64, 0..3_u64, prop_oneof![Just(0_u64), Just(10)]).prop_map(|(presented, after, grace)| {
        Attempt { presented, after: Duration::from_secs(5 * after), grace: Duration::from_secs(grace) }
    });
    proptest::collection::vec(attempt, 1..12)
}

/// What a store makes of a history: the outcomes, and what is left of each token.
async fn history(store: &Store, first: u64, attempts: &[Attempt]) -> (Vec<Rotated>, Vec<(u64, bool)>) {
    let family = grant_of(first);
    issue(store, pair(first, family, "app", Some("alice"))).await;
    let (mut outcomes, mut refresh, mut now) = (Vec::new(), vec![first + 1], NOW);
    for (step, attempt) in (1..).zip(attempts) {
        now = now.plus(attempt.after);
        // Counted from the latest: most attempts are with one of the last three.
        let presented = refresh[refresh.len().saturating_sub(1 + usize::try_from(attempt.presented).unwrap())];
        let outcome = store.rotate(rotation(presented, first + 2 * step, family, now, attempt.grace)).await.unwrap();
        if outcome == Rotated::Done {
            refresh.push(first + 2 * step + 1);
        }
        outcomes.push(outcome);
    }
    let mut left = Vec::new();
    for number in alive(store, first..first + 30).await {
        left.push((number - first, current(store, number).await));
    }
    (outcomes, left)
}

/// The rules are written twice, in Rust and in Lua: they must be the same.
#[test]
fn memory_and_redis_agree_on_any_history() {
    agree_on_any_history(Place::redis());
}

#[test]
fn memory_and_a_cluster_agree_on_any_history() {
    agree_on_any_history(Place::cluster());
}

fn agree_on_any_history(other: impl Future<Output = Place>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (memory, redis) = runtime.block_on(async { (Place::memory().await, other.await) });
    let first = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    runner
        .run(&attempts(), |attempts| {
            first.set(first.get() + NEIGHBOURS);
            let (left, right) = runtime.block_on(async {
                (
                    history(&memory.store, first.get(), &attempts).await,
                    history(&redis.store, first.get(), &attempts).await,
                )
            });
            prop_assert_eq!(left, right);
            Ok(())
        })
        .unwrap();
}

/// What a survey shows, each once: the client and the moment it was issued, in hours.
async fn surveyed(store: &Store, filter: &Filter, now: Timestamp) -> Vec<(String, u64)> {
    let mut seen = std::collections::BTreeSet::new();
    let visit = |record: TokenRecord| {
        seen.insert((record.client_id, record.issued_at.since(NOW).as_secs() / 3600));
        true
    };
    store.survey(filter, now, visit).await.unwrap();
    seen.into_iter().collect()
}

async fn a_survey_shows_tokens_and_grants_that_the_filter_means(store: &Store) {
    begin(store).await;
    let mut later = rotation(2, 3, grant(1), NOW, GRACE);
    later.refresh.1.issued_at = NOW.plus(2 * HOUR);
    assert_eq!(store.rotate(later).await.unwrap(), Rotated::Done);
    issue(store, single(11, record("other", Some("alice")))).await;
    issue(store, single(12, record("other", Some("bob")))).await;
    issue(store, single(13, record("robot", None))).await;
    let lines = |lines: &[(&str, u64)]| -> Vec<_> {
        lines.iter().map(|(client, hours)| ((*client).to_owned(), *hours)).collect()
    };
    let (all, both) = (Filter::default(), Filter { client_id: Some("app".to_owned()), ..of_subject("alice") });
    let everything = [("app", 0), ("app", 2), ("other", 0), ("robot", 0)];
    for (filter, after, expected) in [
        (&of_subject("alice"), 0, &everything[..3]),
        (&of_client("other"), 0, &everything[2..3]),
        (&both, 0, &everything[..2]),
        (&all, 0, &everything),
        // The grant outlives its access tokens, and ends.
        (&all, 23, &everything[1..2]),
        (&all, 24, &[]),
    ] {
        let seen = surveyed(store, filter, NOW.plus(after * HOUR)).await;
        assert_eq!(seen, lines(expected), "{filter:?}, {after}");
    }
}

async fn a_survey_goes_on_behind_a_chunk_and_stops_when_told(store: &Store) {
    for number in 0..1100 {
        let subject = if number % 10 == 0 { "bob" } else { "alice" };
        let issued_at = NOW.plus(Duration::from_millis(number));
        issue(store, single(NEIGHBOURS * number, TokenRecord { issued_at, ..record("app", Some(subject)) })).await;
    }
    for octet in 0..9 {
        issue(store, pair(2000 + 2 * u64::from(octet), grant(octet), "app", Some("alice"))).await;
    }
    for (filter, expected) in
        [(Filter::default(), 1100 + 18), (of_client("app"), 1100 + 18), (of_subject("alice"), 990 + 18)]
    {
        let mut seen = std::collections::BTreeSet::new();
        let visit = |record: TokenRecord| {
            seen.insert((record.grant.map(|grant| grant.0), record.issued_at, record.expires_at));
            true
        };
        store.survey(&filter, NOW, visit).await.unwrap();
        assert_eq!(seen.len(), expected, "{filter:?}");
        let mut count = 0;
        let visit = |_| {
            count += 1;
            count < 3
        };
        store.survey(&filter, NOW, visit).await.unwrap();
        assert_eq!(count, 3);
    }
}
