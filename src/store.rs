//! What must be remembered: tokens, grants, clients made at run time, the tag keys.
//!
//! [`Store`] is a handle that is cheap to clone. Each worker has one of its own, with its own
//! connection. What is stored are facts under digests, never tokens and never decisions.
//! Every method that changes something returns only when the change is durable (TOK-12), and
//! before it returns it has told every [`Listener`] which tokens ended.

pub mod cache;

use crate::clock::Timestamp;
use crate::oauth::token::{GrantId, RefreshRecord, TagKeys, TokenDigest, TokenRecord};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
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
    /// `redis://`, `redis+unix://`; the URL may hold a password.
    Redis(Secret),
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
}

/// Told of ended tokens before the call that ended them returns.
pub trait Listener: Send + Sync {
    /// These access tokens are no longer valid.
    fn ended(&self, tokens: &[TokenDigest]);
}

/// Tokens to be written together, durable before the answer (promise 2).
#[derive(Clone, Debug)]
pub struct Issue {
    /// The access token.
    pub access: (TokenDigest, TokenRecord),
    /// The refresh token that starts a new family, where there is one.
    pub refresh: Option<(TokenDigest, RefreshRecord)>,
}

/// The exchange of a refresh token for a new pair (RFC 6749 section 6).
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The token that was presented.
    pub presented: TokenDigest,
    /// The family it belongs to.
    pub grant: GrantId,
    /// The new access token.
    pub access: (TokenDigest, TokenRecord),
    /// The new refresh token.
    pub refresh: (TokenDigest, RefreshRecord),
    /// The moment of the exchange.
    pub now: Timestamp,
    /// How long the immediate predecessor may be asked for again; zero switches it off.
    pub grace: Duration,
}

/// What became of a [`Rotation`], decided in one atomic step (TOK-9 to TOK-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The new pair is stored; a pair it replaces inside the grace is gone.
    Done,
    /// The presented token had been used before: the whole family has ended.
    Reused,
    /// No such family (any more).
    Unknown,
}

/// Which tokens a listing or a mass revocation means. Every given part must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Of this client.
    pub client_id: Option<String>,
    /// Of this resource owner.
    pub subject: Option<String>,
}

/// One line of a listing.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The token's digest; only its public identifier is shown.
    pub digest: TokenDigest,
    /// What is known of it.
    pub record: TokenRecord,
}

/// A client that was made at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRecord {
    /// RFC 6749 section 2.2.
    pub id: String,
    /// The name that people see.
    pub name: Option<String>,
    /// `SecretHash` in its text form; empty: a public client.
    pub secrets: Vec<String>,
    /// Names of grant types.
    pub grants: Vec<String>,
    /// RFC 6749 section 3.1.2.
    pub redirect_uris: Vec<String>,
    /// Space-separated.
    pub scopes: String,
    /// Space-separated.
    pub default_scopes: Option<String>,
    /// RFC 7662 section 2.1.
    pub introspect: bool,
    /// Milliseconds since the Unix epoch.
    pub created_at: u64,
}

/// A handle on the store.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Opens the store, makes the tag key when there is none, and proves that it answers.
    ///
    /// # Errors
    /// When it cannot be opened; the text names the file or the address.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let _ = settings;
        todo!()
    }

    /// A handle for the calling thread's runtime, with a connection of its own.
    pub fn for_worker(&self) -> Self {
        todo!()
    }

    /// Has `listener` told of every token that ends from now on.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        let _ = listener;
        todo!()
    }

    /// The keys of the tags. Held in memory: costs nothing.
    pub fn tag_keys(&self) -> Arc<TagKeys> {
        todo!()
    }

    /// Proves that the store answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Proves every 500 ms that the store answers, for [`is_trusted`](Self::is_trusted); never
    /// returns. One task of the process runs it. An embedded store needs no proof.
    pub async fn watch(&self) {
        todo!()
    }

    /// Whether the store answered within `feed_timeout`: what is cached may be believed.
    pub fn is_trusted(&self) -> bool {
        todo!()
    }

    /// The record of an access token, straight from the store; expired ones are `None`.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn access_token(&self, digest: &TokenDigest, now: Timestamp) -> Result<Option<TokenRecord>, StoreError> {
        let _ = (digest, now);
        todo!()
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
        let _ = (digest, now);
        todo!()
    }

    /// Whether the refresh token is the current one of its family: what introspection calls active.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn refresh_is_current(&self, digest: &TokenDigest, now: Timestamp) -> Result<bool, StoreError> {
        let _ = (digest, now);
        todo!()
    }

    /// Stores new tokens.
    ///
    /// # Errors
    /// When they are not known to be durable.
    pub async fn issue(&self, issue: Issue) -> Result<(), StoreError> {
        let _ = issue;
        todo!()
    }

    /// Exchanges a refresh token, or ends its family when it had been used before.
    ///
    /// # Errors
    /// When the outcome is not known to be durable.
    pub async fn rotate(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        let _ = rotation;
        todo!()
    }

    /// Ends one access token; `false` when there was none.
    ///
    /// # Errors
    /// When it is not known to be ended.
    pub async fn revoke_access(&self, digest: &TokenDigest) -> Result<bool, StoreError> {
        let _ = digest;
        todo!()
    }

    /// Ends a grant: every refresh and access token of it. Returns how many access tokens ended.
    ///
    /// # Errors
    /// When it is not known to be ended.
    pub async fn revoke_grant(&self, grant: GrantId) -> Result<usize, StoreError> {
        let _ = grant;
        todo!()
    }

    /// Ends every token and every grant that `filter` means. Returns how many access tokens ended.
    ///
    /// # Errors
    /// When they are not known to be ended.
    pub async fn revoke_where(&self, filter: &Filter) -> Result<usize, StoreError> {
        let _ = filter;
        todo!()
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
        let _ = (filter, after, limit, now);
        todo!()
    }

    /// An access token by its public identifier (16 hexadecimal characters), for operators.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn find_by_public_id(&self, id: &str, now: Timestamp) -> Result<Option<Listed>, StoreError> {
        let _ = (id, now);
        todo!()
    }

    /// Stores a client; `false` when the identifier is taken.
    ///
    /// # Errors
    /// When it is not known to be durable.
    pub async fn add_client(&self, client: ClientRecord) -> Result<bool, StoreError> {
        let _ = client;
        todo!()
    }

    /// A client by its identifier.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn client(&self, id: &str) -> Result<Option<ClientRecord>, StoreError> {
        let _ = id;
        todo!()
    }

    /// Every client, by identifier.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn clients(&self) -> Result<Vec<ClientRecord>, StoreError> {
        todo!()
    }

    /// Removes a client and ends every token it has; `false` when there was none.
    ///
    /// # Errors
    /// When it is not known to be done.
    pub async fn remove_client(&self, id: &str) -> Result<bool, StoreError> {
        let _ = id;
        todo!()
    }
}
