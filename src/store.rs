//! What must be remembered: tokens, grants, clients made at run time, the tag keys, and the
//! documents of what goes on around them.
//!
//! [`Store`] is a handle that is cheap to clone. Each worker has one of its own, with its own
//! connection. What is stored are facts under digests, never tokens and never decisions.
//! Every method that changes something returns only when the change is durable (TOK-12), and
//! before it returns it has told every [`Listener`] which tokens ended.

pub mod cache;
mod clients;
mod document;
mod embedded;
mod endings;
mod family;
mod feed;
mod patience;
mod rate;
mod record;
mod redis;
mod survey;
mod tag_keys;

#[cfg(test)]
mod contract;

pub use document::{Document, Kind};
pub use feed::Listener;
pub use rate::{Counted, Pace};
pub use record::{ClientRecord, Filter, Issue, Issued, Listed, Rotated, Rotation, SelfRegistered};
pub use redis::RedisAddress;

use crate::clock::Timestamp;
use crate::oauth::token::{GrantId, RefreshRecord, TagKeys, TokenDigest, TokenRecord};
use arc_swap::ArcSwapOption;
use embedded::Embedded;
use endings::{Ending, Endings};
use feed::Feed;
use patience::Patience;
use redis::{Ended, Redis};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where the store is and how long it may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where.
    pub location: Location,
    /// How long one operation may take before it counts as failed.
    pub timeout: Duration,
    /// How long after the last proof that the store answers [`Store::is_trusted`] still holds.
    pub feed_timeout: Duration,
}

/// `[store] url`, read.
#[derive(Clone, Debug)]
pub enum Location {
    /// `memory:`; nothing survives a restart.
    Memory,
    /// `redb:PATH`; embedded and durable.
    Redb(PathBuf),
    /// `redis://` and its relatives.
    Redis(Box<RedisAddress>),
}

/// The store did not do what was asked. Nothing is known about the answer: 503, never 401.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It did not answer in time.
    #[error("the store did not answer within {0:?}")]
    Timeout(Duration),
    /// It cannot be reached, or its file cannot be read or written; the text says which and why.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
    /// What it holds under a key is not ours; the text names the key's kind, never a secret.
    #[error("the store holds something that is not ours: {0}")]
    Corrupt(String),
    /// It is longer than the store takes; the text names its kind.
    #[error("the store takes no such long document: {0}")]
    TooLong(&'static str),
    /// Tokens were minted elsewhere than at the place of their grant.
    #[error("the store takes no token that is not at the place of its grant")]
    Misplaced,
}

/// A handle on the store.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    shared: Arc<Shared>,
}

#[derive(Clone)]
enum Backend {
    Embedded(Arc<Embedded>),
    Redis(Redis),
}

/// What all handles of a process have in common.
struct Shared {
    feed: Arc<Feed>,
    patience: Arc<Patience>,
    /// What a failover may forget; of no use to an embedded store.
    endings: Endings,
    /// `None`: the store has not said them yet.
    tag_keys: ArcSwapOption<TagKeys>,
}

impl Location {
    /// A Redis, or several that belong together, by its URL.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn redis(url: &str) -> Result<Self, &'static str> {
        RedisAddress::parse(url).map(Box::new).map(Self::Redis)
    }
}

