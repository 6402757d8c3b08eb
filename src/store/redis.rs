//! The store in Redis, for a fleet. Each worker has a connection of its own; a lookup is one round
//! trip; whatever must be one step is a script. Everything about tokens expires by itself. The keys
//! are described in `redis/prelude.lua`, those of documents in `redis/documents.rs`, those of counts in
//! `redis/rate.rs`.

mod address;
mod cluster;
mod connection;
mod documents;
mod feed;
mod key;
mod link;
mod places;
mod rate;
mod scan;
mod sentinel;
mod server;
mod slots;

pub use address::RedisAddress;

use super::endings::{Ending, Endings};
use super::feed::Feed;
use super::patience::Patience;
use super::record::Added;
use super::{ClientRecord, Filter, Issue, Issued, Rotated, Rotation, StoreError};
use crate::clock::Timestamp;
use crate::oauth::token::{GrantId, RefreshRecord, TagKeys, TokenDigest, TokenRecord};
use crate::secret::{Digest, hex};
use ::redis::{Cmd, cmd};
use arc_swap::ArcSwapOption;
use connection::{Connection, Input, Procedure, Retry};
use serde::Serialize;
use serde::de::DeserializeOwned;
use server::Server;
use std::sync::Arc;

/// Before the digest of an access token.
const ACCESS: &str = "tg:a:";
/// Before the digest of a refresh token.
const REFRESH: &str = "tg:r:";
/// Clients by identifier, or [`LEAVING`].
const CLIENTS: &str = "tg:clients";

/// What stands in the place of a client while its tokens are being ended.
const LEAVING: &[u8] = b"";

/// A handle with its connection.
#[derive(Clone)]
pub(super) struct Redis {
    connection: Connection,
    scripts: Arc<Scripts>,
}

struct Scripts {
    current: Procedure,
    issue: Procedure,
    rotate: Procedure,
    end: Procedure,
    forget: Procedure,
    replace: Procedure,
    count: Procedure,
    documents: documents::Scripts,
}

impl Redis {
    /// A handle that has not connected yet.
    pub(super) fn new(address: &RedisAddress, patience: Arc<Patience>) -> Self {
        let scripts = Scripts {
            current: Procedure::new(concat!(include_str!("redis/prelude.lua"), include_str!("redis/current.lua"))),
            issue: Procedure::new(concat!(include_str!("redis/prelude.lua"), include_str!("redis/issue.lua"))),
            rotate: Procedure::new(concat!(include_str!("redis/prelude.lua"), include_str!("redis/rotate.lua"))),
            end: Procedure::new(concat!(include_str!("redis/prelude.lua"), include_str!("redis/end.lua"))),
            forget: Procedure::new(include_str!("redis/forget.lua")),
            replace: Procedure::new(concat!(include_str!("redis/prelude.lua"), include_str!("redis/replace.lua"))),
            count: Procedure::new(include_str!("redis/count.lua")),
            documents: documents::Scripts::new(),
        };
        Self { connection: Connection::new(Server::new(address, patience)), scripts: Arc::new(scripts) }
    }

    /// Agrees with the fleet on the tag key.
    pub(super) async fn agree(&self, keys: &ArcSwapOption<TagKeys>) -> Result<(), StoreError> {
        key::agree(&self.connection, keys).await
    }

    /// From now on TLS is spoken as `address` says.
    pub(super) fn adjust(&self, address: &RedisAddress) {
        self.connection.server().adjust(address);
    }

    /// A handle whose connection is made on the runtime that uses it first.
    pub(super) fn for_worker(&self) -> Self {
        Self { connection: self.connection.another(), scripts: Arc::clone(&self.scripts) }
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.read(&cmd("PING")).await
    }

    /// Tells `feed` what changes; never returns.
    pub(super) async fn watch(&self, feed: &Arc<Feed>, keys: &ArcSwapOption<TagKeys>, endings: &Endings) {
        feed::follow(&self.for_worker(), feed, keys, endings).await;
    }

    /// Ends again what others may have forgotten, whether they have or not.
    async fn end_again(&self, feed: &Feed, endings: &Endings) -> Result<(), StoreError> {
        for ending in endings.recent() {
            match ending {
                Ending::Access(digest) => drop(self.revoke_access(&digest).await?),
                Ending::Grant(grant) => feed.ended(&self.revoke_grant(grant).await?),
            }
        }
        Ok(())
    }

