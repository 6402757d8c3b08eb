//! The keys of the tags, which the nodes of a fleet share through Redis. Every node holds them and puts them
//! back when Redis was emptied, or has lost a rotation; whoever is first decides.

use super::connection::{Input, Procedure, Retry, Server};
use super::{Redis, corrupt};
use crate::clock;
use crate::oauth::token::TagKeys;
use crate::store::StoreError;
use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::cmd;
use std::sync::Arc;

/// Where they are.
const TAG_KEYS: &str = "tg:k";

/// Puts keys in the place of others.
const REPLACE: &str = include_str!("tag_keys.lua");

/// Has `keys` be what Redis holds; makes some when nobody has any. Where nothing changed it is one question.
pub(super) async fn agree(
    server: &Server,
    connection: &mut MultiplexedConnection,
    keys: &ArcSwapOption<TagKeys>,
) -> Result<(), StoreError> {
    let held = keys.load_full();
    let get = cmd("GET").arg(TAG_KEYS).clone();
    let mut stored: Option<Vec<u8>> = server.bounded(get.query_async(connection)).await?;
    if stored.is_none() {
        let offered = match &held {
            Some(held) => Arc::clone(held),
            None => {
                let made = TagKeys::generate().map_err(|error| StoreError::Unavailable(error.to_string()))?;
                Arc::new(made)
            }
        };
        let put = cmd("SET").arg(TAG_KEYS).arg(offered.pack().as_slice()).arg("NX").clone();
        let () = server.bounded(put.query_async(connection)).await?;
        stored = server.bounded(get.query_async(connection)).await?;
    }
    let stored = stored.and_then(|stored| TagKeys::unpack(&stored)).ok_or_else(|| corrupt("the tag keys"))?;
    let Some(held) = held else {
        keys.store(Some(Arc::new(stored)));
        return Ok(());
    };
    if held.agree_with(&stored) {
        return Ok(());
    }
    if held.follow(&stored) {
        // A failover lost the rotation. Whoever puts it back first decides.
        let mut replace = cmd("EVAL");
        replace.arg(REPLACE).arg(1).arg(TAG_KEYS).arg(stored.pack().as_slice()).arg(held.pack().as_slice());
        let _: bool = server.bounded(replace.query_async(connection)).await?;
        return Ok(());
    }
    let agreed = if stored.follow(&held) { stored } else { stored.joined(&held, clock::now()) };
    keys.store(Some(Arc::new(agreed)));
    Ok(())
}

impl Redis {
    /// Puts `keys` in the place of `was`; whether they are there now.
    pub(in crate::store) async fn replace_tag_keys(&self, was: &TagKeys, keys: &TagKeys) -> Result<bool, StoreError> {
        let (was, keys) = (was.pack(), keys.pack());
        let input = Input { keys: &[TAG_KEYS.as_bytes()], arguments: &[&was, &keys] };
        self.connection.call(&Procedure::new(REPLACE), input, Retry::Once).await.map(|answer| answer.value)
    }
}
