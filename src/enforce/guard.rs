//! The token check: digest, cache, store; and what a token says about its bearer.

use crate::clock::Timestamp;
use crate::oauth::scope::{ScopeSet, ScopeTable};
use crate::oauth::token::{Origin, TokenDigest, TokenKind, TokenRecord};
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
    store: Store,
    cache: Arc<TokenCache<Arc<Identity>>>,
    scopes: Arc<ScopeTable>,
    directory: Arc<dyn Directory>,
    settings: GuardSettings,
}

/// No configuration has this number: they are counted from one.
const NEVER: u64 = 0;

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
        Self { store, cache, scopes, directory, settings }
    }

    /// The answer for a cached token, without waiting; `None` when the store must be asked.
    pub fn cached(&self, digest: &TokenDigest, now: Timestamp) -> Option<Result<Arc<Identity>, Invalid>> {
        if !self.believes_cache() {
            return None;
        }
        let identity = self.cache.get(digest, now)?;
        if identity.generation == self.settings.generation {
            return Some(Ok(identity));
        }
        // It was prepared for a configuration that is no longer in force.
        Some(self.admit(identity.record.clone(), now).inspect(|identity| {
            self.cache.refresh(digest, Arc::clone(identity));
        }))
    }

    /// Checks a token that is not cached: tag first, then one lookup, shared by those who wait for
    /// the same.
    ///
    /// # Errors
    /// When it does not pass, or the store cannot answer.
    pub async fn check(&self, token: &[u8], digest: &TokenDigest, now: Timestamp) -> Result<Arc<Identity>, CheckError> {
        if !self.store.tag_keys().recognise(TokenKind::Access, token) {
            return Err(CheckError::Invalid(Invalid::Forged));
        }
        let found = if self.believes_cache() {
            self.cache.get_or_lookup(digest, now, async || self.lookup(digest, now).await).await?
        } else {
            self.lookup(digest, now).await?
        };
        let identity = found.ok_or(CheckError::Invalid(Invalid::Unknown))?;
        if identity.generation == self.settings.generation {
            return Ok(identity);
        }
        self.admit(identity.record.clone(), now).map_err(CheckError::Invalid)
    }

    async fn lookup(&self, digest: &TokenDigest, now: Timestamp) -> Result<Option<Arc<Identity>>, StoreError> {
        let record = self.store.access_token(digest, now).await?;
        // A token whose client is gone stays a fact, but one that has to be looked at each time.
        let generation = |record: &TokenRecord| {
            if still_exists(record, &*self.directory) { self.settings.generation } else { NEVER }
        };
        Ok(record.map(|record| {
            let generation = generation(&record);
            Arc::new(Identity::new(record, &self.scopes, generation))
        }))
    }

    /// The facts, prepared for the configuration in force, where they still hold.
    fn admit(&self, record: TokenRecord, now: Timestamp) -> Result<Arc<Identity>, Invalid> {
        if record.expires_at <= now {
            return Err(Invalid::Expired);
        }
        if !still_exists(&record, &*self.directory) {
            return Err(Invalid::Disabled);
        }
        Ok(Arc::new(Identity::new(record, &self.scopes, self.settings.generation)))
    }

    fn believes_cache(&self) -> bool {
        self.settings.serve_cached || self.store.is_trusted()
    }
}

impl Identity {
    /// Prepares a token's record.
    pub fn new(record: TokenRecord, scopes: &ScopeTable, generation: u64) -> Self {
        let held = record.scope.parse().map(|scope| scopes.set_of(&scope)).unwrap_or_default();
        let mut fields = Vec::with_capacity(128);
        if let Some(subject) = &record.subject {
            field(&mut fields, "x-auth-subject", subject);
        }
        field(&mut fields, "x-auth-client", &record.client_id);
        field(&mut fields, "x-auth-scope", &scopes.text_of(&held));
        Self { record, scopes: held, fields: fields.into(), generation }
    }
}

/// Appends a field line. What is not visible ASCII or a space within is percent-encoded, and so is the
/// percent sign, so that no two values look alike (PX-6).
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let last = value.len().saturating_sub(1);
    for (position, octet) in value.bytes().enumerate() {
        let inner_space = octet == b' ' && position != 0 && position != last;
        if (octet.is_ascii_graphic() && octet != b'%') || inner_space {
            out.push(octet);
        } else {
            out.extend_from_slice(format!("%{octet:02X}").as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

impl Cached for Arc<Identity> {
    fn size(&self) -> usize {
        let record = &self.record;
        let texts = record.client_id.len() + record.scope.len() + record.subject.as_ref().map_or(0, String::len);
        let audience: usize = record.audience.iter().map(|resource| resource.len() + size_of::<String>()).sum();
        size_of::<Identity>() + texts + audience + self.fields.len() + ALLOCATIONS
    }

    fn expires_at(&self) -> Timestamp {
        self.record.expires_at
    }
}

/// What the allocator and the reference counts add to the parts of an identity.
const ALLOCATIONS: usize = 96;

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

#[cfg(test)]
mod tests;
