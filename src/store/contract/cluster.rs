//! Three masters, each with a third of the slots and a replica: what becomes of the store when one is
//! gone, and when slots move.

use super::redis::{access_key, eventually, node_of};
use super::server::{Keeper, RedisServer, free_port, until};
use super::*;
use crate::store::{Kind, StoreError};
use std::sync::LazyLock;
use std::time::Instant;
use tokio::sync::MutexGuard;

/// The processes: three masters, then the replica of each.
pub(super) struct Cluster {
    servers: Vec<RedisServer>,
}

/// One for all tests that do no harm, which use it one after the other.
static SHARED: LazyLock<(tokio::sync::Mutex<Cluster>, Keeper)> = LazyLock::new(|| {
    let cluster = Cluster::start();
    let keeper = Keeper::of(&cluster.servers);
    (tokio::sync::Mutex::new(cluster), keeper)
});

/// Which slots each master has.
const SLOTS: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

impl Cluster {
    /// The shared one, empty.
    pub(super) async fn shared() -> MutexGuard<'static, Self> {
        let cluster = SHARED.0.lock().await;
        for master in &cluster.servers[..3] {
            master.command(&["FLUSHALL"]);
        }
        cluster
    }

    fn start() -> Self {
        let servers: Vec<_> = (0..6).map(|_| start()).collect();
        for (place, (server, (first, last))) in servers.iter().zip(SLOTS).enumerate() {
            server.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
            server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(place + 1).to_string()]);
        }
        for (server, bus) in &servers[1..].iter().map(|server| (server, bus_port(server))).collect::<Vec<_>>() {
            servers[0].command(&["CLUSTER", "MEET", "127.0.0.1", &server.port().to_string(), bus]);
        }
        let all = |holds: &dyn Fn(&RedisServer) -> bool| servers.iter().all(holds);
        until("they know each other", Duration::from_secs(20), || {
            all(&|server| {
                let nodes = server.command(&["CLUSTER", "NODES"]);
                nodes.matches(" connected").count() == 6 && !nodes.contains("handshake")
            })
        });
        for (master, replica) in servers[..3].iter().zip(&servers[3..]) {
            let id = master.command(&["CLUSTER", "MYID"]);
            let id = id.lines().nth(1).unwrap();
            until("a replica", Duration::from_secs(10), || {
                replica.command(&["CLUSTER", "REPLICATE", id]).starts_with("+OK")
            });
        }
        until("the cluster is complete", Duration::from_secs(30), || {
            servers[3..].iter().all(|replica| replica.command(&["INFO", "replication"]).contains("link_status:up"))
                && all(&|server| server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
                && all(&|server| server.command(&["CLUSTER", "NODES"]).matches("slave").count() == 3)
        });
        Self { servers }
    }

    pub(super) fn settings(&self) -> Settings {
        let nodes = [&self.servers[0], &self.servers[4]].map(|server| format!("127.0.0.1:{}", server.port()));
        let url = format!("redis+cluster://{}", nodes.join(","));
        Settings { timeout: Duration::from_secs(1), ..settings(Location::redis(&url).unwrap()) }
    }

    /// Sends a command to the master that has this key.
    pub(super) fn command(&self, key: &str, words: &[&str]) -> String {
        self.servers[self.owner(key)].command(words)
    }

    /// The place of the master that has this key.
    fn owner(&self, key: &str) -> usize {
        (0..3).find(|place| !self.servers[*place].command(&["EXISTS", key]).starts_with('-')).unwrap()
    }
}

fn start() -> RedisServer {
    RedisServer::start_as(|_| {
        let bus = free_port().to_string();
        let options = [
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            &bus,
            "--cluster-node-timeout",
            "1000",
            "--cluster-allow-replica-migration",
            "no",
            "--cluster-replica-validity-factor",
            "0",
            "--repl-diskless-sync-delay",
            "0",
        ];
        options.map(str::to_owned).to_vec()
    })
}

fn bus_port(server: &RedisServer) -> String {
    let port = server.command(&["CONFIG", "GET", "cluster-port"]);
    port.lines().nth(4).unwrap().to_owned()
}

