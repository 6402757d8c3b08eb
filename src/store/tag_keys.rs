//! The keys of the tags, as the store keeps them for every node.

use super::{Backend, Store, StoreError};
use crate::clock::Timestamp;
use crate::oauth::token::{NotRotated, TagKeys};
use std::sync::Arc;

impl Store {
    /// The keys of the tags. Held in memory: costs nothing.
    ///
    /// # Errors
    /// When the store has not answered since the start: then nobody knows which tokens are forged.
    pub fn tag_keys(&self) -> Result<Arc<TagKeys>, StoreError> {
        let unknown = || StoreError::Unavailable("it has not answered since the start".to_owned());
        self.shared.tag_keys.load_full().ok_or_else(unknown)
    }

    /// Rotates the keys of the tags: the one that every node knows as the next makes new tokens from now on, and no
    /// token becomes invalid, unless the former keys are to be forgotten.
    ///
    /// # Errors
    /// When the store cannot answer, or the new keys are not known to be stored.
    pub async fn rotate_tag_keys(
        &self,
        now: Timestamp,
        forget_former: bool,
    ) -> Result<Result<Arc<TagKeys>, NotRotated>, StoreError> {
        self.reach().await?;
        let was = self.tag_keys()?;
        let keys = match was.rotated(now, forget_former) {
            Ok(keys) => Arc::new(keys),
            Err(why) => return Ok(Err(why)),
        };
        let replaced = match &self.backend {
            Backend::Embedded(embedded) => embedded.replace_tag_keys(was, Arc::clone(&keys)).await,
            Backend::Redis(redis) => redis.replace_tag_keys(&was, &keys).await,
        };
        if !replaced? {
            return Ok(Err(NotRotated::Raced));
        }
        let before = self.shared.tag_keys.swap(Some(Arc::clone(&keys)));
        if before.is_some_and(|before| keys.forget_some_of(&before)) {
            // What was looked up before it was forged is known as good.
            self.shared.feed.all_ended();
        }
        Ok(Ok(keys))
    }
}
