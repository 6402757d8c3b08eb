//! Tokens: ordered, listed, looked at, taken back.

use super::answer::{Refusal, json};
use super::request::Query;
use super::{AUDIT, Admin};
use crate::clock::Timestamp;
use crate::issue::Order;
use crate::oauth::token::{TokenDigest, TokenKind, TokenRecord};
use crate::secret::Secret;
use crate::store::Filter;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json as value;
use std::time::Duration;

/// The kind of an access token, as it is shown.
const ACCESS: &str = "access";

/// An order for a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    client: String,
    subject: Option<String>,
    scope: Option<String>,
    /// The resources that it is for.
    #[serde(default)]
    resources: Vec<String>,
    /// Seconds.
    ttl: Option<u64>,
}

/// A token by itself or by its public identifier.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    token: SecretText,
}

/// What is to be taken back: one token, or everything of a client, of a subject, of a subject at a client.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocation {
    token: Option<SecretText>,
    client: Option<String>,
    subject: Option<String>,
}

/// Text that must not be shown again.
#[derive(Deserialize)]
#[serde(from = "String")]
struct SecretText(Secret);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// What a text names.
enum Name<'n> {
    Access(TokenDigest),
    Refresh(TokenDigest),
    Public(&'n str),
}

/// A token as it is shown.
#[derive(Serialize)]
struct Shown<'s> {
    id: String,
    kind: &'static str,
    client: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'s str>,
    scope: &'s str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    audience: &'s [String],
    issued_at: u64,
    expires_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
}

impl<'s> Shown<'s> {
    fn new(digest: &TokenDigest, kind: &'static str, record: &'s TokenRecord) -> Self {
        Self {
            id: digest.public_id(),
            kind,
            client: &record.client_id,
            subject: record.subject.as_deref(),
            scope: &record.scope,
            audience: &record.audience,
            issued_at: record.issued_at.as_secs(),
            expires_at: record.expires_at.as_secs(),
            grant: record.grant.map(|grant| crate::secret::hex(&grant.0)),
        }
    }
}

impl Named {
    /// From a URL, where only public identifiers may stand.
    pub(super) fn by_id(id: &str) -> Result<Self, Refusal> {
        is_public_id(id).then(|| Self { token: id.to_owned().into() }).ok_or_else(not_an_id)
    }
}

impl Revocation {
    /// From a URL, where only public identifiers may stand.
    pub(super) fn by_id(id: &str) -> Result<Self, Refusal> {
        let Named { token } = Named::by_id(id)?;
        Ok(Self { token: Some(token), client: None, subject: None })
    }
}

fn not_an_id() -> Refusal {
    Refusal::Invalid("a URL takes a token's public identifier, 16 hexadecimal characters; send tokens in a body".into())
}

fn is_public_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
}

fn unknown() -> Refusal {
    Refusal::NotFound("no such token: it never was, has expired, or was taken back".to_owned())
}

impl SecretText {
    fn name(&self) -> Result<Name<'_>, Refusal> {
        let text = self.0.reveal();
        match TokenKind::of(text.as_bytes()) {
            Some(TokenKind::Access) => Ok(Name::Access(TokenDigest::of(text.as_bytes()))),
            Some(TokenKind::Refresh) => Ok(Name::Refresh(TokenDigest::of(text.as_bytes()))),
            None if is_public_id(text) => Ok(Name::Public(text)),
            Some(
                TokenKind::ClientSecret
                | TokenKind::Code
                | TokenKind::DeviceCode
                | TokenKind::InitialAccess
                | TokenKind::Registration,
            )
            | None => Err(Refusal::Invalid(
                "not a token of ours: give an access token, a refresh token, or a public identifier".to_owned(),
            )),
        }
    }
}

impl Admin {
    /// `POST /tokens`.
    pub(super) async fn issue(&self, new: NewToken, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        if new.ttl == Some(0) {
            return Err(Refusal::Invalid("ttl is 0".to_owned()));
        }
        let order = Order {
            client_id: &new.client,
            subject: new.subject.as_deref(),
            scope: new.scope.as_deref(),
            resources: &new.resources,
            lifetime: new.ttl.map(Duration::from_secs),
        };
        let subject = self.as_issued(new.subject.as_deref(), now).await?;
        let issued = self.issuer.issue_for(order, now).await?;
        let answer = value!({
            "token": issued.access_token().reveal(),
            "id": issued.public_id(),
            "client": new.client,
            "subject": subject,
            "scope": issued.scope(),
            "expires_in": issued.expires_in(),
        });
        Ok(json(StatusCode::CREATED, &answer))
    }

