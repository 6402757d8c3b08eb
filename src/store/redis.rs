//! The store in Redis, for a fleet. Each worker has a connection of its own; a lookup is one round
//! trip; whatever must be one step is a script. Everything about tokens expires by itself. The keys
//! are described in `redis/layout.rs`.

mod address;
mod cluster;
mod connection;
mod documents;
mod feed;
mod key;
mod layout;
mod link;
mod places;
mod question;
mod rate;
mod scan;
mod sentinel;
mod server;
mod slots;
mod step;
mod tokens;
mod walk;

pub use address::RedisAddress;
pub(super) use tokens::Ended;

use super::endings::{Ending, Endings};
use super::feed::Feed;
use super::patience::Patience;
use super::record::Added;
use super::{ClientRecord, Filter, StoreError};
use crate::clock::Timestamp;
use crate::oauth::token::{RefreshRecord, TagKeys, TokenDigest, TokenRecord};
use crate::secret::hex;
use ::redis::cmd;
use arc_swap::ArcSwapOption;
use connection::{Answer, Connection};
use layout::{Layout, Member};
use serde::Serialize;
use serde::de::DeserializeOwned;
use server::Server;
use std::sync::Arc;
use step::Procedure;

/// What stands in the place of a client while its tokens are being ended.
const LEAVING: &[u8] = b"";

/// A handle with its connection.
#[derive(Clone)]
pub(super) struct Redis {
    connection: Connection,
    layout: Layout,
    scripts: Arc<Scripts>,
}

struct Scripts {
    name: Procedure,
    unname: Procedure,
    issue: Procedure,
    registered: Procedure,
    rotate: Procedure,
    end: Procedure,
    current: Procedure,
    replace: Procedure,
    free: Procedure,
    tag_keys: Procedure,
    count: Procedure,
    documents: documents::Scripts,
}

/// A script behind what it shares with others.
macro_rules! lua {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("redis/", $file))),+)
    };
}

impl Scripts {
    fn new() -> Self {
        Self {
            name: Procedure::marked(lua!("prelude.lua", "name.lua")),
            unname: Procedure::new(lua!("unname.lua")),
            issue: Procedure::new(lua!("prelude.lua", "issue.lua")),
            registered: Procedure::new(lua!("hex.lua", "registered.lua")),
            rotate: Procedure::new(lua!("prelude.lua", "ending.lua", "rotate.lua")),
            end: Procedure::new(lua!("prelude.lua", "ending.lua", "end.lua")),
            current: Procedure::new(lua!("prelude.lua", "ending.lua", "current.lua")),
            replace: Procedure::new(lua!("hex.lua", "replace.lua")),
            free: Procedure::new(lua!("free.lua")),
            tag_keys: Procedure::new(lua!("tag_keys.lua")),
            count: Procedure::new(lua!("count.lua")),
            documents: documents::Scripts::new(),
        }
    }
}

impl Redis {
    /// A handle that has not connected yet.
    pub(super) fn new(address: &RedisAddress, patience: Arc<Patience>) -> Self {
        let connection = Connection::new(Server::new(address, patience));
        Self { connection, layout: Layout::new(address.key_prefix()), scripts: Arc::new(Scripts::new()) }
    }

    /// Agrees with the fleet on the tag keys; whether some are believed no more.
    pub(super) async fn agree(&self, keys: &ArcSwapOption<TagKeys>) -> Result<bool, StoreError> {
        key::agree(self, keys).await
    }

    /// From now on TLS is spoken as `address` says.
    pub(super) fn adjust(&self, address: &RedisAddress) {
        self.connection.server().adjust(address);
    }

    /// A handle whose connection is made on the runtime that uses it first.
    pub(super) fn for_worker(&self) -> Self {
        Self { connection: self.connection.another(), ..self.clone() }
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.connection.ask(&cmd("PING")).await
    }

    /// Tells `feed` what changes; never returns.
    pub(super) async fn watch(&self, feed: &Arc<Feed>, keys: &ArcSwapOption<TagKeys>, endings: &Endings) {
        feed::follow(&self.for_worker(), feed, keys, endings).await;
    }

    /// Ends again what others may have forgotten, whether they have or not.
    async fn end_again(&self, feed: &Feed, endings: &Endings) -> Result<(), StoreError> {
        let recent = endings.recent().into_iter().map(|ending| match ending {
            Ending::Access(digest) => Member::Access(digest),
            Ending::Grant(grant) => Member::Grant(grant),
        });
        // Until it is done nothing that is cached is believed: it must not take a round trip for each.
        for members in recent.collect::<Vec<_>>().chunks(walk::CHUNK) {
            feed.ended(&self.end(&Filter::default(), members).await?.tokens);
        }
        Ok(())
    }

