//! Signing in and out (UI-7, UI-8).

use super::answer::{Stop, retry_after};
use super::audit::Way;
use super::dialogue::{Dialogue, DialogueError, Purpose};
use super::{Browser, SignedIn, Visit, audit};
use crate::issue::IssueError;
use crate::oauth::params::Params;
use crate::page::{App, Form, Message, Page, SignIn};
use crate::people::users::ResourceOwner;
use bytes::Bytes;
use http::{Response, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// What is filled in again is no longer than this.
const NAME_LENGTH: usize = 256;

const WRONG: &str = "The name or the password is wrong.";
const MISSING: &str = "Type your name and your password.";
const THROTTLED: &str = "There were too many failed attempts. Wait a minute, then try again.";
const OVERLOADED: &str = "Many people are signing in right now. Wait a moment, then try again.";
const EXPIRED: &str = "This page has been open for a while. Please sign in again.";

/// A sign-in page that says what was wrong.
pub(super) struct Again<'a> {
    pub(super) status: StatusCode,
    pub(super) problem: Option<&'static str>,
    pub(super) username: &'a str,
}

impl Browser {
    /// The sign-in page, for `purpose`.
    pub(super) async fn sign_in_page(&self, purpose: &Purpose, visit: &Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let hint = match purpose {
            Purpose::Authorize(request) => request.login_hint.as_deref().unwrap_or_default(),
            Purpose::Account | Purpose::Device { .. } | Purpose::Refusal { .. } => "",
        };
        let first = Again { status: StatusCode::OK, problem: None, username: hint };
        self.sign_in_page_again(purpose, first, visit).await
    }

    pub(super) async fn sign_in_page_again(
        &self,
        purpose: &Purpose,
        again: Again<'_>,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        let dialogue = self.seal(&Dialogue::SignIn(purpose.clone()), None, visit)?;
        let page = SignIn {
            form: Form { action: "/login", dialogue },
            app: self.app_of(purpose).await?,
            username: again.username.chars().take(NAME_LENGTH).collect(),
            problem: again.problem,
            provider: self.provider().map(|provider| (provider.settings().name.clone(), "/login/provider")),
            password: self.takes_passwords(),
        };
        let destination = match purpose {
            Purpose::Authorize(request) => Some(&*request.redirect_uri),
            Purpose::Refusal { location } => Some(&**location),
            Purpose::Account | Purpose::Device { .. } => None,
        };
        let destinations = self.destinations(destination, visit).await;
        Ok(self.page(&Page::SignIn(page), again.status, destinations.as_deref()))
    }

    /// Whether people sign in here too, and not at a provider alone.
    fn takes_passwords(&self) -> bool {
        self.provider().is_none_or(|provider| provider.settings().passwords)
    }

    /// For which app somebody signs in.
    async fn app_of(&self, purpose: &Purpose) -> Result<Option<App>, Stop> {
        let Purpose::Authorize(request) = purpose else { return Ok(None) };
        let client = self.issuer.client(&request.client_id).await?;
        Ok(client.map(|client| super::app(&client, Some(&request.redirect_uri))))
    }

    /// What somebody signs in for, as the form of the sign-in page says it; or the dialogue of a page that lay
    /// open for too long.
    pub(super) fn signing_in(
        &self,
        form: &Params<'_>,
        place: &'static str,
        visit: &Visit<'_>,
    ) -> Result<Result<Purpose, Dialogue>, Stop> {
        match self.open(form, None, visit) {
            Ok(Dialogue::SignIn(purpose)) => Ok(Ok(purpose)),
            Err(DialogueError::Expired(dialogue)) => Ok(Err(*dialogue)),
            Ok(_) | Err(DialogueError::Forged) => {
                audit::forged(place, "dialogue", visit.address);
                Err(Stop::Forged)
            }
        }
    }

    /// `POST /oauth2/login`
    pub(super) async fn log_in(&self, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        if !self.takes_passwords() {
            return Err(Stop::Missing);
        }
        let request = visit.request;
        let form = Visit::form(request)?;
        let purpose = match self.signing_in(&form, "login", visit)? {
            Ok(purpose) => purpose,
            Err(late) => return self.log_in_too_late(late, visit).await,
        };
        match self.owner(&form, visit).await {
            Ok(owner) => {
                let signed_in = self.begin_session(&owner, Way::Password, visit).await?;
                self.go_on(purpose, &signed_in, visit).await
            }
            Err(refusal) => self.refuse_login(&purpose, (refusal, &form), visit).await,
        }
    }

