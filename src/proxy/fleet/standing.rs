//! How one server stands: what its health checks say, what became of the latest requests, and how much
//! it may be asked. Workers read it on every choice; whoever learns something new writes it.

use crate::proxy::upstream::{Ejection, Health};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// A server that has come back gets its whole share after this time.
pub(super) const SLOW_START: Duration = Duration::from_secs(10);
/// A server is ejected for this many times the first time at most.
const MOST_TIMES: u32 = 32;
/// Shares are reckoned in parts of a weight.
pub const WHOLE: u32 = 256;

/// One server, or one address of a server's name.
#[derive(Debug)]
pub struct Standing {
    /// Where it is; `None`: a unix socket, or built in.
    pub address: Option<SocketAddr>,
    /// Moments are counted from here.
    origin: Instant,
    is_healthy: AtomicBool,
    /// Checks in a row that say something else than `is_healthy`.
    contrary: AtomicU32,
    /// Requests in a row that failed.
    failures: AtomicU32,
    /// Ejections without a good time in between.
    ejections: AtomicU32,
    /// When it may be asked again, in microseconds; 0: it was never ejected.
    back: AtomicU64,
}

impl Standing {
    pub(super) fn new(address: Option<SocketAddr>, origin: Instant) -> Self {
        Self {
            address,
            origin,
            is_healthy: AtomicBool::new(true),
            contrary: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            back: AtomicU64::new(0),
        }
    }

    /// Whether its checks say that it works; a server that was not asked yet does.
    pub fn is_healthy(&self) -> bool {
        self.is_healthy.load(Ordering::Relaxed)
    }

    /// Whether it is ejected.
    pub fn is_ejected(&self, now: Instant) -> bool {
        self.share(now) == 0
    }

    /// Its share of [`WHOLE`]: none while it is ejected, growing in the time after that.
    pub fn share(&self, now: Instant) -> u32 {
        let back = self.back.load(Ordering::Relaxed);
        if back == 0 {
            return WHOLE;
        }
        let Some(since) = self.micros(now).checked_sub(back) else { return 0 };
        let grown = u128::from(since) * u128::from(WHOLE) / SLOW_START.as_micros();
        u32::try_from(grown).unwrap_or(WHOLE).clamp(1, WHOLE)
    }

    /// A request was answered.
    pub fn succeeded(&self, now: Instant) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.ejections.load(Ordering::Relaxed) != 0 && self.share(now) == WHOLE {
            self.ejections.store(0, Ordering::Relaxed);
        }
    }

    /// A request failed. Whether it is time to eject the server.
    pub(super) fn failed(&self, ejection: &Ejection, now: Instant) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= ejection.failures && !self.is_ejected(now)
    }

    /// Ejects the server; gives for how long.
    pub(super) fn eject(&self, ejection: &Ejection, now: Instant) -> Duration {
        let before = self.ejections.fetch_add(1, Ordering::Relaxed);
        let times = 1_u32.checked_shl(before).map_or(MOST_TIMES, |times| times.clamp(1, MOST_TIMES));
        let time = ejection.time.saturating_mul(times);
        self.failures.store(0, Ordering::Relaxed);
        self.back.store(self.micros(now + time), Ordering::Relaxed);
        time
    }

    /// Nothing that was held against it counts any more.
    pub(super) fn forgive(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.ejections.store(0, Ordering::Relaxed);
        self.back.store(0, Ordering::Relaxed);
    }

    /// Takes the result of a check; gives whether the server is healthy, where that has changed. One task
    /// checks a server.
    pub(super) fn checked(&self, is_good: bool, health: &Health, now: Instant) -> Option<bool> {
        if is_good == self.is_healthy() {
            self.contrary.store(0, Ordering::Relaxed);
            return None;
        }
        let contrary = self.contrary.load(Ordering::Relaxed).saturating_add(1);
        self.contrary.store(contrary, Ordering::Relaxed);
        if contrary < if is_good { health.healthy } else { health.unhealthy } {
            return None;
        }
        self.contrary.store(0, Ordering::Relaxed);
        if is_good {
            // Who has just come up gets its share slowly, whatever was held against it before.
            self.failures.store(0, Ordering::Relaxed);
            self.back.store(self.micros(now), Ordering::Relaxed);
        }
        self.is_healthy.store(is_good, Ordering::Relaxed);
        Some(is_good)
    }

    /// It is not checked any more.
    pub(super) fn unchecked(&self) {
        self.contrary.store(0, Ordering::Relaxed);
        self.is_healthy.store(true, Ordering::Relaxed);
    }

    /// Never 0.
    fn micros(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.origin).as_micros()).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EJECTION: Ejection = Ejection { failures: 3, time: Duration::from_secs(10) };

    fn health() -> Health {
        Health {
            path: "/".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            healthy: 2,
            unhealthy: 3,
            status: 200..=399,
        }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn failures_in_a_row_count_and_a_success_ends_the_row() {
        let now = Instant::now();
        let standing = Standing::new(None, now);
        assert!(!standing.failed(&EJECTION, now) && !standing.failed(&EJECTION, now));
        standing.succeeded(now);
        assert!(!standing.failed(&EJECTION, now) && !standing.failed(&EJECTION, now));
        assert!(standing.failed(&EJECTION, now));
    }

    #[test]
    fn each_ejection_is_longer_and_bounded_and_a_good_time_is_remembered() {
        let mut now = Instant::now();
        let standing = Standing::new(None, now);
        for expected in [10, 20, 40, 80, 160, 320, 320, 320] {
            let time = standing.eject(&EJECTION, now);
            assert_eq!(time, seconds(expected));
            assert!(standing.is_ejected(now + time - Duration::from_millis(1)));
            now += time;
            assert!(!standing.is_ejected(now));
            standing.succeeded(now);
        }
        standing.succeeded(now + SLOW_START);
        assert_eq!(standing.eject(&EJECTION, now + SLOW_START), seconds(10));
    }

    #[test]
    fn the_share_grows_after_the_return() {
        let now = Instant::now();
        let standing = Standing::new(None, now);
        assert_eq!(standing.share(now), WHOLE);
        let back = now + standing.eject(&EJECTION, now);
        let shares = [0, 5, 10, 60].map(|after| standing.share(back + seconds(after)));
        assert_eq!(shares, [1, WHOLE / 2, WHOLE, WHOLE]);
        standing.forgive();
        assert_eq!(standing.share(now), WHOLE);
    }

    #[test]
    fn health_changes_after_so_many_checks_in_a_row() {
        let (now, health) = (Instant::now(), health());
        let standing = Standing::new(None, now);
        let results: Vec<_> = [false, false, true, false, false, false, false, true, false, true, true, true]
            .into_iter()
            .map(|is_good| standing.checked(is_good, &health, now))
            .collect();
        let mut expected = [None; 12];
        expected[5] = Some(false);
        expected[10] = Some(true);
        assert_eq!(results, expected);
        assert_eq!(standing.share(now), 1, "a slow start");
    }
}
