//! The keys of the tags, which the nodes of a fleet share through Redis. Every node holds them and puts them
//! back when Redis was emptied, or has lost a rotation; whoever is first decides.

use super::connection::{Connection, Input, Procedure, Retry};
use super::{Redis, corrupt};
use crate::clock;
use crate::oauth::token::TagKeys;
use crate::store::StoreError;
use arc_swap::ArcSwapOption;
use redis::cmd;
use std::sync::Arc;

/// Where they are.
const TAG_KEYS: &str = "tg:k";

/// Puts keys in the place of others.
const REPLACE: &str = include_str!("tag_keys.lua");

/// Has `keys` be what Redis holds; makes some when nobody has any. Where nothing changed it is one question.
pub(super) async fn agree(connection: &Connection, keys: &ArcSwapOption<TagKeys>) -> Result<(), StoreError> {
    let held = keys.load_full();
    let get = cmd("GET").arg(TAG_KEYS).clone();
    let mut stored: Option<Vec<u8>> = connection.ask(&get, Retry::Once).await?;
    if stored.is_none() {
        let made = || TagKeys::generate().map_err(|error| StoreError::Unavailable(error.to_string()));
        let offered = held.clone().map_or_else(|| made().map(Arc::new), Ok)?;
        let put = cmd("SET").arg(TAG_KEYS).arg(offered.pack().as_slice()).arg("NX").clone();
        let () = connection.ask(&put, Retry::Once).await?;
        stored = connection.ask(&get, Retry::Once).await?;
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
        return replace(connection, &stored, &held).await.map(drop);
    }
    let agreed = if stored.follow(&held) { stored } else { stored.joined(&held, clock::now()) };
    keys.store(Some(Arc::new(agreed)));
    Ok(())
}

/// Puts `keys` in the place of `was`; whether they are there now.
async fn replace(connection: &Connection, was: &TagKeys, keys: &TagKeys) -> Result<bool, StoreError> {
    let (was, keys) = (was.pack(), keys.pack());
    let input = Input { keys: &[TAG_KEYS.as_bytes()], arguments: &[&was, &keys] };
    connection.call(&Procedure::new(REPLACE), input, Retry::Once).await.map(|answer| answer.value)
}

impl Redis {
    /// Puts `keys` in the place of `was`; whether they are there now.
    pub(in crate::store) async fn replace_tag_keys(&self, was: &TagKeys, keys: &TagKeys) -> Result<bool, StoreError> {
        replace(&self.connection, was, keys).await
    }
}
