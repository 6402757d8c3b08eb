//! Minting: the tokens of a [`Granted`], stored before they are handed out (promise: issued means
//! kept).

use super::grant::{Granted, Via};
use super::refusal::{BAD_REFRESH_TOKEN, GONE, IssueError};
use super::{Issuer, audit};
use crate::clock::Timestamp;
use crate::oauth::client::{Client, GrantType};
use crate::oauth::token::{GrantId, Origin, RefreshRecord, Token, TokenDigest, TokenKind, TokenRecord};
use crate::people::users::{SignIn, Subject};
use crate::secret::Secret;
use crate::store::{Issue, Issued, Rotated, Rotation};
use std::sync::Arc;
use std::time::Duration;

/// What a token response says (RFC 6749 section 5.1).
#[derive(Debug)]
pub struct IssuedToken {
    access: Token,
    refresh: Option<Token>,
    scope: String,
    expires_in: Duration,
}

impl IssuedToken {
    /// The access token.
    pub const fn access_token(&self) -> &Secret {
        self.access.secret()
    }

    /// What the access token is called in logs and listings (TOK-6).
    pub fn public_id(&self) -> String {
        self.access.digest().public_id()
    }

    /// The refresh token, where there is one.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.refresh.as_ref().map(Token::secret)
    }

    /// The granted scope.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Whole seconds, rounded down: never more than is enforced (TOK-8).
    pub const fn expires_in(&self) -> u64 {
        self.expires_in.as_secs()
    }
}

/// An access token to be, without its digest.
pub(super) struct Minting<'m> {
    pub(super) client: &'m Client,
    pub(super) subject: Option<SignIn>,
    pub(super) scope: String,
    pub(super) audience: Vec<String>,
    /// What a first refresh token keeps where the grant is for more than this access token: the scope
    /// and the audience.
    pub(super) kept: Option<(String, Vec<String>)>,
    pub(super) grant: Option<GrantId>,
    pub(super) lifetime: Duration,
}

impl Issuer {
    /// Mints and stores the tokens of a grant.
    pub(super) async fn mint(&self, granted: Granted, now: Timestamp) -> Result<IssuedToken, IssueError> {
        let (client, subject, scope, audience, via) = granted.into_parts();
        let by = via.name();
        let refreshes = client.may_use(GrantType::RefreshToken);
        let minting = |grant| self.minting((&client, subject), (scope.to_string(), audience.clone()), grant);
        match via {
            Via::AuthorizationCode(redeemed) => {
                let minting = Minting { kept: Some(redeemed.kept()), ..minting(Some(redeemed.grant())) };
                let issued = self.issue_granted(minting, now, by).await?;
                self.settle(*redeemed, now).await?;
                Ok(issued)
            }
            Via::DeviceCode(allowed) => {
                let grant = GrantId::generate()?;
                let issued =
                    self.issue_granted(Minting { kept: Some(allowed.kept()), ..minting(Some(grant)) }, now, by).await?;
                self.settle_device((&allowed, grant), &client, now).await?;
                Ok(issued)
            }
            Via::Password if refreshes => self.issue_family(minting(Some(GrantId::generate()?)), now, by).await,
            Via::ClientCredentials | Via::Password => self.issue_access(minting(None), now, by).await,
            Via::Refresh { presented, record } => {
                self.rotate(&client, (scope.to_string(), audience), (presented, record), now).await
            }
        }
    }

    /// The tokens of a grant that a client was given: with a refresh token where it may use one.
    async fn issue_granted(
        &self,
        minting: Minting<'_>,
        now: Timestamp,
        by: &'static str,
    ) -> Result<IssuedToken, IssueError> {
        if minting.client.may_use(GrantType::RefreshToken) {
            self.issue_family(minting, now, by).await
        } else {
            self.issue_access(minting, now, by).await
        }
    }

