//! What the cache promises, above all when calls cross.

use super::*;
use crate::store::StoreError;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use tokio::sync::Notify;
use tokio::task::spawn_local;

const NOW: Timestamp = Timestamp::from_secs(1000);

#[derive(Clone, Debug, PartialEq)]
struct Fact(Arc<u64>, Timestamp);

impl Cached for Fact {
    fn size(&self) -> usize {
        100
    }

    fn expires_at(&self) -> Timestamp {
        self.1
    }
}

fn fact(number: u64) -> Fact {
    Fact(Arc::new(number), NOW.plus(Duration::from_secs(3600)))
}

fn cache() -> Arc<TokenCache<Fact>> {
    TokenCache::new(CacheSettings { max_size: 1 << 20, ttl: Duration::from_secs(60) })
}

fn digest(number: u64) -> TokenDigest {
    TokenDigest::of(&number.to_be_bytes())
}

fn after(secs: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(secs))
}

async fn put(cache: &TokenCache<Fact>, number: u64, value: Fact) {
    cache.get_or_lookup(&digest(number), NOW, async || Ok(Some(value.clone()))).await.unwrap();
}

/// A lookup that must not be made.
async fn unexpected() -> Result<Option<Fact>, StoreError> {
    panic!("this was to come from the cache")
}

#[tokio::test]
async fn a_value_is_kept_for_its_ttl() {
    let cache = cache();
    assert_eq!(cache.get(&digest(1), NOW), None);
    put(&cache, 1, fact(7)).await;
    assert_eq!(cache.get(&digest(1), after(59)), Some(fact(7)));
    assert_eq!(cache.get_or_lookup(&digest(1), after(59), unexpected).await.unwrap(), Some(fact(7)));
    assert_eq!(cache.get(&digest(1), after(60)), None);
    put(&cache, 2, fact(8)).await;
    assert_eq!(cache.get(&digest(2), after(1)), Some(fact(8)));
}

/// TOK-8
#[tokio::test]
async fn a_value_is_not_used_from_the_moment_its_token_expires() {
    let cache = cache();
    put(&cache, 1, Fact(Arc::new(1), after(10))).await;
    let before = Timestamp::from_millis(after(10).as_millis() - 1);
    assert!(cache.get(&digest(1), before).is_some());
    assert!(cache.get(&digest(1), after(10)).is_none());
}

#[tokio::test]
async fn a_ttl_of_zero_caches_nothing() {
    let cache = TokenCache::new(CacheSettings { max_size: 1 << 20, ttl: Duration::ZERO });
    put(&cache, 1, fact(7)).await;
    assert_eq!(cache.get(&digest(1), NOW), None);
    let numbers = cache.numbers();
    assert_eq!((numbers.entries, numbers.bytes), (0, 0));
}

#[tokio::test]
async fn not_found_is_believed_for_a_second() {
    let cache = cache();
    assert_eq!(cache.get_or_lookup(&digest(1), NOW, async || Ok(None)).await.unwrap(), None);
    assert_eq!(cache.get_or_lookup(&digest(1), NOW, unexpected).await.unwrap(), None);
    assert_eq!(cache.get(&digest(1), NOW), None);
    let found = cache.get_or_lookup(&digest(1), after(1), async || Ok(Some(fact(1)))).await.unwrap();
    assert_eq!(found, Some(fact(1)));
}

#[tokio::test]
async fn a_token_that_is_issued_is_no_longer_not_found() {
    let cache = cache();
    cache.get_or_lookup(&digest(1), NOW, async || Ok(None)).await.unwrap();
    cache.issued(&[digest(1)]);
    assert_eq!(cache.get_or_lookup(&digest(1), NOW, async || Ok(Some(fact(1)))).await.unwrap(), Some(fact(1)));
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let cache = cache();
    let failed = async || Err(StoreError::Timeout(Duration::from_secs(1)));
    assert!(cache.get_or_lookup(&digest(1), NOW, failed).await.is_err());
    assert_eq!(cache.numbers().entries, 0);
    assert_eq!(cache.get_or_lookup(&digest(1), NOW, async || Ok(Some(fact(1)))).await.unwrap(), Some(fact(1)));
}

#[tokio::test]
async fn an_ended_token_is_forgotten() {
    let cache = cache();
    put(&cache, 1, fact(1)).await;
    put(&cache, 2, fact(2)).await;
    cache.ended(&[digest(1)]);
    assert_eq!(cache.get(&digest(1), NOW), None);
    assert_eq!(cache.get(&digest(2), NOW), Some(fact(2)));
    cache.all_ended();
    assert_eq!(cache.get(&digest(2), NOW), None);
}

