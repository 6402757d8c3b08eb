//! The authorization endpoint (RFC 6749 section 3.1, 4.1): what a client asks for, what the resource
//! owner says to it, and where the browser goes with the answer. No HTML and no cookies here.

mod access;
mod check;
pub(super) mod code;
mod consent;
mod parameters;

use super::{IssueError, Issuer, audit, par, scope_decision};
use crate::clock::Timestamp;
use crate::oauth::client::{Client, GrantType};
use crate::oauth::redirect;
use crate::oauth::scope::Scope;
use crate::people::users::{Subject, User};
pub use access::AccessFilter;
pub(super) use check::{Fault, redirect_uri};
pub(super) use parameters::Parameters;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The longest request that is read, in octets, pushed ones as well.
pub(super) const LONGEST_REQUEST: usize = 16 * 1024;

/// An authorization request as it arrived, checked. It is sealed into the forms of the pages, and
/// checked again when it comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// RFC 6749 section 4.1.1.
    pub client_id: String,
    /// Where the answer goes: as sent, or the only one registered.
    pub redirect_uri: String,
    /// Whether the request named it (D-4).
    pub redirect_uri_sent: bool,
    /// The scope as asked for; `None`: the client's default.
    pub scope: Option<String>,
    /// To be given back.
    pub state: Option<String>,
    /// RFC 7636: S256, 43 characters.
    pub code_challenge: Option<String>,
    /// RFC 8707.
    pub resources: Vec<String>,
    /// `OpenID` Connect Core section 3.1.2.1: `none`, `login`, `consent`, `select_account`.
    pub prompt: Option<String>,
    /// Whom to sign in.
    pub login_hint: Option<String>,
    /// How long ago the sign-in may be, in seconds.
    pub max_age: Option<u64>,
    /// Where it is kept, if it was pushed (RFC 9126): the decision uses it up.
    #[serde(default)]
    pub pushed: Option<String>,
}

/// Why a request is not put before the resource owner.
#[derive(Debug)]
pub enum AuthorizationError {
    /// The client or its redirect URI is not right: the browser stays here (R6749-3.1.2e). The text
    /// is for the page.
    Local(&'static str),
    /// The client is told, by redirect.
    Redirect(Redirect),
    /// 503: the store does not answer, and it is not known whose request it is.
    Unavailable(super::IssueError),
}

/// A redirect to a client: `Location`, complete, with `state` and `iss` (RFC 9207, UI-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The URL.
    pub location: String,
    /// The `error` it carries, for the log and the metrics; `None`: a code.
    pub error: Option<&'static str>,
    /// Whether it may go out before somebody has signed in (D-11): the administrator trusts the client
    /// not to be a link to somewhere else.
    pub immediate: bool,
}

/// What the consent page asks.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who asks.
    pub client: Arc<Client>,
    /// What would be granted: cut to what the user may grant.
    pub scope: Scope,
    /// Whether the resource owner has to be asked (design, section 5, "Consent").
    pub asked: bool,
}

impl AuthorizationRequest {
    /// Whether no page may be shown: `prompt=none`.
    pub fn is_silent(&self) -> bool {
        self.prompts("none")
    }

    /// Whether the resource owner has to sign in although there is a session: `prompt=login`, or the
    /// sign-in at `auth_time` is longer ago than `max_age`, of which zero asks for a new one.
    pub fn needs_sign_in(&self, auth_time: Timestamp, now: Timestamp) -> bool {
        self.prompts("login") || self.max_age.is_some_and(|secs| secs == 0 || now.since(auth_time).as_secs() > secs)
    }

    /// Whether `prompt` has this word.
    pub fn prompts(&self, word: &str) -> bool {
        self.prompt.as_deref().is_some_and(|prompt| prompt.split(' ').any(|known| known == word))
    }
}

