//! Pushed authorization requests (RFC 9126): the client hands its request over by itself, before any
//! browser, and the browser brings a reference that is good once.

use super::authorization::{AuthorizationError, AuthorizationRequest, LONGEST_REQUEST, Parameters, redirect_uri};
use super::{IssueError, Issuer, Request, audit};
use crate::clock::Timestamp;
use crate::oauth::client::{Client, RegistrationId};
use crate::oauth::token::Origin;
use crate::secret::{Digest, hex, random};
use crate::store::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What a reference begins with (RFC 9126 section 2.2).
const URN: &str = "urn:ietf:params:oauth:request_uri:";

/// How long a reference can be brought.
const LIFETIME: Duration = Duration::from_secs(60);

/// How long a request that was brought waits for the decision: a person has to sign in first.
const DECISION: Duration = Duration::from_secs(60 * 60);

/// The longest reference that is looked for.
const LONGEST: usize = 256;

/// Said of every reference that is none, whatever the cause (R9126-4a).
const UNKNOWN: &str = "this request has expired, was answered already, or is another app's";

/// What is answered to a pushed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The reference.
    pub request_uri: String,
    /// How long it can be brought.
    pub expires_in: Duration,
}

/// A request as it is kept, under the digest of its reference.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    client_origin: Origin,
    registration: Option<RegistrationId>,
    request: AuthorizationRequest,
    /// Until when it can be brought, in milliseconds.
    until: u64,
}

impl Kept {
    fn is_of(&self, client: &Client) -> bool {
        client.is(&self.request.client_id, self.client_origin) && client.registration == self.registration
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("client_id", &self.request.client_id).finish_non_exhaustive()
    }
}

impl Issuer {
    /// Takes an authorization request from its client; `form` is the body of `request`.
    ///
    /// # Errors
    /// When the client is not authenticated, or the request is not right.
    pub async fn push(&self, request: &Request<'_>, form: &[u8]) -> Result<Pushed, IssueError> {
        self.keep_request(request, form).await.inspect_err(|error| audit::refused("par", error, request.address))
    }

    async fn keep_request(&self, request: &Request<'_>, form: &[u8]) -> Result<Pushed, IssueError> {
        let authenticated = self.authenticate(request).await?;
        let client = authenticated.client();
        if request.params.get("client_id").is_none() {
            return Err(IssueError::InvalidRequest("client_id is missing"));
        }
        if request.params.get("request_uri").is_some() {
            return Err(IssueError::InvalidRequest("request_uri must not be pushed"));
        }
        if form.len() > LONGEST_REQUEST {
            return Err(IssueError::TooLong);
        }
        let parameters = Parameters::read(form);
        let target = redirect_uri(client, &parameters).map_err(IssueError::InvalidRequest)?;
        let checked = self.check_authorization(client, &parameters, target)?;
        if !client.is_confidential() {
            // Whoever knows its name can ask in it: what that can fill the store with is bounded.
            let attempts = self.throttle.pushes(request.address, request.now);
            attempts.check().map_err(IssueError::Throttled)?;
            attempts.failed();
        }
        let request_uri = format!("{URN}{}", hex(&random::<32>()?));
        let end = request.now.plus(LIFETIME);
        let kept = Kept {
            client_origin: client.origin(),
            registration: client.registration,
            request: checked,
            until: end.as_millis(),
        };
        // Nothing can be there: the reference has 256 random bits.
        let document = (&kept, Some(end));
        if self.store.put(Kind::PushedRequest, &id_of(&request_uri), document, None, request.now).await? {
            Ok(Pushed { request_uri, expires_in: LIFETIME })
        } else {
            Err(IssueError::Overloaded)
        }
    }

    /// The request that `client` pushed under a reference; bringing it again before the decision is no
    /// harm (R9126-4b).
    pub(super) async fn pushed_request(
        &self,
        client: &Client,
        request_uri: &str,
        now: Timestamp,
    ) -> Result<AuthorizationRequest, AuthorizationError> {
        let unavailable = |error| AuthorizationError::Unavailable(IssueError::from(error));
        let id = id_of(request_uri);
        let found = self.store.document::<Kept>(Kind::PushedRequest, &id, now).await.map_err(unavailable)?;
        let found = found.filter(|document| document.value.is_of(client) && now.as_millis() < document.value.until);
        let document = found.ok_or(AuthorizationError::Local(UNKNOWN))?;
        let longer = (&document.value, Some(now.plus(DECISION)));
        // Who came first has made it last longer as well.
        let version = Some(document.version);
        self.store.put(Kind::PushedRequest, &id, longer, version, now).await.map_err(unavailable)?;
        Ok(AuthorizationRequest { pushed: Some(id), ..document.value.request })
    }

    /// The decision about a request: one that was pushed is good for one.
    pub(super) async fn use_pushed(&self, request: &AuthorizationRequest) -> Result<(), AuthorizationError> {
        let Some(id) = &request.pushed else { return Ok(()) };
        let used = self.store.forget(Kind::PushedRequest, id).await;
        let used = used.map_err(|error| AuthorizationError::Unavailable(error.into()))?;
        if used { Ok(()) } else { Err(AuthorizationError::Local(UNKNOWN)) }
    }
}

/// The reference in a request, where it is one of ours: others are not fetched (R9101-5.2).
pub(super) fn reference<'p>(parameters: &'p Parameters<'_>) -> Option<&'p str> {
    let uri = parameters.get("request_uri").ok().flatten()?;
    (uri.len() <= LONGEST && uri.starts_with(URN)).then_some(uri)
}

fn id_of(request_uri: &str) -> String {
    Digest::of(request_uri.as_bytes()).to_hex()
}
