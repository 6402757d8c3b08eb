//! Documents in Redis: one key each, gone when it expires.
//!
//! - `tg:d:<kind>:<id>`, or `tg:d:{<kind>}:<id>` for a kind that is listed: the document, packed.
//! - `tg:n:{<kind>}`: the identifiers of a kind that is listed, in their order.
//! - `tg:e:{<kind>}`: those of them that expire, by the moment when they can go.
//!
//! Every key of one script has the same part in braces or is alone, and is declared: a cluster keeps
//! them together. A script is one step, and names a document before it writes it: what a crash can
//! leave is a name without a document, which is dropped by those who list or write.

use super::connection::{Answer, Input, Procedure, Retry};
use super::{Redis, corrupt, millis};
use crate::store::StoreError;
use crate::store::document::{Change, Kind, Listing, Raw};
use redis::{FromRedisValue, cmd};

/// How many documents are read in one step.
const CHUNK: usize = 100;

/// What changes documents.
pub(super) struct Scripts {
    put: Procedure,
    forget: Procedure,
    drop: Procedure,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            put: Procedure::new(include_str!("document_put.lua")),
            forget: Procedure::new(include_str!("document_forget.lua")),
            drop: Procedure::new(include_str!("document_drop.lua")),
        }
    }
}

impl Redis {
    pub(in crate::store) async fn document(&self, kind: Kind, id: &str) -> Result<Option<Raw>, StoreError> {
        let packed: Option<Vec<u8>> = self.read(cmd("GET").arg(key(kind, id))).await?;
        packed.map(|packed| Raw::unpack(&packed).ok_or_else(|| Self::not_ours(kind))).transpose()
    }

    pub(in crate::store) async fn put_document(&self, change: &Change) -> Result<bool, StoreError> {
        let head = change.raw.head;
        let arguments = [
            change.expected.map_or_else(String::new, version).into_bytes(),
            version(head.version).into_bytes(),
            change.raw.pack(),
            head.expires.map_or_else(Vec::new, millis),
            millis(change.now),
            change.id.clone().into_bytes(),
        ];
        let keys = keys(change.kind, &change.id);
        // The second time is told from the first by the version that it makes.
        let answer: Answer<i64> = self.change_documents(&self.scripts.documents.put, &keys, &arguments).await?;
        match answer.value {
            1 => Ok(true),
            0 if !answer.again => Ok(false),
            // Either it did not fit, or it was done at once and changed by another since.
            0 => Err(StoreError::Unavailable("a connection to Redis broke before the answer".to_owned())),
            _ => Err(Self::not_ours(change.kind)),
        }
    }

    pub(in crate::store) async fn forget_document(&self, kind: Kind, id: &str) -> Result<bool, StoreError> {
        let arguments = [id.as_bytes().to_vec()];
        let forgotten: Answer<bool> =
            self.change_documents(&self.scripts.documents.forget, &keys(kind, id), &arguments).await?;
        Ok(forgotten.value)
    }

    pub(in crate::store) async fn documents(&self, listing: &Listing<'_>) -> Result<Vec<(String, Raw)>, StoreError> {
        let (from, inclusive) = listing.start();
        let mut start = format!("{}{from}", if inclusive { '[' } else { '(' });
        // No text has this octet: it comes after everything that begins with the prefix.
        let end = [b"(", listing.prefix.as_bytes(), b"\xff"].concat();
        let mut found = Vec::new();
        while found.len() < listing.limit {
            let wanted = CHUNK.min(listing.limit - found.len());
            let mut range = cmd("ZRANGEBYLEX");
            range.arg(names(listing.kind)).arg(&start).arg(&end).arg("LIMIT").arg(0).arg(wanted);
            let ids: Vec<String> = self.read(&range).await?;
            let Some(last) = ids.last() else { break };
            start = format!("({last}");
            let complete = ids.len() < wanted;
            found.extend(self.named(listing, ids).await?);
            if complete {
                break;
            }
        }
        Ok(found)
    }

    /// The documents of these identifiers; the name of what is gone is dropped.
    async fn named(&self, listing: &Listing<'_>, ids: Vec<String>) -> Result<Vec<(String, Raw)>, StoreError> {
        let mut get = cmd("MGET");
        for id in &ids {
            get.arg(key(listing.kind, id));
        }
        let values: Vec<Option<Vec<u8>>> = self.read(&get).await?;
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        for (id, value) in ids.into_iter().zip(values) {
            let Some(packed) = value else {
                gone.push(id);
                continue;
            };
            let raw = Raw::unpack(&packed).ok_or_else(|| Self::not_ours(listing.kind))?;
            if raw.head.is_live(listing.now) {
                found.push((id, raw));
            }
        }
        if !gone.is_empty() {
            self.drop_names(listing.kind, gone).await;
        }
        Ok(found)
    }

    /// Drops names, unless there is a document again. What cannot be dropped now is met again.
    async fn drop_names(&self, kind: Kind, ids: Vec<String>) {
        let mut keys = vec![names(kind), expiries(kind)];
        keys.extend(ids.iter().map(|id| key(kind, id)));
        let arguments: Vec<Vec<u8>> = ids.into_iter().map(String::into_bytes).collect();
        let dropped: Result<Answer<i64>, StoreError> =
            self.change_documents(&self.scripts.documents.drop, &keys, &arguments).await;
        drop(dropped);
    }

    /// A document that cannot be read.
    pub(in crate::store) fn not_ours(kind: Kind) -> StoreError {
        corrupt(kind.noun())
    }

    async fn change_documents<T: FromRedisValue>(
        &self,
        script: &Procedure,
        keys: &[String],
        arguments: &[Vec<u8>],
    ) -> Result<Answer<T>, StoreError> {
        let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        self.connection.call(script, Input { keys: &keys, arguments: &arguments }, Retry::Once).await
    }
}

fn version(number: u64) -> String {
    format!("{number:016x}")
}

/// The key of a document, and the indexes that name it.
fn keys(kind: Kind, id: &str) -> Vec<String> {
    let mut keys = vec![key(kind, id)];
    if kind.is_listed() {
        keys.extend([names(kind), expiries(kind)]);
    }
    keys
}

fn key(kind: Kind, id: &str) -> String {
    let name = kind.name();
    if kind.is_listed() { format!("tg:d:{{{name}}}:{id}") } else { format!("tg:d:{name}:{id}") }
}

fn names(kind: Kind) -> String {
    format!("tg:n:{{{}}}", kind.name())
}

fn expiries(kind: Kind) -> String {
    format!("tg:e:{{{}}}", kind.name())
}