impl Issuer {
    /// Reads an authorization request from its query or form.
    ///
    /// # Errors
    /// When it is not right.
    pub async fn authorization_request(
        &self,
        params: &[u8],
        now: Timestamp,
    ) -> Result<AuthorizationRequest, AuthorizationError> {
        if params.len() > LONGEST_REQUEST {
            return Err(AuthorizationError::Local("the request is too long"));
        }
        let parameters = Parameters::read(params);
        let id = parameters.get("client_id");
        let id = id.map_err(|_| AuthorizationError::Local("client_id is repeated or cannot be read"))?;
        let id = id.ok_or(AuthorizationError::Local("client_id is missing"))?;
        let client = self.client(id).await.map_err(|error| unavailable(IssueError::from(error)))?;
        let client = client.filter(|client| !client.has_ended(now)).ok_or(AuthorizationError::Local(UNKNOWN))?;
        if let Some(reference) = par::reference(&parameters) {
            return self.pushed_request(&client, reference, now).await;
        }
        let target = check::redirect_uri(&client, &parameters).map_err(AuthorizationError::Local)?;
        let uri = target.0.clone();
        let checked = if self.demands_push(&client) {
            Err(Fault::NOT_PUSHED)
        } else {
            self.check_authorization(&client, &parameters, target)
        };
        checked.map_err(|fault| {
            // A repeated state is not echoed (R6749-3.1e).
            let state = parameters.get("state").unwrap_or_default();
            let redirect = self.fault(&uri, state, fault);
            AuthorizationError::Redirect(Redirect { immediate: client.immediate_error_redirect, ..redirect })
        })
    }

    /// What `user` has to be asked.
    ///
    /// # Errors
    /// When the client is gone meanwhile, or nothing may be granted.
    pub async fn question(
        &self,
        request: &AuthorizationRequest,
        user: &User,
        now: Timestamp,
    ) -> Result<Question, AuthorizationError> {
        let client = self.still_known(request).await?;
        let requested = request.scope.as_deref();
        scope_decision::grant(&self.scopes, requested, &client, None)
            .map_err(|error| AuthorizationError::Redirect(self.trouble(request, error)))?;
        let granted = scope_decision::grant(&self.scopes, requested, &client, user.scopes.as_ref());
        // R8707-2.2b
        let granted = granted.and_then(|scope| self.meaningful_scope(&scope, &request.resources));
        let scope = granted.map_err(|_| {
            let description = "nothing of the scope can be granted by this resource owner";
            AuthorizationError::Redirect(self.refused(request, "access_denied", description))
        })?;
        let asked = !self.is_remembered(request, (&client, &user.subject(), &scope), now).await?;
        Ok(Question { client, scope, asked })
    }

    /// The resource owner allows `chosen`, a part of the question's scope: a code (R6749-4.1.2a). The
    /// consent is remembered.
    ///
    /// # Errors
    /// When no code can be stored, or `chosen` goes beyond the question.
    pub async fn allow(
        &self,
        request: &AuthorizationRequest,
        (user, auth_time): (&User, Timestamp),
        chosen: &Scope,
        now: Timestamp,
    ) -> Result<Redirect, AuthorizationError> {
        let question = self.question(request, user, now).await?;
        if chosen.is_empty() {
            return Err(AuthorizationError::Redirect(self.deny(request).await?));
        }
        if chosen.iter().any(|token| !question.scope.contains(token)) {
            return Err(AuthorizationError::Local("what was allowed is not what was asked"));
        }
        self.use_pushed(request).await?;
        let code = self.authorize(request, (&question, &user.subject(), auth_time), chosen, now).await;
        let code = code.map_err(|error| AuthorizationError::Redirect(self.trouble(request, error)))?;
        let location = self.location(&request.redirect_uri, &[("code", &code)], request.state.as_deref());
        audit::authorized(&question.client.id, &user.name, chosen);
        Ok(Redirect { location, error: None, immediate: false })
    }

    /// The resource owner refuses (R6749-4.1.2.1a). That is a decision as well: a request that was pushed is
    /// used up by it.
    ///
    /// # Errors
    /// When it was decided before, or that is not known.
    pub async fn deny(&self, request: &AuthorizationRequest) -> Result<Redirect, AuthorizationError> {
        self.use_pushed(request).await?;
        Ok(self.refused(request, "access_denied", "the resource owner refused"))
    }

    /// The redirect with an error that is no decision: `login_required`, `consent_required`, `server_error`,
    /// `temporarily_unavailable`.
    pub fn refused(&self, request: &AuthorizationRequest, error: &'static str, description: &'static str) -> Redirect {
        self.fault(&request.redirect_uri, request.state.as_deref(), Fault { error, description })
    }

    /// The client is told of an error: a request that was pushed is used up by that. Whether it was there
    /// still, and whether the store answers, does not change what the client is told.
    pub async fn answered(&self, request: &AuthorizationRequest) {
        if let Err(AuthorizationError::Unavailable(error)) = self.use_pushed(request).await {
            tracing::warn!(%error, "a pushed request may be brought again");
        }
    }

