//! A Redis with two replicas and three sentinels: what becomes of the store when the master is gone.

use super::redis::{eventually, node_of};
use super::server::{Keeper, RedisServer, until};
use super::*;
use crate::store::{Kind, StoreError};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Instant;
use tokio::sync::MutexGuard;

/// The processes.
pub(super) struct Watched {
    /// The master is the first one, until it fails.
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

/// One for all tests that do no harm, which use it one after the other.
static SHARED: LazyLock<(tokio::sync::Mutex<Watched>, Keeper)> = LazyLock::new(|| {
    let watched = Watched::start();
    let keeper = Keeper::of(watched.servers.iter().chain(&watched.sentinels));
    (tokio::sync::Mutex::new(watched), keeper)
});

impl Watched {
    /// The shared one, empty.
    pub(super) async fn shared() -> MutexGuard<'static, Self> {
        let watched = SHARED.0.lock().await;
        watched.servers[0].command(&["FLUSHALL"]);
        watched
    }

    fn start() -> Self {
        let master = RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
        let port = master.port().to_string();
        let replica =
            || RedisServer::start_with(&["--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", &port]);
        let servers = vec![master, replica(), replica()];
        until("the replicas follow", Duration::from_secs(20), || {
            servers[0].command(&["INFO", "replication"]).matches("state=online").count() == 2
        });
        let sentinels: Vec<_> = (0..3).map(|_| sentinel(&port)).collect();
        for sentinel in &sentinels {
            until("they know each other", Duration::from_secs(20), || {
                let state = sentinel.command(&["SENTINEL", "MASTER", "tollgate"]);
                number_of(&state, "num-slaves") == "2" && number_of(&state, "num-other-sentinels") == "2"
            });
        }
        Self { servers, sentinels }
    }

    pub(super) fn settings(&self) -> Settings {
        let sentinels: Vec<_> = self.sentinels.iter().map(|of| format!("127.0.0.1:{}", of.port())).collect();
        let url = format!("redis+sentinel://{}/tollgate/0", sentinels.join(","));
        Settings { timeout: Duration::from_secs(1), ..settings(Location::redis(&url).unwrap()) }
    }

    /// The place in `servers` of the one that every sentinel calls the master.
    fn master(&self) -> Option<usize> {
        let told = |sentinel: &RedisServer| {
            let told = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "tollgate"]);
            self.servers.iter().position(|server| told.contains(&format!("\r\n{}\r\n", server.port())))
        };
        let first = told(&self.sentinels[0])?;
        self.sentinels.iter().all(|sentinel| told(sentinel) == Some(first)).then_some(first)
    }

    /// Waits until another one is the master, and asks the store all the while: it fails, and forgets nothing.
    async fn failed_over(&self, store: &Store) -> Instant {
        let start = Instant::now();
        loop {
            let longest = Duration::from_millis(1900);
            let asked = Instant::now();
            let answer = store.access_token(&digest(1), NOW).await;
            assert!(asked.elapsed() < longest, "{:?}", asked.elapsed());
            assert!(!matches!(answer, Ok(None)), "an outage is no answer");
            if self.master().is_some_and(|master| master != 0) {
                return Instant::now();
            }
            assert!(start.elapsed() < Duration::from_secs(20), "nobody was made the master");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn number_of<'s>(state: &'s str, field: &str) -> &'s str {
    let mut lines = state.split("\r\n").skip_while(|line| *line != field);
    lines.nth(2).unwrap_or_default()
}

fn sentinel(master: &str) -> RedisServer {
    let sentinel = RedisServer::start_as(|folder: &Path| {
        let file = folder.join("sentinel.conf");
        let text = format!(
            "bind 127.0.0.1\ndir {}\nsentinel monitor tollgate 127.0.0.1 {master} 2\n\
            sentinel down-after-milliseconds tollgate 500\nsentinel failover-timeout tollgate 2000\n",
            folder.display()
        );
        std::fs::write(&file, text).unwrap();
        vec![file.display().to_string(), "--sentinel".to_owned()]
    });
    for (period, time) in [("INFO", "500"), ("PUBLISH", "100"), ("PING", "200"), ("ASK", "100")] {
        sentinel.command(&["SENTINEL", "DEBUG", &format!("{period}-PERIOD"), time]);
    }
    sentinel
}

/// A token that every replica has.
async fn replicated(watched: &Watched, store: &Store) {
    issue(store, single(1, record("app", None))).await;
    let [master, replicas @ ..] = &watched.servers[..] else { panic!("there are three") };
    until("replicas", Duration::from_secs(5), || replicas.iter().all(|replica| replica.has_what_has(master)));
}

/// Hazards 2.9 and 2.10
#[tokio::test]
async fn a_master_that_dies_is_replaced_and_no_token_is_unknown_meanwhile() {
    let mut watched = Watched::start();
    let (store, notes, _watch) = node_of(watched.settings()).await;
    let worker = store.for_worker();
    replicated(&watched, &store).await;
    assert!(valid(&worker, 1).await);
    let cleared = notes.emptied();
    watched.servers[0].kill();
    eventually("distrust at once", Duration::from_millis(400), async || !store.is_trusted()).await;
    let promoted = watched.failed_over(&store).await;
    for store in [&store, &worker] {
        eventually("an answer", Duration::from_secs(2), async || {
            let answer = store.access_token(&digest(1), NOW).await;
            assert!(!matches!(answer, Ok(None)));
            answer.is_ok()
        })
        .await;
    }
    assert!(promoted.elapsed() < Duration::from_secs(2));
    issue(&store, single(2, record("app", None))).await;
    eventually("trust", Duration::from_secs(3), async || store.is_trusted()).await;
    assert!(notes.emptied() > cleared, "what ended meanwhile is unknown");
    let master = &watched.servers[watched.master().unwrap()];
    notes.ended.lock().unwrap().clear();
    master.command(&["DEL", &super::redis::access_key(2)]);
    eventually("news of the new master", Duration::from_secs(1), async || notes.ended(2)).await;
    // The old one comes back, and is a replica soon: whoever speaks with it is not believed.
    watched.servers[0].restart();
    eventually("a replica", Duration::from_secs(20), async || {
        assert!(valid(&store, 1).await && valid(&worker, 1).await);
        watched.servers[0].command(&["ROLE"]).contains("slave")
    })
    .await;
    issue(&worker, single(3, record("app", None))).await;
}

