//! The gateway's own HTTP endpoints: a thin layer of methods, media types and sizes over `issue`
//! and `people`.

mod browser;
mod cors;
mod form;
mod json;
mod location;
mod metadata;
mod registration;
mod response;
mod tokeninfo;

#[cfg(test)]
mod tests;

pub use browser::People;
pub use location::{EXT_AUTHZ, base_path, callback_url, owns, resource_metadata_url, signed_out_url};

use crate::clock::{self, Timestamp};
use crate::enforce::bearer::Methods;
use crate::enforce::challenge::Challenge;
use crate::enforce::guard::Guard;
use crate::issue::Issuer;
use browser::Browser;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use location::{Endpoint, Form, Locations};
use std::net::IpAddr;
use std::rc::Rc;

/// How `/tokeninfo` takes tokens.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[bearer] realm`.
    pub realm: String,
    /// `[bearer] methods`: where `/tokeninfo` takes its token.
    pub bearer: Methods,
}

/// Who calls, as the connection and the trusted peers say it.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'c> {
    /// `None` behind a unix socket without a trusted forwarding field.
    pub address: Option<IpAddr>,
    /// `X-Request-Id`, for the pages that tell people of trouble.
    pub request_id: &'c str,
}

/// The endpoints of one configuration, for one worker.
pub struct Endpoints {
    issuer: Rc<Issuer>,
    browser: Browser,
    guard: Rc<Guard>,
    settings: Settings,
    locations: Locations,
    challenge: Challenge,
    /// The challenge of those who fail to authenticate with a secret.
    basic: HeaderValue,
}

/// The longest request body that an endpoint takes (R6749-3.2b).
pub const BODY_LIMIT: usize = 64 * 1024;

impl Endpoints {
    /// The endpoints over `issuer` (tokens, introspection, revocation, metadata), `guard` (token
    /// information, RFC 6750) and `people` (the pages).
    pub fn new(issuer: Rc<Issuer>, guard: Rc<Guard>, people: People, settings: Settings) -> Self {
        let locations =
            Locations::new(&issuer.settings().issuer, &issuer.settings().path, &issuer.settings().resources);
        let challenge = Challenge::new(&settings.realm, Some(&resource_metadata_url(&issuer.settings().issuer)));
        let basic = response::basic_challenge(&settings.realm);
        let browser = Browser::new(Rc::clone(&issuer), people, locations.base());
        Self { issuer, browser, guard, settings, locations, challenge, basic }
    }

    /// Whether the path is the gateway's own, so that no route can shadow it (R8414-7, PX-19).
    /// `path` is `Target::normal`.
    pub fn owns(&self, path: &str) -> bool {
        self.locations.owns(path)
    }

    /// Whether the path is that of the decision for other proxies, which is not answered here.
    pub fn is_decision(&self, path: &str) -> bool {
        self.locations.is_decision(path)
    }

    /// Answers a request whose path it [`owns`](Self::owns). The URI is in origin-form. HEAD is
    /// answered like GET, so that its `Content-Length` is GET's (RFC 9110 section 8.6); leaving the
    /// content out is the connection's.
    pub async fn handle(&self, request: Request<Bytes>, caller: &Caller<'_>) -> Response<Bytes> {
        self.answer(&request, caller, clock::now()).await
    }

    async fn answer(&self, request: &Request<Bytes>, caller: &Caller<'_>, now: Timestamp) -> Response<Bytes> {
        let Some(endpoint) = self.locations.find(request.uri().path()) else {
            return response::not_found();
        };
        if matches!(endpoint, Endpoint::Register | Endpoint::Registration) && !self.takes_registrations() {
            return response::not_found();
        }
        if endpoint == Endpoint::Form(Form::DeviceAuthorization) && self.issuer.settings().device.is_none() {
            return response::not_found();
        }
        if !cors::is_open(endpoint) {
            return self.answer_at(endpoint, request, caller, now).await;
        }
        if cors::is_preflight(request) {
            return cors::preflight(endpoint.allowed());
        }
        cors::opened(self.answer_at(endpoint, request, caller, now).await)
    }

    async fn answer_at(
        &self,
        endpoint: Endpoint,
        request: &Request<Bytes>,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Response<Bytes> {
        if !endpoint.allows(request.method()) {
            return response::method_not_allowed(endpoint.allowed());
        }
        match endpoint {
            Endpoint::Browser(place) => Box::pin(self.browser.answer(place, request, caller, now)).await,
            Endpoint::Form(form) => self.answer_form(form, request, caller, now).await,
            Endpoint::Register => self.register(request, caller, now).await,
            Endpoint::Registration => self.registration(request, caller, now).await,
            Endpoint::ResourceMetadata(id) => response::public(&self.resource_metadata(id)),
            Endpoint::ServerMetadata => response::public(&self.issuer.metadata(self.locations.base_url())),
            Endpoint::TokenInfo => self.token_info(request, now).await,
        }
    }

    async fn answer_form(
        &self,
        endpoint: Form,
        request: &Request<Bytes>,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Response<Bytes> {
        let body = request.body();
        let request = match form::read(request, caller.address, now) {
            Ok(request) => request,
            Err(form::FormError::Refused(error)) => return response::refused(&error, &self.basic),
            Err(form::FormError::TooLarge) => return response::too_large(),
        };
        let outcome = match endpoint {
            Form::DeviceAuthorization => {
                let begun = self.issuer.device_authorization(&request).await;
                begun.map(|begun| response::device_authorization(&begun, self.locations.base_url()))
            }
            Form::Introspect => {
                let issuer = &self.issuer.settings().issuer;
                self.issuer.introspect(&request).await.map(|found| response::introspection(&found, issuer))
            }
            Form::Par => self.issuer.push(&request, body).await.map(|pushed| response::pushed(&pushed)),
            Form::Revoke => self.issuer.revoke(&request).await.map(|()| response::revoked()),
            Form::Token => self.issuer.token(&request).await.map(|issued| response::issued(&issued)),
        };
        outcome.unwrap_or_else(|error| response::refused(&error, &self.basic))
    }
}
