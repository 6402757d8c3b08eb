//! The keys of the tags, which the nodes of a fleet share through Redis. Every node holds them and puts them
//! back when Redis was emptied, or has lost a rotation; whoever is first decides.

use super::{Redis, corrupt};
use crate::clock;
use crate::oauth::token::TagKeys;
use crate::store::StoreError;
use arc_swap::ArcSwapOption;
use redis::cmd;
use std::sync::Arc;

/// Has `keys` be what Redis holds; makes some when nobody has any. Where nothing changed it is one question.
/// Whether some are believed no more: then tokens have ended without being told one by one.
pub(super) async fn agree(redis: &Redis, keys: &ArcSwapOption<TagKeys>) -> Result<bool, StoreError> {
    let held = keys.load_full();
    let (connection, key) = (&redis.connection, redis.layout.key("k"));
    let get = cmd("GET").arg(&key).clone();
    let mut stored: Option<Vec<u8>> = connection.ask(&get).await?;
    if stored.is_none() {
        let made = || TagKeys::generate().map_err(|error| StoreError::Unavailable(error.to_string()));
        let offered = held.clone().map_or_else(|| made().map(Arc::new), Ok)?;
        let put = cmd("SET").arg(&key).arg(offered.pack().as_slice()).arg("NX").clone();
        let () = connection.ask(&put).await?;
        stored = connection.ask(&get).await?;
    }
    let stored = stored.and_then(|stored| TagKeys::unpack(&stored)).ok_or_else(|| corrupt("the tag keys"))?;
    let Some(held) = held else {
        keys.store(Some(Arc::new(stored)));
        return Ok(false);
    };
    if held.agree_with(&stored) {
        return Ok(false);
    }
    if held.follow(&stored) {
        // A failover lost the rotation. Whoever puts it back first decides.
        return redis.replace_tag_keys(&stored, &held).await.map(|_| false);
    }
    let agreed = if stored.follow(&held) { stored } else { stored.joined(&held, clock::now()) };
    let forgotten = agreed.forget_some_of(&held);
    keys.store(Some(Arc::new(agreed)));
    Ok(forgotten)
}

impl Redis {
    /// Puts `keys` in the place of `was`; whether they are there now.
    pub(in crate::store) async fn replace_tag_keys(&self, was: &TagKeys, keys: &TagKeys) -> Result<bool, StoreError> {
        let step = self
            .scripts
            .tag_keys
            .step(vec![self.layout.key("k")], [was, keys].map(TagKeys::pack).map(|packed| packed.to_vec()).to_vec());
        self.connection.call(&step).await.map(|answer| answer.value)
    }
}
