//! Clients that are made at run time, and what their removal means for tokens, whenever it comes.

use super::*;

on_every_backend!(
    a_client_is_stored_once_and_listed_by_identifier,
    /// TOK-13
    removing_a_client_ends_its_tokens,
    removing_a_client_that_the_store_does_not_have_ends_nothing,
    /// TOK-13
    no_token_lands_behind_the_removal_of_its_client,
    /// TOK-13
    a_token_for_an_earlier_registration_is_not_stored,
    /// TOK-13
    no_token_survives_a_removal_in_the_middle_of_issuing,
    /// TOK-13
    a_removal_that_was_cut_short_can_be_made_again,
    a_client_that_is_being_removed_is_unknown,
    /// TOK-13
    a_removal_that_was_cut_short_is_finished_before_the_identifier_is_used_again,
    a_client_is_changed_by_one_at_a_time_and_no_change_is_lost,
    a_client_that_is_being_removed_is_not_changed,
    /// TOK-13
    disabling_a_client_ends_its_tokens_and_stores_no_more,
    /// TOK-13
    no_token_survives_disabling_in_the_middle_of_issuing,
);

const FIRST: RegistrationId = RegistrationId([1; 16]);
const SECOND: RegistrationId = RegistrationId([2; 16]);

/// Access token `number` and refresh token `number + 1` for a registration of the client `robot`.
fn of_robot(number: u64, registration: Option<RegistrationId>) -> Issue {
    let mut issue = pair(number, grant_of(number), "robot", Some("alice"));
    issue.access.1.client_origin = Origin::Store;
    issue.registration = registration;
    issue
}

fn robot(registration: RegistrationId) -> ClientRecord {
    ClientRecord { registration, ..client("robot") }
}

async fn a_client_is_stored_once_and_listed_by_identifier(store: &Store) {
    let other = ClientRecord { introspect: true, ..client("a") };
    for (record, added) in [(client("b"), true), (client("a"), true), (other, false)] {
        assert_eq!(store.add_client(record).await.unwrap(), added);
    }
    assert_eq!(store.client("a").await.unwrap(), Some(client("a")));
    assert_eq!(store.client("c").await.unwrap(), None);
    assert_eq!(store.clients().await.unwrap(), [client("a"), client("b")]);
}

async fn removing_a_client_ends_its_tokens(store: &Store) {
    store.add_client(client("app")).await.unwrap();
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    issue(store, single(3, record("app2", None))).await;
    assert!(store.remove_client("app").await.unwrap());
    assert_eq!(alive(store, 1..=3).await, [3]);
    assert_eq!(store.client("app").await.unwrap(), None);
    assert!(!store.remove_client("app").await.unwrap());
}

async fn removing_a_client_that_the_store_does_not_have_ends_nothing(store: &Store) {
    issue(store, single(1, record("app", None))).await;
    assert!(!store.remove_client("app").await.unwrap());
    assert!(valid(store, 1).await, "it is one of the configuration");
}

async fn no_token_lands_behind_the_removal_of_its_client(store: &Store) {
    store.add_client(robot(FIRST)).await.unwrap();
    issue(store, of_robot(1, Some(FIRST))).await;
    store.remove_client("robot").await.unwrap();
    assert_eq!(store.issue(of_robot(3, Some(FIRST))).await.unwrap(), Issued::ClientGone);
    assert!(alive(store, 1..=4).await.is_empty());
    assert!(store.list(&Filter::default(), None, 10, NOW).await.unwrap().is_empty());
}

async fn a_token_for_an_earlier_registration_is_not_stored(store: &Store) {
    store.add_client(robot(FIRST)).await.unwrap();
    store.remove_client("robot").await.unwrap();
    assert!(store.add_client(robot(SECOND)).await.unwrap());
    for registration in [Some(FIRST), None] {
        assert_eq!(store.issue(of_robot(1, registration)).await.unwrap(), Issued::ClientGone);
    }
    issue(store, of_robot(3, Some(SECOND))).await;
    assert_eq!(alive(store, 1..=4).await, [3, 4]);
}

async fn no_token_survives_a_removal_in_the_middle_of_issuing(store: &Store) {
    store.add_client(robot(FIRST)).await.unwrap();
    let issues: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.issue(of_robot(NEIGHBOURS * number, Some(FIRST))).await.unwrap() })
        })
        .collect();
    let removal = {
        let store = store.clone();
        tokio::spawn(async move { store.remove_client("robot").await.unwrap() })
    };
    assert!(removal.await.unwrap());
    for issue in issues {
        // Each came before the removal or after it: both are well.
        let _: Issued = issue.await.unwrap();
    }
    assert!(alive(store, (0..100).flat_map(|number| [NEIGHBOURS * number, NEIGHBOURS * number + 1])).await.is_empty());
}