#[tokio::test]
async fn a_refreshed_value_keeps_its_age() {
    let cache = cache();
    put(&cache, 1, fact(1)).await;
    cache.refresh(&digest(1), fact(2));
    assert_eq!(cache.get(&digest(1), after(59)), Some(fact(2)));
    assert_eq!(cache.get(&digest(1), after(60)), None);
}

#[tokio::test]
async fn what_is_not_cached_cannot_be_refreshed() {
    let cache = cache();
    cache.refresh(&digest(1), fact(1));
    assert_eq!(cache.get(&digest(1), NOW), None);
    cache.get_or_lookup(&digest(2), NOW, async || Ok(None)).await.unwrap();
    cache.refresh(&digest(2), fact(2));
    assert_eq!(cache.get_or_lookup(&digest(2), NOW, unexpected).await.unwrap(), None);
    assert_eq!(cache.numbers().entries, 1);
}

/// Runs `caller` on `count` threads, each with a runtime of its own, as workers have.
fn on_workers(count: usize, caller: impl AsyncFn() + Clone + Send + 'static) {
    let start = Arc::new(Barrier::new(count));
    let workers: Vec<_> = (0..count)
        .map(|_| {
            let (start, caller) = (Arc::clone(&start), caller.clone());
            thread::spawn(move || {
                start.wait();
                tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(caller());
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
}

/// Hazards 2.7
#[test]
fn a_hundred_concurrent_misses_make_one_lookup() {
    for outcome in [Some(fact(1)), None] {
        let (cache, lookups) = (cache(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&lookups);
        on_workers(100, async move || {
            let lookup = async || {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(outcome.clone())
            };
            assert_eq!(cache.get_or_lookup(&digest(1), NOW, lookup).await.unwrap(), outcome);
        });
        assert_eq!(lookups.load(Ordering::SeqCst), 1);
    }
}

/// Those who wait share a failure: they must not wait for a dead store one after the other.
#[test]
fn concurrent_misses_share_a_failure() {
    let (cache, lookups) = (cache(), Arc::new(AtomicUsize::new(0)));
    let (counted, callers) = (Arc::clone(&lookups), Arc::new(AtomicUsize::new(0)));
    on_workers(100, async move || {
        callers.fetch_add(1, Ordering::SeqCst);
        let failing = async || {
            counted.fetch_add(1, Ordering::SeqCst);
            while callers.load(Ordering::SeqCst) < 100 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // The last ones have counted themselves and may not yet be waiting.
            tokio::time::sleep(Duration::from_millis(200)).await;
            Err(StoreError::Timeout(Duration::from_secs(1)))
        };
        assert!(cache.get_or_lookup(&digest(1), NOW, failing).await.is_err());
    });
    assert_eq!(lookups.load(Ordering::SeqCst), 1);
}

/// A client that hangs up while it looks up for others must not leave them waiting.
#[tokio::test(flavor = "local")]
async fn a_lookup_that_is_given_up_is_made_by_one_who_waits() {
    let cache = cache();
    let first = spawn_local({
        let cache = Arc::clone(&cache);
        async move { cache.get_or_lookup(&digest(1), NOW, std::future::pending).await }
    });
    tokio::task::yield_now().await;
    let second = spawn_local({
        let cache = Arc::clone(&cache);
        async move { cache.get_or_lookup(&digest(1), NOW, async || Ok(Some(fact(2)))).await }
    });
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    first.abort();
    assert_eq!(second.await.unwrap().unwrap(), Some(fact(2)));
}

/// Promise 1: the store was read before the revocation, the cache is written after it.
#[tokio::test(flavor = "local")]
async fn a_token_that_ends_while_it_is_looked_up_is_not_kept() {
    for end_all in [false, true] {
        let (cache, read, ended) = (cache(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let valid = Arc::new(AtomicBool::new(true));
        let call = || {
            let (cache, read, ended, valid) =
                (Arc::clone(&cache), Arc::clone(&read), Arc::clone(&ended), Arc::clone(&valid));
            spawn_local(async move {
                let slow = async || {
                    let found = valid.load(Ordering::SeqCst).then(|| fact(1));
                    if found.is_some() {
                        read.notify_one();
                        ended.notified().await;
                    }
                    Ok(found)
                };
                cache.get_or_lookup(&digest(1), NOW, slow).await
            })
        };
        let (pilot, passenger) = (call(), call());
        read.notified().await;
        valid.store(false, Ordering::SeqCst);
        if end_all {
            cache.all_ended();
        } else {
            cache.ended(&[digest(1)]);
        }
        ended.notify_one();
        assert_eq!(pilot.await.unwrap().unwrap(), None);
        assert_eq!(passenger.await.unwrap().unwrap(), None);
        assert_eq!(cache.get(&digest(1), NOW), None);
    }
}

/// The same race, many times over, on threads.
#[test]
fn no_ended_token_is_ever_found_afterwards() {
    for round in 0..300 {
        let cache = cache();
        let valid = Arc::new(AtomicBool::new(true));
        let reader = {
            let (cache, valid) = (Arc::clone(&cache), Arc::clone(&valid));
            async move || {
                let lookup = async || Ok(valid.load(Ordering::SeqCst).then(|| fact(round)));
                cache.get_or_lookup(&digest(round), NOW, lookup).await.unwrap();
            }
        };
        let revoker = thread::spawn({
            let (cache, valid) = (Arc::clone(&cache), Arc::clone(&valid));
            move || {
                valid.store(false, Ordering::SeqCst);
                cache.ended(&[digest(round)]);
                assert_eq!(cache.get(&digest(round), NOW), None);
            }
        });
        on_workers(3, reader);
        revoker.join().unwrap();
        assert_eq!(cache.get(&digest(round), NOW), None);
    }
}

/// Promise 8
#[tokio::test]
async fn the_cache_stays_within_its_bytes_whatever_it_is_asked() {
    let cache = TokenCache::new(CacheSettings { max_size: 100_000, ttl: Duration::from_secs(60) });
    for number in 0..5000 {
        put(&cache, number, fact(number)).await;
        cache.get_or_lookup(&digest(1_000_000 + number), NOW, async || Ok(None)).await.unwrap();
    }
    let CacheNumbers { entries, bytes, .. } = cache.numbers();
    assert!(bytes <= 100_000 && entries > 100, "{entries} entries, {bytes} bytes");
}

/// The overhead that is counted is not less than what the map takes.
#[tokio::test]
async fn an_entry_is_weighed_with_its_share_of_the_map() {
    for count in [1000, 10_000, 30_000] {
        let cache = TokenCache::new(CacheSettings { max_size: 64 << 20, ttl: Duration::from_secs(60) });
        for number in 0..count {
            put(&cache, number, fact(number)).await;
        }
        let used = cache.entries.memory_used().total() as u64;
        assert!(used / count <= OVERHEAD as u64, "{} bytes an entry", used / count);
    }
}

fn settings(max_size: u64, ttl: u64) -> CacheSettings {
    CacheSettings { max_size, ttl: Duration::from_secs(ttl) }
}

/// Promise 7: what is cached already ends with the ttl in force.
#[tokio::test]
async fn a_new_ttl_holds_for_what_is_cached_already() {
    let cache = cache();
    put(&cache, 1, fact(1)).await;
    cache.adjust(settings(1 << 20, 5));
    assert_eq!(cache.get(&digest(1), Timestamp::from_millis(after(5).as_millis() - 1)), Some(fact(1)));
    assert_eq!(cache.get(&digest(1), after(5)), None);
    cache.adjust(settings(1 << 20, 30));
    assert_eq!(cache.get(&digest(1), after(29)), Some(fact(1)));
    assert_eq!(cache.get(&digest(1), after(30)), None);
    cache.adjust(settings(1 << 20, 0));
    assert_eq!(cache.get(&digest(1), NOW), None);
    put(&cache, 2, fact(2)).await;
    assert_eq!(cache.get(&digest(2), NOW), None);
}

/// Promise 8
#[tokio::test]
async fn a_new_size_holds_at_once() {
    let cache = TokenCache::new(settings(1_000_000, 60));
    let put_many = async |from: u64| {
        for number in from..from + 5000 {
            put(&cache, number, fact(number)).await;
        }
        cache.numbers().bytes
    };
    let full = put_many(0).await;
    assert!((900_000..=1_000_000).contains(&full), "{full}");
    cache.adjust(settings(100_000, 60));
    let CacheNumbers { entries, bytes, .. } = cache.numbers();
    assert!(bytes <= 100_100 && entries > 100, "{entries} entries, {bytes} bytes");
    assert!(put_many(10_000).await <= 100_100);
    cache.adjust(settings(2_000_000, 60));
    let full = put_many(20_000).await;
    assert!((1_000_000..=2_000_100).contains(&full), "{full}");
}
