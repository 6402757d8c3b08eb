//! The device grant (RFC 8628 section 3.4): a device polls until the resource owner has decided.

use super::{Granted, Via, permitted};
use crate::clock::Timestamp;
use crate::issue::device::{DeviceSettings, Pending, State, Step, document_id};
use crate::issue::refusal::IssueError;
use crate::issue::{Issuer, Request, scope_decision};
use crate::oauth::client::{Client, GrantType};
use crate::oauth::params::Params;
use crate::oauth::scope::Scope;
use crate::oauth::token::{GrantId, TokenDigest, TokenKind};
use crate::people::users::SignIn;
use std::sync::Arc;
use std::time::Duration;

/// Said of every device code that is not good, whatever the cause.
const BAD: IssueError = IssueError::InvalidGrant("the device code is not valid");

/// How much longer a device that was too fast has to wait (RFC 8628 section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// The interval grows by no more than this: a device that floods changes nothing from there on.
const SLOWEST: Duration = Duration::from_secs(60);

/// A poll may arrive so much earlier than it was sent: the network is not evenly fast.
const JITTER: Duration = Duration::from_millis(250);

/// A device that was allowed, and its tokens not yet handed out.
#[derive(Debug)]
pub(in crate::issue) struct Allowed {
    sign_in: SignIn,
    consent: String,
    kept: (String, Vec<String>),
}

impl Allowed {
    /// The scope and the audience of the grant as a whole, which its refresh token keeps.
    pub(in crate::issue) fn kept(&self) -> (String, Vec<String>) {
        self.kept.clone()
    }
}

impl Issuer {
    /// R8628-3.4 to R8628-3.5c. Of many polls at the same time one gets a token: what turns the
    /// approval into a used one is a compare-and-swap.
    pub(super) async fn grant_device_code(&self, request: &Request<'_>) -> Result<Granted, IssueError> {
        let authenticated = self.authenticate(request).await?;
        let settings = self.settings.device.ok_or(IssueError::UnsupportedGrantType)?;
        permitted(&authenticated, GrantType::DeviceCode)?;
        let client = authenticated.client();
        let code = request.params.get("device_code");
        let code = code.ok_or(IssueError::InvalidRequest("device_code is missing"))?.as_bytes();
        if !self.store.tag_keys()?.recognise(TokenKind::DeviceCode, code) {
            return Err(BAD);
        }
        let id = document_id(&TokenDigest::of(code));
        let step = |pending: Pending| match self.aimed(&pending, &request.params) {
            // It is not used up by a request that asks for too much.
            Err(error) if pending.is_of(client) => Step::Leave(Err(error)),
            _ => poll(pending, client, settings, request.now),
        };
        let allowed = self.device_step(&id, request.now, step).await?.ok_or(BAD)??;
        let (scope, resources) = &allowed.kept;
        let audience = self.part_of(&request.params, resources)?;
        let owner = self.directory.find(&allowed.sign_in.subject, request.now).await?.ok_or(BAD)?;
        if !self.allows_still(&allowed, client, request.now).await? {
            return Err(BAD);
        }
        // What client and user have lost since is left out.
        let scope = scope_decision::refresh(&self.scopes, None, scope, client, owner.scopes.as_ref())?;
        let scope = self.meaningful_scope(&scope, &audience)?;
        let (client, subject) = (Arc::clone(client), Some(allowed.sign_in.clone()));
        Ok(Granted { client, subject, scope, audience, via: Via::DeviceCode(Box::new(allowed)) })
    }

    /// Whether what a poll asks for is a part of what was allowed, and leaves a scope.
    fn aimed(&self, pending: &Pending, params: &Params<'_>) -> Result<(), IssueError> {
        let audience = self.part_of(params, &pending.resources)?;
        let State::Approved { scope, .. } = &pending.state else { return Ok(()) };
        let scope: Scope = scope.parse().map_err(|_| BAD)?;
        self.meaningful_scope(&scope, &audience).map(drop)
    }

    /// Whether the resource owner has not taken the access back since.
    async fn allows_still(&self, allowed: &Allowed, client: &Client, now: Timestamp) -> Result<bool, IssueError> {
        self.consent_stands((&allowed.sign_in.subject, &allowed.consent), client, now).await
    }

    /// Looks back, once the tokens are stored: what was taken back in the meantime may have been too early
    /// to find them.
    ///
    /// # Errors
    /// When it was taken back, or that is not known.
    pub(in crate::issue) async fn settle_device(
        &self,
        (allowed, grant): (&Allowed, GrantId),
        client: &Client,
        now: Timestamp,
    ) -> Result<(), IssueError> {
        if self.allows_still(allowed, client, now).await? {
            return Ok(());
        }
        self.store.revoke_grant(grant).await?;
        Err(BAD)
    }
}

/// What a poll by `client` finds, and changes.
fn poll(
    pending: Pending,
    client: &Client,
    settings: DeviceSettings,
    now: Timestamp,
) -> Step<Result<Allowed, IssueError>> {
    let bad = || Step::Leave(Err(BAD));
    if !pending.is_of(client) {
        return bad();
    }
    match &pending.state {
        State::Used => bad(),
        _ if now >= pending.expires_at => Step::Leave(Err(IssueError::ExpiredToken)),
        State::Denied => Step::Leave(Err(IssueError::AccessDenied)),
        State::Approved { subject, since, scope, consent } => {
            let sign_in = SignIn { subject: subject.clone(), since: *since };
            let kept = (scope.clone(), pending.resources.clone());
            let allowed = Allowed { sign_in, consent: consent.clone(), kept };
            Step::Change(Box::new(Pending { state: State::Used, ..pending }), Ok(allowed))
        }
        State::Undecided => wait(pending, settings, now),
    }
}

/// R8628-3.5a
fn wait(pending: Pending, settings: DeviceSettings, now: Timestamp) -> Step<Result<Allowed, IssueError>> {
    let interval = Duration::from_millis(pending.interval);
    if now.since(pending.polled_at).saturating_add(JITTER) >= interval {
        return Step::Change(Box::new(Pending { polled_at: now, ..pending }), Err(IssueError::AuthorizationPending));
    }
    let slower = interval.saturating_add(SLOWER);
    if slower > settings.interval.saturating_add(SLOWEST) {
        return Step::Leave(Err(IssueError::SlowDown));
    }
    let interval = u64::try_from(slower.as_millis()).unwrap_or(u64::MAX);
    Step::Change(Box::new(Pending { polled_at: now, interval, ..pending }), Err(IssueError::SlowDown))
}
