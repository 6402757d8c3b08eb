//! Signing in at an identity provider (`OpenID` Connect Core section 3.1): the way there and the way back.
//!
//! Nothing is stored for the way there. `state` is the sealed dialogue itself, good for the browser that
//! it was made for and for ten minutes; `nonce` and the PKCE verifier are made from it with the key of its
//! seal, so that nobody who sees it can make them. On the way back it is spent, once. Whatever the
//! provider says, nobody is sent to a client before somebody has signed in.

use super::answer::Stop;
use super::audit::Way;
use super::dialogue::{Dialogue, DialogueError, Purpose};
use super::sign_in::Again;
use super::{Browser, Visit, audit};
use crate::clock::Timestamp;
use crate::oauth::params::Params;
use crate::people::provider::{Ask, Attempt, Provider, ProviderError};
use crate::people::session::Session;
use crate::people::users::LoginError;
use crate::secret::{Digest, Secret, TagKey, random};
use crate::store::Kind;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Response, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// The longest `state`: some providers take no longer addresses.
const LONGEST: usize = 4096;
/// The longest code of a provider.
const LONGEST_CODE: usize = 8192;
/// A spent `state` is remembered for longer than it could be good.
const SPENT: Duration = Duration::from_secs(1200);

const CANCELLED: &str = "You did not sign in there. Try again, or sign in another way.";
const UNAVAILABLE: &str = "The place where you sign in does not answer right now. Wait a moment, then try again.";
const REFUSED: &str = "The answer of the place where you signed in cannot be used. Try again.";
const NOT_ALLOWED: &str = "This account may not sign in here. Use another one.";
const NOT_RECENT: &str = "The app wants you to sign in anew. Type your password where you sign in.";
const EXPIRED: &str = "It took too long to come back. Please sign in again.";

const NOT_BEGUN_HERE: (&str, &str) = (
    "This sign-in cannot be completed",
    "It was not begun in this browser, or you have signed in or out since. Nothing has been changed. Go back to \
     where you came from and start again.",
);
const SPENT_ALREADY: (&str, &str) = (
    "This sign-in is already complete",
    "Its page can be opened only once. Nothing has been changed. Go back to where you came from and start again.",
);

impl Browser {
    /// The identity provider, where there is one.
    pub(super) fn provider(&self) -> Option<&Arc<Provider>> {
        self.people.directory.provider()
    }

    /// `POST /oauth2/login/provider`
    pub(super) async fn go_to_provider(&self, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let provider = Arc::clone(self.provider().ok_or(Stop::Missing)?);
        let request = visit.request;
        let purpose = match self.signing_in(&Visit::form(request)?, "provider", visit)? {
            Ok(purpose) => purpose,
            Err(late) => return self.log_in_too_late(late, visit).await,
        };
        let id = URL_SAFE_NO_PAD.encode(random::<16>()?);
        let begun = visit.now;
        let dialogue = Dialogue::AtProvider { purpose: purpose.clone(), id, begun: begun.as_millis() };
        let state = self.seal(&dialogue, None, visit)?;
        if state.len() > LONGEST {
            return Err(Stop::TooLong);
        }
        let keys = self.people.store.tag_keys()?;
        let attempt = attempt(state, keys.current(), &purpose, begun);
        match provider.authentication_request(&attempt, visit.now).await {
            Ok(location) => self.lead(&location, visit),
            Err(error) => self.not_signed_in(&purpose, error, visit).await,
        }
    }

    /// `GET /oauth2/login/callback`
    pub(super) async fn come_back(&self, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let provider = Arc::clone(self.provider().ok_or(Stop::Missing)?);
        let query = visit.request.uri().query().unwrap_or_default().as_bytes();
        let params = Params::parse(query, &[]).map_err(|_| Stop::Malformed)?;
        let state = params.get("state").unwrap_or_default();
        let keys = self.people.store.tag_keys()?;
        let (dialogue, key) = match Dialogue::open_with(state, &keys, visit.binding(None), visit.now) {
            Ok((dialogue, key)) => (dialogue, Some(key)),
            Err(DialogueError::Expired(dialogue)) => (*dialogue, None),
            Err(DialogueError::Forged) => return Ok(self.not_begun_here(visit)),
        };
        let Dialogue::AtProvider { purpose, begun, .. } = dialogue else { return Ok(self.not_begun_here(visit)) };
        let Some(key) = key else { return self.again(&purpose, (StatusCode::OK, EXPIRED, "too late"), visit).await };
        if !self.spend(state, visit).await? {
            audit::sign_in_refused(Way::Provider, "came back twice", visit.address);
            return Ok(self.message(StatusCode::BAD_REQUEST, SPENT_ALREADY, visit));
        }
        let attempt = attempt(state.to_owned(), key, &purpose, Timestamp::from_millis(begun));
        let code = match code(&params, &provider) {
            Ok(code) => code,
            Err(reason) => return self.again(&purpose, reason, visit).await,
        };
        match provider.redeem(code, &attempt, visit.now).await {
            Ok(account) => {
                let owner = match self.people.directory.authenticated_elsewhere(account, visit.now).await {
                    Ok(owner) => owner,
                    Err(LoginError::Refused) => {
                        return self.not_signed_in(&purpose, ProviderError::NotAllowed, visit).await;
                    }
                    Err(error) => return Err(Stop::Unavailable(error.into())),
                };
                let signed_in = self.begin_session(&owner, Way::Provider, visit).await?;
                self.go_on(purpose, &signed_in, visit).await
            }
            Err(error) => self.not_signed_in(&purpose, error, visit).await,
        }
    }

