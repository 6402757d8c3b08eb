//! Counting that all nodes of a fleet share: how often something happened lately, whoever asks.

use super::{Backend, Store, StoreError};
use std::time::Duration;

/// How often something may happen: once in `every`, and as far ahead of that as `slack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The time that each one takes.
    pub every: Duration,
    /// How far ahead of time the next one may be.
    pub slack: Duration,
}

/// What became of one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// It fits, and is counted.
    pub fits: bool,
    /// How far ahead of time everything is that was counted, this one included.
    pub ahead: Duration,
}

impl Store {
    /// Counts one more under `key`, unless that is too many; no longer waited for than `patience`.
    /// `None`: no other node sees this store.
    ///
    /// # Errors
    /// When the store does not answer; whether it was counted is not known.
    pub async fn count(&self, key: &[u8], pace: Pace, patience: Duration) -> Result<Option<Counted>, StoreError> {
        match &self.backend {
            Backend::Embedded(_) => Ok(None),
            Backend::Redis(redis) => redis.count(key, pace, patience).await.map(Some),
        }
    }
}
