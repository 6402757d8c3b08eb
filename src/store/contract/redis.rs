//! What only a shared Redis can show: outages, operators, other nodes.

use super::places::reads;
use super::*;
use crate::oauth::token::{TagKeys, Token, TokenKind};
use crate::secret::hex;
use crate::store::endings::Ending;
use crate::store::{Location, Pace, Rotated, Settings, StoreError};
use std::time::Instant;
use tokio::task::JoinHandle;

pub(super) async fn eventually(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < within, "{what} not within {within:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A node: a store of its own with its listener and its watch.
pub(super) async fn node(server: &RedisServer) -> (Store, Arc<Notes>, JoinHandle<()>) {
    node_of(server.settings()).await
}

/// As `node`, of any store.
pub(super) async fn node_of(settings: Settings) -> (Store, Arc<Notes>, JoinHandle<()>) {
    let store = Store::open(&settings).await.unwrap();
    let notes = Notes::on(&store);
    let watched = store.clone();
    let watch = tokio::spawn(async move { watched.watch().await });
    eventually("the feed is proved", Duration::from_secs(5), async || store.is_trusted()).await;
    (store, notes, watch)
}

pub(super) fn access_key(number: u64) -> String {
    let digest = digest(number);
    format!("tg:a:{{{}}}:{}", digest.place().as_str(), hex(digest.as_bytes()))
}

/// Hazards 2.9: an outage is never "not found", and never waited for beyond the limit.
#[tokio::test]
async fn a_redis_that_hangs_is_a_timeout_within_the_bound() {
    let server = RedisServer::start();
    let (store, _notes, _watch) = node(&server).await;
    issue(&store, single(1, record("app", None))).await;
    server.signal("STOP");
    let start = Instant::now();
    let outcomes = [
        store.access_token(&digest(1), NOW).await.map(drop),
        store.issue(single(2, record("app", None))).await.map(drop),
        store.for_worker().access_token(&digest(1), NOW).await.map(drop),
    ];
    assert!(start.elapsed() < Duration::from_millis(3 * 1000 + 900), "{:?}", start.elapsed());
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Timeout(_)))), "{outcomes:?}");
    eventually("distrust", Duration::from_secs(3), async || !store.is_trusted()).await;
    server.signal("CONT");
    eventually("trust again", Duration::from_secs(5), async || store.is_trusted()).await;
    assert!(valid(&store, 1).await);
}

/// Hazards 2.9: whatever a node has to end again after a break, it is back within two seconds, on a slow network too.
#[tokio::test]
async fn what_is_ended_again_is_ended_in_a_few_round_trips() {
    let server = RedisServer::start();
    let (store, notes, _watch) = node(&server).await;
    issue(&store, single(7, record("app", None))).await;
    store.shared.endings.note((0..2000).map(|number| Ending::Access(digest(number))));
    let (mut count, cleared) = (0, notes.emptied());
    reads(&server, &mut count);
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    eventually("the feed begins anew", Duration::from_secs(2), async || notes.emptied() > cleared).await;
    eventually("trust again", Duration::from_secs(2), async || store.is_trusted()).await;
    assert!(!valid(&store, 7).await && notes.ended(7));
    let trips = reads(&server, &mut count);
    assert!(trips < 100, "{trips}");
}

/// Hazards 2.9 and 2.10
#[tokio::test]
async fn a_redis_that_is_gone_is_unavailable_and_comes_back_by_itself() {
    let mut server = RedisServer::start();
    let (store, notes, _watch) = node(&server).await;
    let token = Token::mint(TokenKind::Access, &store.tag_keys().unwrap()).unwrap();
    issue(&store, single(1, record("app", None))).await;
    let cleared = notes.emptied();
    server.kill();
    eventually("distrust at once", Duration::from_millis(400), async || !store.is_trusted()).await;
    for _ in 0..3 {
        let outcome = store.access_token(&digest(1), NOW).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        assert!(store.issue(single(2, record("app", None))).await.is_err());
        assert!(store.revoke_access(&digest(1)).await.is_err());
        assert!(store.ping().await.is_err());
    }
    server.restart();
    eventually("trust again", Duration::from_secs(5), async || store.is_trusted()).await;
    assert!(notes.emptied() > cleared, "what ended meanwhile is unknown");
    assert!(!valid(&store, 1).await, "it came back empty");
    issue(&store, single(3, record("app", None))).await;
    assert!(valid(&store, 3).await);
    let fresh = Store::open(&server.settings()).await.unwrap();
    assert!(fresh.tag_keys().unwrap().recognise(TokenKind::Access, token.secret().reveal().as_bytes()));
}

