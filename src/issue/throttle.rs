//! The limit on guessing (R6749-2.3.1c, TOK-14). Only failures count: by name and source, and, with
//! a larger budget, by source alone, so that trying many names helps nobody. Another source is not
//! held back, so that nobody is locked out by a stranger.

use super::FailedLogins;
use crate::clock::Timestamp;
use crate::people::users::fold;
use crate::secret::Digest;
use quick_cache::sync::Cache;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So many names may fail as often as one before the source itself is held back.
const NAMES_PER_SOURCE: u32 = 10;

/// So many sources may begin as many device authorizations as one.
const SOURCES: u32 = 100;

/// So many sources may register or push as often as one before all have to wait.
const DEED_SOURCES: u32 = 10;

/// How often a source may push in the name of public clients.
const PUSHES: FailedLogins = FailedLogins { max: 300, per: Duration::from_secs(60) };

/// Counters kept at a time, about 100 octets each. A source can have at most
/// `NAMES_PER_SOURCE * max` new ones in a window.
const COUNTERS: usize = 65_536;

/// The counters of failed attempts: one for the process, so that a reload forgets nothing. Bounded.
pub struct Throttle {
    counters: Cache<Key, Arc<Mutex<Window>>>,
    /// When ended registrations were last looked for, in milliseconds.
    swept: AtomicU64,
}

/// Whose secret is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Guessed<'n> {
    /// A client's, by identifier.
    Client(&'n str),
    /// A resource owner's, by name.
    Owner(&'n str),
}

/// Attempts on one secret from one source at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempts<'t> {
    throttle: &'t Throttle,
    limit: FailedLogins,
    keys: [(Key, u32); 2],
    now: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    /// Wherever it comes from.
    Anywhere,
    Local,
    V4(u32),
    /// The first 64 bits: one subscriber has at least these.
    V6(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: Source,
    /// The digest of the folded name, so that a long name takes no more room than a short one;
    /// `None`: the source alone.
    name: Option<[u8; 16]>,
    about: About,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum About {
    /// Failures to show a client's secret, or, without a name, any secret.
    Client,
    /// Not guessing at all: a registration, a pushed request.
    Deed,
    /// Device authorizations that were begun.
    Device,
    /// Failures to show a resource owner's password.
    Owner,
    /// Wrong user codes that a resource owner entered.
    UserCode,
}

#[derive(Debug, Default)]
struct Window {
    start: Timestamp,
    failures: u32,
}

impl Throttle {
    /// Counters that are all at zero.
    pub fn new() -> Self {
        Self { counters: Cache::new(COUNTERS), swept: AtomicU64::new(0) }
    }

    /// The counters of registrations from `address`, and of all of them.
    pub(super) fn registrations(&self, address: Option<IpAddr>, now: Timestamp, limit: FailedLogins) -> Attempts<'_> {
        self.deeds("registration", address, now, limit)
    }

    /// The counters of requests from `address` that were pushed in the name of public clients, and of all
    /// of them.
    pub(super) fn pushes(&self, address: Option<IpAddr>, now: Timestamp) -> Attempts<'_> {
        self.deeds("push", address, now, PUSHES)
    }

    /// The counters of something that is not guessing: of one source, and of all together.
    fn deeds(&self, deed: &str, address: Option<IpAddr>, now: Timestamp, limit: FailedLogins) -> Attempts<'_> {
        let key = |source, name: &str| Key { source, name: Some(short_digest(name)), about: About::Deed };
        let keys = [
            (key(source(address), deed), limit.max),
            (key(Source::Local, &format!("every {deed}")), limit.max.saturating_mul(DEED_SOURCES)),
        ];
        Attempts { throttle: self, limit, keys, now }
    }

    /// Whether `period` has passed since this was last true.
    pub(super) fn sweep_is_due(&self, now: Timestamp, period: Duration) -> bool {
        let last = self.swept.load(Ordering::Relaxed);
        let due = last == 0 || now >= Timestamp::from_millis(last).plus(period);
        due && self.swept.compare_exchange(last, now.as_millis(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The counters of `guessed` from `address`.
    pub(super) fn attempts(
        &self,
        guessed: Guessed<'_>,
        address: Option<IpAddr>,
        now: Timestamp,
        limit: FailedLogins,
    ) -> Attempts<'_> {
        let source = source(address);
        let (about, name) = match guessed {
            Guessed::Client(id) => (About::Client, id),
            Guessed::Owner(name) => (About::Owner, name),
        };
        let named = Key { source, name: Some(short_digest(&fold(name))), about };
        let alone = Key { source, name: None, about: About::Client };
        let keys = [(named, limit.max), (alone, limit.max.saturating_mul(NAMES_PER_SOURCE))];
        Attempts { throttle: self, limit, keys, now }
    }

    /// The counters of wrong user codes (R8628-5.1). They belong to whoever is signed in, so that no
    /// stranger can use them up, wherever the person is; and to the source, whoever signs in there.
    pub(super) fn user_codes(
        &self,
        user: &str,
        address: Option<IpAddr>,
        now: Timestamp,
        limit: FailedLogins,
    ) -> Attempts<'_> {
        let about = About::UserCode;
        let user = Key { source: Source::Anywhere, name: Some(short_digest(&fold(user))), about };
        let source = Key { source: source(address), name: None, about };
        let keys = [(user, limit.max), (source, limit.max.saturating_mul(NAMES_PER_SOURCE))];
        Attempts { throttle: self, limit, keys, now }
    }

    /// The counters of device authorizations: from one source, and from all (LIM-conn). Whoever proved
    /// to be a known client is counted, and held back by the sum alone.
    pub(super) fn devices(
        &self,
        address: Option<IpAddr>,
        proven: bool,
        now: Timestamp,
        limit: FailedLogins,
    ) -> Attempts<'_> {
        let about = About::Device;
        let from_source = if proven { u32::MAX } else { limit.max };
        let keys = [
            (Key { source: source(address), name: None, about }, from_source),
            (Key { source: Source::Anywhere, name: None, about }, limit.max.saturating_mul(SOURCES)),
        ];
        Attempts { throttle: self, limit, keys, now }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("counters", &self.counters.len()).finish_non_exhaustive()
    }
}

