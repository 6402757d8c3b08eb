//! What holds in a Redis and in a cluster because of how keys are laid out: names before tokens, repetitions that
//! are known as such, gateways that share a Redis.

use super::redis::{access_key, eventually, node_of};
use super::*;
use crate::secret::hex;
use crate::store::{Rotated, StoreError};
use std::io::{Read, Write};

/// Runs a test against a Redis and a cluster, with a way to send a command where a key is.
macro_rules! on_redis_and_cluster {
    ($($(#[$meta:meta])* $test:ident),+ $(,)?) => {
        mod redis {
            $($(#[$meta])* #[tokio::test]
            async fn $test() {
                let server = super::RedisServer::start();
                let store = crate::store::Store::open(&server.settings()).await.unwrap();
                super::$test(&store, &|_, words| server.command(words)).await;
            })+
        }
        mod cluster {
            $($(#[$meta])* #[tokio::test]
            async fn $test() {
                let cluster = crate::store::contract::cluster::Cluster::shared().await;
                let store = crate::store::Store::open(&cluster.settings()).await.unwrap();
                super::$test(&store, &|key, words| cluster.command(key, words)).await;
            })+
        }
    };
}

on_redis_and_cluster!(
    an_exchange_that_is_told_twice_is_made_once,
    an_exchange_that_was_replaced_before_it_is_told_again_is_over,
    an_issue_that_is_told_twice_is_made_once,
    what_may_be_issued_a_second_time_is_named_again,
    names_go_when_what_they_name_has_ended,
    /// TOK-13
    a_name_without_a_token_means_nothing_and_stays,
    /// TOK-13
    what_was_named_a_second_time_is_found,
    many_names_that_expire_together_are_all_met,
    a_token_that_cannot_be_read_ends_with_all_others,
);

/// Sends a command, where the key is.
type Operator<'o> = &'o (dyn Fn(&str, &[&str]) -> String + Sync);

const CLIENT: &str = "tg:i:c:app";
const SUBJECT: &str = "tg:i:s:alice";

fn add_name(operator: Operator<'_>, index: &str, score: &str, name: &str) {
    assert!(operator(index, &["ZADD", index, score, name]).starts_with(":1"));
}

fn name(kind: char, number: u64) -> String {
    format!("{kind}{}", hex(digest(number).as_bytes()))
}

/// Far in the future.
const LATER: &str = "9999999999999";

/// Exchanges refresh token `presented` of grant 1.
async fn exchange(store: &Store, presented: u64, number: u64, outcome: Rotated) {
    assert_eq!(store.rotate(rotation(presented, number, grant(1), NOW, GRACE)).await.unwrap(), outcome);
}

async fn an_exchange_that_is_told_twice_is_made_once(store: &Store, _: Operator<'_>) {
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    exchange(store, 2, 3, Rotated::Done).await;
    exchange(store, 2, 3, Rotated::Done).await;
    assert!(store.refresh_is_current(&digest(4), NOW).await.unwrap());
    exchange(store, 2, 5, Rotated::Done).await;
    // The second time says again which token ended.
    let notes = Notes::on(store);
    exchange(store, 2, 5, Rotated::Done).await;
    assert!(notes.ended(3) && !notes.ended(1));
}

async fn an_exchange_that_was_replaced_before_it_is_told_again_is_over(store: &Store, _: Operator<'_>) {
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    for number in [3, 5, 3] {
        exchange(store, 2, number, Rotated::Done).await;
    }
    assert_eq!(alive(store, [1, 3, 5]).await, [1, 5]);
    assert!(store.refresh_is_current(&digest(6), NOW).await.unwrap());
    exchange(store, 4, 7, Rotated::Reused).await;
    exchange(store, 4, 7, Rotated::Unknown).await;
    assert!(alive(store, 1..=8).await.is_empty());
}

async fn an_issue_that_is_told_twice_is_made_once(store: &Store, _: Operator<'_>) {
    for _ in 0..2 {
        issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    }
    assert_eq!(store.list(&of_client("app"), None, 9, NOW).await.unwrap().len(), 1);
    assert_eq!(store.revoke_grant(grant(1)).await.unwrap(), 1);
    assert!(alive(store, 1..=2).await.is_empty());
}

/// TOK-13
async fn what_may_be_issued_a_second_time_is_named_again(store: &Store, operator: Operator<'_>) {
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    operator(&access_key(1), &["CLIENT", "KILL", "TYPE", "normal"]);
    issue(store, single(3, record("app", Some("alice")))).await;
    for index in [CLIENT, SUBJECT] {
        let named = operator(index, &["ZSCORE", index, &name('A', 3)]);
        assert!(!named.starts_with("$-1"), "{index}");
    }
    // Whoever ended it after the first time drops the names of that time now.
    store.revoke_access(&digest(3)).await.unwrap();
    issue(store, single(3, record("app", Some("alice")))).await;
    for index in [CLIENT, SUBJECT] {
        operator(index, &["ZREM", index, &name('a', 3)]);
    }
    assert_eq!(store.revoke_where(&of_client("app")).await.unwrap(), 2);
    assert!(alive(store, 1..=3).await.is_empty());
}

/// Waits until both indexes have `wanted` names.
async fn named(operator: Operator<'_>, wanted: &str) {
    let counts = async || [CLIENT, SUBJECT].map(|index| operator(index, &["ZCARD", index]).trim().to_owned());
    eventually(wanted, Duration::from_secs(2), async || counts().await == [wanted, wanted]).await;
}

async fn names_go_when_what_they_name_has_ended(store: &Store, operator: Operator<'_>) {
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    issue(store, single(NEIGHBOURS, record("app", Some("alice")))).await;
    named(operator, ":3").await;
    store.revoke_access(&digest(NEIGHBOURS)).await.unwrap();
    named(operator, ":2").await;
    // Reuse ends the family, and the name of the token that was not made goes too.
    exchange(store, 2, 3, Rotated::Done).await;
    exchange(store, 4, 5, Rotated::Done).await;
    exchange(store, 2, 7, Rotated::Reused).await;
    named(operator, ":0").await;
}

/// Somebody is just issuing: the names are there, and the token comes when a listing and a revocation have passed.
async fn a_name_without_a_token_means_nothing_and_stays(store: &Store, operator: Operator<'_>) {
    add_name(operator, CLIENT, LATER, &name('a', 1));
    add_name(operator, SUBJECT, LATER, &name('a', 1));
    assert!(store.list(&of_client("app"), None, 9, NOW).await.unwrap().is_empty());
    assert_eq!(store.revoke_where(&of_subject("alice")).await.unwrap(), 0);
    assert!(!store.revoke_access(&digest(1)).await.unwrap());
    let value = serde_json::to_string(&record("app", Some("alice"))).unwrap();
    operator(&access_key(1), &["SET", &access_key(1), &value]);
    assert_eq!(store.revoke_where(&of_client("app")).await.unwrap(), 1);
    assert!(!valid(store, 1).await);
}

async fn what_was_named_a_second_time_is_found(store: &Store, operator: Operator<'_>) {
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    // Whoever ended it after the first time comes late.
    let family = format!("g{}", hex(&grant(1).0));
    for index in [CLIENT, SUBJECT] {
        add_name(operator, index, LATER, &name('A', 1));
        add_name(operator, index, LATER, &family.replace('g', "G"));
        operator(index, &["ZREM", index, &name('a', 1), &family]);
    }
    assert_eq!(store.list(&of_client("app"), None, 9, NOW).await.unwrap().len(), 1);
    assert_eq!(store.revoke_where(&of_client("app")).await.unwrap(), 1);
    assert!(alive(store, 1..=2).await.is_empty());
}

async fn many_names_that_expire_together_are_all_met(store: &Store, operator: Operator<'_>) {
    let numbers: Vec<u64> = (1..=1300).collect();
    for numbers in numbers.chunks(30) {
        let names: Vec<String> = numbers.iter().map(|number| name('a', *number)).collect();
        let mut words = vec!["ZADD", CLIENT];
        words.extend(names.iter().flat_map(|name| [LATER, name.as_str()]));
        operator(CLIENT, &words);
    }
    let value = serde_json::to_string(&record("app", None)).unwrap();
    for number in &numbers {
        operator(&access_key(*number), &["SET", &access_key(*number), &value]);
    }
    assert_eq!(store.list(&of_client("app"), None, 2000, NOW).await.unwrap().len(), 1300);
    assert_eq!(store.revoke_where(&of_client("app")).await.unwrap(), 1300);
}

async fn a_token_that_cannot_be_read_ends_with_all_others(store: &Store, operator: Operator<'_>) {
    issue(store, pair(1, grant(1), "app", Some("alice"))).await;
    operator(&access_key(1), &["SET", &access_key(1), "nonsense"]);
    assert_eq!(store.revoke_where(&of_client("app")).await.unwrap(), 1);
    assert!(alive(store, 1..=2).await.is_empty());
}

/// Two gateways with keys of their own in one Redis know nothing of one another.
#[tokio::test]
async fn gateways_with_prefixes_share_a_redis() {
    let server = RedisServer::start();
    let with = |prefix: &str| {
        let settings = server.settings();
        let Location::Redis(address) = settings.location.clone() else { panic!("it is one") };
        Settings { location: Location::Redis(Box::new(address.with_key_prefix(prefix))), ..settings }
    };
    let (plain, plain_notes, _watch) = node_of(with("")).await;
    let (notes, notes_notes, _watch) = node_of(with("notes:")).await;
    let (another_node, _, _watch) = node_of(with("notes:")).await;
    assert!(!plain.tag_keys().unwrap().same(&notes.tag_keys().unwrap()));
    assert!(notes.tag_keys().unwrap().same(&another_node.tag_keys().unwrap()));
    for store in [&plain, &notes] {
        store.add_client(client("app")).await.unwrap();
        issue(store, pair(1, grant(1), "app", Some("alice"))).await;
        assert!(store.put(crate::store::Kind::User, "alice", (&"x", None), None, NOW).await.unwrap());
        let pace = crate::store::Pace { every: Duration::from_secs(1), slack: Duration::ZERO };
        assert!(store.count(b"a", pace, Duration::from_secs(1)).await.unwrap().unwrap().fits);
    }
    let keys = server.command(&["KEYS", "*"]);
    let keys: Vec<&str> = keys.split("\r\n").filter(|line| line.contains("tg:")).collect();
    let prefixed = keys.iter().filter(|key| key.starts_with("notes:tg:")).count();
    assert_eq!((keys.len(), prefixed), (24, 12), "{keys:?}");
    issue(&another_node, single(3, record("app", None))).await;
    eventually("its node hears", Duration::from_secs(2), async || notes_notes.ended(3)).await;
    assert!(!plain_notes.ended(3) && !valid(&plain, 3).await && valid(&notes, 3).await);
    assert_eq!(notes.revoke_where(&Filter::default()).await.unwrap(), 2);
    notes.remove_client("app").await.unwrap();
    assert_eq!(alive(&plain, 1..=3).await, [1, 2]);
    assert!(alive(&another_node, 1..=3).await.is_empty());
    assert!(plain.client("app").await.unwrap().is_some());
    assert_eq!(plain.list(&Filter::default(), None, 9, NOW).await.unwrap().len(), 1);
    assert!(matches!(plain.document::<String>(crate::store::Kind::User, "alice", NOW).await, Ok(Some(_))));
    let outcome: Result<(), StoreError> = plain.ping().await;
    assert!(outcome.is_ok());
}

/// How often a Redis has read since the last time it was asked this.
pub(super) fn reads(server: &RedisServer, before: &mut u64) -> u64 {
    let mut connection = std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    connection.write_all(b"INFO stats\r\n").unwrap();
    let mut said = [0; 8192];
    let length = connection.read(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said[..length]);
    let field = |line: &str| line.strip_prefix("total_reads_processed:").map(|count| count.trim().parse().unwrap());
    let now: u64 = said.lines().find_map(field).unwrap();
    let since = now - *before;
    *before = now;
    since
}

#[tokio::test]
async fn what_changes_tokens_is_one_round_trip_to_one_redis() {
    let server = RedisServer::start();
    let store = Store::open(&server.settings()).await.unwrap();
    assert!(store.add_client(client("robot")).await.unwrap());
    let of_robot = |number| {
        let mut issue = pair(number, grant_of(number), "robot", Some("alice"));
        issue.access.1.client_origin = Origin::Store;
        issue.registration = Some(RegistrationId([1; 16]));
        issue
    };
    let rotation = |presented, number| rotation(presented, number, grant_of(presented - 1), NOW, GRACE);
    // From here on Redis knows the scripts.
    issue(&store, of_robot(1)).await;
    store.rotate(rotation(2, 3)).await.unwrap();
    store.revoke_grant(grant_of(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut count = 0;
    reads(&server, &mut count);
    let asking = reads(&server, &mut count);
    issue(&store, of_robot(NEIGHBOURS)).await;
    assert_eq!(reads(&server, &mut count) - asking, 1, "issue");
    store.rotate(rotation(NEIGHBOURS + 1, NEIGHBOURS + 2)).await.unwrap();
    assert_eq!(reads(&server, &mut count) - asking, 1, "rotate");
    assert!(valid(&store, NEIGHBOURS).await);
    assert_eq!(reads(&server, &mut count) - asking, 1, "lookup");
    store.revoke_grant(grant_of(NEIGHBOURS)).await.unwrap();
    // Nobody waits for the names to go.
    assert!(reads(&server, &mut count) - asking <= 2, "revoke");
}