/// What closes idle connections on the way must not cost the next client its token.
#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_anew_for_what_may_be_done_twice() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    issue(&store, pair(1, grant(1), "app", Some("alice"))).await;
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert!(store.revoke_access(&digest(1)).await.unwrap());
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert_eq!(store.rotate(rotation(2, 3, grant(1), NOW, Duration::ZERO)).await.unwrap(), Rotated::Done);
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert!(store.add_client(client("app")).await.unwrap());
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert!(store.change_client("app", |client| client.introspect.then_some(true).is_none()).await.unwrap().is_some());
}

/// Hazards 2.10: a gateway starts before its store.
#[tokio::test]
async fn a_redis_that_comes_later_is_found() {
    let mut server = RedisServer::start();
    server.kill();
    let store = Store::new(&server.settings()).unwrap();
    let watched = store.clone();
    let _watch = tokio::spawn(async move { watched.watch().await });
    assert!(matches!(store.reach().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.tag_keys(), Err(StoreError::Unavailable(_))));
    assert!(!store.is_trusted());
    server.restart();
    eventually("trust", Duration::from_secs(2), async || store.is_trusted()).await;
    let token = Token::mint(TokenKind::Access, &store.tag_keys().unwrap()).unwrap();
    let another = Store::open(&server.settings()).await.unwrap();
    assert!(another.tag_keys().unwrap().recognise(TokenKind::Access, token.secret().reveal().as_bytes()));
    issue(&store, single(1, record("app", None))).await;
}

/// Promise 1
#[tokio::test]
async fn an_operators_del_is_a_revocation() {
    let server = RedisServer::start();
    let (store, notes, _watch) = node(&server).await;
    issue(&store, single(1, record("app", None))).await;
    let before = notes.ended.lock().unwrap().iter().filter(|ended| **ended == digest(1)).count();
    server.command(&["DEL", &access_key(1)]);
    assert!(!valid(&store, 1).await);
    assert!(store.list(&of_client("app"), None, 10, NOW).await.unwrap().is_empty());
    eventually("the node hears of it", Duration::from_secs(1), async || {
        notes.ended.lock().unwrap().iter().filter(|ended| **ended == digest(1)).count() > before
    })
    .await;
}

/// Promise 1
#[tokio::test]
async fn a_flush_ends_every_token_and_the_tag_key_is_put_back() {
    let server = RedisServer::start();
    let (store, notes, _watch) = node(&server).await;
    let token = Token::mint(TokenKind::Access, &store.tag_keys().unwrap()).unwrap();
    issue(&store, single(1, record("app", None))).await;
    let cleared = notes.emptied();
    server.command(&["FLUSHALL"]);
    eventually("the node hears of it", Duration::from_secs(1), async || notes.emptied() > cleared).await;
    assert!(!valid(&store, 1).await);
    eventually("the key is back", Duration::from_secs(3), async || {
        server.command(&["EXISTS", "tg:k"]).starts_with(":1")
    })
    .await;
    let fresh = Store::open(&server.settings()).await.unwrap();
    assert!(fresh.tag_keys().unwrap().recognise(TokenKind::Access, token.secret().reveal().as_bytes()));
    // The scripts were flushed too, as a restart does: they are loaded again.
    server.command(&["SCRIPT", "FLUSH"]);
    issue(&store, single(2, record("app", None))).await;
    assert!(valid(&store, 2).await);
}

/// R7009-2.1f: 50 ms on the other nodes.
#[tokio::test]
async fn another_node_hears_of_a_revocation_within_50_milliseconds() {
    let server = RedisServer::start();
    let (here, _notes, _watch) = node(&server).await;
    let (_there, notes, _watch) = node(&server).await;
    let mut delays = Vec::new();
    for number in 0..21 {
        issue(&here, single(number, record("app", None))).await;
        eventually("the news of the issue", Duration::from_secs(5), async || notes.ended(number)).await;
        notes.ended.lock().unwrap().clear();
        here.revoke_access(&digest(number)).await.unwrap();
        let answered = Instant::now();
        eventually("the news of the end", Duration::from_secs(5), async || notes.ended(number)).await;
        delays.push(answered.elapsed());
    }
    // The median: a busy machine may hold up one or the other.
    delays.sort_unstable();
    assert!(delays[10] < Duration::from_millis(50), "{delays:?}");
}

