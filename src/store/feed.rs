//! Who is told when tokens end, and whether what was told so far can be the whole truth.

use super::patience::Patience;
use crate::oauth::token::TokenDigest;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Told of ended tokens before the call that ended them returns.
pub trait Listener: Send + Sync {
    /// These access tokens are no longer valid, or no longer what they were.
    fn ended(&self, tokens: &[TokenDigest]);

    /// These access tokens are in the store from now on: what says otherwise is out of date.
    fn issued(&self, tokens: &[TokenDigest]) {
        let _ = tokens;
    }

    /// Any token may have ended: the store was emptied, or was out of sight for a while.
    fn all_ended(&self) {}
}

/// The listeners of one process and the last proof that nothing was kept from them.
pub(super) struct Feed {
    listeners: RwLock<Vec<Arc<dyn Listener>>>,
    start: Instant,
    /// Milliseconds from `start` to the last proof, plus one; zero: there is none.
    proof: AtomicU64,
    /// Milliseconds from `start` to the last proof, whatever came afterwards.
    last: AtomicU64,
    patience: Arc<Patience>,
}

impl Feed {
    /// A feed without listeners and without proof, which distrusts a proof older than `patience` says.
    pub(super) fn new(patience: Arc<Patience>) -> Self {
        Self {
            listeners: RwLock::default(),
            start: Instant::now(),
            proof: AtomicU64::new(0),
            last: AtomicU64::new(0),
            patience,
        }
    }

    pub(super) fn listen(&self, listener: Arc<dyn Listener>) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    pub(super) fn ended(&self, tokens: &[TokenDigest]) {
        if !tokens.is_empty() {
            self.each(|listener| listener.ended(tokens));
        }
    }

    pub(super) fn issued(&self, tokens: &[TokenDigest]) {
        if !tokens.is_empty() {
            self.each(|listener| listener.issued(tokens));
        }
    }

    pub(super) fn all_ended(&self) {
        self.each(|listener| listener.all_ended());
    }

    /// The store has just answered, and everything that ended before has been told.
    pub(super) fn proved(&self) {
        let now = self.elapsed();
        self.last.store(now, Ordering::Relaxed);
        self.proof.store(now.saturating_add(1), Ordering::Release);
    }

    /// The store did not answer, or something may have been missed.
    pub(super) fn failed(&self) {
        self.proof.store(0, Ordering::Release);
    }

    pub(super) fn is_trusted(&self) -> bool {
        let Some(proof) = self.proof.load(Ordering::Acquire).checked_sub(1) else { return false };
        u128::from(self.elapsed().saturating_sub(proof)) <= self.patience.feed().as_millis()
    }

    /// How long ago the last proof was; from the start where there was none.
    pub(super) fn age(&self) -> Duration {
        Duration::from_millis(self.elapsed().saturating_sub(self.last.load(Ordering::Relaxed)))
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn each(&self, tell: impl Fn(&dyn Listener)) {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().for_each(|listener| tell(listener.as_ref()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Location, Settings};

    fn settings(feed_timeout: Duration) -> Settings {
        Settings { location: Location::Memory, timeout: Duration::ZERO, feed_timeout }
    }

    fn feed(timeout: Duration) -> Feed {
        Feed::new(Arc::new(Patience::of(&settings(timeout))))
    }

    #[test]
    fn a_feed_is_trusted_from_its_proof_until_its_failure() {
        let feed = feed(Duration::from_secs(60));
        assert!(!feed.is_trusted());
        feed.proved();
        assert!(feed.is_trusted());
        feed.failed();
        assert!(!feed.is_trusted());
    }

    #[test]
    fn an_old_proof_proves_nothing() {
        let feed = feed(Duration::ZERO);
        feed.proved();
        while feed.is_trusted() {
            std::thread::yield_now();
        }
        feed.patience.adjust(&settings(Duration::from_secs(60)));
        assert!(feed.is_trusted(), "as long as was said last");
        feed.patience.adjust(&settings(Duration::ZERO));
        assert!(!feed.is_trusted());
    }
}
