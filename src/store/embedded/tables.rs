//! The tables of the embedded store, and the steps inside one write transaction.
//!
//! An *item* is what the indexes and the expiry table point at, told apart by its length: 32
//! octets are an access token's digest, 16 a grant, 33 the letter `r` and a refresh token's digest;
//! longer ones are documents (`documents`), in the expiry table alone.

use super::documents;
use crate::clock::Timestamp;
use crate::oauth::token::{GrantId, RefreshRecord, TokenDigest, TokenRecord};
use crate::store::family::Family;
use crate::store::{ClientRecord, Issue, Issued};
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the layout below is called in the file.
pub(super) const FORMAT: u64 = 3;

type Digests<'a> = TableDefinition<'a, &'static [u8; 32], &'static [u8]>;
type Index<'a> = TableDefinition<'a, (&'static str, &'static [u8]), ()>;

/// Records of access tokens by digest.
pub(super) const ACCESS: Digests<'_> = Digests::new("access");
/// Records of refresh tokens, used ones included, by digest.
pub(super) const REFRESH: Digests<'_> = Digests::new("refresh");
/// Families by grant.
pub(super) const FAMILIES: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("families");
/// Grant and item: the tokens of a grant.
pub(super) const MEMBERS: TableDefinition<'_, (&[u8; 16], &[u8]), ()> = TableDefinition::new("members");
/// Client and item.
pub(super) const BY_CLIENT: Index<'_> = Index::new("by_client");
/// Resource owner and item.
pub(super) const BY_SUBJECT: Index<'_> = Index::new("by_subject");
/// Milliseconds and item.
pub(super) const EXPIRY: TableDefinition<'_, (u64, &[u8]), ()> = TableDefinition::new("expiry");
/// Clients by identifier, or [`LEAVING`].
pub(super) const CLIENTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("clients");
/// Documents by kind and identifier. A file of before they were gets the table when it is opened.
pub(super) const DOCUMENTS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("documents");
/// The keys of the tags and the format.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// What stands in the place of a client while its tokens are being ended.
pub(super) const LEAVING: &[u8] = b"";

/// What can go wrong inside a transaction.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A value is not what we write; the text names its kind.
    Corrupt(&'static str),
    /// The file could not be opened again after a failure.
    Closed,
    /// Another format.
    Version(u64),
    /// The database itself.
    Redb(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}

/// Every table of one write transaction, and what the transaction does to access tokens.
pub(super) struct Tables<'txn> {
    pub(super) access: Table<'txn, &'static [u8; 32], &'static [u8]>,
    pub(super) refresh: Table<'txn, &'static [u8; 32], &'static [u8]>,
    pub(super) families: Table<'txn, &'static [u8; 16], &'static [u8]>,
    pub(super) members: Table<'txn, (&'static [u8; 16], &'static [u8]), ()>,
    pub(super) by_client: Table<'txn, (&'static str, &'static [u8]), ()>,
    pub(super) by_subject: Table<'txn, (&'static str, &'static [u8]), ()>,
    pub(super) expiry: Table<'txn, (u64, &'static [u8]), ()>,
    pub(super) clients: Table<'txn, &'static str, &'static [u8]>,
    pub(super) documents: Table<'txn, (&'static str, &'static str), &'static [u8]>,
    pub(super) meta: Table<'txn, &'static str, &'static [u8]>,
    /// The moment that the last of the operations spoke of.
    pub(super) now: Option<Timestamp>,
    /// Access tokens that ended, to be told after the commit.
    pub(super) ended: Vec<TokenDigest>,
    /// Access tokens that were issued, likewise.
    pub(super) issued: Vec<TokenDigest>,
}

impl<'txn> Tables<'txn> {
    /// Opens the tables; creates those that are missing.
    pub(super) fn open(transaction: &'txn WriteTransaction) -> Result<Self, Trouble> {
        Ok(Self {
            access: transaction.open_table(ACCESS)?,
            refresh: transaction.open_table(REFRESH)?,
            families: transaction.open_table(FAMILIES)?,
            members: transaction.open_table(MEMBERS)?,
            by_client: transaction.open_table(BY_CLIENT)?,
            by_subject: transaction.open_table(BY_SUBJECT)?,
            expiry: transaction.open_table(EXPIRY)?,
            clients: transaction.open_table(CLIENTS)?,
            documents: transaction.open_table(DOCUMENTS)?,
            meta: transaction.open_table(META)?,
            now: None,
            ended: Vec::new(),
            issued: Vec::new(),
        })
    }