impl Attempts<'_> {
    /// Whether another attempt may be made. Asked before the secret is looked at, and again before
    /// the answer is given: of many attempts made at the same time no more are answered than one
    /// after the other would be.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn check(&self) -> Result<(), Duration> {
        let held = self.keys.iter().filter_map(|(key, max)| self.held(key, *max)).max();
        held.map_or(Ok(()), Err)
    }

    /// Counts a failure.
    pub(super) fn failed(&self) {
        for (key, _) in &self.keys {
            let made =
                self.throttle.counters.get_or_insert_with::<_, std::convert::Infallible>(key, || Ok(Arc::default()));
            let Ok(counter) = made;
            let mut window = counter.lock().unwrap_or_else(PoisonError::into_inner);
            if window.failures == 0 || self.now >= window.start.plus(self.limit.per) {
                *window = Window { start: self.now, failures: 0 };
            }
            window.failures = window.failures.saturating_add(1);
        }
    }

    /// How long the counter of `key` holds attempts back.
    fn held(&self, key: &Key, max: u32) -> Option<Duration> {
        let counter = self.throttle.counters.get(key)?;
        let window = counter.lock().unwrap_or_else(PoisonError::into_inner);
        let end = window.start.plus(self.limit.per);
        (window.failures >= max && self.now < end).then(|| end.since(self.now))
    }
}

fn source(address: Option<IpAddr>) -> Source {
    match address.map(|address| address.to_canonical()) {
        None => Source::Local,
        Some(IpAddr::V4(address)) => Source::V4(address.to_bits()),
        Some(IpAddr::V6(address)) => Source::V6(u64::try_from(address.to_bits() >> 64).unwrap_or_default()),
    }
}

