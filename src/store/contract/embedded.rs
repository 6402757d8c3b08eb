//! What only the file can show: that it survives, who may read it, how it fails.

use super::*;
use crate::oauth::token::{Token, TokenKind};
use crate::store::StoreError;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

async fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(&settings(Location::Redb(path.to_owned()))).await
}

/// Promise 2: what `kill -9` leaves behind is the file as it is when the answer has come.
#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("a.redb"), folder.path().join("b.redb"));
    let store = open(&path).await.unwrap();
    issue(&store, pair(1, grant(1), "app", Some("alice"))).await;
    issue(&store, single(3, record("app", None))).await;
    store.revoke_access(&digest(3)).await.unwrap();
    store.rotate(rotation(2, 5, grant(1), NOW, GRACE)).await.unwrap();
    let token = Token::mint(TokenKind::Access, &store.tag_keys().unwrap()).unwrap();
    fs::copy(&path, &copy).unwrap();

    let again = open(&copy).await.unwrap();
    assert!(valid(&again, 1).await && valid(&again, 5).await && !valid(&again, 3).await);
    assert!(again.refresh_is_current(&digest(6), NOW).await.unwrap());
    assert!(again.tag_keys().unwrap().recognise(TokenKind::Access, token.secret().reveal().as_bytes()));
}

#[tokio::test]
async fn the_file_is_free_as_soon_as_the_last_handle_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.redb");
    let store = open(&path).await.unwrap();
    let worker = store.for_worker();
    let token = Token::mint(TokenKind::Access, &store.tag_keys().unwrap()).unwrap();
    issue(&store, single(1, record("app", None))).await;
    drop(store);
    assert!(valid(&worker, 1).await);
    drop(worker);
    let again = open(&path).await.unwrap();
    assert!(valid(&again, 1).await);
    assert!(again.tag_keys().unwrap().recognise(TokenKind::Access, token.secret().reveal().as_bytes()));
}

/// TOK-16
#[tokio::test]
async fn nobody_else_may_read_the_file_or_enter_its_new_folders() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x/y/a.redb");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(open(&path).await.unwrap());
    assert_eq!((mode(&path), mode(&folder.path().join("x")), mode(&folder.path().join("x/y"))), (0o600, 0o700, 0o700));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&path).await.unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn a_file_that_is_in_use_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.redb");
    let _store = open(&path).await.unwrap();
    let Err(error) = open(&path).await else { panic!("it was opened twice") };
    let text = error.to_string();
    assert!(text.contains("a.redb") && text.contains("another process"), "{text}");
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_named_in_the_error_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.redb");
    fs::write(&path, "this is not a database, and longer than any header of one ".repeat(200)).unwrap();
    let before = fs::read(&path).unwrap();
    let Err(error) = open(&path).await else { panic!("it was opened") };
    assert!(error.to_string().contains("a.redb"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// TOK-2
#[tokio::test]
async fn the_file_holds_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.redb");
    let store = open(&path).await.unwrap();
    let token = Token::mint(TokenKind::Access, &store.tag_keys().unwrap()).unwrap();
    let access = (token.digest(), record("app", None));
    issue(&store, Issue { access, refresh: None, registration: None }).await;
    let text = token.secret().reveal().as_bytes();
    assert!(!fs::read(&path).unwrap().windows(20).any(|window| window == &text[..20]));
}

/// TOK-15
#[tokio::test]
async fn what_has_expired_is_purged_by_those_who_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.redb");
    let store = open(&path).await.unwrap();
    for number in 0..300 {
        let tokens = pair(10 * number, GrantId(u128::from(number).to_be_bytes()), "app", Some("alice"));
        issue(&store, tokens).await;
    }
    // Two days later everything is gone but what is issued then.
    let later = NOW.plus(48 * HOUR);
    let fresh = TokenRecord { issued_at: later, expires_at: later.plus(HOUR), ..record("app", Some("alice")) };
    for number in 0..3 {
        issue(&store, single(5000 + number, fresh.clone())).await;
    }
    // Asked as if no time had passed, so that only the purge can have removed them.
    assert_eq!(store.list(&of_client("app"), None, 1000, NOW).await.unwrap().len(), 3);
    assert!(!known(&store, 1).await);
}

/// A family whose value cannot be read fails alone, and can still be ended.
#[tokio::test]
async fn a_value_that_is_not_ours_does_not_stop_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.redb");
    let store = open(&path).await.unwrap();
    issue(&store, pair(1, grant(1), "app", Some("alice"))).await;
    drop(store);
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let table: redb::TableDefinition<'_, &[u8; 16], &[u8]> = redb::TableDefinition::new("families");
    transaction.open_table(table).unwrap().insert(&[1; 16], b"nonsense".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);

    let store = open(&path).await.unwrap();
    let broken = {
        let store = store.clone();
        tokio::spawn(async move { store.rotate(rotation(2, 3, grant(1), NOW, GRACE)).await })
    };
    let issues: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.issue(single(100 + number, record("app", None))).await })
        })
        .collect();
    assert!(matches!(broken.await.unwrap(), Err(StoreError::Corrupt(_))));
    for issue in issues {
        assert_eq!(issue.await.unwrap().unwrap(), Issued::Done);
    }
    assert_eq!(store.revoke_grant(grant(1)).await.unwrap(), 1);
    assert!(alive(&store, 1..=4).await.is_empty());
}

/// What cannot be read must not stand in the way of a revocation, and is ended with the rest.
#[tokio::test]
async fn a_mass_revocation_passes_over_values_that_are_not_ours() {
    for filter in [of_client("app"), of_subject("alice"), Filter::default()] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.redb");
        let store = open(&path).await.unwrap();
        for number in [1, 11, 21] {
            issue(&store, pair(number, grant(u8::try_from(number).unwrap()), "app", Some("alice"))).await;
        }
        drop(store);
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        let table: redb::TableDefinition<'_, &[u8; 32], &[u8]> = redb::TableDefinition::new("access");
        transaction.open_table(table).unwrap().insert(digest(1).as_bytes(), b"nonsense".as_slice()).unwrap();
        let table: redb::TableDefinition<'_, &[u8; 16], &[u8]> = redb::TableDefinition::new("families");
        transaction.open_table(table).unwrap().insert(&[11; 16], b"nonsense".as_slice()).unwrap();
        transaction.commit().unwrap();
        drop(database);

        let store = open(&path).await.unwrap();
        assert_eq!(store.revoke_where(&filter).await.unwrap(), 3, "{filter:?}");
        assert!(alive(&store, [1, 2, 11, 12, 21, 22]).await.is_empty());
    }
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_undo_what_was_done() {
    let store = Place::memory().await.store;
    let notes = Notes::on(&store);
    issue(&store, single(1, record("app", None))).await;
    let revoked = tokio::time::timeout(Duration::ZERO, store.revoke_access(&digest(1))).await;
    // Whether the answer came in time or not, the listener hears of what was done.
    while !notes.ended(1) {
        assert!(revoked.is_err());
        tokio::task::yield_now().await;
    }
    assert!(!valid(&store, 1).await);
}
