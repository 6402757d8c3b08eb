//! What only the file can show of documents: that they survive, and how they go.

use super::*;
use std::path::Path;

type Documents = redb::TableDefinition<'static, (&'static str, &'static str), &'static [u8]>;

async fn open(path: &Path) -> Store {
    Store::open(&settings(Location::Redb(path.to_owned()))).await.unwrap()
}

#[tokio::test]
async fn a_restart_keeps_documents_and_a_crash_too() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("a.redb"), folder.path().join("b.redb"));
    let store = open(&path).await;
    assert!(put(&store, Kind::User, "alice", "x", None).await);
    assert!(put(&store, Kind::User, "bob", "y", None).await);
    assert!(store.forget(Kind::User, "bob").await.unwrap());
    let there = get(&store, Kind::User, "alice").await;
    // As `kill -9` leaves it.
    std::fs::copy(&path, &copy).unwrap();
    drop(store);
    for path in [path, copy] {
        let again = open(&path).await;
        assert_eq!(get(&again, Kind::User, "alice").await, there);
        assert_eq!(ids(&again, Kind::User, "", None, 10).await, ["alice"]);
    }
}

/// TOK-15
#[tokio::test]
async fn expired_documents_are_purged_by_those_who_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.redb");
    let store = open(&path).await;
    for number in 0..50 {
        assert!(put(&store, Kind::SessionOf, &number.to_string(), "x", None).await);
    }
    for round in ["a", "b"] {
        assert!(store.put(Kind::User, round, (&"x", None), None, END.plus(HOUR)).await.unwrap());
    }
    // Asked as if no time had passed, so that only the purge can have removed them.
    assert!(ids(&store, Kind::SessionOf, "", None, 100).await.is_empty());
    assert_eq!(ids(&store, Kind::User, "", None, 100).await, ["a", "b"]);
}

/// What cannot be read fails alone, can be forgotten, and takes nothing of what comes after with it.
#[tokio::test]
async fn a_document_that_is_not_ours_is_named_and_can_be_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.redb");
    let store = open(&path).await;
    assert!(put(&store, Kind::User, "alice", "x", None).await);
    drop(store);
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let table = Documents::new("documents");
    transaction.open_table(table).unwrap().insert(("user", "alice"), b"nonsense".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);

    let store = open(&path).await;
    let outcomes = [
        store.document::<String>(Kind::User, "alice", NOW).await.map(drop),
        store.documents::<String>(Kind::User, "", None, 10, NOW).await.map(drop),
        store.put(Kind::User, "alice", (&"y", None), None, NOW).await.map(drop),
    ];
    for outcome in outcomes {
        let Err(StoreError::Corrupt(text)) = outcome else { panic!("{outcome:?}") };
        assert!(text.contains("a user in ") && text.contains("a.redb"), "{text}");
    }
    assert!(store.forget(Kind::User, "alice").await.unwrap());
    // Longer lived than the one that could not be read, whose expiry is still noted.
    let late = END.plus(1000 * HOUR);
    assert!(store.put(Kind::User, "alice", (&"y", Some(late)), None, NOW).await.unwrap());
    for round in ["a", "b"] {
        assert!(store.put(Kind::User, round, (&"x", None), None, END.plus(HOUR)).await.unwrap());
    }
    assert_eq!(get(&store, Kind::User, "alice").await.unwrap().value, "y");
}