/// Documents of many slots.
const KIND: Kind = Kind::Session;

async fn put(store: &Store, id: &str) -> Result<bool, StoreError> {
    store.put(KIND, id, (&"x", None), None, NOW).await
}

async fn there(store: &Store, id: &str) -> Result<bool, StoreError> {
    store.document::<String>(KIND, id, NOW).await.map(|found| found.is_some())
}

fn key(id: &str) -> String {
    format!("tg:d:session:{id}")
}

/// Identifiers whose documents are with the first, the second and the third master.
fn spread(cluster: &Cluster) -> [String; 3] {
    [0, 1, 2].map(|place| (0..999).map(|n| format!("s{n}")).find(|id| cluster.owner(&key(id)) == place).unwrap())
}

#[tokio::test]
async fn documents_of_all_slots_are_written_and_read() {
    let cluster = Cluster::shared().await;
    let store = Store::open(&cluster.settings()).await.unwrap();
    for number in 0..50 {
        assert!(put(&store, &format!("s{number}")).await.unwrap());
    }
    for number in 0..50 {
        assert!(there(&store.for_worker(), &format!("s{number}")).await.unwrap());
    }
    store.ping().await.unwrap();
}

#[tokio::test]
async fn every_master_tells_what_ends() {
    let cluster = Cluster::shared().await;
    let (store, notes, _watch) = node_of(cluster.settings()).await;
    let mut owners = [false; 3];
    for number in (0..30).map(|number| NEIGHBOURS * number) {
        let (key, owner) = (access_key(number), cluster.owner(&access_key(number)));
        cluster.servers[owner].command(&["SET", &key, "x"]);
        eventually("the news", Duration::from_secs(2), async || notes.ended(number)).await;
        owners[owner] = true;
    }
    assert_eq!(owners, [true; 3]);
    assert!(store.is_trusted());
}

/// Walks go over every master; values are read wherever they are.
#[tokio::test]
async fn a_walk_over_everything_meets_every_master() {
    let cluster = Cluster::shared().await;
    let store = Store::open(&cluster.settings()).await.unwrap();
    let value = serde_json::to_string(&record("app", None)).unwrap();
    for number in (0..30).map(|number| NEIGHBOURS * number) {
        let key = access_key(number);
        cluster.servers[cluster.owner(&key)].command(&["SET", &key, &value]);
    }
    let listed = store.list(&Filter::default(), None, 100, NOW).await.unwrap();
    assert_eq!(listed.len(), 30);
    assert!(valid(&store, 7 * NEIGHBOURS).await);
}

/// Hazards 2.9 and 2.10
#[tokio::test]
async fn a_master_that_dies_is_replaced_and_nothing_is_unknown_meanwhile() {
    let mut cluster = Cluster::start();
    let (store, notes, _watch) = node_of(cluster.settings()).await;
    let (worker, ids) = (store.for_worker(), spread(&cluster));
    for id in &ids {
        assert!(put(&store, id).await.unwrap() && there(&worker, id).await.unwrap());
    }
    until("replicas", Duration::from_secs(5), || cluster.servers[3].has_what_has(&cluster.servers[0]));
    let cleared = notes.emptied();
    cluster.servers[0].kill();
    eventually("distrust at once", Duration::from_millis(400), async || !store.is_trusted()).await;
    let promoted = failed_over(&cluster, &store, &ids).await;
    for id in &ids {
        for store in [&store, &worker] {
            eventually("an answer", Duration::from_secs(2), async || there(store, id).await.is_ok_and(|there| there))
                .await;
        }
    }
    assert!(promoted.elapsed() < Duration::from_secs(2), "{:?}", promoted.elapsed());
    eventually("trust", Duration::from_secs(4), async || store.is_trusted()).await;
    assert!(notes.emptied() > cleared, "what ended meanwhile is unknown");
    let has = |number: &u64| cluster.servers[3].command(&["EXISTS", &access_key(*number)]).starts_with(':');
    let number = (0..999).map(|number| NEIGHBOURS * number).find(has);
    cluster.servers[3].command(&["SET", &access_key(number.unwrap()), "x"]);
    eventually("news of the new master", Duration::from_secs(1), async || notes.ended(number.unwrap())).await;
    // The old one comes back as a replica.
    cluster.servers[0].restart();
    eventually("a replica", Duration::from_secs(20), async || {
        assert!(there(&worker, &ids[0]).await.unwrap());
        cluster.servers[0].command(&["ROLE"]).contains("slave")
    })
    .await;
    assert!(there(&worker, &ids[0]).await.unwrap() && there(&store, &ids[0]).await.unwrap());
}

