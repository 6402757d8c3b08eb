//! The in-memory cache in front of the store: facts by token digest, bounded in bytes, one lookup
//! for concurrent misses of one token.

use super::{Listener, StoreError};
use crate::clock::Timestamp;
use crate::oauth::token::TokenDigest;
use std::sync::Arc;
use std::time::Duration;

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
pub struct TokenCache<V>(std::marker::PhantomData<V>);

impl<V: Cached> TokenCache<V> {
    /// An empty cache.
    pub fn new(settings: CacheSettings) -> Arc<Self> {
        let _ = settings;
        todo!()
    }

    /// A value that may be used now: not older than the ttl, not expired.
    pub fn get(&self, digest: &TokenDigest, now: Timestamp) -> Option<V> {
        let _ = (digest, now);
        todo!()
    }

    /// The cached value, or the one that `lookup` finds. Of concurrent callers for one digest one
    /// looks up, the others wait for it. A token that ends while it is looked up is never kept
    /// (the lookup is made again). "Not found" is remembered briefly and boundedly, failures never.
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
        let _ = (digest, now, lookup);
        todo!()
    }

    /// Replaces the value of a digest that is cached, keeping its age.
    pub fn refresh(&self, digest: &TokenDigest, value: V) {
        let _ = (digest, value);
        todo!()
    }

    /// Entries and bytes, for metrics.
    pub fn usage(&self) -> (u64, u64) {
        todo!()
    }
}

impl<V: Cached> Listener for TokenCache<V> {
    fn ended(&self, tokens: &[TokenDigest]) {
        let _ = tokens;
        todo!()
    }
}
