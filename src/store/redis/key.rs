//! The key of the tags, which the nodes of a fleet share through Redis. Every node holds it and puts it
//! back when Redis was emptied; whoever is first decides.

use super::connection::{Connection, Retry};
use super::corrupt;
use crate::oauth::token::TagKeys;
use crate::secret::{TagKey, constant_time_eq};
use crate::store::StoreError;
use arc_swap::ArcSwapOption;
use redis::cmd;
use std::sync::Arc;

/// Where it is: 32 octets.
const TAG_KEY: &str = "tg:k";

/// Has `keys` be what Redis holds; makes a key when nobody has one. Where nothing changed it is one
/// question.
pub(super) async fn agree(connection: &Connection, keys: &ArcSwapOption<TagKeys>) -> Result<(), StoreError> {
    let held = keys.load_full();
    let get = cmd("GET").arg(TAG_KEY).clone();
    let mut stored: Option<Vec<u8>> = connection.ask(&get, Retry::Once).await?;
    if stored.is_none() {
        let offered = match &held {
            Some(held) => held.current().clone(),
            None => TagKey::generate().map_err(|error| StoreError::Unavailable(error.to_string()))?,
        };
        let put = cmd("SET").arg(TAG_KEY).arg(offered.reveal().as_slice()).arg("NX").clone();
        let () = connection.ask(&put, Retry::Once).await?;
        stored = connection.ask(&get, Retry::Once).await?;
    }
    let stored = stored.ok_or_else(|| corrupt("the tag key"))?;
    if held.as_ref().is_some_and(|held| constant_time_eq(&stored, held.current().reveal())) {
        return Ok(());
    }
    let stored: [u8; 32] = stored.try_into().map_err(|_| corrupt("the tag key"))?;
    // Tokens of the old key may still be in use; more than one old key is nobody's.
    let previous = held.iter().map(|held| held.current().clone()).collect();
    keys.store(Some(Arc::new(TagKeys::new(TagKey::from_bytes(stored), previous))));
    Ok(())
}
