//! The embedded store: one redb file of one process, or the same tables in memory.
//!
//! Reads happen on the caller's thread, on the last commit. Writes go through one thread, which
//! groups them ([`writer`]).

mod documents;
mod file;
mod survey;
mod tables;
mod writer;

use super::family::{Family, Use};
use super::feed::Feed;
use super::patience::Patience;
use super::record::Added;
use super::{ClientRecord, Filter, Issue, Issued, Listed, Rotated, Rotation, StoreError};
use crate::clock::Timestamp;
use crate::oauth::client::RegistrationId;
use crate::oauth::token::{GrantId, RefreshRecord, TagKeys, TokenDigest, TokenRecord};
use file::File;
use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata as _, TableDefinition};
use std::path::PathBuf;
use std::sync::Arc;
use tables::{
    ACCESS, BY_CLIENT, BY_SUBJECT, CLIENTS, DOCUMENTS, FAMILIES, FORMAT, LEAVING, META, REFRESH, Tables, Trouble,
    decode, decode_client, encode,
};
use writer::Writer;

/// Where the keys of the tags are.
const TAG_KEYS: &str = "tag_keys";

/// How many tokens and grants a mass revocation ends in one transaction: others write in between.
const CHUNK: usize = 500;

/// An open embedded store.
pub(super) struct Embedded {
    // The writer's thread ends before the file is let go.
    writer: Writer,
    file: Arc<File>,
    patience: Arc<Patience>,
}

impl Embedded {
    /// Opens a file, or memory where there is no path; returns the keys of the tags beside it.
    pub(super) fn open(
        path: Option<PathBuf>,
        patience: Arc<Patience>,
        feed: Arc<Feed>,
    ) -> Result<(Self, TagKeys), StoreError> {
        let file = Arc::new(File::open(path)?);
        let fresh = TagKeys::generate().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let keys = prepare(&file, fresh).map_err(|trouble| file.failed(trouble))?;
        let writer = Writer::start(Arc::clone(&file), feed)?;
        Ok((Self { writer, file, patience }, keys))
    }

    /// Puts `keys` in the place of `was`; whether those were there.
    pub(super) async fn replace_tag_keys(&self, was: Arc<TagKeys>, keys: Arc<TagKeys>) -> Result<bool, StoreError> {
        self.write(move |tables| {
            let stored = tables.meta.get(TAG_KEYS)?.map(|value| unpack(value.value())).transpose()?;
            let there = stored.is_some_and(|stored| stored.same(&was));
            if there {
                tables.meta.insert(TAG_KEYS, keys.pack().as_slice())?;
            }
            Ok(there)
        })
        .await
    }

    pub(super) fn ping(&self) -> Result<(), StoreError> {
        self.read(|view| view.open_table(META).map(drop).map_err(Trouble::from))
    }

    pub(super) fn access_token(&self, digest: &TokenDigest, now: Timestamp) -> Result<Option<TokenRecord>, StoreError> {
        let found: Option<TokenRecord> =
            self.read(|view| get(view, ACCESS, digest.as_bytes(), |value| decode(value, "an access token")))?;
        Ok(found.filter(|record| now < record.expires_at))
    }

    pub(super) fn refresh_token(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
    ) -> Result<Option<RefreshRecord>, StoreError> {
        let found: Option<RefreshRecord> =
            self.read(|view| get(view, REFRESH, digest.as_bytes(), |value| decode(value, "a refresh token")))?;
        Ok(found.filter(|record| now < record.expires_at))
    }

    pub(super) fn refresh_is_current(&self, digest: &TokenDigest, now: Timestamp) -> Result<bool, StoreError> {
        let Some(record) = self.refresh_token(digest, now)? else { return Ok(false) };
        let family: Option<Family> = self.read(|view| {
            let families = view.open_table(FAMILIES)?;
            let value = families.get(&record.grant.0)?;
            value.map(|value| decode(value.value(), "a family")).transpose()
        })?;
        Ok(family.is_some_and(|family| family.current == *digest.as_bytes()))
    }