fn short_digest(name: &str) -> [u8; 16] {
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().zip(Digest::of(name.as_bytes()).as_bytes()) {
        *to = *from;
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: FailedLogins = FailedLogins { max: 3, per: Duration::from_secs(60) };

    fn at<'t>(throttle: &'t Throttle, guessed: Guessed<'_>, address: &str, secs: u64) -> Attempts<'t> {
        throttle.attempts(guessed, address.parse().ok(), Timestamp::from_secs(secs), LIMIT)
    }

    fn fail(throttle: &Throttle, guessed: Guessed<'_>, address: &str, times: usize) {
        (0..times).for_each(|_| at(throttle, guessed, address, 100).failed());
    }

    /// R6749-2.3.1c
    #[test]
    fn after_so_many_failures_the_source_waits_for_the_rest_of_the_window() {
        let throttle = Throttle::new();
        fail(&throttle, Guessed::Client("a"), "192.0.2.1", 2);
        assert_eq!(at(&throttle, Guessed::Client("a"), "192.0.2.1", 100).check(), Ok(()));
        fail(&throttle, Guessed::Client("a"), "192.0.2.1", 1);
        let wait = Err(Duration::from_secs(20));
        assert_eq!(at(&throttle, Guessed::Client("a"), "192.0.2.1", 140).check(), wait);
        assert_eq!(at(&throttle, Guessed::Client("A"), "192.0.2.1", 140).check(), wait, "names are folded");
        assert_eq!(at(&throttle, Guessed::Client("a"), "192.0.2.1", 160).check(), Ok(()));
        at(&throttle, Guessed::Client("a"), "192.0.2.1", 160).failed();
        assert_eq!(at(&throttle, Guessed::Client("a"), "192.0.2.1", 161).check(), Ok(()), "a new window");
    }

    /// TOK-14
    #[test]
    fn another_source_and_another_name_are_not_held_back() {
        let throttle = Throttle::new();
        fail(&throttle, Guessed::Owner("alice"), "192.0.2.1", 3);
        assert!(at(&throttle, Guessed::Owner("alice"), "192.0.2.1", 100).check().is_err());
        assert_eq!(at(&throttle, Guessed::Owner("alice"), "192.0.2.2", 100).check(), Ok(()));
        assert_eq!(at(&throttle, Guessed::Owner("bob"), "192.0.2.1", 100).check(), Ok(()));
        assert_eq!(at(&throttle, Guessed::Client("alice"), "192.0.2.1", 100).check(), Ok(()));
        assert_eq!(at(&throttle, Guessed::Owner("alice"), "unix", 100).check(), Ok(()));
    }

    /// TOK-14
    #[test]
    fn a_source_that_tries_many_names_is_held_back() {
        let throttle = Throttle::new();
        for name in 0..30 {
            fail(&throttle, Guessed::Owner(&format!("user{name}")), "192.0.2.1", 1);
        }
        assert!(at(&throttle, Guessed::Owner("fresh"), "192.0.2.1", 100).check().is_err());
        assert_eq!(at(&throttle, Guessed::Owner("fresh"), "192.0.2.9", 100).check(), Ok(()));
    }

    #[test]
    fn an_ipv6_subscriber_is_one_source_and_a_mapped_address_is_ipv4() {
        let throttle = Throttle::new();
        fail(&throttle, Guessed::Client("a"), "2001:db8:1:2::3", 3);
        assert!(at(&throttle, Guessed::Client("a"), "2001:db8:1:2:ffff::9", 100).check().is_err());
        assert_eq!(at(&throttle, Guessed::Client("a"), "2001:db8:1:3::3", 100).check(), Ok(()));
        fail(&throttle, Guessed::Client("a"), "::ffff:192.0.2.1", 3);
        assert!(at(&throttle, Guessed::Client("a"), "192.0.2.1", 100).check().is_err());
    }

    /// R8628-5.1
    #[test]
    fn wrong_user_codes_count_for_the_person_everywhere_and_for_the_source() {
        let throttle = Throttle::new();
        let at = |user: &str, address: &str| {
            throttle.user_codes(user, address.parse().ok(), Timestamp::from_secs(100), LIMIT)
        };
        for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            assert_eq!(at("alice", address).check(), Ok(()));
            at("alice", address).failed();
        }
        assert!(at("ALICE", "192.0.2.4").check().is_err());
        assert_eq!(at("bob", "192.0.2.1").check(), Ok(()));
        for user in 0..29 {
            at(&format!("user{user}"), "192.0.2.1").failed();
        }
        assert!(at("bob", "192.0.2.1").check().is_err(), "thirty from here");
        assert_eq!(at("bob", "192.0.2.2").check(), Ok(()));
        let login = throttle.attempts(Guessed::Owner("alice"), None, Timestamp::from_secs(100), LIMIT);
        assert_eq!(login.check(), Ok(()), "a sign-in is something else");
    }

    /// LIM-conn
    #[test]
    fn device_authorizations_are_counted_by_source_and_in_all() {
        let throttle = Throttle::new();
        let at = |address: u32, proven| {
            throttle.devices(Some(IpAddr::V4(address.into())), proven, Timestamp::from_secs(100), LIMIT)
        };
        (0..3).for_each(|_| at(1, false).failed());
        assert!(at(1, false).check().is_err());
        assert_eq!((at(1, true).check(), at(2, false).check()), (Ok(()), Ok(())));
        (0..297).for_each(|source| at(10 + source, false).failed());
        assert!(at(2, false).check().is_err() && at(1, true).check().is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::new();
        for number in 0..100_000_u32 {
            let address = Some(IpAddr::V4(number.into()));
            throttle.attempts(Guessed::Client("a"), address, Timestamp::from_secs(1), LIMIT).failed();
        }
        assert!(throttle.counters.len() <= COUNTERS, "{throttle:?}");
    }
}
