//! What only a shared Redis can show of documents: lost answers, names, other nodes.

use super::*;
use crate::store::contract::redis::{eventually, node};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_anew() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    let close = || server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    close();
    assert!(put(&store, Kind::User, "alice", "x", None).await);
    close();
    let there = get(&store, Kind::User, "alice").await.unwrap();
    close();
    assert!(put(&store, Kind::User, "alice", "y", Some(there.version)).await);
    close();
    assert_eq!(ids(&store, Kind::User, "", None, 10).await, ["alice"]);
    close();
    assert!(store.forget(Kind::User, "alice").await.unwrap());
}

/// Between a store and its Redis; loses answers when told to.
struct Wire {
    settings: Settings,
    /// The next answer is lost, with its connection.
    loses: Arc<AtomicBool>,
}

impl Wire {
    async fn to(server: &RedisServer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut settings = server.settings();
        let address = ("127.0.0.1", server.port());
        let port = listener.local_addr().unwrap().port();
        settings.location = Location::redis(&format!("redis://127.0.0.1:{port}/0")).unwrap();
        let loses = Arc::new(AtomicBool::new(false));
        let lost = Arc::clone(&loses);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(address).await.unwrap();
                tokio::spawn(carry(near, far, Arc::clone(&lost)));
            }
        });
        Self { settings, loses }
    }
}

async fn carry(near: TcpStream, far: TcpStream, loses: Arc<AtomicBool>) {
    let (mut asks, mut hears) = near.into_split();
    let (mut answers, mut does) = far.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut asks, &mut does).await });
    let mut octets = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = answers.read(&mut octets).await {
        if loses.swap(false, Ordering::SeqCst) || hears.write_all(&octets[..length]).await.is_err() {
            break;
        }
    }
    asking.abort();
}

/// Whoever wins and does not hear of it must not be told that another one won.
#[tokio::test]
async fn a_change_whose_answer_was_lost_is_no_conflict_with_itself() {
    let server = RedisServer::start();
    let wire = Wire::to(&server).await;
    let store = Store::open(&wire.settings).await.unwrap();
    assert!(put(&store, Kind::AuthorizationCode, "a", "the scripts are known from here on", None).await);
    assert!(store.forget(Kind::AuthorizationCode, "a").await.unwrap());
    wire.loses.store(true, Ordering::SeqCst);
    assert!(put(&store, Kind::AuthorizationCode, "a", "fresh", None).await);
    assert!(!wire.loses.load(Ordering::SeqCst), "an answer was lost");
    let fresh = get(&store, Kind::AuthorizationCode, "a").await.unwrap();
    wire.loses.store(true, Ordering::SeqCst);
    assert!(put(&store, Kind::AuthorizationCode, "a", "used", Some(fresh.version)).await);
    assert!(!wire.loses.load(Ordering::SeqCst), "an answer was lost");
    assert_eq!(get(&store, Kind::AuthorizationCode, "a").await.unwrap().value, "used");
}

/// Lost, and not the version that it made: nobody knows whether it was done before another change.
#[tokio::test]
async fn a_conflict_after_a_lost_answer_is_no_answer() {
    let server = RedisServer::start();
    let wire = Wire::to(&server).await;
    let store = Store::open(&wire.settings).await.unwrap();
    assert!(put(&store, Kind::AuthorizationCode, "a", "fresh", None).await);
    assert!(!put(&store, Kind::AuthorizationCode, "a", "again", None).await);
    wire.loses.store(true, Ordering::SeqCst);
    let outcome = store.put(Kind::AuthorizationCode, "a", (&"again", None), None, NOW).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert_eq!(get(&store, Kind::AuthorizationCode, "a").await.unwrap().value, "fresh");
}

