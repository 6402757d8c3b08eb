//! The retry budget of an upstream: what is sent again is a share of what is sent, so that a failing
//! upstream is not asked many times as much as a working one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What counts is what happened in this time.
const WINDOW: Duration = Duration::from_secs(10);
/// This many retries are always good, so that an upstream with few requests has some.
const LEAST: u64 = 10;
/// One retry for this many requests.
const ONE_IN: u64 = 5;
/// Parts of a request or retry that are reckoned with, so that what fades is not lost by rounding.
const PARTS: u64 = 1000;

/// The requests that one worker has sent to an upstream. Only that worker counts it up.
pub type Sent = Arc<AtomicU64>;

/// What the workers share of it.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Books>);

#[derive(Debug)]
struct Books {
    workers: Vec<Sent>,
    /// As of when.
    balanced: Instant,
    /// All requests up to then.
    total: u64,
    /// In the window before it, in parts.
    requests: u64,
    retries: u64,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Books { workers: Vec::new(), balanced: now, total: 0, requests: 0, retries: 0 }))
    }

    /// A further worker's count.
    pub(super) fn open(&self) -> Sent {
        let sent = Sent::default();
        self.books().workers.push(Arc::clone(&sent));
        sent
    }

    /// Whether a request may be sent again; takes it from the budget.
    pub(super) fn withdraw(&self, now: Instant) -> bool {
        let mut books = self.books();
        books.balance(now);
        let allowed = books.retries + PARTS <= LEAST * PARTS + books.requests / ONE_IN;
        if allowed {
            books.retries += PARTS;
        }
        allowed
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// Lets the past fade, and adds what has come since. It is not known when it came: taken as spread
    /// evenly over the time.
    fn balance(&mut self, now: Instant) {
        let window = micros(WINDOW);
        let elapsed = micros(now.saturating_duration_since(self.balanced));
        let total = self.workers.iter().fold(0_u64, |sum, sent| sum.wrapping_add(sent.load(Ordering::Relaxed)));
        let came = total.saturating_sub(self.total).saturating_mul(PARTS);
        let left = window.saturating_sub(elapsed);
        self.requests = scaled(self.requests, left, window) + scaled(came, window, elapsed.max(window));
        self.retries = scaled(self.retries, left, window);
        self.balanced = self.balanced.max(now);
        self.total = total;
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn scaled(value: u64, times: u64, by: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(times) / u128::from(by.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(budget: &Budget, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.withdraw(now)).count()
    }

    /// H-retry
    #[test]
    fn a_fifth_of_the_requests_and_ten_may_be_sent_again() {
        let now = Instant::now();
        let budget = Budget::new(now);
        let (one, other) = (budget.open(), budget.open());
        assert_eq!(take_all(&budget, now), 10);
        one.store(300, Ordering::Relaxed);
        other.store(200, Ordering::Relaxed);
        assert_eq!(take_all(&budget, now), 100);
    }

    #[test]
    fn the_past_fades() {
        let start = Instant::now();
        let budget = Budget::new(start);
        let sent = budget.open();
        sent.store(1000, Ordering::Relaxed);
        assert_eq!(take_all(&budget, start), 210);
        assert_eq!(take_all(&budget, start + Duration::from_secs(5)), 5, "half of each is left");
        assert_eq!(take_all(&budget, start + Duration::from_secs(60)), 10);
        sent.store(2000, Ordering::Relaxed);
        let later = start + Duration::from_secs(160);
        assert_eq!(take_all(&budget, later), 30, "a thousand in a hundred seconds are a hundred in ten");
    }

    #[test]
    fn many_looks_reckon_like_one() {
        let start = Instant::now();
        let budget = Budget::new(start);
        let sent = budget.open();
        let mut allowed = 0;
        for step in 1..=10_000 {
            sent.store(step, Ordering::Relaxed);
            allowed += u64::from(budget.withdraw(start + Duration::from_millis(step)));
        }
        assert!((1900..2400).contains(&allowed), "{allowed}");
    }
}
