//! What a resource owner's browser sees: the authorization endpoint (RFC 6749 section 3.1), signing in
//! and out, consent, a device's code and the account page. Cookies, forms and redirects are here; what
//! may be granted is decided in `issue`, and how a page looks in `page`.
//!
//! No page and no redirect of this module ever allows another origin to read it (R9700-2.6).

mod account;
mod agent;
mod answer;
mod audit;
mod authorize;
mod consent;
mod cookies;
mod device;
mod dialogue;
mod provider;
mod same_origin;
mod sign_in;

#[cfg(test)]
mod tests;

use super::Caller;
use super::location::Place;
use crate::clock::Timestamp;
use crate::enforce::bearer::is_form;
use crate::issue::Issuer;
use crate::oauth::client::Client;
use crate::oauth::params::Params;
use crate::oauth::scope::Scope;
use crate::page::{App, Pages, Permission};
use crate::people::directory::Directory;
use crate::people::session::{Session, Sessions};
use crate::people::users::User;
use crate::store::Store;
use answer::Stop;
use bytes::Bytes;
use cookies::Cookies;
use dialogue::{Binding, Dialogue, DialogueError};
use http::header::{CONTENT_TYPE, SET_COOKIE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

/// Resource owners, for the endpoints that they visit.
pub struct People {
    /// Who may sign in.
    pub directory: Directory,
    /// Who has.
    pub sessions: Sessions,
    /// What they see.
    pub pages: Pages,
    /// Whose keys seal the forms.
    pub store: Store,
}

/// The endpoints for browsers.
pub(super) struct Browser {
    issuer: Rc<Issuer>,
    people: People,
    cookies: Cookies,
    /// The origin of `public_url`: whatever `Host` says.
    origin: String,
    /// `/oauth2`, behind the path of the issuer.
    base: String,
}

/// A request of a browser, and what the answer takes with it.
pub(super) struct Visit<'v> {
    request: &'v Request<Bytes>,
    address: Option<IpAddr>,
    request_id: &'v str,
    now: Timestamp,
    /// It is a form of one of our pages.
    from_our_page: bool,
    /// The value of the browser's cookie: what it sent, or a new one.
    browser: String,
    /// `Set-Cookie` lines.
    cookies: Vec<HeaderValue>,
}

/// Somebody who has signed in.
struct SignedIn {
    session: Session,
    user: Arc<User>,
}

impl SignedIn {
    /// What pages call the account.
    fn account(&self) -> String {
        self.session.shown.clone().unwrap_or_else(|| self.user.name.clone())
    }
}

/// The parameters of a form or a query that may stand there more than once.
const REPEATABLE: [&str; 1] = ["scope"];

/// The longest text of a browser that is kept with its session.
const DEVICE_LENGTH: usize = 160;

impl Browser {
    pub(super) fn new(issuer: Rc<Issuer>, people: People, base: &str) -> Self {
        let public_url = &issuer.settings().issuer;
        let (cookies, origin) = (Cookies::new(public_url), same_origin::origin_of(public_url));
        Self { issuer, people, cookies, origin, base: base.to_owned() }
    }

