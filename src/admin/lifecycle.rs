//! What becomes of a client of the store: looked at, its secret changed, disabled and enabled; and
//! invitations to register one.

use super::answer::{Refusal, json};
use super::clients::Shown;
use super::{AUDIT, Admin};
use crate::clock::Timestamp;
use crate::issue::{Admission, secret_hash};
use crate::oauth::client::RegistrationId;
use crate::oauth::token::{Token, TokenKind};
use crate::store::ClientRecord;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json as value;
use std::time::Duration;

/// How long an invitation is good for unless said otherwise, and at most.
const INVITATION: u64 = 24 * 60 * 60;
const LONGEST_INVITATION: u64 = 365 * INVITATION;
/// The most clients that one invitation lets in.
const MOST_USES: u32 = 10_000;

/// How a secret is changed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SecretChange {
    /// After so many seconds the older secret ends; without it at the next change.
    expire_old: Option<u64>,
    /// No new secret: the older one ends now.
    finish: bool,
}

/// An invitation to be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NewInvitation {
    /// Seconds.
    ttl: Option<u64>,
    /// How many clients it lets in; one unless said otherwise.
    uses: Option<u32>,
}

impl Admin {
    /// `GET /clients/{id}`.
    pub(super) async fn show_client(&self, id: &str) -> Result<Response<Bytes>, Refusal> {
        if let Some(client) = self.clients.get(id) {
            return Ok(json(StatusCode::OK, &Shown::configured(client)));
        }
        let client = self.store.client(id).await?.ok_or_else(unknown)?;
        Ok(json(StatusCode::OK, &Shown::stored(client)))
    }

    /// `POST /clients/{id}/rotate`: a new secret beside the one that is in use (TOK-7).
    pub(super) async fn rotate_secret(
        &self,
        id: &str,
        change: SecretChange,
        now: Timestamp,
    ) -> Result<Response<Bytes>, Refusal> {
        self.not_configured(id)?;
        if change.finish && change.expire_old.is_some() {
            return Err(Refusal::Invalid("finish ends the older secret now: expire_old has nothing to say".to_owned()));
        }
        let secret =
            if change.finish { None } else { Some(Token::mint(TokenKind::ClientSecret, &*self.store.tag_keys()?)?) };
        let hash = secret.as_ref().map(secret_hash);
        let end = change.expire_old.map(|secs| now.plus(Duration::from_secs(secs)));
        let rotated = self.store.change_client(id, |record| {
            let confidential = !record.secrets.is_empty();
            if confidential {
                rotate(record, hash.as_deref(), end, now);
            }
            confidential
        });
        let record = rotated.await?.ok_or_else(unknown)?;
        if record.secrets.is_empty() {
            return Err(Refusal::Conflict("a public client has no secret".to_owned()));
        }
        tracing::info!(target: AUDIT, client = id, by = "operator", "client secret rotated");
        let secret = secret.map(|secret| secret.secret().reveal().to_owned());
        let until = record.old_secrets_until.map(|millis| millis / 1000);
        let body = value!({
            "id": id, "secret": secret, "secret_hash": hash,
            "secrets": record.secrets.len(), "old_secret_expires_at": until,
        });
        Ok(json(StatusCode::OK, &body))
    }

    /// `POST /clients/{id}/disable`: every token that it has ends, and it gets no other (TOK-13).
    pub(super) async fn disable_client(&self, id: &str) -> Result<Response<Bytes>, Refusal> {
        self.not_configured(id)?;
        self.store.disable_client(id, RegistrationId::generate()?).await?.ok_or_else(unknown)?;
        tracing::info!(target: AUDIT, client = id, by = "operator", "client disabled");
        Ok(json(StatusCode::OK, &value!({ "disabled": id })))
    }

    /// `POST /clients/{id}/enable`.
    pub(super) async fn enable_client(&self, id: &str) -> Result<Response<Bytes>, Refusal> {
        self.not_configured(id)?;
        let enable = |record: &mut ClientRecord| std::mem::take(&mut record.disabled);
        self.store.change_client(id, enable).await?.ok_or_else(unknown)?;
        tracing::info!(target: AUDIT, client = id, by = "operator", "client enabled");
        Ok(json(StatusCode::OK, &value!({ "enabled": id })))
    }

    /// `POST /invites`: an initial access token (RFC 7591 section 3).
    pub(super) async fn invite(&self, new: NewInvitation, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        if self.issuer.settings().registration.admission == Admission::Closed {
            let why = "nobody can register: [oauth] registration is \"closed\"";
            return Err(Refusal::Conflict(why.to_owned()));
        }
        let (ttl, uses) = (new.ttl.unwrap_or(INVITATION), new.uses.unwrap_or(1));
        if !(1..=LONGEST_INVITATION).contains(&ttl) || !(1..=MOST_USES).contains(&uses) {
            let why = format!("ttl is 1 to {LONGEST_INVITATION} seconds, uses is 1 to {MOST_USES}");
            return Err(Refusal::Invalid(why));
        }
        let lifetime = Duration::from_secs(ttl);
        let token = self.issuer.invite(lifetime, uses, now).await?;
        let id = token.digest().public_id();
        tracing::info!(target: AUDIT, token = id, uses, by = "operator", "invitation made");
        let expires_at = now.plus(lifetime).as_secs();
        let body = value!({ "id": id, "token": token.secret().reveal(), "uses": uses, "expires_at": expires_at });
        Ok(json(StatusCode::CREATED, &body))
    }

    fn not_configured(&self, id: &str) -> Result<(), Refusal> {
        match self.clients.get(id) {
            Some(_) => Err(Refusal::Conflict("this client is in the configuration: change it there".to_owned())),
            None => Ok(()),
        }
    }
}

/// Puts a new secret before the one that is in use, or leaves that alone; of more than two the oldest
/// goes.
fn rotate(record: &mut ClientRecord, hash: Option<&str>, end: Option<Timestamp>, now: Timestamp) {
    // What has ended already does not come back by a later end.
    if hash.is_none() || record.old_secrets_until.is_some_and(|end| end <= now.as_millis()) {
        record.secrets.truncate(1);
    }
    record.old_secrets_until = None;
    if let Some(hash) = hash {
        record.secrets.insert(0, hash.to_owned());
        record.secrets.truncate(2);
        if end.is_some_and(|end| end <= now) {
            record.secrets.truncate(1);
        } else {
            record.old_secrets_until = end.map(Timestamp::as_millis);
        }
    }
}

fn unknown() -> Refusal {
    Refusal::NotFound("no such client".to_owned())
}
