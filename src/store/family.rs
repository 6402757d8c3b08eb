//! The refresh tokens that followed one another in one grant, and what using one of them does.

use super::record::Rotation;
use crate::clock::Timestamp;
use crate::oauth::token::RefreshRecord;
use serde::{Deserialize, Serialize};

/// What is remembered of a family beside its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Family {
    pub(super) client_id: String,
    pub(super) subject: Option<String>,
    /// The digest of the refresh token that may be used.
    pub(super) current: [u8; 32],
    /// The digest of the access token that came with it.
    pub(super) access: [u8; 32],
    /// The digest of the refresh token that `current` came from.
    pub(super) previous: Option<[u8; 32]>,
    /// When `previous` was used for the first time, in milliseconds.
    pub(super) rotated_at: u64,
    /// The end of the grant, in milliseconds.
    pub(super) expires_at: u64,
}

/// What using a refresh token does to its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is the current one: its successor takes its place.
    Advances,
    /// Its answer was lost and its successor is unused: another pair replaces that successor.
    Replaces,
    /// It had been used before: one of two holders is a thief, and the family ends (TOK-11).
    Ends,
}

impl Family {
    /// A family that begins with a refresh token and its access token.
    pub(super) fn begin(refresh: [u8; 32], record: &RefreshRecord, access: [u8; 32]) -> Self {
        Self {
            client_id: record.client_id.clone(),
            subject: record.subject.clone(),
            current: refresh,
            access,
            previous: None,
            rotated_at: 0,
            expires_at: record.expires_at.as_millis(),
        }
    }

    /// What `rotation` does. A successor that was used is no longer `current`, and so its
    /// predecessor no longer `previous`: both conditions of the grace are in these two fields.
    /// The grace is counted from the first use, so that repeating does not prolong it.
    pub(super) fn used_by(&self, rotation: &Rotation) -> Use {
        let presented = *rotation.presented.as_bytes();
        let age = rotation.now.since(Timestamp::from_millis(self.rotated_at));
        if self.current == presented {
            Use::Advances
        } else if self.previous == Some(presented) && !rotation.grace.is_zero() && age <= rotation.grace {
            Use::Replaces
        } else {
            Use::Ends
        }
    }

    /// Makes the new pair the current one.
    pub(super) fn advance(&mut self, rotation: &Rotation) {
        if self.current == *rotation.presented.as_bytes() {
            self.previous = Some(self.current);
            self.rotated_at = rotation.now.as_millis();
        }
        self.current = *rotation.refresh.0.as_bytes();
        self.access = *rotation.access.0.as_bytes();
    }
}
