//! What a browser gets: a page, a redirect, or, where a step cannot go on, a page that says why.

use super::{Browser, Visit};
use crate::issue::{IssueError, Redirect};
use crate::oauth::url::{Url, is_loopback_host};
use crate::page::{Message, Onward, Page};
use crate::people::session::SessionError;
use crate::secret::RandomError;
use crate::store::StoreError;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, LOCATION, PRAGMA, REFERRER_POLICY, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use std::time::Duration;

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// How long to wait before asking again where nothing says how long the trouble lasts.
const SOON: Duration = Duration::from_secs(1);

/// Why a step does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// 403: the form is not one that this browser got from us, or another site sent it.
    Forged,
    /// 400: no form, or one that cannot be read.
    Malformed,
    /// 404.
    Missing,
    /// 400: who asks, or where the answer would go, is not right: the browser stays here
    /// (R6749-3.1.2e).
    Local(&'static str),
    /// 400: the request is longer than a form can hold.
    TooLong,
    /// 503; what happened is for the log.
    Unavailable(IssueError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<RandomError> for Stop {
    fn from(error: RandomError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<IssueError> for Stop {
    fn from(error: IssueError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<SessionError> for Stop {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Store(error) => error.into(),
            SessionError::Random(error) => error.into(),
        }
    }
}

impl Browser {
    /// A page for this browser alone.
    pub(super) fn page(&self, page: &Page, status: StatusCode, destination: Option<&str>) -> Response<Bytes> {
        self.people.pages.render(page, status, destination)
    }

    /// Something to read.
    pub(super) fn message(
        &self,
        status: StatusCode,
        (title, text): (&'static str, &str),
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let request_id = visit.request_id.to_owned();
        let message = Message { status, title, text: text.to_owned(), request_id, link: None };
        self.page(&Page::Message(message), status, None)
    }

    /// Sends the browser to a client, with what it is told.
    pub(super) fn to_client(&self, redirect: &Redirect, visit: &Visit<'_>) -> Result<Response<Bytes>, Stop> {
        self.lead(&redirect.location, visit)
    }

    /// Sends the browser to another site: by a redirect, or by a page that goes on by itself.
    pub(super) fn lead(&self, location: &str, visit: &Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let redirect = to(location, visit)?;
        if !needs_page(location, visit) {
            return Ok(redirect);
        }
        let (location, destination) = (location.to_owned(), super::destination(location));
        Ok(self.page(&Page::Onward(Onward { location, destination }), StatusCode::OK, None))
    }

    /// The one translation of what stops a step.
    pub(super) fn stopped(&self, stop: Stop, visit: &Visit<'_>) -> Response<Bytes> {
        let (status, title, text) = match stop {
            Stop::Forged => (
                StatusCode::FORBIDDEN,
                "This form cannot be used",
                "It does not belong to this browser, or you have signed in or out since it was shown. Nothing has been \
                 changed. Go back to where you came from and start again.",
            ),
            Stop::Malformed => {
                (StatusCode::BAD_REQUEST, "This cannot be read", "The form is incomplete. Go back and try again.")
            }
            Stop::Missing => (StatusCode::NOT_FOUND, "There is nothing here", "Check the address."),
            Stop::Local(mistake) => {
                let text = format!(
                    "The app made a mistake when it sent you here; nothing is wrong with your account. Tell whoever made \
                     the app: {mistake}."
                );
                return self.message(StatusCode::BAD_REQUEST, ("This app cannot be connected", &text), visit);
            }
            Stop::TooLong => (
                StatusCode::BAD_REQUEST,
                "This app cannot be connected",
                "The app's request is too long. Tell whoever made the app.",
            ),
            Stop::Unavailable(error) => {
                trouble(&error, visit);
                let text = "Nothing has been changed. Wait a moment, then try again.";
                let response =
                    self.message(StatusCode::SERVICE_UNAVAILABLE, ("This does not work right now", text), visit);
                return retry_after(response, SOON);
            }
        };
        self.message(status, (title, text), visit)
    }
}

fn is_web(scheme: &str) -> bool {
    ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web))
}

/// Tells the log what a person is not told.
pub(super) fn trouble(error: &IssueError, visit: &Visit<'_>) {
    let cause = std::error::Error::source(error).map(tracing::field::display);
    tracing::warn!(%error, cause, request_id = visit.request_id, "a page cannot be served");
}

/// Whether `location` has to be reached from a page, since a redirect might not arrive: a browser applies the
/// `form-action` of the page whose form it sent to every redirect that follows, also to those of the site that
/// it is sent to, which nobody here can know (UI-2).
fn needs_page(location: &str, visit: &Visit<'_>) -> bool {
    visit.from_our_page
        && visit.request.headers().get(SEC_FETCH_MODE).is_some_and(|mode| mode == "navigate")
        && Url::parse(location).is_some_and(|url| is_web(url.scheme) && !is_loopback_host(url.host))
}

/// A redirect. After a form it is 303, so that nobody sends the form on (R9700-4.12).
pub(super) fn to(location: &str, visit: &Visit<'_>) -> Result<Response<Bytes>, Stop> {
    let mut location = HeaderValue::from_str(location).map_err(|_| Stop::Local("the redirect URI cannot be used"))?;
    location.set_sensitive(true);
    let after_form = visit.request.method() == Method::POST;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = if after_form { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// Whole seconds, rounded up: who waits so long is not told to wait again.
pub(super) fn retry_after(mut response: Response<Bytes>, wait: Duration) -> Response<Bytes> {
    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs.max(1)));
    response
}