/// TOK-15: nothing that expires needs anybody to remove it.
#[tokio::test]
async fn a_document_expires_by_itself_unless_it_never_does() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    assert!(put(&store, Kind::Session, "a", "x", None).await);
    assert!(put(&store, Kind::SessionOf, "a", "x", None).await);
    let life = |key: &str| server.command(&["TTL", key]).trim().trim_start_matches(':').parse::<i64>().unwrap();
    assert!(life("tg:d:session:a") > 3500 && life("tg:d:{session_of}:a") > 3500);
    let there = get(&store, Kind::SessionOf, "a").await.unwrap();
    assert!(store.put(Kind::SessionOf, "a", (&"y", None), Some(there.version), NOW).await.unwrap());
    assert_eq!(life("tg:d:{session_of}:a"), -1);
    assert!(server.command(&["ZCARD", "tg:e:{session_of}"]).starts_with(":0"));
}

#[tokio::test]
async fn the_name_of_a_document_that_is_gone_is_dropped_by_a_listing() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    for id in ["a", "b"] {
        assert!(put(&store, Kind::SessionOf, id, "x", None).await);
    }
    server.command(&["DEL", "tg:d:{session_of}:a"]);
    assert_eq!(ids(&store, Kind::SessionOf, "", None, 10).await, ["b"]);
    for index in ["tg:n:{session_of}", "tg:e:{session_of}"] {
        assert!(server.command(&["ZCARD", index]).starts_with(":1"), "{index}");
    }
}

#[tokio::test]
async fn names_that_nobody_lists_are_dropped_by_those_who_write() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    for id in ["a", "b"] {
        server.command(&["ZADD", "tg:n:{session_of}", "0", id]);
        server.command(&["ZADD", "tg:e:{session_of}", "1700000000000", id]);
    }
    assert!(put(&store, Kind::SessionOf, "b", "x", None).await);
    assert!(server.command(&["ZCARD", "tg:n:{session_of}"]).starts_with(":1"));
    assert_eq!(ids(&store, Kind::SessionOf, "", None, 10).await, ["b"]);
}

#[tokio::test]
async fn a_document_that_is_not_ours_is_named_and_can_be_forgotten() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    assert!(put(&store, Kind::User, "alice", "x", None).await);
    for nonsense in ["nonsense", &"nonsense".repeat(10)] {
        server.command(&["SET", "tg:d:{user}:alice", nonsense]);
        let outcomes = [
            store.document::<String>(Kind::User, "alice", NOW).await.map(drop),
            store.documents::<String>(Kind::User, "", None, 10, NOW).await.map(drop),
            store.put(Kind::User, "alice", (&"y", None), None, NOW).await.map(drop),
        ];
        for outcome in outcomes {
            let Err(StoreError::Corrupt(text)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(text, "a user in Redis");
        }
    }
    assert!(store.forget(Kind::User, "alice").await.unwrap());
    assert!(put(&store, Kind::User, "alice", "y", None).await);
}

#[tokio::test]
async fn an_outage_is_an_error_and_never_an_absent_document() {
    let mut server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    assert!(put(&store, Kind::User, "alice", "x", None).await);
    server.kill();
    assert!(store.document::<String>(Kind::User, "alice", NOW).await.is_err());
    assert!(store.documents::<String>(Kind::User, "", None, 10, NOW).await.is_err());
    assert!(store.put(Kind::User, "bob", (&"x", None), None, NOW).await.is_err());
    assert!(store.forget(Kind::User, "alice").await.is_err());
}

/// Their keys are not those that a node follows: no document that changes costs a cached token.
#[tokio::test]
async fn a_node_that_follows_the_tokens_hears_nothing_of_documents() {
    let server = RedisServer::start();
    let (store, notes, watch) = node(&server).await;
    let (emptied, ended) = (notes.emptied(), notes.ended.lock().unwrap().len());
    assert!(put(&store, Kind::User, "alice", "x", None).await);
    assert!(put(&store, Kind::Session, "a", "x", None).await);
    assert!(store.forget(Kind::User, "alice").await.unwrap());
    issue(&store, single(1, record("app", None))).await;
    eventually("the news of the token", Duration::from_secs(5), async || notes.ended(1)).await;
    assert_eq!((notes.emptied(), notes.ended.lock().unwrap().len()), (emptied, ended + 1));
    watch.abort();
}
