//! The authorization code grant at the token endpoint (RFC 6749 section 4.1.3). A code is used up in one
//! compare-and-swap before its tokens are made; one that comes back ends what it gave, whichever of
//! the two redemptions is further by then (D-5).

use super::{Granted, Via, permitted};
use crate::clock::Timestamp;
use crate::issue::authorization::code::{Code, State, id};
use crate::issue::refusal::{BAD_CODE, IssueError};
use crate::issue::{Issuer, Request, audit, scope_decision};
use crate::oauth::client::{Client, GrantType};
use crate::oauth::params::Params;
use crate::oauth::pkce;
use crate::oauth::token::{GrantId, TokenDigest, TokenKind};
use crate::people::users::User;
use crate::store::{Document, Kind};
use std::sync::Arc;
use std::time::Duration;

/// The states of a code are gone through once: `Fresh`, `Used`, `Replayed`. Whoever is overtaken more often
/// than that has met a store that is not ours.
const STEPS: usize = 4;

const BAD: IssueError = IssueError::InvalidGrant(BAD_CODE);

/// A code that was used up, and its tokens not yet handed out.
#[derive(Debug)]
pub(in crate::issue) struct Redeemed {
    digest: TokenDigest,
    client: Arc<Client>,
    code: Code,
}

impl Redeemed {
    pub(in crate::issue) const fn grant(&self) -> GrantId {
        self.code.grant
    }

    /// The scope and the audience of the grant as a whole, which its refresh token keeps.
    pub(in crate::issue) fn kept(&self) -> (String, Vec<String>) {
        (self.code.scope.clone(), self.code.resources.clone())
    }
}

impl Issuer {
    /// R6749-4.1.2b to R6749-4.1.2d, O21-4.1.3
    pub(super) async fn grant_authorization_code(&self, request: &Request<'_>) -> Result<Granted, IssueError> {
        let authenticated = self.authenticate(request).await?;
        permitted(&authenticated, GrantType::AuthorizationCode)?;
        let client = authenticated.client();
        let text = request.params.get("code").ok_or(IssueError::InvalidRequest("code is missing"))?.as_bytes();
        if !self.store.tag_keys()?.recognise(TokenKind::Code, text) {
            return Err(BAD);
        }
        let digest = TokenDigest::of(text);
        for _ in 0..STEPS {
            let found = self.store.document::<Code>(Kind::AuthorizationCode, &id(&digest), request.now).await?;
            let document = found.ok_or(BAD)?;
            check(&document.value, client, &request.params)?;
            if document.value.state != State::Fresh {
                self.replay(&digest, document, request.now).await?;
                return Err(BAD);
            }
            let code = document.value;
            let audience = self.part_of(&request.params, &code.resources)?;
            let owner = self.grantor(&code, client, request.now).await?.ok_or(BAD)?;
            // What client and user have lost since is left out.
            let scope = scope_decision::refresh(&self.scopes, None, &code.scope, client, owner.scopes.as_ref());
            let scope = self.meaningful_scope(&scope.map_err(|_| BAD)?, &audience)?;
            let used = Code { state: State::Used, ..code };
            let until = Some(request.now.plus(self.longest_life(client)));
            if self.change(&digest, (&used, until), document.version, request.now).await? {
                let (client, subject) = (Arc::clone(client), Some(used.sign_in()));
                let redeemed = Redeemed { digest, client: Arc::clone(&client), code: used };
                let via = Via::AuthorizationCode(Box::new(redeemed));
                return Ok(Granted { client, subject, scope, audience, via });
            }
        }
        Err(BAD)
    }

    /// Looks back, once the tokens are stored: what ended the grant in the meantime may have been too early to
    /// find them. After this, whatever comes finds them.
    ///
    /// A replay in the meantime does not change the answer: it is the one that was given just before.
    ///
    /// # Errors
    /// When the resource owner took everything back, is gone, or it is not known.
    pub(in crate::issue) async fn settle(&self, redeemed: Redeemed, now: Timestamp) -> Result<(), IssueError> {
        let Redeemed { digest, client, code } = &redeemed;
        let found = self.store.document::<Code>(Kind::AuthorizationCode, &id(digest), now).await?;
        let state = found.map(|document| document.value.state);
        let stands = state.is_some() && self.grantor(code, client, now).await?.is_some();
        if stands && state == Some(State::Used) {
            return Ok(());
        }
        self.store.revoke_grant(code.grant).await?;
        if stands { Ok(()) } else { Err(BAD) }
    }

    /// R6749-4.1.2d: whatever the code gave ends. Who is still at work on that finds the note and ends it.
    async fn replay(&self, digest: &TokenDigest, document: Document<Code>, now: Timestamp) -> Result<(), IssueError> {
        let Document { value: code, version, expires } = document;
        let replayed = Code { state: State::Replayed, ..code };
        let noted = match code.state {
            // From here on the only change is to this state: who was faster has made the same note.
            State::Used => self.change(digest, (&replayed, expires), version, now).await.map(drop),
            State::Fresh | State::Replayed => Ok(()),
        };
        self.store.revoke_grant(replayed.grant).await?;
        noted?;
        audit::replayed(digest, &replayed.client_id, &replayed.subject.name, replayed.grant);
        Ok(())
    }

    async fn change(
        &self,
        digest: &TokenDigest,
        code: (&Code, Option<Timestamp>),
        version: u64,
        now: Timestamp,
    ) -> Result<bool, IssueError> {
        Ok(self.store.put(Kind::AuthorizationCode, &id(digest), code, Some(version), now).await?)
    }

    /// The resource owner, as long as there is one who was not removed or disabled since the sign-in, and has
    /// not taken the consent back.
    async fn grantor(&self, code: &Code, client: &Client, now: Timestamp) -> Result<Option<Arc<User>>, IssueError> {
        if !self.consents_still(code, client, now).await? {
            return Ok(None);
        }
        if !self.directory.honours(&code.sign_in(), now).await? {
            return Ok(None);
        }
        Ok(self.directory.find(&code.subject, now).await?)
    }

    /// How long the tokens of a code can live.
    fn longest_life(&self, client: &Client) -> Duration {
        let settings = &self.settings;
        if client.may_use(GrantType::RefreshToken) { settings.refresh_token_ttl } else { settings.access_token_ttl }
    }
}

/// Whether `client` may redeem this code with what it sent. Nothing changes when it may not: nobody can
/// burn the code of another (D-5).
fn check(code: &Code, client: &Client, params: &Params<'_>) -> Result<(), IssueError> {
    if !code.is_of(client) {
        return Err(BAD);
    }
    let right = match params.get("redirect_uri") {
        Some(uri) => uri == code.redirect_uri,
        // D-4
        None => code.challenge.is_some() || !code.redirect_uri_sent,
    };
    let right = match (code.challenge.as_deref(), params.get("code_verifier")) {
        (Some(challenge), Some(verifier)) => right && pkce::fits(challenge, verifier),
        (Some(_), None) => false,
        // R7636-D
        (None, Some(_)) => {
            return Err(IssueError::InvalidRequest("code_verifier is sent for a code without challenge"));
        }
        (None, None) => right,
    };
    if right { Ok(()) } else { Err(BAD) }
}