/// Hazards 2.9
#[tokio::test]
async fn a_master_that_hangs_is_waited_for_no_longer_than_the_timeout_and_then_left() {
    let cluster = Cluster::start();
    let (store, _notes, _watch) = node_of(cluster.settings()).await;
    let ids = spread(&cluster);
    for id in &ids {
        assert!(put(&store, id).await.unwrap());
    }
    until("replicas", Duration::from_secs(5), || cluster.servers[3].has_what_has(&cluster.servers[0]));
    cluster.servers[0].signal("STOP");
    failed_over(&cluster, &store, &ids).await;
    for id in &ids {
        eventually("an answer", Duration::from_secs(3), async || there(&store, id).await.is_ok_and(|there| there))
            .await;
    }
    eventually("trust", Duration::from_secs(4), async || store.is_trusted()).await;
    cluster.servers[0].signal("CONT");
    for id in &ids {
        assert!(there(&store, id).await.unwrap());
    }
}

/// Waits until the first replica is a master, and asks the store all the while: it fails, and forgets nothing.
async fn failed_over(cluster: &Cluster, store: &Store, ids: &[String; 3]) -> Instant {
    let start = Instant::now();
    while !cluster.servers[3].command(&["ROLE"]).contains("master") {
        let asked = Instant::now();
        let answer = there(store, &ids[0]).await;
        assert!(!matches!(answer, Ok(false)), "an outage is no answer");
        assert!(asked.elapsed() < Duration::from_millis(1900), "{:?}", asked.elapsed());
        assert!(start.elapsed() < Duration::from_secs(20), "nobody was made a master");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Instant::now()
}

/// A slot is moved from the first master to the second: its keys one by one, then the slot itself.
#[tokio::test]
async fn slots_that_move_are_followed() {
    let cluster = Cluster::start();
    let (store, notes, _watch) = node_of(cluster.settings()).await;
    let (id, [from, to, third, ..]) = (&spread(&cluster)[0], &cluster.servers[..]) else { panic!("there are six") };
    let slot = from.command(&["CLUSTER", "KEYSLOT", &key(id)]).trim().trim_start_matches(':').to_owned();
    let name = |server: &RedisServer| server.command(&["CLUSTER", "MYID"]).lines().nth(1).unwrap().to_owned();
    assert!(put(&store, id).await.unwrap());
    to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &name(from)]);
    from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &name(to)]);
    assert!(there(&store, id).await.unwrap(), "it is still here");
    let moved = from.command(&["MIGRATE", "127.0.0.1", &to.port().to_string(), &key(id), "0", "1000"]);
    assert!(moved.starts_with("+OK"), "{moved}");
    assert!(there(&store, id).await.unwrap(), "it is on its way");
    let current = store.document::<String>(KIND, id, NOW).await.unwrap().unwrap();
    assert!(store.put(KIND, id, (&"y", None), Some(current.version), NOW).await.unwrap());
    for server in [to, from, third] {
        server.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &name(to)]);
    }
    assert!(there(&store, id).await.unwrap(), "it is there");
    assert!(store.forget(KIND, id).await.unwrap());
    assert!(store.is_trusted() && notes.emptied() > 0);
}

/// A slot whose keys are on their way from the first master to the second.
struct Move<'c> {
    servers: &'c [RedisServer],
    slot: String,
}

