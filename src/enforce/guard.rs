//! The token check: digest, cache, store; and what a token says about its bearer.

use crate::clock::Timestamp;
use crate::oauth::scope::{ScopeSet, ScopeTable};
use crate::oauth::token::{Origin, TokenDigest, TokenRecord};
use crate::store::cache::{Cached, TokenCache};
use crate::store::{Store, StoreError};
use std::sync::Arc;

/// A token's record, prepared for the configuration that is in force.
#[derive(Debug)]
pub struct Identity {
    /// The facts.
    pub record: TokenRecord,
    /// The granted scopes with what they imply.
    pub scopes: ScopeSet,
    /// The identity fields that the upstream gets, ready to be copied: `x-auth-subject: …\r\n` and
    /// its kin; values percent-encoded where they need to be (PX-6).
    pub fields: Box<[u8]>,
    /// The configuration that `scopes` and `fields` were made for.
    pub generation: u64,
}

/// Who exists, as the configuration in force says it.
pub trait Directory: Send + Sync {
    /// Whether a client of the configuration still exists.
    fn has_client(&self, id: &str) -> bool;
    /// Whether a resource owner still exists.
    fn has_user(&self, name: &str) -> bool;
}

/// The check of one configuration, over a cache that outlives it.
pub struct Guard {
    // Private to this module: store handle, cache, scope table, directory, generation.
}

/// Why a token does not pass. The three causes of `Invalid` look alike to the client and are told
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

/// Why a token is not valid, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
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
        directory: Arc<dyn Directory>,
        settings: GuardSettings,
    ) -> Self {
        let _ = (store, cache, scopes, directory, settings);
        todo!()
    }

    /// The answer for a cached token, without waiting; `None` when the store must be asked.
    pub fn cached(&self, digest: &TokenDigest, now: Timestamp) -> Option<Result<Arc<Identity>, Invalid>> {
        let _ = (digest, now);
        todo!()
    }

    /// Checks a token that is not cached: tag first, then one lookup, shared by those who wait for
    /// the same.
    ///
    /// # Errors
    /// When it does not pass, or the store cannot answer.
    pub async fn check(&self, token: &[u8], digest: &TokenDigest, now: Timestamp) -> Result<Arc<Identity>, CheckError> {
        let _ = (token, digest, now);
        todo!()
    }
}

impl Cached for Arc<Identity> {
    fn size(&self) -> usize {
        todo!()
    }

    fn expires_at(&self) -> Timestamp {
        self.record.expires_at
    }
}

/// Kept here so that the origin rule has one home: a client or a resource owner of the configuration
/// must still be in it; one of the store was removed together with its tokens.
pub fn still_exists(record: &TokenRecord, directory: &dyn Directory) -> bool {
    (record.client_origin == Origin::Store || directory.has_client(&record.client_id))
        && (record.subject_origin == Origin::Store
            || record.subject.as_deref().is_none_or(|subject| directory.has_user(subject)))
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