    pub(super) async fn issue(&self, issue: Issue) -> Result<Issued, StoreError> {
        self.write(move |tables| tables.issue(&issue)).await
    }

    pub(super) async fn rotate(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        self.write(move |tables| rotate(tables, &rotation)).await
    }

    pub(super) async fn revoke_access(&self, digest: TokenDigest) -> Result<bool, StoreError> {
        // What does not exist needs no sync: asking for nonsense must not cost the disk anything.
        if self.read(|view| get(view, ACCESS, digest.as_bytes(), |_| Ok(())))?.is_none() {
            return Ok(false);
        }
        self.write(move |tables| tables.end_access(digest.as_bytes())).await
    }

    pub(super) async fn revoke_grant(&self, grant: GrantId) -> Result<usize, StoreError> {
        self.write(move |tables| tables.end_grant(grant)).await
    }

    pub(super) async fn revoke_where(&self, filter: &Filter) -> Result<usize, StoreError> {
        let mut count = 0;
        // Items that the filter means are looked for on the last commit, so that a large index
        // does not hold up those who write; what was issued meanwhile is found by the next round.
        loop {
            let items = self.read(|view| meant(view, filter))?;
            if items.is_empty() {
                return Ok(count);
            }
            count += self
                .write(move |tables| items.iter().try_fold(0, |count, item| Ok(count + end_whole(tables, item)?)))
                .await?;
        }
    }

    pub(super) fn list(
        &self,
        filter: &Filter,
        after: Option<TokenDigest>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Listed>, StoreError> {
        let after = after.map(|digest| *digest.as_bytes());
        let usable = |item: &[u8], record: &TokenRecord| {
            after.is_none_or(|after| item > after.as_slice())
                && now < record.expires_at
                && filter.means(&record.client_id, record.subject.as_deref())
        };
        self.read(|view| {
            let access = view.open_table(ACCESS)?;
            let mut listed = Vec::new();
            let from = after.unwrap_or_default();
            each_item(view, filter, &from, |item| {
                let Ok(digest) = <&[u8; 32]>::try_from(item) else { return Ok(listed.len() < limit) };
                if let Some(value) = access.get(digest)? {
                    let record: TokenRecord = decode(value.value(), "an access token")?;
                    if listed.len() < limit && usable(item, &record) {
                        listed.push(Listed { digest: TokenDigest::from_bytes(*digest), record });
                    }
                }
                Ok(listed.len() < limit)
            })?;
            Ok(listed)
        })
    }

    pub(super) fn find_by_public_id(&self, first: [u8; 8], now: Timestamp) -> Result<Option<Listed>, StoreError> {
        let mut from = [0; 32];
        from[..8].copy_from_slice(&first);
        self.read(|view| {
            for entry in view.open_table(ACCESS)?.range::<&[u8; 32]>(&from..)? {
                let (key, value) = entry?;
                let digest = *key.value();
                if !digest.starts_with(&first) {
                    break;
                }
                let record: TokenRecord = decode(value.value(), "an access token")?;
                if now < record.expires_at {
                    return Ok(Some(Listed { digest: TokenDigest::from_bytes(digest), record }));
                }
            }
            Ok(None)
        })
    }

    pub(super) async fn add_client(&self, client: ClientRecord) -> Result<Added, StoreError> {
        self.write(move |tables| {
            if let Some(there) = tables.clients.get(client.id.as_str())? {
                return Ok(if there.value() == LEAVING { Added::Leaving } else { Added::Taken });
            }
            tables.clients.insert(client.id.as_str(), encode(&client)?.as_slice())?;
            Ok(Added::Done)
        })
        .await
    }

    pub(super) fn client(&self, id: &str) -> Result<Option<ClientRecord>, StoreError> {
        self.read(|view| {
            let clients = view.open_table(CLIENTS)?;
            let value = clients.get(id)?;
            value.map_or(Ok(None), |value| decode_client(value.value()))
        })
    }

    pub(super) fn clients(&self) -> Result<Vec<ClientRecord>, StoreError> {
        self.read(|view| {
            let clients = view.open_table(CLIENTS)?;
            clients.iter()?.map(|entry| decode_client(entry?.1.value())).filter_map(Result::transpose).collect()
        })
    }

    pub(super) fn client_count(&self) -> Result<u64, StoreError> {
        self.read(|view| Ok(view.open_table(CLIENTS)?.len()?))
    }

    /// Puts `client` in the place of the one of this registration and version; whether it was there.
    pub(super) async fn replace_client(
        &self,
        was: (RegistrationId, u64),
        client: ClientRecord,
    ) -> Result<bool, StoreError> {
        self.write(move |tables| {
            let there = match tables.clients.get(client.id.as_str())? {
                Some(value) => decode_client(value.value())?,
                None => None,
            };
            let is_it = there.is_some_and(|there| (there.registration, there.version) == was);
            if is_it {
                tables.clients.insert(client.id.as_str(), encode(&client)?.as_slice())?;
            }
            Ok(is_it)
        })
        .await
    }

    /// Makes a client unknown and keeps its identifier from others; whether there was one.
    pub(super) async fn retire_client(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |tables| {
            let existed = tables.clients.get(id.as_str())?.is_some();
            if existed {
                tables.clients.insert(id.as_str(), LEAVING)?;
            }
            Ok(existed)
        })
        .await
    }