impl<'c> Move<'c> {
    fn begin(cluster: &'c Cluster, key: &str) -> Self {
        let servers = &cluster.servers;
        let slot = servers[0].command(&["CLUSTER", "KEYSLOT", key]).trim().trim_start_matches(':').to_owned();
        let begun = Self { servers, slot };
        servers[1].command(&["CLUSTER", "SETSLOT", &begun.slot, "IMPORTING", &begun.name(0)]);
        servers[0].command(&["CLUSTER", "SETSLOT", &begun.slot, "MIGRATING", &begun.name(1)]);
        begun
    }

    fn name(&self, server: usize) -> String {
        self.servers[server].command(&["CLUSTER", "MYID"]).lines().nth(1).unwrap().to_owned()
    }

    fn take(&self, key: &str) {
        let moved =
            self.servers[0].command(&["MIGRATE", "127.0.0.1", &self.servers[1].port().to_string(), key, "0", "1000"]);
        assert!(moved.starts_with("+OK"), "{moved}");
    }

    fn end(self) {
        let keys = self.servers[0].command(&["CLUSTER", "GETKEYSINSLOT", &self.slot, "99"]);
        for key in keys.lines().filter(|line| line.starts_with("tg:")) {
            self.take(key);
        }
        for server in [1, 0, 2] {
            self.servers[server].command(&["CLUSTER", "SETSLOT", &self.slot, "NODE", &self.name(1)]);
        }
    }
}

/// A grant is whole before, during and after a move: what finds a part of it is waited for, and nothing is done by
/// halves.
#[tokio::test]
async fn grants_that_move_stay_whole() {
    let cluster = Cluster::start();
    let (store, _notes, _watch) = node_of(cluster.settings()).await;
    let mut numbers =
        (1..999).map(|number| NEIGHBOURS * number).filter(|number| cluster.owner(&access_key(*number)) == 0);
    for exchanged in [true, false] {
        let number = numbers.next().unwrap();
        let family = grant_of(number);
        issue(&store, pair(number, family, "app", Some("alice"))).await;
        let begun = Move::begin(&cluster, &access_key(number));
        assert_eq!(alive(&store, [number, number + 1]).await, [number, number + 1], "it is still here");
        begun.take(&access_key(number));
        assert_eq!(alive(&store, [number, number + 1]).await, [number, number + 1], "a part is on its way");
        let changing = store.clone();
        let change = tokio::spawn(async move {
            let next = rotation(number + 1, number + 2, family, NOW, GRACE);
            if exchanged {
                assert_eq!(changing.rotate(next).await.unwrap(), crate::store::Rotated::Done);
            } else {
                changing.revoke_grant(family).await.unwrap();
            }
        });
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert!(!change.is_finished());
        assert_eq!(alive(&store, [number, number + 1]).await, [number, number + 1], "nothing is done yet");
        begun.end();
        change.await.unwrap();
        let left: &[u64] = if exchanged { &[0, 1, 2, 3] } else { &[] };
        let left: Vec<u64> = left.iter().map(|offset| number + offset).collect();
        assert_eq!(alive(&store, number..number + 4).await, left);
        assert_eq!(store.list(&of_client("app"), None, 9, NOW).await.unwrap().len(), 2);
    }
    assert_eq!(store.revoke_where(&of_subject("alice")).await.unwrap(), 2);
}

/// A cluster that lacks slots answers for none.
#[tokio::test]
async fn a_cluster_that_is_down_is_unavailable() {
    let server = start();
    server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16000"]);
    let url = format!("redis+cluster://127.0.0.1:{}", server.port());
    let settings = Settings { timeout: Duration::from_millis(500), ..settings(Location::redis(&url).unwrap()) };
    let store = Store::new(&settings).unwrap();
    let watched = store.clone();
    let _watch = tokio::spawn(async move { watched.watch().await });
    for id in ["a", "b", "c"] {
        let answer = there(&store, id).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(!store.is_trusted());
    server.command(&["CLUSTER", "ADDSLOTSRANGE", "16001", "16383"]);
    eventually("trust", Duration::from_secs(10), async || store.is_trusted()).await;
    assert!(!there(&store, "a").await.unwrap());
}
