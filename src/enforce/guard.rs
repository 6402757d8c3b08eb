//! The token check: digest, cache, store; and what a token says about its bearer.

mod identity;
#[cfg(test)]
mod tests;

pub use identity::Identity;

use crate::clock::Timestamp;
use crate::oauth::resource::Resources;
use crate::oauth::scope::ScopeTable;
use crate::oauth::token::{Origin, TokenDigest, TokenKind, TokenRecord};
use crate::store::cache::TokenCache;
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The time at which no token has ended yet: the store leaves out what has ended at the time it is
/// told, but an ended token is told apart from an unknown one in the log.
const BEFORE_ALL: Timestamp = Timestamp::from_millis(0);

/// Who exists, as the configuration in force says it.
pub trait Directory: Send + Sync {
    /// Whether a client of the configuration still exists.
    fn has_client(&self, id: &str) -> bool;
    /// Whether a resource owner of the configuration still exists.
    fn has_user(&self, name: &str) -> bool;
    /// Whether a resource owner of an identity provider may still sign in.
    fn has_provided(&self, subject: &str) -> bool;
}

/// The check of one configuration, over a cache that outlives it.
pub struct Guard {
    store: Store,
    cache: Arc<TokenCache<Arc<Identity>>>,
    scopes: Arc<ScopeTable>,
    resources: Arc<Resources>,
    directory: Arc<dyn Directory>,
    settings: GuardSettings,
}

/// Why a token does not pass. The causes of `Invalid` look alike to the client and are told
/// apart only in the log.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// 401 `invalid_token`.
    #[error("the token is not valid: {0:?}")]
    Invalid(Invalid),
    /// 503.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a token is not valid, for the log. Whether it is for the resource that is asked for is decided
/// with the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// For another resource (R6750-5.3b).
    Audience,
    /// Its client or its user is gone from the configuration.
    Disabled,
    /// Its time is up.
    Expired,
    /// No tag of ours: refused without a lookup.
    Forged,
    /// Not in the store: never was, or revoked.
    Unknown,
}

impl Guard {
    /// A guard for one worker.
    pub fn new(
        store: Store,
        cache: Arc<TokenCache<Arc<Identity>>>,
        scopes: Arc<ScopeTable>,
        resources: Arc<Resources>,
        directory: Arc<dyn Directory>,
        settings: GuardSettings,
    ) -> Self {
        Self { store, cache, scopes, resources, directory, settings }
    }

    /// The answer for a cached token, without waiting; `None` when the store must be asked.
    pub fn cached(&self, digest: &TokenDigest, now: Timestamp) -> Option<Result<Arc<Identity>, Invalid>> {
        if !self.believes_cache() {
            return None;
        }
        self.cache.get(digest, now).map(|identity| self.admit(identity, digest, now))
    }

    /// Checks a token that is not cached: tag first, then one lookup, shared by those who wait for
    /// the same.
    ///
    /// # Errors
    /// When it does not pass, or the store cannot answer.
    pub async fn check(&self, token: &[u8], digest: &TokenDigest, now: Timestamp) -> Result<Arc<Identity>, CheckError> {
        if !self.store.tag_keys()?.recognise(TokenKind::Access, token) {
            return Err(CheckError::Invalid(Invalid::Forged));
        }
        let ended = AtomicBool::new(false);
        let lookup = async || self.look_up(digest, now, &ended).await;
        let found =
            if self.believes_cache() { self.cache.get_or_lookup(digest, now, lookup).await? } else { lookup().await? };
        let absent = if ended.load(Ordering::Relaxed) { Invalid::Expired } else { Invalid::Unknown };
        found.ok_or(absent).and_then(|identity| self.admit(identity, digest, now)).map_err(CheckError::Invalid)
    }

    /// One question to the store. A token whose time is up is no value for the cache, so that it is
    /// remembered like an unknown one; `ended` tells the two apart.
    async fn look_up(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
        ended: &AtomicBool,
    ) -> Result<Option<Arc<Identity>>, StoreError> {
        let Some(record) = self.store.access_token(digest, BEFORE_ALL).await? else { return Ok(None) };
        if record.expires_at <= now {
            ended.store(true, Ordering::Relaxed);
            return Ok(None);
        }
        Ok(Some(Arc::new(self.prepare(record))))
    }

    /// The last word on a known token: its time again, and that it was prepared for the configuration
    /// in force, which knows its bearer.
    fn admit(&self, identity: Arc<Identity>, digest: &TokenDigest, now: Timestamp) -> Result<Arc<Identity>, Invalid> {
        if identity.expires_at <= now {
            return Err(Invalid::Expired);
        }
        if identity.generation == self.settings.generation {
            return Ok(identity);
        }
        let prepared = Arc::new(self.prepare(identity.record()));
        if prepared.generation != self.settings.generation {
            return Err(Invalid::Disabled);
        }
        self.cache.refresh(digest, Arc::clone(&prepared));
        Ok(prepared)
    }

    /// A record for the configuration in force. Where that does not know its bearer, the result is of
    /// no configuration at all, and so is looked at anew each time.
    fn prepare(&self, record: TokenRecord) -> Identity {
        let exists = still_exists(&record, &*self.directory);
        let generation = if exists { self.settings.generation } else { Identity::NO_GENERATION };
        Identity::new(record, &self.scopes, &self.resources, generation)
    }

    fn believes_cache(&self) -> bool {
        self.settings.serve_cached || self.store.is_trusted()
    }
}

/// Kept here so that the origin rule has one home: a client or a resource owner of the configuration
/// must still be in it; one of the store was removed together with its tokens. A resource owner of the
/// store whose name is in the configuration by now is somebody else. One of an identity provider
/// is there as long as the provider is trusted.
pub fn still_exists(record: &TokenRecord, directory: &dyn Directory) -> bool {
    (record.client_origin == Origin::Store || directory.has_client(&record.client_id))
        && record.subject.as_deref().is_none_or(|subject| match record.subject_origin {
            Origin::Configuration => directory.has_user(subject),
            Origin::Store => !directory.has_user(subject),
            Origin::Provider => directory.has_provided(subject),
        })
}

/// How a guard behaves.
#[derive(Clone, Copy, Debug)]
pub struct GuardSettings {
    /// The configuration that is in force.
    pub generation: u64,
    /// `on_store_outage = "serve-cached"`: what is cached is believed for its `ttl` although the store
    /// does not answer; else it is not looked at while `Store::is_trusted` is false.
    pub serve_cached: bool,
}