#[tokio::test]
async fn a_tag_key_that_another_node_made_is_taken_over() {
    let server = RedisServer::start();
    let (store, _notes, _watch) = node(&server).await;
    let old = Token::mint(TokenKind::Access, &store.tag_keys().unwrap()).unwrap();
    server.command(&["DEL", "tg:k"]);
    let made = TagKeys::generate().unwrap();
    server.command(&["SET", "tg:k", str::from_utf8(&made.pack()).unwrap()]);
    eventually("the new key", Duration::from_secs(3), async || store.tag_keys().unwrap().agree_with(&made)).await;
    assert!(store.tag_keys().unwrap().recognise(TokenKind::Access, old.secret().reveal().as_bytes()));
}

/// TOK-16: every node makes tokens with the new key, and one that was cut off recognises them all the same.
#[tokio::test]
async fn a_rotation_reaches_every_node() {
    let server = RedisServer::start();
    let ((one, _, watch), (other, _, _watch)) = (node(&server).await, node(&server).await);
    // It hears nothing from here on.
    watch.abort();
    let old = Token::mint(TokenKind::Access, &one.tag_keys().unwrap()).unwrap();
    let keys = other.rotate_tag_keys(NOW, false).await.unwrap().unwrap();
    let new = Token::mint(TokenKind::Access, &keys).unwrap();
    for (store, token) in [(&one, &new), (&other, &old)] {
        assert!(store.tag_keys().unwrap().recognise(TokenKind::Access, token.secret().reveal().as_bytes()));
    }
    one.reach().await.unwrap();
    assert!(one.tag_keys().unwrap().same(&keys));
}

/// TOK-16: with a forgotten key end the tokens that it made; what every node knows of them is out of date.
#[tokio::test]
async fn forgetting_keys_ends_what_is_cached_on_every_node() {
    let server = RedisServer::start();
    let ((one, notes, _watch), (other, others, _other_watch)) = (node(&server).await, node(&server).await);
    let old = Token::mint(TokenKind::Access, &one.tag_keys().unwrap()).unwrap();
    let cleared = (notes.emptied(), others.emptied());
    one.rotate_tag_keys(NOW, true).await.unwrap().unwrap();
    let same = async || other.tag_keys().unwrap().same(&one.tag_keys().unwrap());
    eventually("the other node has the next key", Duration::from_secs(3), same).await;
    assert_eq!((notes.emptied(), others.emptied()), cleared, "no key is forgotten yet");
    one.rotate_tag_keys(NOW.plus(HOUR), true).await.unwrap().unwrap();
    assert!(notes.emptied() > cleared.0);
    eventually("the other node hears of it", Duration::from_secs(3), async || others.emptied() > cleared.1).await;
    for store in [&one, &other] {
        assert!(!store.tag_keys().unwrap().recognise(TokenKind::Access, old.secret().reveal().as_bytes()));
    }
}

/// A failover may lose a rotation: whoever knows it puts it back.
#[tokio::test]
async fn a_rotation_that_redis_has_lost_is_put_back() {
    let server = RedisServer::start();
    let (store, _notes, _watch) = node(&server).await;
    let was = store.tag_keys().unwrap();
    let keys = store.rotate_tag_keys(NOW, false).await.unwrap().unwrap();
    server.command(&["SET", "tg:k", str::from_utf8(&was.pack()).unwrap()]);
    let fresh = Store::open(&server.settings()).await.unwrap();
    eventually("it is back", Duration::from_secs(3), async || {
        fresh.reach().await.unwrap();
        fresh.tag_keys().unwrap().same(&keys)
    })
    .await;
}

/// Hazards 2.9: a Redis that refuses to write is out of order, not empty.
#[tokio::test]
async fn a_redis_that_refuses_to_write_is_unavailable() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    issue(&store, pair(1, grant(1), "app", Some("alice"))).await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let rotated: Result<Rotated, _> = store.rotate(rotation(2, 3, grant(1), NOW, GRACE)).await;
    for outcome in [rotated.map(drop), store.issue(single(5, record("app", None))).await.map(drop)] {
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    }
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let outcome = store.issue(single(7, record("app", None))).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
}