    /// RFC 9126 section 5 and 6: everybody's requests have to be pushed, or this client's.
    fn demands_push(&self, client: &Client) -> bool {
        self.settings.par_required || client.par_required
    }

    /// The consent, and the code under it.
    async fn authorize(
        &self,
        request: &AuthorizationRequest,
        (question, subject, auth_time): (&Question, &Subject, Timestamp),
        chosen: &Scope,
        now: Timestamp,
    ) -> Result<String, IssueError> {
        let client = &question.client;
        let consent = self.remember(subject, client, (&question.scope, chosen), now).await?;
        let code = self.new_code(request, (client, subject, consent), (chosen, auth_time), now).await?;
        Ok(code.secret().reveal().to_owned())
    }

    /// The client of a request that was right when it came: it may have been removed, or changed, since.
    async fn still_known(&self, request: &AuthorizationRequest) -> Result<Arc<Client>, AuthorizationError> {
        let client = self.client(&request.client_id).await;
        let client = client.map_err(|error| AuthorizationError::Redirect(self.trouble(request, error.into())))?;
        let knows =
            |client: &Client| client.redirect_uris.iter().any(|uri| redirect::matches(uri, &request.redirect_uri));
        let client = client.filter(|client| client.may_use(GrantType::AuthorizationCode) && knows(client));
        client.ok_or(AuthorizationError::Local(UNKNOWN))
    }

    /// Whether the resource owner allowed this before, and nobody but the client can get the answer: a
    /// public client on a loopback address or a private scheme could be any program (R6749-10.2,
    /// R8252-8.6).
    async fn is_remembered(
        &self,
        request: &AuthorizationRequest,
        (client, subject, scope): (&Client, &Subject, &Scope),
        now: Timestamp,
    ) -> Result<bool, AuthorizationError> {
        // The account is chosen on the page that asks.
        let wanted = request.prompts("consent") || request.prompts("select_account");
        if wanted || !(client.is_confidential() || redirect::is_assured(&request.redirect_uri)) {
            return Ok(false);
        }
        let consent = self.consent(subject, client, now).await;
        let consent = consent.map_err(|error| AuthorizationError::Redirect(self.trouble(request, error)))?;
        Ok(consent.is_some_and(|consent| {
            let allowed = self.scopes.set_of(&consent.scope());
            scope.iter().all(|token| self.scopes.holds(&allowed, token.as_str()))
        }))
    }

    /// What a client is told of a failure of ours (R6749-4.1.2.1d); what happened is for the log.
    fn trouble(&self, request: &AuthorizationRequest, error: IssueError) -> Redirect {
        audit::refused("authorize", &error, None);
        let Fault { error, description } = Fault::from(error);
        self.refused(request, error, description)
    }

    fn fault(&self, redirect_uri: &str, state: Option<&str>, fault: Fault) -> Redirect {
        let parameters = [("error", fault.error), ("error_description", fault.description)];
        let location = self.location(redirect_uri, &parameters, state);
        Redirect { location, error: Some(fault.error), immediate: false }
    }

    /// R9207-2
    fn location(&self, redirect_uri: &str, parameters: &[(&str, &str)], state: Option<&str>) -> String {
        let mut parameters = parameters.to_vec();
        parameters.extend(state.map(|state| ("state", state)));
        parameters.push(("iss", &self.settings.issuer));
        redirect::with(redirect_uri, &parameters)
    }
}

/// Said of every client that is none, whatever the cause.
const UNKNOWN: &str = "no app of this name is registered here";

fn unavailable(error: IssueError) -> AuthorizationError {
    audit::refused("authorize", &error, None);
    AuthorizationError::Unavailable(error)
}

/// An app that has access to what is a resource owner's.
#[derive(Clone, Debug)]
pub struct Access {
    /// Of the two together: where the consent is, if there is one.
    pub id: String,
    /// The resource owner's name as consent and tokens have it: more than one where the configuration has
    /// spelled it anew; none where a consent that does not say it is all there is.
    pub spellings: BTreeSet<String>,
    /// RFC 6749 section 2.2.
    pub client_id: String,
    /// The name that people see.
    pub client_name: String,
    /// What it may do.
    pub scope: Scope,
    /// Since when, as far as it is known: since the consent, or the first token that is still good.
    pub since: Timestamp,
    /// When the last token that is still good was issued; `None`: there is none.
    pub last_used: Option<Timestamp>,
    /// Until when at the latest; `None`: it is not known.
    pub until: Option<Timestamp>,
}