    /// Gives the identifier of a retired client free.
    pub(super) async fn forget_client(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |tables| {
            if tables.clients.get(id.as_str())?.is_some_and(|there| there.value() == LEAVING) {
                tables.clients.remove(id.as_str())?;
            }
            Ok(())
        })
        .await
    }

    fn read<T>(&self, look: impl FnOnce(&ReadTransaction) -> Result<T, Trouble>) -> Result<T, StoreError> {
        self.file.read().and_then(|view| look(&view)).map_err(|trouble| self.file.failed(trouble))
    }

    async fn write<T: Send + 'static>(
        &self,
        step: impl FnMut(&mut Tables<'_>) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let timeout = self.patience.operation();
        let written = tokio::time::timeout(timeout, self.writer.write(step)).await;
        written.unwrap_or(Err(StoreError::Timeout(timeout)))
    }
}

/// Makes the tables, checks the format, and gives the tag key: the stored one, else `fresh`.
fn prepare(file: &File, fresh: TagKeys) -> Result<TagKeys, Trouble> {
    let transaction = file.write()?;
    let Tables { mut meta, .. } = Tables::open(&transaction)?;
    let format = meta.get("format")?.map(|value| decode(value.value(), "the format")).transpose()?;
    if let Some(other) = format.filter(|format| *format != FORMAT) {
        return Err(Trouble::Version(other));
    }
    meta.insert("format", encode(&FORMAT)?.as_slice())?;
    let stored = meta.get(TAG_KEYS)?.map(|value| unpack(value.value())).transpose()?;
    if stored.is_none() {
        meta.insert(TAG_KEYS, fresh.pack().as_slice())?;
    }
    drop(meta);
    transaction.commit()?;
    Ok(stored.unwrap_or(fresh))
}

fn unpack(stored: &[u8]) -> Result<TagKeys, Trouble> {
    TagKeys::unpack(stored).ok_or(Trouble::Corrupt("the tag keys"))
}

fn rotate(tables: &mut Tables<'_>, rotation: &Rotation) -> Result<Rotated, Trouble> {
    tables.now = Some(rotation.now);
    let Some(mut family) = tables.family(rotation.grant)? else { return Ok(Rotated::Unknown) };
    let of_family = match tables.refresh.get(rotation.presented.as_bytes())? {
        Some(value) => decode::<RefreshRecord>(value.value(), "a refresh token")?.grant == rotation.grant,
        None => false,
    };
    if !of_family || family.expires_at <= rotation.now.as_millis() {
        return Ok(Rotated::Unknown);
    }
    match family.used_by(rotation) {
        Use::Ends => {
            tables.end_grant(rotation.grant)?;
            return Ok(Rotated::Reused);
        }
        // The lost refresh token stays known: whoever comes with it later ends the family.
        Use::Replaces => {
            tables.end_access(&family.access)?;
        }
        Use::Advances => {}
    }
    family.advance(rotation);
    tables.put_family(rotation.grant, &family)?;
    tables.put_refresh(&rotation.refresh.0, &rotation.refresh.1)?;
    tables.put_access(&rotation.access.0, &rotation.access.1)?;
    Ok(Rotated::Done)
}