    pub(super) async fn access_token(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
    ) -> Result<Option<TokenRecord>, StoreError> {
        let found: Option<TokenRecord> = self.value(ACCESS, digest, "an access token").await?;
        Ok(found.filter(|record| now < record.expires_at))
    }

    pub(super) async fn refresh_token(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
    ) -> Result<Option<RefreshRecord>, StoreError> {
        let found: Option<RefreshRecord> = self.value(REFRESH, digest, "a refresh token").await?;
        Ok(found.filter(|record| now < record.expires_at))
    }

    pub(super) async fn refresh_is_current(&self, digest: &TokenDigest, now: Timestamp) -> Result<bool, StoreError> {
        let Some(record) = self.refresh_token(digest, now).await? else { return Ok(false) };
        let key = format!("tg:{{{}}}:f", hex(&record.grant.0));
        let current: Option<String> = self.read(cmd("HGET").arg(key).arg("current")).await?;
        Ok(current.is_some_and(|current| current == hex(digest.as_bytes())))
    }

    pub(super) async fn issue(&self, issue: &Issue) -> Result<Issued, StoreError> {
        let (access, record) = &issue.access;
        let registration = issue.registration.filter(|_| issue.needs_registration());
        let registration = registration.map_or_else(String::new, |registration| hex(&registration.0));
        let mut arguments =
            vec![digest_text(access), encode(record)?, millis(record.issued_at), registration.into_bytes()];
        if let Some((refresh, record)) = &issue.refresh {
            arguments.extend([digest_text(refresh), encode(record)?]);
        }
        let done: bool = self.call(&self.scripts.issue, &arguments, Retry::Once).await?;
        Ok(if done { Issued::Done } else { Issued::ClientGone })
    }

    /// What became of a rotation, and the access tokens that ended with it.
    pub(super) async fn rotate(&self, rotation: &Rotation) -> Result<(Rotated, Vec<TokenDigest>), StoreError> {
        let arguments = [
            digest_text(&rotation.presented),
            hex(&rotation.grant.0).into_bytes(),
            digest_text(&rotation.access.0),
            encode(&rotation.access.1)?,
            digest_text(&rotation.refresh.0),
            encode(&rotation.refresh.1)?,
            millis(rotation.now),
            rotation.grace.as_millis().to_string().into_bytes(),
        ];
        // The second time would be reuse, and end the family.
        let answer: Vec<String> = self.call(&self.scripts.rotate, &arguments, Retry::Never).await?;
        let rotated = match answer.first().map(String::as_str) {
            Some("done") => Rotated::Done,
            Some("reused") => Rotated::Reused,
            Some("unknown") => Rotated::Unknown,
            _ => return Err(corrupt("the answer of a script")),
        };
        Ok((rotated, digests(answer.iter().skip(1))))
    }

    pub(super) async fn revoke_access(&self, digest: &TokenDigest) -> Result<bool, StoreError> {
        let member = [b"a".as_slice(), &digest_text(digest)].concat();
        Ok(!self.end(&Filter::default(), vec![member]).await?.is_empty())
    }

    /// Ends a grant; gives the access tokens that ended.
    pub(super) async fn revoke_grant(&self, grant: GrantId) -> Result<Vec<TokenDigest>, StoreError> {
        self.end(&Filter::default(), vec![format!("g{}", hex(&grant.0)).into_bytes()]).await
    }

    /// Ends those of `members` that `filter` means, and what cannot be read; gives the access tokens that ended.
    async fn end(&self, filter: &Filter, members: Vec<Vec<u8>>) -> Result<Vec<TokenDigest>, StoreError> {
        let mut arguments = vec![encode(filter)?];
        arguments.extend(members);
        let ended: Vec<String> = self.call(&self.scripts.end, &arguments, Retry::Once).await?;
        Ok(digests(ended.iter()))
    }

    pub(super) async fn add_client(&self, client: &ClientRecord) -> Result<Added, StoreError> {
        if self.change(cmd("HSETNX").arg(CLIENTS).arg(&client.id).arg(encode(client)?)).await? {
            return Ok(Added::Done);
        }
        let there: Option<Vec<u8>> = self.read(cmd("HGET").arg(CLIENTS).arg(&client.id)).await?;
        Ok(if there.is_none_or(|there| there == LEAVING) { Added::Leaving } else { Added::Taken })
    }

