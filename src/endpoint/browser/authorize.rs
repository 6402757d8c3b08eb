//! The authorization endpoint (RFC 6749 section 3.1): from a client's request to the sign-in page, the
//! consent page, or the way back.

use super::answer::{Stop, to, trouble};
use super::dialogue::{Dialogue, Purpose};
use super::{Browser, SignedIn, Visit, audit};
use crate::enforce::bearer::is_form;
use crate::issue::{AuthorizationError, AuthorizationRequest, IssueError, Question};
use crate::oauth::scope::Scope;
use crate::page::{Consent, Form, Page};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Response, StatusCode};

impl Browser {
    /// R6749-3.1a: a query, or the same as a form.
    pub(super) async fn authorize(&self, visit: &mut Visit<'_>) -> Result<Response<Bytes>, Stop> {
        let request = visit.request;
        let params = if request.method() == Method::POST {
            let mut types = request.headers().get_all(CONTENT_TYPE).iter();
            let only = types.next().filter(|value| is_form(value.as_bytes()) && types.next().is_none());
            only.map(|_| &**request.body()).ok_or(Stop::Malformed)?
        } else {
            request.uri().query().unwrap_or_default().as_bytes()
        };
        match self.issuer.authorization_request(params, visit.now).await {
            Ok(request) => self.begin(request, visit).await,
            Err(AuthorizationError::Local(text)) => Err(Stop::Local(text)),
            Err(AuthorizationError::Unavailable(error)) => Err(Stop::Unavailable(error)),
            // D-11, R9700-4.11: nobody is sent to a client without having signed in, so that no link to us
            // becomes a link to anywhere.
            Err(AuthorizationError::Redirect(redirect)) => match self.signed_in(visit).await? {
                None if !redirect.immediate => {
                    self.sign_in_page(&Purpose::Refusal { location: redirect.location }, visit).await
                }
                _ => self.to_client(&redirect, visit),
            },
        }
    }

    /// A request that is right: who is there?
    pub(super) async fn begin(
        &self,
        request: AuthorizationRequest,
        visit: &mut Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        let signed_in = match self.signed_in(visit).await {
            Ok(signed_in) => signed_in,
            Err(stop) => return self.unable(&request, stop, visit).await,
        };
        match signed_in.filter(|signed_in| !request.needs_sign_in(signed_in.session.authenticated, visit.now)) {
            Some(signed_in) => self.ask(request, &signed_in, visit).await,
            // UI-9
            None if request.is_silent() => {
                self.refuse(&request, ("login_required", "nobody has signed in"), visit).await
            }
            None => self.sign_in_page(&Purpose::Authorize(request), visit).await,
        }
    }

    /// Somebody is there: what has to be asked?
    pub(super) async fn ask(
        &self,
        request: AuthorizationRequest,
        signed_in: &SignedIn,
        visit: &mut Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        let question = match self.issuer.question(&request, &signed_in.user, visit.now).await {
            Ok(question) => question,
            Err(error) => return self.failed(&request, error, visit).await,
        };
        if !question.asked {
            return self.allowed(&request, signed_in, (&question.scope, false), visit).await;
        }
        if request.is_silent() {
            let told = ("consent_required", "the resource owner has to be asked");
            return self.refuse(&request, told, visit).await;
        }
        self.consent_page(request, &question, signed_in, visit)
    }

    /// UI-5
    fn consent_page(
        &self,
        request: AuthorizationRequest,
        question: &Question,
        signed_in: &SignedIn,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        let redirect_uri = request.redirect_uri.clone();
        let app = super::app(&question.client, Some(&redirect_uri));
        let leave = Dialogue::Leave(Some(Purpose::Authorize(request.clone())));
        let consent = Dialogue::Consent { request, offered: question.scope.to_string() };
        let session = Some(&signed_in.session);
        let page = Consent {
            form: Form { action: "/consent", dialogue: self.seal(&consent, session, visit)? },
            app,
            account: signed_in.account(),
            permissions: self.permissions(&question.scope),
            user_code: None,
            switch_account: Form { action: "/logout", dialogue: self.seal(&leave, session, visit)? },
        };
        Ok(self.page(&Page::Consent(page), StatusCode::OK, Some(&redirect_uri)))
    }

    /// The resource owner allows `scope`: now, or earlier.
    pub(super) async fn allowed(
        &self,
        request: &AuthorizationRequest,
        signed_in: &SignedIn,
        (scope, asked): (&Scope, bool),
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        let owner = (&*signed_in.user, signed_in.session.since);
        match self.issuer.allow(request, owner, scope, visit.now).await {
            Ok(redirect) => {
                audit::allowed(&signed_in.session.subject, &request.client_id, &scope.to_string(), asked);
                self.to_client(&redirect, visit)
            }
            Err(error) => self.failed(request, error, visit).await,
        }
    }

    /// R6749-4.1.2.1d: since it is known where the client is, it is told what went wrong.
    pub(super) async fn failed(
        &self,
        request: &AuthorizationRequest,
        error: AuthorizationError,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        match error {
            AuthorizationError::Local(text) => Err(Stop::Local(text)),
            AuthorizationError::Redirect(redirect) => {
                self.issuer.answered(request).await;
                self.to_client(&redirect, visit)
            }
            AuthorizationError::Unavailable(error) => self.unable(request, Stop::Unavailable(error), visit).await,
        }
    }

    /// Tells the client an error: that answers its request.
    async fn refuse(
        &self,
        request: &AuthorizationRequest,
        (error, description): (&'static str, &'static str),
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        self.issuer.answered(request).await;
        self.to_client(&self.issuer.refused(request, error, description), visit)
    }

    /// Tells the client that it does not work right now, where it is that.
    pub(super) async fn unable(
        &self,
        request: &AuthorizationRequest,
        stop: Stop,
        visit: &Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        let Stop::Unavailable(error) = stop else { return Err(stop) };
        let told = if matches!(error, IssueError::Random(_)) {
            ("server_error", "the operating system has no randomness to give")
        } else {
            ("temporarily_unavailable", "try again in a moment")
        };
        trouble(&error, visit);
        self.refuse(request, told, visit).await
    }

    /// What somebody has signed in for goes on.
    pub(super) async fn go_on(
        &self,
        purpose: Purpose,
        signed_in: &SignedIn,
        visit: &mut Visit<'_>,
    ) -> Result<Response<Bytes>, Stop> {
        match purpose {
            Purpose::Account => to(&format!("{}/account", self.base), visit),
            Purpose::Authorize(request) => self.ask(request, signed_in, visit).await,
            Purpose::Device { user_code } => self.device_after_sign_in(&user_code, signed_in, visit),
            Purpose::Refusal { location } => self.lead(&location, visit),
        }
    }
}
