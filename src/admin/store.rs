//! The store as a whole: the keys of the tags.

use super::answer::{Refusal, json};
use super::{AUDIT, Admin};
use crate::clock::Timestamp;
use crate::oauth::token::NotRotated;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json as value;

/// `POST /store/rotate-key`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rotation {
    /// Tokens of the keys before the current one become invalid.
    forget_former: bool,
}

impl Admin {
    /// Rotates the keys of the tags (TOK-16).
    pub(super) async fn rotate_key(&self, rotation: Rotation, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        let forgotten = rotation.forget_former;
        let keys = self.store.rotate_tag_keys(now, forgotten).await?.map_err(|why| match why {
            NotRotated::Random(error) => Refusal::Random(error),
            NotRotated::TooSoon(_) | NotRotated::TooMany | NotRotated::Raced => Refusal::Conflict(why.to_string()),
        })?;
        let (former, _) = keys.former();
        tracing::info!(target: AUDIT, former, forgotten, by = "operator", "tag key rotated");
        Ok(json(StatusCode::OK, &value!({ "former": former })))
    }
}
