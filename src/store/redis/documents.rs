//! Documents in Redis: one key each, gone when it expires.
//!
//! - `tg:d:<kind>:<id>`, or `tg:d:{<kind>}:<id>` for a kind that is listed: the document, packed.
//! - `tg:n:{<kind>}`: the identifiers of a kind that is listed, in their order.
//! - `tg:e:{<kind>}`: those of them that expire, by the moment when they can go.
//!
//! Every key of one script has the same part in braces or is alone, and is declared: a cluster keeps
//! them together. A script is one step, and names a document before it writes it: what a crash can
//! leave is a name without a document, which is dropped by those who list or write.

use super::connection::Answer;
use super::layout::Layout;
use super::step::Procedure;
use super::{Redis, corrupt, millis};
use crate::store::StoreError;
use crate::store::document::{Change, Kind, Listing, Raw};
use redis::cmd;

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
        let packed: Option<Vec<u8>> = self.connection.ask(cmd("GET").arg(self.layout.document(kind, id))).await?;
        packed.map(|packed| Raw::unpack(&packed).ok_or_else(|| Self::not_ours(kind))).transpose()
    }

    pub(in crate::store) async fn put_document(&self, change: &Change) -> Result<bool, StoreError> {
        let head = change.raw.head;
        let arguments = vec![
            change.expected.map_or_else(String::new, version).into_bytes(),
            version(head.version).into_bytes(),
            change.raw.pack(),
            head.expires.map_or_else(Vec::new, millis),
            millis(change.now),
            change.id.clone().into_bytes(),
        ];
        let keys = self.layout.documents(change.kind, &change.id);
        // The second time is told from the first by the version that it makes.
        let answer: Answer<i64> = self.connection.call(&self.scripts.documents.put.step(keys, arguments)).await?;
        match answer.value {
            1 => Ok(true),
            0 if !answer.again => Ok(false),
            // Either it did not fit, or it was done at once and changed by another since.
            0 => Err(StoreError::Unavailable("a connection to Redis broke before the answer".to_owned())),
            _ => Err(Self::not_ours(change.kind)),
        }
    }

    pub(in crate::store) async fn forget_document(&self, kind: Kind, id: &str) -> Result<bool, StoreError> {
        let keys = self.layout.documents(kind, id);
        let step = self.scripts.documents.forget.step(keys, vec![id.as_bytes().to_vec()]);
        let forgotten: Answer<bool> = self.connection.call(&step).await?;
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
            range.arg(self.layout.names(listing.kind)).arg(&start).arg(&end).arg("LIMIT").arg(0).arg(wanted);
            let ids: Vec<String> = self.connection.ask(&range).await?;
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
            get.arg(self.layout.document(listing.kind, id));
        }
        let values: Vec<Option<Vec<u8>>> = self.connection.ask(&get).await?;
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
        let mut keys = vec![self.layout.names(kind), self.layout.expiries(kind)];
        keys.extend(ids.iter().map(|id| self.layout.document(kind, id)));
        let arguments = ids.into_iter().map(String::into_bytes).collect();
        let dropped: Result<Answer<i64>, StoreError> =
            self.connection.call(&self.scripts.documents.drop.step(keys, arguments)).await;
        drop(dropped);
    }

    /// A document that cannot be read.
    pub(in crate::store) fn not_ours(kind: Kind) -> StoreError {
        corrupt(kind.noun())
    }
}

fn version(number: u64) -> String {
    format!("{number:016x}")
}

impl Layout {
    /// The key of a document, and the indexes that name it.
    fn documents(&self, kind: Kind, id: &str) -> Vec<String> {
        let mut keys = vec![self.document(kind, id)];
        if kind.is_listed() {
            keys.extend([self.names(kind), self.expiries(kind)]);
        }
        keys
    }

    fn document(&self, kind: Kind, id: &str) -> String {
        let name = kind.name();
        self.key(&if kind.is_listed() { format!("d:{{{name}}}:{id}") } else { format!("d:{name}:{id}") })
    }

    fn names(&self, kind: Kind) -> String {
        self.key(&format!("n:{{{}}}", kind.name()))
    }

    fn expiries(&self, kind: Kind) -> String {
        self.key(&format!("e:{{{}}}", kind.name()))
    }
}