    /// Answers a request for `place` with a method that it takes.
    pub(super) async fn answer(
        &self,
        place: Place,
        request: &Request<Bytes>,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Response<Bytes> {
        if place == Place::Asset {
            return self.asset(request.uri().path());
        }
        let (address, request_id) = (caller.address, caller.request_id);
        let from_our_page = request.method() == Method::POST && place != Place::Authorize;
        let (browser, cookies) = (String::new(), Vec::new());
        let mut visit = Visit { request, address, request_id, now, from_our_page, browser, cookies };
        let outcome = match self.recognise(&mut visit) {
            Ok(()) => self.step(place, &mut visit).await,
            Err(stop) => Err(stop),
        };
        let mut response = outcome.unwrap_or_else(|stop| self.stopped(stop, &visit));
        for cookie in visit.cookies {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    async fn step(&self, place: Place, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let posted = visit.request.method() == Method::POST;
        if posted && place != Place::Authorize && !same_origin::is_same_origin(visit.request.headers(), &self.origin) {
            audit::forged(place.as_str(), "origin", visit.address);
            return Err(Stop::Forged);
        }
        match place {
            Place::Account if posted => self.change_account(visit).await,
            Place::Account => self.account(visit).await,
            Place::Asset => Err(Stop::Missing),
            Place::Authorize => self.authorize(visit).await,
            Place::Consent => self.consent(visit).await,
            Place::Device if posted => self.answer_device(visit).await,
            Place::Device => self.device(visit).await,
            Place::Callback | Place::Login | Place::Logout | Place::Provider => self.sign_in_or_out(place, visit).await,
        }
    }

    async fn sign_in_or_out(&self, place: Place, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        match place {
            Place::Callback => self.come_back(visit).await,
            Place::Login => self.log_in(visit).await,
            Place::Logout => self.log_out(visit).await,
            Place::Provider => self.go_to_provider(visit).await,
            Place::Account | Place::Asset | Place::Authorize | Place::Consent | Place::Device => Err(Stop::Missing),
        }
    }

    /// Style sheet and logo.
    fn asset(&self, path: &str) -> Response<Bytes> {
        let name = path.strip_prefix(&*self.base).and_then(|path| path.strip_prefix("/assets/"));
        name.and_then(|name| self.people.pages.asset(name)).unwrap_or_else(super::response::not_found)
    }

    /// Finds out which browser it is; one that is not known gets a name.
    fn recognise(&self, visit: &mut Visit<'_>) -> Result<(), Stop> {
        if let Some(browser) = self.cookies.browser(visit.request.headers()) {
            browser.clone_into(&mut visit.browser);
            return Ok(());
        }
        visit.browser = cookies::new_browser()?;
        visit.cookies.extend(self.cookies.set_browser(&visit.browser));
        Ok(())
    }

    /// Who has signed in; a user who is gone or disabled has not.
    async fn signed_in(&self, visit: &Visit<'_>) -> Result<Option<SignedIn>, Stop> {
        let Some(cookie) = self.cookies.session(visit.request.headers()) else { return Ok(None) };
        let Some(session) = self.people.sessions.find(cookie, visit.now).await? else { return Ok(None) };
        let user = self.people.directory.find(&session.subject, visit.now).await?;
        Ok(user.map(|user| SignedIn { session, user }))
    }

    fn seal(&self, dialogue: &Dialogue, session: Option<&Session>, visit: &Visit<'_>) -> Result<String, Stop> {
        let keys = self.people.store.tag_keys()?;
        dialogue.seal(&keys, visit.binding(session), visit.now).ok_or(Stop::TooLong)
    }

    /// Opens the dialogue of a form for those who have signed in, or who are about to.
    fn open(&self, form: &Params<'_>, session: Option<&Session>, visit: &Visit<'_>) -> Result<Dialogue, DialogueError> {
        let text = form.get("dialogue").ok_or(DialogueError::Forged)?;
        let keys = self.people.store.tag_keys().map_err(|_| DialogueError::Forged)?;
        Dialogue::open(text, &keys, visit.binding(session), visit.now)
    }

    /// A scope in the words of its declaration.
    fn permissions(&self, scope: &Scope) -> Vec<Permission> {
        let declared = self.issuer.scopes().declared();
        let in_words = |scope: &str| {
            let text = declared.iter().find(|declared| declared.name.as_str() == scope).map(|found| &found.text);
            text.filter(|text| !text.is_empty()).map_or_else(|| scope.to_owned(), Clone::clone)
        };
        scope
            .iter()
            .map(|token| Permission { scope: token.as_str().to_owned(), text: in_words(token.as_str()) })
            .collect()
    }
}

impl Visit<'_> {
    fn binding<'b>(&'b self, session: Option<&'b Session>) -> Binding<'b> {
        Binding { browser: &self.browser, session: session.map(|session| &*session.id) }
    }

    /// The form in the body.
    fn form(request: &Request<Bytes>) -> Result<Params<'_>, Stop> {
        let mut types = request.headers().get_all(CONTENT_TYPE).iter();
        match (types.next(), types.next()) {
            (Some(only), None) if is_form(only.as_bytes()) => {
                Params::parse(request.body(), &REPEATABLE).map_err(|_| Stop::Malformed)
            }
            _ => Err(Stop::Malformed),
        }
    }

    /// Where and with what, as its owner would recognise it.
    fn device(&self) -> String {
        let agent = self.request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let agent = agent::in_words(agent);
        let address = self.address.map(|address| address.to_canonical().to_string());
        let parts = [Some(&*agent).filter(|agent| !agent.is_empty()), address.as_deref()];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        text.chars().rev().take(DEVICE_LENGTH).collect::<Vec<_>>().into_iter().rev().collect()
    }
}

/// Who asks, as the page says it.
fn app(client: &Client, redirect_uri: Option<&str>) -> App {
    App {
        name: client.name.clone().unwrap_or_else(|| client.id.clone()),
        destination: redirect_uri.map(destination),
        unverified: client.is_unverified(),
    }
}

/// Where the browser goes with the answer: the host of a redirect URI, or its scheme.
fn destination(redirect_uri: &str) -> String {
    let (scheme, rest) = redirect_uri.split_once(':').unwrap_or((redirect_uri, ""));
    let authority = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?', '#']).next());
    match authority.filter(|authority| !authority.is_empty()) {
        Some(authority) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            authority.to_owned()
        }
        _ => format!("{scheme}:"),
    }
}