    /// Once means once: whether it has not been before.
    async fn spend(&self, state: &str, visit: &Visit<'_>) -> Result<bool, Stop> {
        let id = Digest::of(state.as_bytes()).to_hex();
        let until = visit.now.plus(SPENT);
        Ok(self.people.store.put(Kind::SpentState, &id, (&(), Some(until)), None, visit.now).await?)
    }

    fn not_begun_here(&self, visit: &Visit<'_>) -> Response<Bytes> {
        audit::forged("callback", "state", visit.address);
        self.message(StatusCode::FORBIDDEN, NOT_BEGUN_HERE, visit)
    }

    async fn not_signed_in(
        &self,
        purpose: &Purpose,
        error: ProviderError,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        let said = match error {
            ProviderError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, "provider unavailable"),
            ProviderError::Refused => (StatusCode::BAD_REQUEST, REFUSED, "answer of the provider not good"),
            ProviderError::NotAllowed => (StatusCode::FORBIDDEN, NOT_ALLOWED, "account not allowed"),
            ProviderError::NotRecent => (StatusCode::FORBIDDEN, NOT_RECENT, "sign-in not recent"),
        };
        self.again(purpose, said, visit).await
    }

    /// The sign-in page anew, with what was wrong.
    async fn again(
        &self,
        purpose: &Purpose,
        (status, problem, reason): (StatusCode, &'static str, &'static str),
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        audit::sign_in_refused(Way::Provider, reason, visit.address);
        self.sign_in_page_again(purpose, Again { status, problem: Some(problem), username: "" }, visit).await
    }

    /// Where whoever signs out ends the session at the provider too, where there is one.
    pub(super) async fn end_session_there(&self, session: &Session, visit: &Visit<'_>) -> Option<String> {
        self.provider()?.end_session(&session.subject, visit.now).await
    }

    /// Where forms of the sign-in page lead beside `after`: for `form-action`.
    pub(super) async fn destinations(&self, after: Option<&str>, visit: &Visit<'_>) -> Option<String> {
        let Some(provider) = self.provider() else { return after.map(str::to_owned) };
        let provider = provider.destination(visit.now).await;
        Some(after.map_or_else(|| provider.clone(), |after| format!("{after} {provider}")))
    }
}

/// The code that the provider sent, or why there is none.
fn code<'p>(params: &'p Params<'_>, provider: &Provider) -> Result<&'p str, (StatusCode, &'static str, &'static str)> {
    // RFC 9207: another server's answer is not for this one.
    if params.get("iss").is_some_and(|issuer| issuer != provider.settings().issuer) {
        return Err((StatusCode::BAD_REQUEST, REFUSED, "answer of another issuer"));
    }
    match params.get("error") {
        Some("access_denied" | "login_required" | "interaction_required" | "consent_required") => {
            return Err((StatusCode::OK, CANCELLED, "cancelled at the provider"));
        }
        Some("temporarily_unavailable" | "server_error") => {
            return Err((StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, "provider unavailable"));
        }
        Some(_) => return Err((StatusCode::BAD_REQUEST, REFUSED, "error of the provider")),
        None => {}
    }
    let code = params.get("code").filter(|code| code.len() <= LONGEST_CODE);
    code.ok_or((StatusCode::BAD_REQUEST, REFUSED, "no code"))
}

/// What belongs to a `state`, made with the key of its seal.
fn attempt(state: String, key: &TagKey, purpose: &Purpose, begun: Timestamp) -> Attempt {
    let made = |what: &str| Secret::new(URL_SAFE_NO_PAD.encode(key.seal(what, &[state.as_bytes()])));
    let (nonce, verifier) = (made("provider nonce"), made("provider verifier"));
    Attempt { nonce, verifier, begun, ask: ask(purpose), state }
}

/// How the provider is to ask: as the client wants it. For a device and for the account people choose who
/// they are, also after signing out.
fn ask(purpose: &Purpose) -> Ask {
    let Purpose::Authorize(request) = purpose else { return Ask { select_account: true, ..Ask::default() } };
    Ask {
        login: request.prompts("login"),
        select_account: request.prompts("select_account"),
        max_age: request.max_age,
        login_hint: request.login_hint.clone(),
    }
}
