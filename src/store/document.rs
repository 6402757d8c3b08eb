//! Small things that are remembered for a while, beside tokens: sessions, authorization codes,
//! consents, device codes, users. Each is a document under a kind and an identifier, and changes in
//! one atomic step: a change says which version it was made from, and is refused when that is no
//! longer the one in the store.
//!
//! Versions are random, a new one with every change. So none ever comes back: whoever holds the
//! version of a document that was forgotten and made again cannot change the new one. And a change
//! that is asked for twice, because the answer was lost, is recognised by the version it makes.

mod kind;
mod packed;

pub use kind::Kind;
pub(super) use packed::{Change, Head, Raw};

use super::redis::Redis;
use super::{Backend, Store, StoreError};
use crate::clock::Timestamp;
use crate::secret::random;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// The longest value, in octets of JSON.
const LONGEST_VALUE: usize = 64 * 1024;
/// The longest identifier, in octets.
const LONGEST_ID: usize = 1024;

/// What the store holds under a kind and an identifier.
#[derive(Clone, PartialEq, Eq)]
pub struct Document<T> {
    /// What it says.
    pub value: T,
    /// Which version of it: for the next change.
    pub version: u64,
    /// When it is forgotten; `None`: never.
    pub expires: Option<Timestamp>,
}

/// Without what it says.
impl<T> fmt::Debug for Document<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("version", &self.version)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Which documents are meant.
pub(super) struct Listing<'a> {
    pub(super) kind: Kind,
    pub(super) prefix: &'a str,
    pub(super) after: Option<&'a str>,
    pub(super) limit: usize,
    pub(super) now: Timestamp,
}

impl<'a> Listing<'a> {
    /// Where it begins, and whether what is exactly there is meant too.
    pub(super) fn start(&self) -> (&'a str, bool) {
        self.after.filter(|after| *after >= self.prefix).map_or((self.prefix, true), |after| (after, false))
    }
}

impl Store {
    /// A document; expired ones are `None`.
    ///
    /// # Errors
    /// When the store cannot answer, or what it holds is not a `T`.
    pub async fn document<T: DeserializeOwned>(
        &self,
        kind: Kind,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Document<T>>, StoreError> {
        let raw = match &self.backend {
            Backend::Embedded(embedded) => embedded.document(kind, id)?,
            Backend::Redis(redis) => redis.document(kind, id).await?,
        };
        raw.filter(|raw| raw.head.is_live(now)).map(|raw| self.read_document(kind, &raw)).transpose()
    }

    /// Writes a document, durable before the answer, if the store holds the version `expected`
    /// (`None`: if it holds none that has not expired). `false`: it does not, and nothing has changed.
    ///
    /// # Errors
    /// When it is not known whether it is durable, and when it is too long: more than 64 KiB, or an
    /// identifier of more than 1 KiB.
    pub async fn put<T: Serialize>(
        &self,
        kind: Kind,
        id: &str,
        document: (&T, Option<Timestamp>),
        expected: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let unwritable = |_| StoreError::Corrupt(format!("{}, which cannot be written", kind.noun()));
        let json = serde_json::to_vec(document.0).map_err(unwritable)?;
        if json.len() > LONGEST_VALUE || id.len() > LONGEST_ID {
            return Err(StoreError::TooLong(kind.noun()));
        }
        let version = random().map(u64::from_be_bytes).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let raw = Raw { head: Head { version, expires: document.1 }, json };
        let change = Change { kind, id: id.to_owned(), raw, expected, now };
        match &self.backend {
            Backend::Embedded(embedded) => embedded.put_document(change).await,
            Backend::Redis(redis) => Box::pin(redis.put_document(&change)).await,
        }
    }

    /// Forgets a document, whatever its version and whether it can be read; `false` when there was
    /// none. Whoever must know that nobody else forgot it uses [`put`](Self::put).
    ///
    /// # Errors
    /// When it is not known to be gone.
    pub async fn forget(&self, kind: Kind, id: &str) -> Result<bool, StoreError> {
        match &self.backend {
            Backend::Embedded(embedded) => embedded.forget_document(kind, id).await,
            Backend::Redis(redis) => Box::pin(redis.forget_document(kind, id)).await,
        }
    }

    /// The documents whose identifiers begin with `prefix`, in the order of their identifiers, those
    /// after `after`, `limit` at most; expired ones are left out. Kinds that are never listed
    /// (codes, sessions, pushed requests) have no index: they give nothing.
    ///
    /// # Errors
    /// When the store cannot answer, or what it holds is not a `T`.
    pub async fn documents<T: DeserializeOwned>(
        &self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<(String, Document<T>)>, StoreError> {
        if !kind.is_listed() || limit == 0 {
            return Ok(Vec::new());
        }
        let listing = Listing { kind, prefix, after, limit, now };
        let found = match &self.backend {
            Backend::Embedded(embedded) => embedded.documents(&listing)?,
            Backend::Redis(redis) => Box::pin(redis.documents(&listing)).await?,
        };
        found.into_iter().map(|(id, raw)| Ok((id, self.read_document(kind, &raw)?))).collect()
    }

    fn read_document<T: DeserializeOwned>(&self, kind: Kind, raw: &Raw) -> Result<Document<T>, StoreError> {
        // What is wrong with it may quote it: only where it is gets into the error.
        let value = serde_json::from_slice(&raw.json).map_err(|_| match &self.backend {
            Backend::Embedded(embedded) => embedded.not_ours(kind),
            Backend::Redis(_) => Redis::not_ours(kind),
        })?;
        Ok(Document { value, version: raw.head.version, expires: raw.head.expires })
    }
}