    /// `GET /tokens`.
    pub(super) async fn list_tokens(&self, query: &Query<'_>, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        let limit = query.limit()?;
        let after = query.get("after").map(after).transpose()?;
        let filter = Filter {
            client_id: query.get("client").map(str::to_owned),
            subject: self.as_issued(query.get("subject"), now).await?,
        };
        // One more than asked for says whether there is a next page.
        let mut listed = self.store.list(&filter, after, limit + 1, now).await?;
        let more = listed.len() > limit;
        listed.truncate(limit);
        let tokens: Vec<_> = listed.iter().map(|token| Shown::new(&token.digest, ACCESS, &token.record)).collect();
        let next = listed.last().filter(|_| more).map(|token| token.digest.public_id());
        Ok(json(StatusCode::OK, &value!({ "tokens": tokens, "next": next })))
    }

    /// `POST /tokens/inspect`, `GET /tokens/{id}`.
    pub(super) async fn inspect(&self, named: Named, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        let (digest, kind, record) = match named.token.name()? {
            Name::Refresh(digest) => {
                let record = self.store.refresh_token(&digest, now).await?.ok_or_else(unknown)?;
                let current = self.store.refresh_is_current(&digest, now).await?;
                (digest, if current { "refresh" } else { "refresh, already used" }, record.into())
            }
            Name::Access(digest) => (digest, ACCESS, self.store.access_token(&digest, now).await?.ok_or_else(unknown)?),
            Name::Public(id) => {
                let listed = self.store.find_by_public_id(id, now).await?.ok_or_else(unknown)?;
                (listed.digest, ACCESS, listed.record)
            }
        };
        Ok(json(StatusCode::OK, &Shown::new(&digest, kind, &record)))
    }

    /// `POST /tokens/revoke`, `DELETE /tokens/{id}`. A refresh token ends its whole grant.
    pub(super) async fn revoke(&self, revocation: Revocation, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        let revoked = match revocation {
            Revocation { token: Some(token), client: None, subject: None } => self.revoke_one(&token, now).await?,
            Revocation { token: None, client: None, subject: None } | Revocation { token: Some(_), .. } => {
                return Err(Refusal::Invalid("give either token, or client, subject, or both".to_owned()));
            }
            Revocation { token: None, client, subject } => {
                if [&client, &subject].into_iter().flatten().any(String::is_empty) {
                    return Err(Refusal::Invalid("client or subject is empty".to_owned()));
                }
                // As it is written too: the configuration may have spelled the name so when they were issued.
                let issued = self.as_issued(subject.as_deref(), now).await?;
                let issued = issued.filter(|name| subject.as_ref() != Some(name));
                let ended = self.revoke_all(Filter { client_id: client.clone(), subject }).await?;
                match issued {
                    Some(name) => ended + self.revoke_all(Filter { client_id: client, subject: Some(name) }).await?,
                    None => ended,
                }
            }
        };
        Ok(json(StatusCode::OK, &value!({ "revoked": revoked })))
    }

    async fn revoke_all(&self, filter: Filter) -> Result<usize, Refusal> {
        let ended = self.store.revoke_where(&filter).await?;
        let (client, subject) = (filter.client_id.as_deref(), filter.subject.as_deref());
        tracing::info!(target: AUDIT, client, subject, ended, by = "operator", "tokens revoked");
        Ok(ended)
    }

    /// The user's name as tokens have it: upper and lower case are one.
    pub(super) async fn as_issued(&self, name: Option<&str>, now: Timestamp) -> Result<Option<String>, Refusal> {
        let Some(name) = name else { return Ok(None) };
        Ok(Some(self.directory.spelling(name, now).await?.unwrap_or_else(|| name.to_owned())))
    }

    /// Gives how many access tokens ended.
    async fn revoke_one(&self, token: &SecretText, now: Timestamp) -> Result<usize, Refusal> {
        let (digest, ended) = match token.name()? {
            Name::Refresh(digest) => {
                let record = self.store.refresh_token(&digest, now).await?.ok_or_else(unknown)?;
                (digest, self.store.revoke_grant(record.grant).await?)
            }
            Name::Access(digest) => (digest, self.revoke_access(&digest).await?),
            Name::Public(id) => {
                let listed = self.store.find_by_public_id(id, now).await?.ok_or_else(unknown)?;
                (listed.digest, self.revoke_access(&listed.digest).await?)
            }
        };
        tracing::info!(target: AUDIT, token = digest.public_id(), ended, by = "operator", "token revoked");
        Ok(ended)
    }

    async fn revoke_access(&self, digest: &TokenDigest) -> Result<usize, Refusal> {
        if self.store.revoke_access(digest).await? { Ok(1) } else { Err(unknown()) }
    }
}

/// The place in the order of digests right behind the token with this public identifier: a cursor is
/// nothing but the last line that was seen (hazards, line 40).
fn after(id: &str) -> Result<TokenDigest, Refusal> {
    let malformed = || Refusal::Invalid("after is the `next` of a page".to_owned());
    if !is_public_id(id) {
        return Err(malformed());
    }
    let start = u64::from_str_radix(id, 16).map_err(|_| malformed())?;
    let mut bytes = [0xff; 32];
    bytes[..8].copy_from_slice(&start.to_be_bytes());
    Ok(TokenDigest::from_bytes(bytes))
}
