//! Small things that are remembered for a while, beside tokens: sessions, authorization codes,
//! consents, device codes, users. Each is a document under a kind and an identifier, and changes in
//! one atomic step: a change says which version it was made from, and is refused when that is no
//! longer the one in the store.

use super::{Store, StoreError};
use crate::clock::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// RFC 6749 section 4.1: under the digest of the code.
    AuthorizationCode,
    /// What a resource owner allows a client: under both (`consent_id`).
    Consent,
    /// RFC 8628: under the digest of the device code.
    DeviceCode,
    /// RFC 7591 section 3: an initial access token, under its digest.
    InitialAccessToken,
    /// RFC 9126: under the digest of the request URI.
    PushedRequest,
    /// A sign-in: under the digest of the cookie.
    Session,
    /// The sessions of a user: under the user and the digest.
    SessionOf,
    /// A resource owner: under the folded name.
    User,
    /// RFC 8628: the digest of the device code, under the user code.
    UserCode,
}

/// What the store holds under a kind and an identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<T> {
    /// What it says.
    pub value: T,
    /// Which version of it: for the next change.
    pub version: u64,
    /// When it is forgotten; `None`: never.
    pub expires: Option<Timestamp>,
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
        let _ = (kind, id, now);
        todo!()
    }

    /// Writes a document, durable before the answer, if the store holds the version `expected`
    /// (`None`: if it holds none that has not expired). `false`: it does not, and nothing has changed.
    ///
    /// # Errors
    /// When it is not known whether it is durable.
    pub async fn put<T: Serialize>(
        &self,
        kind: Kind,
        id: &str,
        document: (&T, Option<Timestamp>),
        expected: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let _ = (kind, id, document.1, expected, now);
        todo!()
    }

    /// Forgets a document, whatever its version; `false` when there was none.
    ///
    /// # Errors
    /// When it is not known to be gone.
    pub async fn forget(&self, kind: Kind, id: &str) -> Result<bool, StoreError> {
        let _ = (kind, id);
        todo!()
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
        let _ = (kind, prefix, after, limit, now);
        todo!()
    }
}
