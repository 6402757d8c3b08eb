//! How long the store is waited for and believed: read at each operation, changed by a reload.

use super::Settings;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The times of one store, in nanoseconds. Neither says anything about the other.
#[derive(Debug)]
pub(super) struct Patience {
    operation: AtomicU64,
    feed: AtomicU64,
}

impl Patience {
    pub(super) fn of(settings: &Settings) -> Self {
        let patience = Self { operation: AtomicU64::new(0), feed: AtomicU64::new(0) };
        patience.adjust(settings);
        patience
    }

    /// From now on the times of `settings` hold; an operation under way keeps the one with which it began.
    pub(super) fn adjust(&self, settings: &Settings) {
        self.operation.store(nanos(settings.timeout), Ordering::Relaxed);
        self.feed.store(nanos(settings.feed_timeout), Ordering::Relaxed);
    }

    /// How long one operation may take.
    pub(super) fn operation(&self) -> Duration {
        Duration::from_nanos(self.operation.load(Ordering::Relaxed))
    }

    /// How long the store is trusted after its last sign of life.
    pub(super) fn feed(&self) -> Duration {
        Duration::from_nanos(self.feed.load(Ordering::Relaxed))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