/// Ends an access token, or a grant with all its tokens.
fn end_whole(tables: &mut Tables<'_>, item: &[u8]) -> Result<usize, Trouble> {
    match <[u8; 16]>::try_from(item) {
        Ok(grant) => tables.end_grant(GrantId(grant)),
        Err(_) => tables.end_item(item).map(usize::from),
    }
}

/// Up to [`CHUNK`] items that `filter` means, and those that cannot be read: nothing must stand in the way
/// of a revocation.
fn meant(view: &ReadTransaction, filter: &Filter) -> Result<Vec<Vec<u8>>, Trouble> {
    let access = view.open_table(ACCESS)?;
    let families = view.open_table(FAMILIES)?;
    let mut items = Vec::new();
    each_item(view, filter, &[], |item| {
        let means = if let Ok(digest) = <&[u8; 32]>::try_from(item) {
            access.get(digest)?.is_some_and(|value| {
                decode::<TokenRecord>(value.value(), "an access token")
                    .map_or(true, |record| filter.means(&record.client_id, record.subject.as_deref()))
            })
        } else if let Ok(grant) = <&[u8; 16]>::try_from(item) {
            families.get(grant)?.is_some_and(|value| {
                decode::<Family>(value.value(), "a family")
                    .map_or(true, |family| filter.means(&family.client_id, family.subject.as_deref()))
            })
        } else {
            false
        };
        if means {
            items.push(item.to_vec());
        }
        Ok(items.len() < CHUNK)
    })?;
    Ok(items)
}

/// Calls `visit` with the items of the narrowest index for `filter`, from `from` on, in their
/// order, until it says `false`.
fn each_item(
    view: &ReadTransaction,
    filter: &Filter,
    from: &[u8],
    mut visit: impl FnMut(&[u8]) -> Result<bool, Trouble>,
) -> Result<(), Trouble> {
    let (index, name) = match (&filter.subject, &filter.client_id) {
        (Some(subject), _) => (BY_SUBJECT, subject.as_str()),
        (None, Some(client)) => (BY_CLIENT, client.as_str()),
        (None, None) => return each_token_and_grant(view, from, visit),
    };
    for entry in view.open_table(index)?.range((name, from)..)? {
        let (key, _) = entry?;
        let (owner, item) = key.value();
        if owner != name || !visit(item)? {
            break;
        }
    }
    Ok(())
}

/// As [`each_item`], for every token and then every grant; behind a grant are grants alone.
fn each_token_and_grant(
    view: &ReadTransaction,
    from: &[u8],
    mut visit: impl FnMut(&[u8]) -> Result<bool, Trouble>,
) -> Result<(), Trouble> {
    let grant = <[u8; 16]>::try_from(from).ok();
    if grant.is_none() {
        let from = <[u8; 32]>::try_from(from).unwrap_or_default();
        for entry in view.open_table(ACCESS)?.range::<&[u8; 32]>(&from..)? {
            if !visit(entry?.0.value())? {
                return Ok(());
            }
        }
    }
    for entry in view.open_table(FAMILIES)?.range::<&[u8; 16]>(&grant.unwrap_or_default()..)? {
        if !visit(entry?.0.value())? {
            break;
        }
    }
    Ok(())
}

fn get<T>(
    view: &ReadTransaction,
    table: TableDefinition<'_, &'static [u8; 32], &'static [u8]>,
    digest: &[u8; 32],
    read: impl FnOnce(&[u8]) -> Result<T, Trouble>,
) -> Result<Option<T>, Trouble> {
    let table = view.open_table(table)?;
    let value = table.get(digest)?;
    value.map(|value| read(value.value())).transpose()
}