    fn minting<'m>(
        &self,
        (client, subject): (&'m Arc<Client>, Option<SignIn>),
        (scope, audience): (String, Vec<String>),
        grant: Option<GrantId>,
    ) -> Minting<'m> {
        let lifetime = match grant {
            // No access token outlives its grant.
            Some(_) => self.settings.access_token_ttl.min(self.settings.refresh_token_ttl),
            None => self.settings.access_token_ttl,
        };
        Minting { client, subject, scope, audience, kept: None, grant, lifetime }
    }

    /// An access token alone.
    pub(super) async fn issue_access(
        &self,
        minting: Minting<'_>,
        now: Timestamp,
        by: &'static str,
    ) -> Result<IssuedToken, IssueError> {
        let client = minting.client;
        let sign_in = minting.subject.clone();
        let access = self.access(minting, now)?;
        self.keep(&access, None, client).await?;
        self.still_admitted(sign_in.as_ref(), &access, now).await?;
        Ok(access.issued(None, by))
    }

    /// An access token and the first refresh token of a new family.
    async fn issue_family(
        &self,
        mut minting: Minting<'_>,
        now: Timestamp,
        by: &'static str,
    ) -> Result<IssuedToken, IssueError> {
        let client = minting.client;
        let sign_in = minting.subject.clone();
        let kept = minting.kept.take();
        let access = self.access(minting, now)?;
        let refresh = Token::mint_at(TokenKind::Refresh, &*self.store.tag_keys()?, access.token.digest().place())?;
        let record = access.family(kept, now.plus(self.settings.refresh_token_ttl));
        self.keep(&access, record.map(|record| (refresh.digest(), record)), client).await?;
        self.still_admitted(sign_in.as_ref(), &access, now).await?;
        Ok(access.issued(Some(refresh), by))
    }

    /// Stores new tokens. A client that was removed since it authenticated is no client.
    async fn keep(
        &self,
        access: &Access,
        refresh: Option<(TokenDigest, RefreshRecord)>,
        client: &Client,
    ) -> Result<(), IssueError> {
        self.note_use(client).await?;
        let registration = client.registration;
        let access = (access.token.digest(), access.record.clone());
        match self.store.issue(Issue { access, refresh, registration }).await? {
            Issued::Done => Ok(()),
            Issued::ClientGone => Err(IssueError::InvalidClient),
        }
    }

    /// Takes back what was issued to a resource owner who was removed or disabled meanwhile: asked after
    /// it is stored, so that the removal ended it, or this does.
    async fn still_admitted(
        &self,
        sign_in: Option<&SignIn>,
        access: &Access,
        now: Timestamp,
    ) -> Result<(), IssueError> {
        let Some(sign_in) = sign_in else { return Ok(()) };
        if self.directory.honours(sign_in, now).await? {
            return Ok(());
        }
        match access.record.grant {
            Some(grant) => drop(self.store.revoke_grant(grant).await?),
            None => drop(self.store.revoke_access(&access.token.digest()).await?),
        }
        Err(IssueError::InvalidGrant(GONE))
    }

    /// Exchanges a refresh token. The successor keeps the scope, the audience and the end of the
    /// grant (R6749-6c, R8707-2.2a, R9700-4.14a).
    async fn rotate(
        &self,
        client: &Client,
        (scope, audience): (String, Vec<String>),
        (presented, record): (TokenDigest, RefreshRecord),
        now: Timestamp,
    ) -> Result<IssuedToken, IssueError> {
        let grant = record.grant;
        let access = self.access(
            Minting {
                client,
                subject: record
                    .subject
                    .clone()
                    .map(|name| SignIn { subject: Subject { name, origin: record.subject_origin }, since: now }),
                scope,
                audience,
                kept: None,
                grant: Some(grant),
                lifetime: self.settings.access_token_ttl.min(record.expires_at.since(now)),
            },
            now,
        )?;
        let refresh = Token::mint_at(TokenKind::Refresh, &*self.store.tag_keys()?, grant.place())?;
        let rotation = Rotation {
            presented,
            grant,
            access: (access.token.digest(), access.record.clone()),
            refresh: (refresh.digest(), RefreshRecord { issued_at: now, ..record }),
            now,
            grace: self.settings.refresh_reuse_grace,
        };
        match self.store.rotate(rotation).await? {
            Rotated::Done => Ok(access.issued(Some(refresh), "refresh_token")),
            Rotated::Reused => {
                audit::reused(&presented, &client.id, access.record.subject.as_deref(), grant);
                Err(IssueError::InvalidGrant(BAD_REFRESH_TOKEN))
            }
            Rotated::Unknown => Err(IssueError::InvalidGrant(BAD_REFRESH_TOKEN)),
        }
    }

    fn access(&self, minting: Minting<'_>, now: Timestamp) -> Result<Access, IssueError> {
        let keys = self.store.tag_keys()?;
        let token = match minting.grant {
            Some(grant) => Token::mint_at(TokenKind::Access, &keys, grant.place())?,
            None => Token::mint(TokenKind::Access, &keys)?,
        };
        let record = TokenRecord {
            client_id: minting.client.id.clone(),
            client_origin: minting.client.origin(),
            subject_origin: minting.subject.as_ref().map_or(Origin::Configuration, |who| who.subject.origin),
            subject: minting.subject.map(|who| who.subject.name),
            scope: minting.scope,
            audience: minting.audience,
            issued_at: now,
            expires_at: now.plus(minting.lifetime),
            grant: minting.grant,
        };
        Ok(Access { token, record })
    }
}

/// A minted access token and what the store is told of it.
struct Access {
    token: Token,
    record: TokenRecord,
}

impl Access {
    /// The record of the first refresh token of this token's family.
    fn family(&self, kept: Option<(String, Vec<String>)>, expires_at: Timestamp) -> Option<RefreshRecord> {
        let (scope, audience) = kept.unwrap_or_else(|| (self.record.scope.clone(), self.record.audience.clone()));
        Some(RefreshRecord {
            grant: self.record.grant?,
            client_id: self.record.client_id.clone(),
            client_origin: self.record.client_origin,
            subject: self.record.subject.clone(),
            subject_origin: self.record.subject_origin,
            scope,
            audience,
            issued_at: self.record.issued_at,
            expires_at,
        })
    }

    /// Stored: may be handed out.
    fn issued(self, refresh: Option<Token>, by: &'static str) -> IssuedToken {
        audit::issued(&self.token.digest(), &self.record, by);
        let expires_in = self.record.expires_at.since(self.record.issued_at);
        IssuedToken { access: self.token, refresh, scope: self.record.scope, expires_in }
    }
}