    /// Stores an access token and, where there is one, the refresh token that begins a family.
    pub(super) fn issue(&mut self, issue: &Issue) -> Result<Issued, Trouble> {
        let (access, record) = &issue.access;
        self.now = Some(record.issued_at);
        if issue.needs_registration() {
            let client = match self.clients.get(record.client_id.as_str())? {
                Some(value) => decode_client(value.value())?,
                None => None,
            };
            if client.is_none_or(|client| Some(client.registration) != issue.registration) {
                return Ok(Issued::ClientGone);
            }
        }
        if let Some((refresh, record)) = &issue.refresh {
            let family = Family::begin(*refresh.as_bytes(), record, *access.as_bytes());
            self.put_family(record.grant, &family)?;
            self.index(&family.client_id, family.subject.as_deref(), family.expires_at, &record.grant.0)?;
            self.put_refresh(refresh, record)?;
        }
        self.put_access(access, record)?;
        Ok(Issued::Done)
    }

    pub(super) fn put_access(&mut self, digest: &TokenDigest, record: &TokenRecord) -> Result<(), Trouble> {
        let item = digest.as_bytes();
        self.access.insert(item, encode(record)?.as_slice())?;
        self.index(&record.client_id, record.subject.as_deref(), record.expires_at.as_millis(), item)?;
        if let Some(grant) = record.grant {
            self.members.insert((&grant.0, item.as_slice()), ())?;
        }
        self.issued.push(*digest);
        Ok(())
    }

    pub(super) fn put_refresh(&mut self, digest: &TokenDigest, record: &RefreshRecord) -> Result<(), Trouble> {
        let item = refresh_item(digest.as_bytes());
        self.refresh.insert(digest.as_bytes(), encode(record)?.as_slice())?;
        self.members.insert((&record.grant.0, item.as_slice()), ())?;
        self.expiry.insert((record.expires_at.as_millis(), item.as_slice()), ())?;
        Ok(())
    }

    pub(super) fn put_family(&mut self, grant: GrantId, family: &Family) -> Result<(), Trouble> {
        self.families.insert(&grant.0, encode(family)?.as_slice())?;
        Ok(())
    }

    pub(super) fn family(&self, grant: GrantId) -> Result<Option<Family>, Trouble> {
        self.families.get(&grant.0)?.map(|value| decode(value.value(), "a family")).transpose()
    }

    /// Ends one access token; `false` when there is none. Like every ending it does not fail for a
    /// value that cannot be read: what is left of that in an index points at nothing.
    pub(super) fn end_access(&mut self, digest: &[u8; 32]) -> Result<bool, Trouble> {
        let Some(value) = self.access.remove(digest)? else { return Ok(false) };
        let record = decode::<TokenRecord>(value.value(), "an access token").ok();
        drop(value);
        if let Some(record) = record {
            self.unindex(&record.client_id, record.subject.as_deref(), record.expires_at.as_millis(), digest)?;
            if let Some(grant) = record.grant {
                self.members.remove((&grant.0, digest.as_slice()))?;
            }
        }
        self.ended.push(TokenDigest::from_bytes(*digest));
        Ok(true)
    }

    /// Ends every token of a grant; returns how many of them were access tokens.
    pub(super) fn end_grant(&mut self, grant: GrantId) -> Result<usize, Trouble> {
        let first = (&grant.0, [].as_slice());
        let mut items = Vec::new();
        for entry in self.members.range(first..)? {
            let (key, _) = entry?;
            let (owner, item) = key.value();
            if *owner != grant.0 {
                break;
            }
            items.push(item.to_vec());
        }
        let mut count = 0;
        for item in items {
            count += usize::from(self.end_item(&item)?);
            // Gone with the item, unless its value could not be read.
            self.members.remove((&grant.0, item.as_slice()))?;
        }
        self.end_item(&grant.0)?;
        Ok(count)
    }