async fn a_removal_that_was_cut_short_can_be_made_again(store: &Store) {
    store.add_client(robot(FIRST)).await.unwrap();
    issue(store, of_robot(1, Some(FIRST))).await;
    assert!(store.retire_client("robot").await.unwrap());
    let removals = [store.remove_client("robot").await.unwrap(), store.remove_client("robot").await.unwrap()];
    assert_eq!(removals, [true, false]);
    assert!(alive(store, 1..=2).await.is_empty());
}

async fn a_client_that_is_being_removed_is_unknown(store: &Store) {
    store.add_client(robot(FIRST)).await.unwrap();
    assert!(store.retire_client("robot").await.unwrap());
    assert_eq!(store.client("robot").await.unwrap(), None);
    assert!(store.clients().await.unwrap().is_empty());
    assert_eq!(store.issue(of_robot(1, Some(FIRST))).await.unwrap(), Issued::ClientGone);
}

async fn a_removal_that_was_cut_short_is_finished_before_the_identifier_is_used_again(store: &Store) {
    store.add_client(robot(FIRST)).await.unwrap();
    issue(store, of_robot(1, Some(FIRST))).await;
    assert!(store.retire_client("robot").await.unwrap());
    assert!(store.add_client(robot(SECOND)).await.unwrap());
    assert!(alive(store, 1..=2).await.is_empty());
    assert_eq!(store.client("robot").await.unwrap(), Some(robot(SECOND)));
}

async fn a_client_is_changed_by_one_at_a_time_and_no_change_is_lost(store: &Store) {
    store.add_client(robot(FIRST)).await.unwrap();
    let changes: Vec<_> = (0..8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let change = |client: &mut ClientRecord| {
                    client.redirect_uris.push(format!("https://{number}.example/"));
                    true
                };
                store.change_client("robot", change).await.unwrap().unwrap()
            })
        })
        .collect();
    for change in changes {
        change.await.unwrap();
    }
    let client = store.client("robot").await.unwrap().unwrap();
    assert_eq!((client.redirect_uris.len(), client.version), (9, 8));
    let untouched = store.change_client("robot", |_| false).await.unwrap();
    assert_eq!(untouched, Some(client));
    assert_eq!(store.client_count().await.unwrap(), 1);
}

async fn a_client_that_is_being_removed_is_not_changed(store: &Store) {
    store.add_client(robot(FIRST)).await.unwrap();
    let was = store.client("robot").await.unwrap().unwrap();
    assert!(store.retire_client("robot").await.unwrap());
    assert_eq!(store.change_client("robot", |_| true).await.unwrap(), None);
    assert!(!store.replace_client(&was, was.clone()).await.unwrap());
    assert_eq!(store.disable_client("robot", SECOND).await.unwrap(), None);
}

async fn disabling_a_client_ends_its_tokens_and_stores_no_more(store: &Store) {
    store.add_client(robot(FIRST)).await.unwrap();
    issue(store, of_robot(1, Some(FIRST))).await;
    issue(store, single(3, record("app2", None))).await;
    let disabled = store.disable_client("robot", SECOND).await.unwrap().unwrap();
    assert!(disabled.disabled && disabled.registration == SECOND);
    assert_eq!(alive(store, 1..=3).await, [3]);
    assert_eq!(store.issue(of_robot(5, Some(FIRST))).await.unwrap(), Issued::ClientGone);
    let rotation = rotation(2, 7, grant_of(1), NOW, GRACE);
    assert_eq!(store.rotate(rotation).await.unwrap(), crate::store::Rotated::Unknown);
}

async fn no_token_survives_disabling_in_the_middle_of_issuing(store: &Store) {
    store.add_client(robot(FIRST)).await.unwrap();
    let issues: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.issue(of_robot(NEIGHBOURS * number, Some(FIRST))).await.unwrap() })
        })
        .collect();
    let store_of_operator = store.clone();
    let disabling = tokio::spawn(async move { store_of_operator.disable_client("robot", SECOND).await.unwrap() });
    assert!(disabling.await.unwrap().is_some());
    for issue in issues {
        // Each came before or after: both are well.
        let _: Issued = issue.await.unwrap();
    }
    assert!(alive(store, (0..100).flat_map(|number| [NEIGHBOURS * number, NEIGHBOURS * number + 1])).await.is_empty());
}