impl Store {
    /// Opens the store, makes the keys of the tags when there are none, and proves that it answers.
    ///
    /// # Errors
    /// When it cannot be opened; the text names the file or the address.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let store = Self::new(settings)?;
        store.reach().await?;
        Ok(store)
    }

    /// The store, whether it answers or not. A file is opened; another process is not asked for
    /// anything yet: until [`reach`](Self::reach) or [`watch`](Self::watch) have found it,
    /// everything fails.
    ///
    /// # Errors
    /// When the file cannot be opened; the text names it.
    pub fn new(settings: &Settings) -> Result<Self, StoreError> {
        let patience = Arc::new(Patience::of(settings));
        let feed = Arc::new(Feed::new(Arc::clone(&patience)));
        let embedded = |path: Option<PathBuf>| -> Result<(Backend, Option<TagKeys>), StoreError> {
            let (embedded, keys) = Embedded::open(path, Arc::clone(&patience), Arc::clone(&feed))?;
            Ok((Backend::Embedded(Arc::new(embedded)), Some(keys)))
        };
        let (backend, keys) = match &settings.location {
            Location::Memory => embedded(None)?,
            Location::Redb(path) => embedded(Some(path.clone()))?,
            Location::Redis(address) => (Backend::Redis(Redis::new(address, Arc::clone(&patience))), None),
        };
        let tag_keys = ArcSwapOption::from(keys.map(Arc::new));
        Ok(Self { backend, shared: Arc::new(Shared { feed, patience, endings: Endings::default(), tag_keys }) })
    }

    /// Proves that the store answers, and agrees with it on the keys of the tags.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn reach(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Embedded(_) => Ok(()),
            Backend::Redis(redis) => {
                if redis.agree(&self.shared.tag_keys).await? {
                    self.shared.feed.all_ended();
                }
                Ok(())
            }
        }
    }

    /// A handle for the calling thread's runtime, with a connection of its own.
    pub fn for_worker(&self) -> Self {
        let backend = match &self.backend {
            Backend::Embedded(embedded) => Backend::Embedded(Arc::clone(embedded)),
            Backend::Redis(redis) => Backend::Redis(redis.for_worker()),
        };
        Self { backend, shared: Arc::clone(&self.shared) }
    }

    /// From the next operation on the times of `settings` hold, and from the next connection on its TLS, for every
    /// handle; where the store is stays.
    pub fn adjust(&self, settings: &Settings) {
        self.shared.patience.adjust(settings);
        if let (Backend::Redis(redis), Location::Redis(address)) = (&self.backend, &settings.location) {
            redis.adjust(address);
        }
    }

    /// Has `listener` told of every token that ends from now on.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        self.shared.feed.listen(listener);
    }

    /// Proves that the store answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.ping(),
            Backend::Redis(redis) => redis.ping().await,
        }
    }

    /// Follows what other nodes and operators change, and proves every 500 ms that the store
    /// answers, for [`is_trusted`](Self::is_trusted); never returns. One task of the process runs
    /// it. An embedded store needs no proof.
    pub async fn watch(&self) {
        match &self.backend {
            Backend::Embedded(_) => std::future::pending().await,
            Backend::Redis(redis) => redis.watch(&self.shared.feed, &self.shared.tag_keys, &self.shared.endings).await,
        }
    }

    /// Whether the store answered within `feed_timeout`, and every ended token has been told until
    /// then: what is cached may be believed.
    pub fn is_trusted(&self) -> bool {
        match &self.backend {
            Backend::Embedded(_) => true,
            Backend::Redis(_) => self.shared.feed.is_trusted(),
        }
    }

    /// How long ago it was proved that nothing that ended is unknown here; nothing where no proof is needed.
    pub fn feed_age(&self) -> Option<Duration> {
        match &self.backend {
            Backend::Embedded(_) => None,
            Backend::Redis(_) => Some(self.shared.feed.age()),
        }
    }

    /// The record of an access token, straight from the store; expired ones are `None`.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn access_token(&self, digest: &TokenDigest, now: Timestamp) -> Result<Option<TokenRecord>, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.access_token(digest, now),
            Backend::Redis(redis) => redis.access_token(digest, now).await,
        }
    }

    /// The record of a refresh token, whether current or already rotated (so that reuse can be
    /// told from nonsense); expired ones and those of ended families are `None`.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn refresh_token(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
    ) -> Result<Option<RefreshRecord>, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.refresh_token(digest, now),
            Backend::Redis(redis) => redis.refresh_token(digest, now).await,
        }
    }

    /// Whether the refresh token is the current one of its family: what introspection calls active.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn refresh_is_current(&self, digest: &TokenDigest, now: Timestamp) -> Result<bool, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.refresh_is_current(digest, now),
            Backend::Redis(redis) => redis.refresh_is_current(digest, now).await,
        }
    }

    /// Stores new tokens, unless their client was removed meanwhile: no token lands behind the
    /// removal of its client.
    ///
    /// # Errors
    /// When they are not known to be durable, or are not at the place of their grant.
    pub async fn issue(&self, issue: Issue) -> Result<Issued, StoreError> {
        if !issue.is_in_place() {
            return Err(StoreError::Misplaced);
        }
        match &self.backend {
            Backend::Embedded(embedded) => embedded.issue(issue).await,
            Backend::Redis(redis) => {
                let issued = Box::pin(redis.issue(&issue)).await?;
                self.shared.feed.issued(&[issue.access.0]);
                Ok(issued)
            }
        }
    }

    /// Exchanges a refresh token, or ends its family when it had been used before.
    ///
    /// # Errors
    /// When the outcome is not known to be durable, or a token is not at the place of its grant.
    pub async fn rotate(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        if !rotation.is_in_place() {
            return Err(StoreError::Misplaced);
        }
        match &self.backend {
            Backend::Embedded(embedded) => embedded.rotate(rotation).await,
            Backend::Redis(redis) => {
                let (rotated, ended) = Box::pin(redis.rotate(&rotation)).await?;
                if rotated == Rotated::Reused || ended.unsure {
                    self.shared.endings.note([Ending::Grant(rotation.grant)]);
                }
                self.told(&ended);
                self.shared.feed.issued(&[rotation.access.0]);
                Ok(rotated)
            }
        }
    }

    /// Passes on what a Redis says that it ended.
    fn told(&self, ended: &Ended) {
        self.shared.endings.note(ended.tokens.iter().copied().map(Ending::Access));
        self.tell(ended);
    }

    fn tell(&self, ended: &Ended) {
        if ended.unsure {
            self.shared.feed.all_ended();
        }
        self.shared.feed.ended(&ended.tokens);
    }

    /// Ends one access token; `false` when there was none (any more).
    ///
    /// # Errors
    /// When it is not known to be ended.
    pub async fn revoke_access(&self, digest: &TokenDigest) -> Result<bool, StoreError> {
        let ended = match &self.backend {
            Backend::Embedded(embedded) => embedded.revoke_access(*digest).await,
            Backend::Redis(redis) => {
                self.shared.endings.note([Ending::Access(*digest)]);
                Box::pin(redis.revoke_access(digest)).await.map(|ended| !ended.tokens.is_empty() || ended.unsure)
            }
        };
        // Whatever became of it: what is cached about it must be asked for again. Another call may have
        // ended it a moment ago, and nobody here have heard of that yet.
        self.shared.feed.ended(&[*digest]);
        ended
    }

    /// Ends a grant: every refresh and access token of it. Returns how many access tokens ended.
    ///
    /// # Errors
    /// When it is not known to be ended.
    pub async fn revoke_grant(&self, grant: GrantId) -> Result<usize, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.revoke_grant(grant).await,
            Backend::Redis(redis) => {
                let ended = Box::pin(redis.revoke_grant(grant)).await?;
                self.shared.endings.note([Ending::Grant(grant)]);
                self.tell(&ended);
                Ok(ended.tokens.len())
            }
        }
    }

    /// Ends every token and every grant that `filter` means. Returns how many access tokens ended.
    /// Each is ended in one step; many are ended in several, so that others are not held up. Those that
    /// are being issued meanwhile may come after it: who issues them looks once more when they are
    /// stored, where that must not be.
    ///
    /// # Errors
    /// When they are not known to be ended.
    pub async fn revoke_where(&self, filter: &Filter) -> Result<usize, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.revoke_where(filter).await,
            Backend::Redis(redis) => Box::pin(redis.revoke_where(filter, |ended| self.told(ended))).await,
        }
    }

    /// Access tokens that `filter` means, in the order of their digests, at most `limit`, those
    /// after `after`; expired ones are left out.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn list(
        &self,
        filter: &Filter,
        after: Option<TokenDigest>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Listed>, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.list(filter, after, limit, now),
            Backend::Redis(redis) => redis.list(filter, after, limit, now).await,
        }
    }

    /// An access token by its public identifier (16 hexadecimal characters), for operators.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn find_by_public_id(&self, id: &str, now: Timestamp) -> Result<Option<Listed>, StoreError> {
        let octets = (id.len() == 16 && id.bytes().all(|octet| octet.is_ascii_hexdigit()))
            .then(|| u64::from_str_radix(id, 16).ok().map(u64::to_be_bytes))
            .flatten();
        let Some(first) = octets else { return Ok(None) };
        match &self.backend {
            Backend::Embedded(embedded) => embedded.find_by_public_id(first, now),
            Backend::Redis(redis) => redis.find_by_public_id(first, now).await,
        }
    }
}