    /// Removes one item alone; whether it was an access token.
    pub(super) fn end_item(&mut self, item: &[u8]) -> Result<bool, Trouble> {
        if let Ok(digest) = <&[u8; 32]>::try_from(item) {
            return self.end_access(digest);
        }
        if let Ok(grant) = <&[u8; 16]>::try_from(item) {
            self.end_family(grant)?;
        } else if let Some(digest) = refresh_digest(item) {
            self.end_refresh(digest)?;
        }
        Ok(false)
    }

    /// Removes up to `limit` items whose time was up at `cutoff`; returns how many.
    pub(super) fn purge(&mut self, cutoff: Timestamp, limit: usize) -> Result<usize, Trouble> {
        let mut due = Vec::new();
        for entry in self.expiry.range(..(cutoff.as_millis(), [].as_slice()))?.take(limit) {
            let (key, ()) = entry.map(|(key, _)| (key, ()))?;
            let (at, item) = key.value();
            due.push((at, item.to_vec()));
        }
        for (at, item) in &due {
            if !documents::purge(self, item, *at)? {
                self.end_item(item)?;
            }
            // Gone with the item, unless its value could not be read.
            self.expiry.remove((*at, item.as_slice()))?;
        }
        Ok(due.len())
    }

    fn end_refresh(&mut self, digest: &[u8; 32]) -> Result<(), Trouble> {
        let Some(value) = self.refresh.remove(digest)? else { return Ok(()) };
        let record = decode::<RefreshRecord>(value.value(), "a refresh token").ok();
        drop(value);
        if let Some(record) = record {
            let item = refresh_item(digest);
            self.members.remove((&record.grant.0, item.as_slice()))?;
            self.expiry.remove((record.expires_at.as_millis(), item.as_slice()))?;
        }
        Ok(())
    }

    fn end_family(&mut self, grant: &[u8; 16]) -> Result<(), Trouble> {
        let Some(value) = self.families.remove(grant)? else { return Ok(()) };
        let family = decode::<Family>(value.value(), "a family").ok();
        drop(value);
        if let Some(family) = family {
            self.unindex(&family.client_id, family.subject.as_deref(), family.expires_at, grant)?;
        }
        Ok(())
    }

    fn index(&mut self, client: &str, subject: Option<&str>, expires_at: u64, item: &[u8]) -> Result<(), Trouble> {
        self.by_client.insert((client, item), ())?;
        if let Some(subject) = subject {
            self.by_subject.insert((subject, item), ())?;
        }
        self.expiry.insert((expires_at, item), ())?;
        Ok(())
    }

    fn unindex(&mut self, client: &str, subject: Option<&str>, expires_at: u64, item: &[u8]) -> Result<(), Trouble> {
        self.by_client.remove((client, item))?;
        if let Some(subject) = subject {
            self.by_subject.remove((subject, item))?;
        }
        self.expiry.remove((expires_at, item))?;
        Ok(())
    }
}

/// A value as it is stored.
pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, Trouble> {
    serde_json::to_vec(value).map_err(|_| Trouble::Corrupt("a value that cannot be written"))
}

/// A stored value; `kind` names it when it is not ours.
pub(super) fn decode<T: DeserializeOwned>(value: &[u8], kind: &'static str) -> Result<T, Trouble> {
    serde_json::from_slice(value).map_err(|_| Trouble::Corrupt(kind))
}

/// A stored client; `None` while it is being removed.
pub(super) fn decode_client(value: &[u8]) -> Result<Option<ClientRecord>, Trouble> {
    if value == LEAVING { Ok(None) } else { decode(value, "a client").map(Some) }
}

fn refresh_item(digest: &[u8; 32]) -> [u8; 33] {
    let mut item = [b'r'; 33];
    item[1..].copy_from_slice(digest);
    item
}

fn refresh_digest(item: &[u8]) -> Option<&[u8; 32]> {
    item.strip_prefix(b"r").and_then(|digest| digest.try_into().ok())
}
