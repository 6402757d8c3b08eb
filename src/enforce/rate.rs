//! How often a route may be used (LIM-429): the generic cell rate algorithm, by client, resource owner
//! or address.
//!
//! Whoever is counted has one number: the moment up to which everything counted takes its time. The
//! numbers stand in a cache of fixed size, under digests, because anybody on the network can make keys
//! (hazards, line 39). The keyed stores of `governor` grow with the keys they meet until they are told
//! to forget, which is why it is not used. What the cache forgets gets a full burst again, no more.

mod standing;
#[cfg(test)]
mod tests;

pub use standing::{Standing, whole_seconds};

use super::guard::Identity;
use crate::secret::Digest;
use crate::store::{Counted, Pace, Store};
use quick_cache::sync::Cache;
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Numbers kept at a time, about 100 octets each.
const COUNTERS: usize = 131_072;

/// How long a request waits for the count of the fleet.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long the store is not asked after it did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each client; where there is no token, each address.
    Client,
    /// Each address; of IPv6 each network of 64 bits.
    Ip,
    /// Each resource owner; where there is none, each client.
    Subject,
}

impl By {
    /// As the configuration writes it: the name of the policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Ip => "ip",
            Self::Subject => "subject",
        }
    }
}

/// What a route's `rate_limit` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// This many …
    pub requests: u32,
    /// … in this time.
    pub per: Duration,
    /// This many at once.
    pub burst: u32,
    /// Who is counted.
    pub by: By,
    /// All nodes count together.
    pub shared: bool,
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, per, burst, by, shared } = self;
        write!(f, "{requests} per {per:?} by {}", by.as_str())?;
        if burst != requests {
            write!(f, ", {burst} at once")?;
        }
        if *shared { f.write_str(", shared") } else { Ok(()) }
    }
}

/// The limit of one route.
#[derive(Clone, Debug)]
pub struct RateLimit {
    terms: Terms,
    pace: Pace,
    /// The same for the same limit of the same route: on every node, and after a reload.
    id: Digest,
}

impl RateLimit {
    /// The limit of the route that `route` describes: host, path, name, methods.
    pub fn new(terms: Terms, route: &[&str]) -> Self {
        let nanos = terms.per.as_nanos().div_ceil(u128::from(terms.requests.max(1)));
        let every = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut described = format!("{terms:?}").into_bytes();
        for part in route {
            described.extend_from_slice(&part.len().to_be_bytes());
            described.extend_from_slice(part.as_bytes());
        }
        let slack = every.saturating_mul(terms.burst.saturating_sub(1));
        Self { terms, pace: Pace { every, slack }, id: Digest::of(&described) }
    }

    /// As configured.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Under what a request is counted.
    fn key(&self, identity: Option<&Identity>, address: Option<IpAddr>) -> [u8; 16] {
        let client = || identity.map(|identity| (b'c', identity.client_id()));
        let named = match self.terms.by {
            By::Client => client(),
            By::Ip => None,
            By::Subject => identity.and_then(Identity::subject).map(|subject| (b's', subject)).or_else(client),
        };
        let mut text = Vec::with_capacity(128);
        text.extend_from_slice(self.id.as_bytes());
        match (named, address.map(network)) {
            (Some((kind, name)), _) => {
                text.push(kind);
                text.extend_from_slice(name.as_bytes());
            }
            (None, Some(IpAddr::V4(address))) => {
                text.push(b'4');
                text.extend_from_slice(&address.octets());
            }
            (None, Some(IpAddr::V6(address))) => {
                text.push(b'6');
                text.extend_from_slice(&address.octets());
            }
            // Whoever comes by a unix socket.
            (None, None) => {}
        }
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(Digest::of(&text).as_bytes()) {
            *to = *from;
        }
        key
    }

    fn standing(&self, counted: Counted) -> Standing {
        let Pace { every, slack } = self.pace;
        // The next ones fit as long as what is ahead of them is within the slack.
        let free = slack.checked_sub(counted.ahead).map_or(0, |free| free.as_nanos() / every.as_nanos().max(1) + 1);
        let remaining = if counted.fits { u32::try_from(free).unwrap_or(u32::MAX) } else { 0 };
        Standing { terms: self.terms, remaining, reset: counted.ahead }
    }
}

/// The first 64 bits of an IPv6 address: one subscriber has at least these.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

/// What became of a request that a limit holds for.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Where whoever asks stands now.
    pub standing: Standing,
    /// It is one too many: how long to wait.
    pub wait: Option<Duration>,
    /// This node counted alone where all should have counted together.
    pub alone: bool,
}

/// The counts of this process: one for all workers, so that a reload forgets nothing. Bounded.
pub struct Limiter {
    counters: Cache<[u8; 16], Arc<AtomicU64>>,
    began: Instant,
    /// Until when the store is not asked, in nanoseconds since `began`.
    paused: AtomicU64,
}

impl Limiter {
    /// Counts that are all at zero.
    pub fn new() -> Self {
        Self { counters: Cache::new(COUNTERS), began: Instant::now(), paused: AtomicU64::new(0) }
    }

    /// Counts a request of `identity` from `address` against `limit`. A store that does not answer
    /// refuses nobody: then this node counts alone.
    pub async fn take(
        &self,
        limit: &RateLimit,
        (identity, address): (Option<&Identity>, Option<IpAddr>),
        store: &Store,
        now: Instant,
    ) -> Taken {
        let key = limit.key(identity, address);
        let together = if limit.terms.shared { Box::pin(self.ask(&key, limit.pace, store, now)).await } else { None };
        let counted = together.unwrap_or_else(|| self.count(&key, limit.pace, self.nanos(now)));
        Taken {
            standing: limit.standing(counted),
            wait: (!counted.fits).then(|| counted.ahead.saturating_sub(limit.pace.slack)),
            alone: limit.terms.shared && together.is_none(),
        }
    }

    /// Counts on this node.
    fn count(&self, key: &[u8; 16], pace: Pace, now: u64) -> Counted {
        let [every, slack] = [pace.every, pace.slack].map(nanos);
        let made = self.counters.get_or_insert_with::<_, Infallible>(key, || Ok(Arc::default()));
        let Ok(counter) = made;
        let mut moment = counter.load(Ordering::Relaxed);
        loop {
            let ahead = moment.saturating_sub(now);
            if ahead > slack {
                return Counted { fits: false, ahead: Duration::from_nanos(ahead) };
            }
            let ahead = ahead.saturating_add(every);
            let next = now.saturating_add(ahead);
            match counter.compare_exchange_weak(moment, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Counted { fits: true, ahead: Duration::from_nanos(ahead) },
                Err(other) => moment = other,
            }
        }
    }

    /// Counts with all nodes; `None` where that cannot be done now.
    async fn ask(&self, key: &[u8; 16], pace: Pace, store: &Store, now: Instant) -> Option<Counted> {
        if self.nanos(now) < self.paused.load(Ordering::Relaxed) || !store.is_trusted() {
            return None;
        }
        match store.count(key, pace, PATIENCE).await {
            Ok(counted) => counted,
            Err(error) => {
                self.paused.store(self.nanos(Instant::now() + PAUSE), Ordering::Relaxed);
                tracing::warn!(%error, "limits are counted by this node alone");
                None
            }
        }
    }

    fn nanos(&self, at: Instant) -> u64 {
        nanos(at.duration_since(self.began))
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("counters", &self.counters.len()).finish_non_exhaustive()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
