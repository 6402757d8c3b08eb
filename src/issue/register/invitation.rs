//! Initial access tokens (RFC 7591 section 3): whom an operator invites may register clients, so
//! many and so long.

use super::{Admission, Registering, RegistrationError};
use crate::clock::Timestamp;
use crate::issue::Issuer;
use crate::oauth::token::{Token, TokenDigest, TokenKind};
use crate::secret::{RandomError, hex};
use crate::store::{Kind, StoreError};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a use is counted anew because another one came first.
const TRIES: u32 = 32;

/// What the store holds under the digest of an initial access token.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Invitation {
    uses_left: u32,
}

/// Why there is no invitation.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// What happened is for the operator.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Likewise.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An initial access token that is good, and not used up yet.
#[derive(Debug)]
pub(super) struct Invited {
    id: String,
}

impl Issuer {
    /// Makes an initial access token that is good for `uses` registrations within `lifetime`.
    ///
    /// # Errors
    /// When it is not stored.
    pub async fn invite(&self, lifetime: Duration, uses: u32, now: Timestamp) -> Result<Token, InviteError> {
        let token = Token::mint(TokenKind::InitialAccess, &*self.store.tag_keys()?)?;
        let invitation = Invitation { uses_left: uses };
        let document = (&invitation, Some(now.plus(lifetime)));
        let stored = self.store.put(Kind::InitialAccessToken, &id_of(token.digest()), document, None, now).await?;
        if stored { Ok(token) } else { Err(StoreError::Unavailable("a random token is taken".to_owned()).into()) }
    }

    /// Whether a request may register a client, by its token where it has one.
    pub(super) async fn admit(&self, request: &Registering<'_>) -> Result<Option<Invited>, RegistrationError> {
        let Some(token) = request.token else {
            let open = self.settings.registration.admission == Admission::Open;
            return if open { Ok(None) } else { Err(RegistrationError::NoToken) };
        };
        if !self.store.tag_keys()?.recognise(TokenKind::InitialAccess, token) {
            return Err(RegistrationError::InvalidToken);
        }
        let id = id_of(TokenDigest::of(token));
        let found = self.store.document::<Invitation>(Kind::InitialAccessToken, &id, request.now).await?;
        let good = found.is_some_and(|document| document.value.uses_left > 0);
        if good { Ok(Some(Invited { id })) } else { Err(RegistrationError::InvalidToken) }
    }

    /// Counts a use of an initial access token.
    pub(super) async fn use_up(&self, invited: &Invited, now: Timestamp) -> Result<(), RegistrationError> {
        for _ in 0..TRIES {
            let found = self.store.document::<Invitation>(Kind::InitialAccessToken, &invited.id, now).await?;
            let Some(document) = found.filter(|document| document.value.uses_left > 0) else {
                return Err(RegistrationError::InvalidToken);
            };
            let used = Invitation { uses_left: document.value.uses_left.saturating_sub(1) };
            let change = (&used, document.expires);
            let version = Some(document.version);
            if self.store.put(Kind::InitialAccessToken, &invited.id, change, version, now).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("too many use one token at the same time".to_owned()).into())
    }
}

fn id_of(digest: TokenDigest) -> String {
    hex(digest.as_bytes())
}