    pub(super) async fn access_token(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
    ) -> Result<Option<TokenRecord>, StoreError> {
        let found: Option<TokenRecord> = self.value(self.layout.access(digest), "an access token").await?;
        Ok(found.filter(|record| now < record.expires_at))
    }

    pub(super) async fn refresh_token(
        &self,
        digest: &TokenDigest,
        now: Timestamp,
    ) -> Result<Option<RefreshRecord>, StoreError> {
        let found: Option<RefreshRecord> = self.value(self.layout.refresh(digest), "a refresh token").await?;
        Ok(found.filter(|record| now < record.expires_at))
    }

    pub(super) async fn refresh_is_current(&self, digest: &TokenDigest, now: Timestamp) -> Result<bool, StoreError> {
        let Some(record) = self.refresh_token(digest, now).await? else { return Ok(false) };
        let [family, ..] = self.layout.family(record.grant);
        let current: Option<String> = self.connection.ask(cmd("HGET").arg(family).arg("current")).await?;
        Ok(current.is_some_and(|current| current == hex(digest.as_bytes())))
    }

    pub(super) async fn add_client(&self, client: &ClientRecord) -> Result<Added, StoreError> {
        let record = encode(client)?;
        let mut add = cmd("HSETNX");
        add.arg(self.clients_key()).arg(&client.id).arg(&record);
        let added: Answer<bool> = self.connection.try_to(&add).await?;
        if added.value {
            return Ok(Added::Done);
        }
        let there: Option<Vec<u8>> = self.connection.ask(cmd("HGET").arg(self.clients_key()).arg(&client.id)).await?;
        Ok(match there {
            Some(there) if added.again && there == record => Added::Done,
            Some(there) if there != LEAVING => Added::Taken,
            Some(_) | None => Added::Leaving,
        })
    }

    pub(super) async fn client(&self, id: &str) -> Result<Option<ClientRecord>, StoreError> {
        let value: Option<Vec<u8>> = self.connection.ask(cmd("HGET").arg(self.clients_key()).arg(id)).await?;
        value.filter(|value| value != LEAVING).map(|value| decode(&value, "a client")).transpose()
    }

    pub(super) async fn clients(&self) -> Result<Vec<ClientRecord>, StoreError> {
        let values: Vec<Vec<u8>> = self.connection.ask(cmd("HVALS").arg(self.clients_key())).await?;
        let values = values.iter().filter(|value| *value != LEAVING);
        let clients: Result<Vec<ClientRecord>, _> = values.map(|value| decode(value, "a client")).collect();
        let mut clients = clients?;
        clients.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(clients)
    }

    pub(super) async fn client_count(&self) -> Result<u64, StoreError> {
        self.connection.ask(cmd("HLEN").arg(self.clients_key())).await
    }

    /// Puts `client` in the place of `was`; whether that was there, unchanged.
    pub(super) async fn replace_client(&self, was: &ClientRecord, client: &ClientRecord) -> Result<bool, StoreError> {
        let arguments = vec![
            client.id.as_bytes().to_vec(),
            hex(&was.registration.0).into_bytes(),
            was.version.to_string().into_bytes(),
            encode(client)?,
        ];
        let step = self.scripts.replace.step(vec![self.clients_key()], arguments);
        let Answer { value: replaced, again } = self.connection.call::<bool>(&step).await?;
        if !replaced && again {
            // Either it did not fit, or it was done at once and changed by another since.
            return Err(StoreError::Unavailable("a connection to Redis broke before the answer".to_owned()));
        }
        Ok(replaced)
    }

    /// Makes a client unknown and keeps its identifier from others; whether there was one.
    pub(super) async fn retire_client(&self, id: &str) -> Result<bool, StoreError> {
        // Whatever others make of it between the two steps: what is put there is taken away in the end.
        let existed: bool = self.connection.ask(cmd("HEXISTS").arg(self.clients_key()).arg(id)).await?;
        if existed {
            let () = self.connection.ask(cmd("HSET").arg(self.clients_key()).arg(id).arg(LEAVING)).await?;
        }
        Ok(existed)
    }

    /// Gives the identifier of a retired client free.
    pub(super) async fn forget_client(&self, id: &str) -> Result<(), StoreError> {
        let step = self.scripts.free.step(vec![self.clients_key()], vec![id.as_bytes().to_vec()]);
        self.connection.call(&step).await.map(|answer| answer.value)
    }

    fn clients_key(&self) -> String {
        self.layout.key("clients")
    }

    async fn value<T: DeserializeOwned>(&self, key: String, kind: &str) -> Result<Option<T>, StoreError> {
        let value: Option<Vec<u8>> = self.connection.ask(cmd("GET").arg(key)).await?;
        value.map(|value| decode(&value, kind)).transpose()
    }
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