    pub(super) async fn client(&self, id: &str) -> Result<Option<ClientRecord>, StoreError> {
        let value: Option<Vec<u8>> = self.read(cmd("HGET").arg(CLIENTS).arg(id)).await?;
        value.filter(|value| value != LEAVING).map(|value| decode(&value, "a client")).transpose()
    }

    pub(super) async fn clients(&self) -> Result<Vec<ClientRecord>, StoreError> {
        let values: Vec<Vec<u8>> = self.read(cmd("HVALS").arg(CLIENTS)).await?;
        let values = values.iter().filter(|value| *value != LEAVING);
        let clients: Result<Vec<ClientRecord>, _> = values.map(|value| decode(value, "a client")).collect();
        let mut clients = clients?;
        clients.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(clients)
    }

    pub(super) async fn client_count(&self) -> Result<u64, StoreError> {
        self.read(cmd("HLEN").arg(CLIENTS)).await
    }

    /// Puts `client` in the place of `was`; whether that was there, unchanged.
    pub(super) async fn replace_client(&self, was: &ClientRecord, client: &ClientRecord) -> Result<bool, StoreError> {
        let arguments = [
            client.id.as_bytes().to_vec(),
            hex(&was.registration.0).into_bytes(),
            was.version.to_string().into_bytes(),
            encode(client)?,
        ];
        // The second time it would be another one already.
        self.call(&self.scripts.replace, &arguments, Retry::Never).await
    }

    /// Makes a client unknown and keeps its identifier from others; whether there was one.
    pub(super) async fn retire_client(&self, id: &str) -> Result<bool, StoreError> {
        // Whatever others make of it between the two steps: what is put there is taken away in the end.
        let existed: bool = self.read(cmd("HEXISTS").arg(CLIENTS).arg(id)).await?;
        if existed {
            let () = self.read(cmd("HSET").arg(CLIENTS).arg(id).arg(LEAVING)).await?;
        }
        Ok(existed)
    }

    /// Gives the identifier of a retired client free.
    pub(super) async fn forget_client(&self, id: &str) -> Result<(), StoreError> {
        self.call(&self.scripts.forget, &[id.as_bytes().to_vec()], Retry::Once).await
    }

    async fn value<T: DeserializeOwned>(
        &self,
        prefix: &str,
        digest: &TokenDigest,
        kind: &str,
    ) -> Result<Option<T>, StoreError> {
        let key = [prefix.as_bytes(), &digest_text(digest)].concat();
        let value: Option<Vec<u8>> = self.read(cmd("GET").arg(key)).await?;
        value.map(|value| decode(&value, kind)).transpose()
    }

    /// Sends what may be sent twice.
    async fn read<T: ::redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.connection.ask(command, Retry::Once).await
    }

    async fn change<T: ::redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.connection.ask(command, Retry::Never).await
    }

    async fn call<T: ::redis::FromRedisValue>(
        &self,
        script: &Procedure,
        arguments: &[Vec<u8>],
        retry: Retry,
    ) -> Result<T, StoreError> {
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        let input = Input { keys: &[], arguments: &arguments };
        self.connection.call(script, input, retry).await.map(|answer| answer.value)
    }
}

fn digest_text(digest: &TokenDigest) -> Vec<u8> {
    hex(digest.as_bytes()).into_bytes()
}

/// A digest from its text; `None` when it is none.
fn digest_of(text: &[u8]) -> Option<TokenDigest> {
    let digest = Digest::from_hex(str::from_utf8(text).ok()?)?;
    Some(TokenDigest::from_bytes(*digest.as_bytes()))
}

fn digests<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<TokenDigest> {
    texts.filter_map(|text| digest_of(text.as_bytes())).collect()
}

fn millis(at: Timestamp) -> Vec<u8> {
    at.as_millis().to_string().into_bytes()
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|_| corrupt("a value that cannot be written"))
}

fn decode<T: DeserializeOwned>(value: &[u8], kind: &str) -> Result<T, StoreError> {
    serde_json::from_slice(value).map_err(|_| corrupt(kind))
}

fn corrupt(kind: &str) -> StoreError {
    StoreError::Corrupt(format!("{kind} in Redis"))
}
