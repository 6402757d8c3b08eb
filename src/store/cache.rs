//! The in-memory cache in front of the store: facts by token digest, bounded in bytes, one lookup
//! for concurrent misses of one token.
//!
//! The map is `quick_cache`: a get costs 25 ns where `moka` takes 200, because it keeps no queue
//! of reads and starts no housekeeping. It neither expires nor waits for lookups: both are here.
//!
//! What keeps an ended token out: lookups that are under way are listed in `Flights`; a token
//! that ends is struck off that list and removed from the map under one lock, and the result of a
//! lookup enters the map under the same lock and only when the lookup is still listed.

mod flight;

use super::{Listener, StoreError};
use crate::clock::Timestamp;
use crate::oauth::token::TokenDigest;
use flight::{Boarding, Flights, Known};
use quick_cache::Weighter;
use quick_cache::sync::{Cache, EntryAction, EntryResult};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What an entry takes beside its value: digest, times, and its share of the map's table, which
/// grows by doubling and remembers half as many keys again as it holds.
const OVERHEAD: usize = 128;
/// What an entry is expected to weigh; sets how much the map remembers of keys that it let go.
const TYPICAL: u64 = 400;
/// How long "not found" is believed: long enough to blunt a flood of one dead token, so short that
/// nobody can notice. [`Listener::issued`] ends it at once.
const NEGATIVE_TTL: Duration = Duration::from_secs(1);

/// `[cache]`.
#[derive(Clone, Copy, Debug)]
pub struct CacheSettings {
    /// Bytes, entries with their overhead.
    pub max_size: u64,
    /// The longest that an answer is used without asking the store again.
    pub ttl: Duration,
}

/// What the cache needs to know of its values.
pub trait Cached: Clone + Send + Sync + 'static {
    /// The bytes that an entry takes.
    fn size(&self) -> usize;
    /// When the token itself ends.
    fn expires_at(&self) -> Timestamp;
}

/// A cache of `V` by digest.
pub struct TokenCache<V> {
    entries: Cache<TokenDigest, Entry<V>, Bytes>,
    flights: Flights<V>,
    /// In milliseconds.
    ttl: AtomicU64,
    /// How many were told what another lookup found.
    shared: AtomicU64,
    /// How many entries went because their tokens ended, or may have.
    invalidated: AtomicU64,
}

/// What a cache holds and has done, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheNumbers {
    /// How many entries there are.
    pub entries: u64,
    /// What they take.
    pub bytes: u64,
    /// Lookups that were not made, because another one of the same token was under way.
    pub shared: u64,
    /// Entries that went because their tokens ended, or may have.
    pub invalidated: u64,
}

/// What was known of a token at `since`; `None`: it was not in the store. It ends by the ttl in force,
/// not by the one with which it was kept, and with its token.
#[derive(Clone)]
struct Entry<V> {
    value: Option<V>,
    since: Timestamp,
}

#[derive(Clone)]
struct Bytes;

impl<V: Cached> TokenCache<V> {
    /// An empty cache.
    pub fn new(settings: CacheSettings) -> Arc<Self> {
        let expected = usize::try_from(settings.max_size / TYPICAL).unwrap_or(usize::MAX);
        Arc::new(Self {
            entries: Cache::with_weighter(expected, settings.max_size, Bytes),
            flights: Flights::default(),
            ttl: AtomicU64::new(millis(settings.ttl)),
            shared: AtomicU64::new(0),
            invalidated: AtomicU64::new(0),
        })
    }

    /// From now on `settings` hold, for what is cached already as well. What has no room any more is
    /// let go of.
    pub fn adjust(&self, settings: CacheSettings) {
        self.ttl.store(millis(settings.ttl), Ordering::Relaxed);
        // The map stays cut into the shards that it has: each gets its share.
        self.entries.set_capacity(settings.max_size);
    }

    /// A value that may be used now: not older than the ttl, not expired.
    pub fn get(&self, digest: &TokenDigest, now: Timestamp) -> Option<V> {
        self.known(digest, now)?.0
    }

