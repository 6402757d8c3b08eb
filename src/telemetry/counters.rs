//! Numbers that others keep up to date: spread over cache lines, so that workers that count the same
//! thing do not wait for each other.

use super::upstreams::UpstreamNumbers;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Threads beyond this many share a stripe, which is right but slower.
const STRIPES: usize = 16;

/// The upper bounds of what is timed, in microseconds; sub-millisecond, because that is where a
/// proxy lives.
pub(super) const BOUNDS: [u64; 15] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// Something that is counted.
#[derive(Debug, Default)]
pub struct Counter {
    stripes: [Stripe; STRIPES],
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// `more` more.
    pub fn add(&self, more: u64) {
        self.stripes[stripe()].0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.stripes.iter().fold(0, |sum, stripe| sum.wrapping_add(stripe.0.load(Ordering::Relaxed)))
    }
}

/// Something that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge {
    base: AtomicI64,
    stripes: [Stripe; STRIPES],
}

impl Gauge {
    /// One more.
    pub fn increment(&self) {
        self.stripes[stripe()].0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less; any thread may say so.
    pub fn decrement(&self) {
        self.stripes[stripe()].0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sets what [`increment`](Self::increment) and [`decrement`](Self::decrement) start from.
    pub fn set(&self, value: u64) {
        self.base.store(i64::try_from(value).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self) -> i64 {
        let moved = self.stripes.iter().fold(0_u64, |sum, stripe| sum.wrapping_add(stripe.0.load(Ordering::Relaxed)));
        self.base.load(Ordering::Relaxed).wrapping_add(moved.cast_signed())
    }
}

/// How long something took, as a histogram.
#[derive(Debug, Default)]
pub struct Timings {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Timings {
    /// Adds one duration.
    pub fn observe(&self, duration: Duration) {
        let micros = micros(duration);
        self.buckets[bucket(micros)].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// The buckets, each for itself, and the sum of microseconds.
    pub(super) fn read(&self) -> ([u64; BOUNDS.len() + 1], u64) {
        (self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed)), self.micros.load(Ordering::Relaxed))
    }
}

/// Gauges and counters that the rooms below the gateway keep up to date.
#[derive(Debug, Default)]
pub struct Counters {
    /// Client connections that are open.
    pub connections: Gauge,
    /// Client connections that were accepted.
    pub connections_accepted: Counter,
    /// Entries of the token cache.
    pub cache_entries: Gauge,
    /// Bytes of the token cache.
    pub cache_bytes: Gauge,
    /// Tokens that were found in the cache.
    pub cache_hits: Counter,
    /// Tokens that the store had to be asked about.
    pub cache_misses: Counter,
    /// Tokens without a tag of ours, refused without asking the store.
    pub tokens_forged: Counter,
    /// Lookups of tokens in the store, by how long they took.
    pub store_lookups: Timings,
    /// Lookups that brought no answer.
    pub store_failures: Counter,
    /// Requests that one node counted alone although their limit is the fleet's.
    pub limits_counted_alone: Counter,
    /// 1 while the store answers, else 0.
    pub store_up: Gauge,
    /// Configurations that took effect after the first.
    pub reloads_succeeded: Counter,
    /// Configurations that were refused.
    pub reloads_failed: Counter,
    /// Token, introspection and revocation requests that could not be answered.
    pub issuing_failed: Counter,
    /// Wrong secrets of clients and users that exist.
    pub wrong_secrets: Counter,
    /// Requests that took tokens or grants back.
    pub revocations: Counter,
    /// Old refresh tokens that came back.
    pub refresh_reuses: Counter,
    pub(super) handshakes: [Counter; HANDSHAKES.len()],
    /// As they were shown last.
    pub(super) feed: Mutex<FeedNumbers>,
    /// As they were shown last.
    pub(super) upstreams: Mutex<Vec<UpstreamNumbers>>,
    pub(super) issued: [Counter; GRANTS.len()],
    pub(super) refused: [Counter; ENDPOINTS.len()],
    pub(super) sign_ins: [[Counter; OUTCOMES.len()]; WAYS.len()],
    pub(super) forged_forms: [Counter; CAUSES.len()],
}

/// What the cache of tokens was told, and how it spares the store.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeedNumbers {
    /// Tokens that were not looked up, because somebody else was looking them up.
    pub shared: u64,
    /// Entries of the cache that went because their tokens ended, or may have.
    pub invalidated: u64,
    /// How long ago it was proved that nothing that ended is unknown, where that needs a proof.
    pub age: Option<Duration>,
}

/// Why there was no TLS handshake; the last is everything else.
pub(super) const HANDSHAKES: [&str; 7] =
    ["client_certificate", "closed", "incompatible", "not_tls", "rejected", "timeout", "malformed"];

/// By what tokens are issued; the last is everything else.
pub(super) const GRANTS: [&str; 7] =
    ["authorization_code", "client_credentials", "device_code", "password", "refresh_token", "operator", "other"];

/// Where token requests are refused; the last is everything else.
pub(super) const ENDPOINTS: [&str; 5] = ["token", "device_authorization", "introspect", "revoke", "other"];

/// How people sign in.
pub(super) const WAYS: [&str; 2] = ["password", "provider"];

/// How it ends.
pub(super) const OUTCOMES: [&str; 2] = ["succeeded", "refused"];

/// Why a form is none of ours; the last is everything else.
pub(super) const CAUSES: [&str; 5] = ["dialogue", "origin", "session", "state", "other"];

impl Counters {
    /// How the upstreams stand: what is read next.
    pub fn show_upstreams(&self, upstreams: Vec<UpstreamNumbers>) {
        *self.upstreams.lock().unwrap_or_else(PoisonError::into_inner) = upstreams;
    }

    /// How the cache stands: what is read next.
    pub fn show_feed(&self, numbers: FeedNumbers) {
        *self.feed.lock().unwrap_or_else(PoisonError::into_inner) = numbers;
    }

    /// Somebody signed in, or was refused.
    pub fn sign_in(&self, way: &str, outcome: &str) {
        if let Some((way, outcome)) = position(&WAYS, way).zip(position(&OUTCOMES, outcome)) {
            self.sign_ins[way][outcome].increment();
        }
    }

    /// A form was refused that no page of ours could have sent.
    pub fn form_refused(&self, cause: &str) {
        position(&CAUSES, cause).map(|at| &self.forged_forms[at]).into_iter().for_each(Counter::increment);
    }

    /// A connection ended before TLS was agreed on, because of `cause`.
    pub fn handshake_failed(&self, cause: &str) {
        position(&HANDSHAKES, cause).map(|at| &self.handshakes[at]).into_iter().for_each(Counter::increment);
    }

    /// An access token was issued by `grant`.
    pub fn tokens_issued(&self, grant: &str) {
        position(&GRANTS, grant).map(|at| &self.issued[at]).into_iter().for_each(Counter::increment);
    }

    /// A request to `endpoint` was refused.
    pub fn issuing_refused(&self, endpoint: &str) {
        position(&ENDPOINTS, endpoint).map(|at| &self.refused[at]).into_iter().for_each(Counter::increment);
    }
}

fn position(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|known| *known == name).or(names.len().checked_sub(1))
}

/// The stripe of this thread.
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    MINE.with(|mine| *mine)
}

/// The position of the bucket for so many microseconds.
pub(super) fn bucket(micros: u64) -> usize {
    BOUNDS.partition_point(|bound| *bound < micros)
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_may_be_lowered_by_another_thread() {
        let gauge = Gauge::default();
        gauge.increment();
        gauge.increment();
        std::thread::scope(|scope| {
            scope.spawn(|| gauge.decrement());
        });
        assert_eq!(gauge.get(), 1);
        gauge.set(10);
        assert_eq!(gauge.get(), 11);
    }

    #[test]
    fn a_duration_falls_into_the_bucket_whose_bound_it_reaches() {
        assert_eq!((bucket(0), bucket(100), bucket(101), bucket(u64::MAX)), (0, 0, 1, BOUNDS.len()));
    }

    /// Hazards section 2, line 24
    #[test]
    fn unknown_names_are_counted_as_other() {
        let counters = Counters::default();
        counters.tokens_issued("urn:odd");
        counters.tokens_issued("password");
        assert_eq!(counters.issued.each_ref().map(Counter::get), [0, 0, 0, 1, 0, 0, 1]);
    }
}
