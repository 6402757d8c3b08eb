//! Introspection (RFC 7662): what a token is, for resource servers and for the client that has it.

use super::refusal::IssueError;
use super::{Issuer, Request, audit};
use crate::clock::Timestamp;
use crate::oauth::client::Introspect;
use crate::oauth::scope::Scope;
use crate::oauth::token::{Origin, TokenDigest, TokenKind, TokenRecord};
use crate::store::StoreError;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Introspection {
    /// Good at this moment.
    Active(Box<Active>),
    /// Unknown, expired, revoked: not told apart (R7662-2.2b).
    Inactive,
}

/// The members of RFC 7662 section 2.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    /// Whether it is an access token; a refresh token has no `token_type`.
    pub is_access_token: bool,
    /// The scopes that still exist.
    pub scope: String,
    /// The client it was issued to.
    pub client_id: String,
    /// The resource owner; `None`: the client acts for itself.
    pub subject: Option<String>,
    /// The resources it is good for.
    pub audience: Vec<String>,
    /// `iat` and `nbf`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `jti`: the token's public identifier.
    pub id: String,
}

/// A token that is good at this moment.
struct Found {
    digest: TokenDigest,
    kind: TokenKind,
    record: TokenRecord,
}

impl Issuer {
    /// Answers an introspection request.
    ///
    /// # Errors
    /// When the caller is not a confidential client, may not ask about this token, or the store
    /// cannot answer.
    pub async fn introspect(&self, request: &Request<'_>) -> Result<Introspection, IssueError> {
        self.look(request).await.inspect_err(|error| audit::refused("introspect", error, request.address))
    }

    async fn look(&self, request: &Request<'_>) -> Result<Introspection, IssueError> {
        let authenticated = self.authenticate(request).await?;
        let caller = authenticated.client();
        if !caller.is_confidential() {
            // A public client proves nothing by naming itself (R7662-2.1b).
            return Err(IssueError::InvalidClient);
        }
        let token = request.params.get("token").ok_or(IssueError::InvalidRequest("token is missing"))?;
        let Some(found) = self.find(token.as_bytes(), request.now).await? else {
            return Ok(Introspection::Inactive);
        };
        if caller.is(&found.record.client_id, found.record.client_origin) {
            return Ok(Introspection::Active(Box::new(self.active(found))));
        }
        match &caller.introspect {
            // A token of another is refused and not called inactive: whoever holds one can find out by
            // using it (R7662-2.1c).
            Introspect::Nothing => Err(IssueError::NotAllowedToIntrospect),
            Introspect::Everything => Ok(Introspection::Active(Box::new(self.active(found)))),
            Introspect::Resource(path) => {
                let seen = self.active_at(path, found);
                Ok(seen.map_or(Introspection::Inactive, |active| Introspection::Active(Box::new(active))))
            }
        }
    }

    /// What the resource that begins at `path` may know of an access token that is good for it: nothing of
    /// other resources (R7662-2.2c). `None`: the token is not meant for it.
    fn active_at(&self, path: &str, found: Found) -> Option<Active> {
        let resources = &self.settings.resources;
        let resource = resources.iter().find(|resource| resource.path == path)?;
        if found.kind != TokenKind::Access || !resources.set_of(&found.record.audience).contains(resource.id) {
            return None;
        }
        let audience = vec![resource.identifier.clone()];
        let active = self.active(found);
        let scope: Scope = active.scope.parse().unwrap_or_default();
        let scope = resources.meaningful(&scope, &audience, &self.scopes).to_string();
        Some(Active { scope, audience, ..active })
    }

    /// Every check of R7662-4a: the kind of the token by its prefix, tag, store, expiry, and whether
    /// client and user still exist.
    async fn find(&self, token: &[u8], now: Timestamp) -> Result<Option<Found>, StoreError> {
        let keys = self.store.tag_keys()?;
        let digest = TokenDigest::of(token);
        let (kind, record) = if keys.recognise(TokenKind::Access, token) {
            (TokenKind::Access, self.store.access_token(&digest, now).await?)
        } else if keys.recognise(TokenKind::Refresh, token) && self.store.refresh_is_current(&digest, now).await? {
            (TokenKind::Refresh, self.store.refresh_token(&digest, now).await?.map(TokenRecord::from))
        } else {
            return Ok(None);
        };
        let record = record.filter(|record| now < record.expires_at && self.still_exists(record));
        Ok(record.map(|record| Found { digest, kind, record }))
    }

    fn active(&self, Found { digest, kind, record }: Found) -> Active {
        Active {
            is_access_token: kind == TokenKind::Access,
            scope: self.existing_part(&record.scope),
            client_id: record.client_id,
            subject: record.subject,
            audience: self.settings.resources.audience_of(&record.audience),
            issued_at: record.issued_at,
            expires_at: record.expires_at,
            id: digest.public_id(),
        }
    }

    fn existing_part(&self, scope: &str) -> String {
        let Ok(scope) = scope.parse::<Scope>() else { return String::new() };
        scope.iter().filter(|token| self.scopes.exists(token)).cloned().collect::<Scope>().to_string()
    }

    /// TOK-13: whoever is of the configuration must still be in it; a user of the store must not share
    /// the name of one who is.
    fn still_exists(&self, record: &TokenRecord) -> bool {
        (record.client_origin == Origin::Store || self.clients.get(&record.client_id).is_some())
            && record.subject.as_deref().is_none_or(|subject| self.directory.knows(subject, record.subject_origin))
    }
}