    /// The cached value, or the one that `lookup` finds. Of concurrent callers for one digest one
    /// looks up, the others wait for it and share its outcome. A token that ends while it is looked
    /// up is never kept (the lookup is made again). "Not found" is remembered briefly and
    /// boundedly, failures never.
    ///
    /// # Errors
    /// Those of `lookup`.
    pub async fn get_or_lookup<F>(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
        lookup: F,
    ) -> Result<Option<V>, StoreError>
    where
        F: AsyncFn() -> Result<Option<V>, StoreError>,
    {
        loop {
            if let Some(Known(value)) = self.known(digest, now) {
                return Ok(value);
            }
            match self.flights.board(digest, || self.known(digest, now)) {
                Boarding::Arrived(Known(value)) => return Ok(value),
                Boarding::Pilot(flight) => {
                    let outcome = lookup().await;
                    if flight.land(&outcome, || self.keep(digest, &outcome, now)) {
                        return outcome;
                    }
                }
                Boarding::Passenger(mut flight) => {
                    if let Some(outcome) = flight.outcome().await {
                        self.shared.fetch_add(1, Ordering::Relaxed);
                        return outcome;
                    }
                }
            }
        }
    }

    /// Replaces the value of a digest that is cached, keeping its age.
    pub fn refresh(&self, digest: &TokenDigest, value: V) {
        let mut value = Some(value);
        let outcome = self.entries.entry(digest, Some(Duration::ZERO), |_, entry| {
            if let (Some(held), Some(value)) = (&mut entry.value, value.take()) {
                *held = value;
            }
            EntryAction::Retain(())
        });
        // A digest that is not cached stays so: the place that was kept for it is given back.
        drop::<EntryResult<'_, _, _, _, _, _, ()>>(outcome);
    }

    /// For metrics.
    pub fn numbers(&self) -> CacheNumbers {
        CacheNumbers {
            entries: self.entries.len() as u64,
            bytes: self.entries.weight(),
            shared: self.shared.load(Ordering::Relaxed),
            invalidated: self.invalidated.load(Ordering::Relaxed),
        }
    }

    fn known(&self, digest: &TokenDigest, now: Timestamp) -> Option<Known<V>> {
        let entry = self.entries.get(digest)?;
        (now < self.end_of(&entry)).then_some(Known(entry.value))
    }

    fn keep(&self, digest: &TokenDigest, outcome: &Result<Option<V>, StoreError>, now: Timestamp) {
        let Ok(value) = outcome else { return };
        let entry = Entry { value: value.clone(), since: now };
        if now < self.end_of(&entry) {
            self.entries.insert(*digest, entry);
        }
    }

    fn end_of(&self, entry: &Entry<V>) -> Timestamp {
        let ttl = Duration::from_millis(self.ttl.load(Ordering::Relaxed));
        match &entry.value {
            Some(value) => entry.since.plus(ttl).min(value.expires_at()),
            None => entry.since.plus(ttl.min(NEGATIVE_TTL)),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl<V: Cached> Listener for TokenCache<V> {
    fn ended(&self, tokens: &[TokenDigest]) {
        self.flights.strike(tokens, |digest| {
            let was_there = self.entries.remove(digest).is_some();
            self.invalidated.fetch_add(was_there.into(), Ordering::Relaxed);
        });
    }

    fn issued(&self, tokens: &[TokenDigest]) {
        self.ended(tokens);
    }

    fn all_ended(&self) {
        self.flights.strike_all(|| {
            self.invalidated.fetch_add(self.entries.len() as u64, Ordering::Relaxed);
            self.entries.clear();
        });
    }
}

impl<V: Cached> Weighter<TokenDigest, Entry<V>> for Bytes {
    fn weight(&self, _: &TokenDigest, entry: &Entry<V>) -> u64 {
        (OVERHEAD + entry.value.as_ref().map_or(0, Cached::size)) as u64
    }
}

#[cfg(test)]
mod tests;
