//! Documents in the embedded store: one table, by kind and identifier. What expires stands in the
//! expiry table beside the tokens, and goes with them.

use super::tables::{Tables, Trouble};
use super::{DOCUMENTS, Embedded};
use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::store::document::{Change, Head, Kind, Listing, Raw};
use redb::{ReadTransaction, ReadableTable};

/// Before the kind and the identifier of a document in the expiry table: longer than any item that
/// is told by its length.
const MARK: [u8; 34] = [b'd'; 34];

impl Embedded {
    pub(in crate::store) fn document(&self, kind: Kind, id: &str) -> Result<Option<Raw>, StoreError> {
        self.read(|view| look(view, kind, id, Raw::unpack))
    }

    pub(in crate::store) async fn put_document(&self, change: Change) -> Result<bool, StoreError> {
        // A version never comes back: what does not fit the last commit needs no sync.
        if !change.fits(self.read(|view| look(view, change.kind, &change.id, Head::of))?) {
            return Ok(false);
        }
        self.write(move |tables| put(tables, &change)).await
    }

    pub(in crate::store) async fn forget_document(&self, kind: Kind, id: &str) -> Result<bool, StoreError> {
        // What does not exist needs no sync.
        let there = self.read(|view| Ok(view.open_table(DOCUMENTS)?.get((kind.name(), id))?.is_some()))?;
        if !there {
            return Ok(false);
        }
        let id = id.to_owned();
        self.write(move |tables| remove(tables, kind.name(), &id)).await
    }

    pub(in crate::store) fn documents(&self, listing: &Listing<'_>) -> Result<Vec<(String, Raw)>, StoreError> {
        let kind = listing.kind.name();
        let (from, inclusive) = listing.start();
        self.read(|view| {
            let mut found = Vec::new();
            for entry in view.open_table(DOCUMENTS)?.range((kind, from)..)? {
                let (key, value) = entry?;
                let (owner, id) = key.value();
                if owner != kind || !id.starts_with(listing.prefix) || found.len() >= listing.limit {
                    break;
                }
                if !inclusive && id == from {
                    continue;
                }
                let head = Head::of(value.value()).ok_or(Trouble::Corrupt(listing.kind.noun()))?;
                if head.is_live(listing.now) {
                    found.extend(Raw::unpack(value.value()).map(|raw| (id.to_owned(), raw)));
                }
            }
            Ok(found)
        })
    }

    /// A document that cannot be read.
    pub(in crate::store) fn not_ours(&self, kind: Kind) -> StoreError {
        self.file.failed(Trouble::Corrupt(kind.noun()))
    }
}

fn look<T>(
    view: &ReadTransaction,
    kind: Kind,
    id: &str,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, Trouble> {
    let table = view.open_table(DOCUMENTS)?;
    let value = table.get((kind.name(), id))?;
    value.map(|value| read(value.value()).ok_or(Trouble::Corrupt(kind.noun()))).transpose()
}

/// Writes a document where the change fits what is there.
fn put(tables: &mut Tables<'_>, change: &Change) -> Result<bool, Trouble> {
    tables.now = Some(change.now);
    let (kind, id) = (change.kind.name(), change.id.as_str());
    let there = match tables.documents.get((kind, id))? {
        Some(value) => Some(Head::of(value.value()).ok_or(Trouble::Corrupt(change.kind.noun()))?),
        None => None,
    };
    if !change.fits(there) {
        return Ok(false);
    }
    remove(tables, kind, id)?;
    // What has expired already is as good as forgotten.
    if change.raw.head.is_live(change.now) {
        tables.documents.insert((kind, id), change.raw.pack().as_slice())?;
        if let Some(expires) = change.raw.head.expires {
            tables.expiry.insert((expires.as_millis(), item(kind, id).as_slice()), ())?;
        }
    }
    Ok(true)
}

/// Removes a document, readable or not; whether there was one.
fn remove(tables: &mut Tables<'_>, kind: &str, id: &str) -> Result<bool, Trouble> {
    let Some(value) = tables.documents.remove((kind, id))? else { return Ok(false) };
    let expires = Head::of(value.value()).and_then(|head| head.expires);
    drop(value);
    if let Some(expires) = expires {
        tables.expiry.remove((expires.as_millis(), item(kind, id).as_slice()))?;
    }
    Ok(true)
}

/// Removes the document that `item` of the expiry table means, unless it is another by now that
/// expires at another time; `false` when the item means something else.
pub(super) fn purge(tables: &mut Tables<'_>, item: &[u8], at: u64) -> Result<bool, Trouble> {
    let Some((kind, id)) = document_of(item) else { return Ok(false) };
    let due = tables.documents.get((kind, id))?.is_some_and(|value| {
        Head::of(value.value()).is_none_or(|head| head.expires == Some(Timestamp::from_millis(at)))
    });
    if due {
        remove(tables, kind, id)?;
    }
    Ok(true)
}

fn item(kind: &str, id: &str) -> Vec<u8> {
    [&MARK, kind.as_bytes(), b"\0", id.as_bytes()].concat()
}

fn document_of(item: &[u8]) -> Option<(&str, &str)> {
    str::from_utf8(item.strip_prefix(&MARK)?).ok()?.split_once('\0')
}