/// Hazards 2.9: nobody waits for a master that hangs for longer than the store may take.
#[tokio::test]
async fn a_master_that_hangs_is_waited_for_no_longer_than_the_timeout_and_then_left() {
    let watched = Watched::start();
    let (store, notes, _watch) = node_of(watched.settings()).await;
    let worker = store.for_worker();
    replicated(&watched, &store).await;
    assert!(valid(&worker, 1).await);
    let cleared = notes.emptied();
    watched.servers[0].signal("STOP");
    watched.failed_over(&store).await;
    eventually("an answer of the new one", Duration::from_secs(3), async || {
        store.access_token(&digest(1), NOW).await.is_ok_and(|found| found.is_some())
    })
    .await;
    eventually("trust", Duration::from_secs(4), async || store.is_trusted()).await;
    assert!(notes.emptied() > cleared);
    // The worker's connection is to the old one, which believes that it is the master when it goes on.
    watched.servers[0].signal("CONT");
    store.revoke_access(&digest(1)).await.unwrap();
    assert!(!matches!(worker.access_token(&digest(1), NOW).await, Ok(Some(_))), "an old master is not asked");
    eventually("a replica", Duration::from_secs(20), async || watched.servers[0].command(&["ROLE"]).contains("slave"))
        .await;
    assert!(!valid(&worker, 1).await);
}

/// A replica that is called the master, and says so itself, or a master that has become a replica: nothing is lost.
#[tokio::test]
async fn a_master_that_becomes_a_replica_is_left_although_it_answers() {
    let watched = Watched::start();
    let (store, _notes, _watch) = node_of(watched.settings()).await;
    replicated(&watched, &store).await;
    let start = Instant::now();
    while watched.master().is_none_or(|master| master == 0) {
        // It gives up where it has not heard of the replicas for a moment.
        watched.sentinels[0].command(&["SENTINEL", "FAILOVER", "tollgate"]);
        // Asked for all the while: a write is done, or said not to be.
        let done = store.put(Kind::User, "alice", (&"x", None), None, NOW).await;
        assert!(!matches!(done, Err(StoreError::Corrupt(_) | StoreError::TooLong(_))), "{done:?}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    eventually("a write", Duration::from_secs(2), async || store.issue(single(2, record("app", None))).await.is_ok())
        .await;
    assert!(valid(&store, 1).await && valid(&store, 2).await);
}

/// Promise 1: a replica that did not hear of a revocation before its master died hears of it from the node.
#[tokio::test]
async fn a_revocation_that_a_failover_forgot_is_made_again() {
    let mut watched = Watched::start();
    let (store, _notes, _watch) = node_of(watched.settings()).await;
    issue(&store, pair(3, grant(1), "app", Some("alice"))).await;
    issue(&store, pair(5, grant(2), "app", Some("alice"))).await;
    replicated(&watched, &store).await;
    for replica in &watched.servers[1..] {
        replica.signal("STOP");
    }
    watched.servers[0].command(&["CLIENT", "KILL", "TYPE", "replica"]);
    assert!(store.revoke_access(&digest(1)).await.unwrap());
    assert_eq!(store.revoke_grant(grant(1)).await.unwrap(), 1);
    watched.servers[0].kill();
    for replica in &watched.servers[1..] {
        replica.signal("CONT");
    }
    eventually("another master", Duration::from_secs(20), async || watched.master().is_some_and(|master| master != 0))
        .await;
    eventually("trust", Duration::from_secs(5), async || store.is_trusted()).await;
    assert_eq!(alive(&store, [1, 3, 4, 5, 6]).await, [5, 6]);
}

#[tokio::test]
async fn one_sentinel_of_three_will_do() {
    let watched = Watched::start();
    for sentinel in &watched.sentinels[..2] {
        sentinel.signal("STOP");
    }
    let store = Store::open(&watched.settings()).await.unwrap();
    issue(&store, single(1, record("app", None))).await;
    for sentinel in &watched.sentinels[..2] {
        sentinel.signal("CONT");
    }
}

#[tokio::test]
async fn a_master_that_nobody_knows_is_unavailable() {
    let watched = Watched::shared().await;
    let port = watched.sentinels[0].port();
    let url = format!("redis+sentinel://u:hunter2@127.0.0.1:{port}/other");
    let settings = Settings { location: Location::redis(&url).unwrap(), ..watched.settings() };
    let Err(error) = Store::open(&settings).await else { panic!("there is no such master") };
    let text = error.to_string();
    assert!(matches!(error, StoreError::Unavailable(_)) && text.contains("`other`"), "{text}");
    assert!(text.contains("No such master") && !text.contains("hunter2"), "{text}");
}