    /// Whose name and password these are.
    async fn owner(&self, form: &Params<'_>, visit: &Visit<'_>) -> Result<ResourceOwner, Refusal> {
        let login = form.get("username").zip(form.get("password"));
        let (name, password) = login.ok_or(Refusal::Missing)?;
        match self.issuer.sign_in(name, password, visit.address, visit.now).await {
            Ok(Some(owner)) => Ok(owner),
            Ok(None) => Err(Refusal::Wrong),
            Err(IssueError::Throttled(wait)) => Err(Refusal::Throttled(wait)),
            Err(IssueError::Overloaded) => Err(Refusal::Overloaded),
            Err(error) => Err(Refusal::Unavailable(error)),
        }
    }

    async fn refuse_login(
        &self,
        purpose: &Purpose,
        (refusal, form): (Refusal, &Params<'_>),
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        let (status, problem, reason, wait) = match refusal {
            Refusal::Missing => (StatusCode::OK, MISSING, "incomplete", None),
            Refusal::Wrong => (StatusCode::OK, WRONG, "wrong name or password", None),
            Refusal::Throttled(wait) => (StatusCode::TOO_MANY_REQUESTS, THROTTLED, "too many failures", Some(wait)),
            Refusal::Overloaded => {
                (StatusCode::SERVICE_UNAVAILABLE, OVERLOADED, "overloaded", Some(Duration::from_secs(1)))
            }
            Refusal::Unavailable(error) => return Err(Stop::Unavailable(error)),
        };
        audit::sign_in_refused(Way::Password, reason, visit.address);
        let username = form.get("username").unwrap_or_default();
        let again = Again { status, problem: Some(problem), username };
        let response = self.sign_in_page_again(purpose, again, visit).await?;
        Ok(match wait {
            Some(wait) => retry_after(response, wait),
            None => response,
        })
    }

    /// The page lay open for too long: it is shown anew, and what was typed is not looked at.
    pub(super) async fn log_in_too_late(&self, dialogue: Dialogue, visit: &Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let Dialogue::SignIn(purpose) = dialogue else { return Err(Stop::Forged) };
        let again = Again { status: StatusCode::OK, problem: Some(EXPIRED), username: "" };
        self.sign_in_page_again(&purpose, again, visit).await
    }

    /// UI-7: what the browser had before ends, and a new session begins.
    pub(super) async fn begin_session(
        &self,
        owner: &ResourceOwner,
        way: Way,
        visit: &mut Visit<'_>,
    ) -> Result<SignedIn, Stop> {
        let sessions = &self.people.sessions;
        if let Some(cookie) = self.cookies.session(visit.request.headers())
            && let Some(previous) = sessions.find(cookie, visit.now).await?
        {
            sessions.end(&previous.subject, &previous.id).await?;
        }
        let (secret, session) = sessions.begin(owner, &visit.device(), visit.now).await?;
        visit.cookies.extend(self.cookies.set_session(secret.reveal()));
        audit::signed_in(&session, way, visit.address);
        Ok(SignedIn { session, user: Arc::new(owner.user().clone()) })
    }

    /// `POST /oauth2/logout`: the end, or the beginning as somebody else.
    pub(super) async fn log_out(&self, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let request = visit.request;
        let form = Visit::form(request)?;
        let Some(signed_in) = self.signed_in(visit).await? else { return Err(Stop::Forged) };
        let session = &signed_in.session;
        let purpose = match self.open(&form, Some(session), visit) {
            Ok(Dialogue::Leave(purpose)) => purpose,
            // Leaving is never too late.
            Err(DialogueError::Expired(dialogue)) if matches!(*dialogue, Dialogue::Leave(_)) => None,
            Ok(_) | Err(_) => {
                audit::forged("logout", "dialogue", visit.address);
                return Err(Stop::Forged);
            }
        };
        self.people.sessions.end(&session.subject, &session.id).await?;
        audit::signed_out(&session.subject, &session.id);
        visit.cookies.extend(self.cookies.clear_session());
        if let Some(purpose) = purpose {
            self.sign_in_page(&as_another(purpose), visit).await
        } else if let Some(location) = self.end_session_there(session, visit).await {
            self.lead(&location, visit)
        } else {
            let message = Message {
                status: StatusCode::OK,
                title: "You are signed out",
                text: "You can close this page.".to_owned(),
                request_id: String::new(),
                link: Some(("Sign in again", "/account")),
            };
            Ok(self.page(&Page::Message(message), StatusCode::OK, None))
        }
    }
}

/// Who wants to be somebody else chooses the account, also at a provider who knows one already.
fn as_another(purpose: Purpose) -> Purpose {
    let Purpose::Authorize(mut request) = purpose else { return purpose };
    let prompt = request.prompt.unwrap_or_default();
    request.prompt =
        Some(if prompt.is_empty() { "select_account".to_owned() } else { format!("{prompt} select_account") });
    Purpose::Authorize(request)
}

/// Why nobody has signed in.
enum Refusal {
    Missing,
    Wrong,
    Throttled(Duration),
    Overloaded,
    Unavailable(IssueError),
}