/// TOK-15: nothing that expires needs anybody to remove it.
#[tokio::test]
async fn every_key_of_a_token_expires_by_itself() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    issue(&store, pair(1, grant(1), "app", Some("alice"))).await;
    store.rotate(rotation(2, 3, grant(1), NOW, GRACE)).await.unwrap();
    let keys = server.command(&["KEYS", "tg:*"]);
    let keys: Vec<&str> = keys.split("\r\n").filter(|line| line.starts_with("tg:") && *line != "tg:k").collect();
    assert_eq!(keys.len(), 9, "{keys:?}");
    for key in keys {
        let life: i64 = server.command(&["TTL", key]).trim().trim_start_matches(':').parse().unwrap();
        assert!(life > 3000, "{key} lives for {life}");
    }
}

#[tokio::test]
async fn a_value_that_is_not_ours_is_told_from_an_unknown_token() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    server.command(&["SET", &access_key(1), "nonsense"]);
    assert!(matches!(store.access_token(&digest(1), NOW).await, Err(StoreError::Corrupt(_))));
    assert!(store.revoke_access(&digest(1)).await.unwrap(), "it can be removed");
    assert!(!valid(&store, 1).await);
}

/// TOK-6
#[tokio::test]
async fn an_error_names_the_address_and_not_the_password() {
    let mut settings = RedisServer::start().settings();
    settings.location = Location::redis("redis://user:hunter2@127.0.0.1:1/0").unwrap();
    let Err(error) = Store::open(&settings).await else { panic!("nobody listens there") };
    let text = format!("{error} {error:?}");
    assert!(text.contains("127.0.0.1:1") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_unix_socket_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let server = RedisServer::start_with(&["--unixsocket", &socket.to_string_lossy()]);
    let mut settings = server.settings();
    settings.location = Location::redis(&format!("redis+unix://{}", socket.display())).unwrap();
    let store = Store::open(&settings).await.unwrap();
    issue(&store, single(1, record("app", None))).await;
    assert!(valid(&store, 1).await);
}

/// Each worker has a runtime of its own, and so a connection of its own.
#[test]
fn a_worker_connects_on_its_own_runtime() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = RedisServer::start();
    let first = runtime();
    let store = first.block_on(Store::open(&server.settings())).unwrap();
    first.block_on(issue(&store, single(1, record("app", None))));
    let worker = store.for_worker();
    let thread = std::thread::spawn(move || runtime().block_on(async { valid(&worker, 1).await }));
    assert!(thread.join().unwrap(), "while the first runtime stands still");
    drop(first);
    // The connection died with its runtime; a lookup makes another.
    assert!(runtime().block_on(valid(&store, 1)));
}

/// LIM-429
#[tokio::test]
async fn the_nodes_of_a_redis_count_together_and_counts_expire() {
    let server = RedisServer::start();
    let (one, two) = (Store::open(&server.settings()).await.unwrap(), Store::open(&server.settings()).await.unwrap());
    let pace = Pace { every: Duration::from_secs(100), slack: Duration::from_secs(200) };
    let count =
        async |store: &Store, key: &[u8]| store.count(key, pace, Duration::from_secs(1)).await.unwrap().unwrap();
    for (store, most) in [(&one, 100), (&two, 200), (&one, 300)] {
        let counted = count(store, b"a").await;
        assert!(counted.fits && (most - 5..=most).contains(&counted.ahead.as_secs()), "{counted:?}");
    }
    assert!(!count(&one, b"a").await.fits && !count(&two, b"a").await.fits);
    assert!(count(&two, b"b").await.fits);
    let left = server.command(&["PTTL", "tg:l:61"]);
    let left: u64 = left.trim_start_matches(':').trim().parse().unwrap();
    assert!((290_000..=300_000).contains(&left), "{left}");
    // A clock that was put back, or an operator: nobody waits for longer than a full count takes.
    server.command(&["SET", "tg:l:61", "9999999999999999"]);
    let counted = count(&one, b"a").await;
    assert_eq!((counted.fits, counted.ahead), (false, pace.slack + pace.every));
    server.command(&["SET", "tg:l:61", "nonsense"]);
    assert!(count(&one, b"a").await.fits);
}

#[tokio::test]
async fn a_count_is_waited_for_no_longer_than_it_may_take() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    let pace = Pace { every: Duration::from_secs(1), slack: Duration::ZERO };
    server.signal("STOP");
    let start = Instant::now();
    let counted = store.count(b"a", pace, Duration::from_millis(50)).await;
    assert!(matches!(counted, Err(StoreError::Timeout(_))) && start.elapsed() < Duration::from_millis(500));
    server.signal("CONT");
    let memory = Settings { location: Location::Memory, ..server.settings() };
    assert_eq!(Store::new(&memory).unwrap().count(b"a", pace, Duration::from_secs(1)).await.unwrap(), None);
}
