//! The registration endpoint (RFC 7591) and those of the single registrations (RFC 7592).

use super::{Caller, Endpoints, json, response};
use crate::clock::Timestamp;
use crate::enforce::bearer::{Credential, authorization};
use crate::issue::{Admission, RegisteredClient, Registering, RegistrationError};
use crate::oauth::error::BearerErrorCode;
use crate::oauth::registration::{ClientMetadata, MetadataError};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json as object};
use std::time::Duration;

/// How long to wait where there is no room: until registrations that nobody uses have ended.
const FULL: Duration = Duration::from_secs(600);

impl Endpoints {
    /// Whether clients can register at all (R7591-3b).
    pub(super) fn takes_registrations(&self) -> bool {
        self.issuer.settings().registration.admission != Admission::Closed
    }

    /// Registers a client.
    pub(super) async fn register(
        &self,
        request: &Request<Bytes>,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Response<Bytes> {
        let registering = match registering(request, caller, now) {
            Ok(registering) => registering,
            Err(error) => return self.not_registered(&error),
        };
        let metadata: ClientMetadata = match json::read(request) {
            Ok(metadata) => metadata,
            Err(error) => return unreadable(&error),
        };
        match self.issuer.register(&registering, metadata).await {
            Ok(client) => response::private(StatusCode::CREATED, &self.described(&client)),
            Err(error) => self.not_registered(&error),
        }
    }

    /// Shows, changes or ends the registration of the client whose identifier stands in the path.
    pub(super) async fn registration(
        &self,
        request: &Request<Bytes>,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Response<Bytes> {
        let id = self.locations.registered_client(request.uri().path()).unwrap_or_default();
        let outcome = match registering(request, caller, now) {
            Err(error) => Err(error),
            Ok(registering) if *request.method() == Method::PUT => {
                let metadata: ClientMetadata = match json::read(request) {
                    Ok(metadata) => metadata,
                    Err(error) => return unreadable(&error),
                };
                self.issuer.register_anew(id, &registering, metadata).await
            }
            Ok(registering) if *request.method() == Method::DELETE => {
                match self.issuer.deregister(id, &registering).await {
                    Ok(()) => return response::no_content(),
                    Err(error) => Err(error),
                }
            }
            Ok(registering) => self.issuer.registered(id, &registering).await,
        };
        match outcome {
            Ok(client) => response::private(StatusCode::OK, &self.described(&client)),
            Err(error) => self.not_registered(&error),
        }
    }

    /// The client information response (RFC 7591 section 3.2.1, RFC 7592 section 3).
    fn described(&self, RegisteredClient { record, secret, token }: &RegisteredClient) -> Value {
        let base = self.locations.base_url();
        let code = record.grants.iter().any(|grant| grant == "authorization_code");
        let mut body = object!({
            "client_id": record.id,
            "client_id_issued_at": record.created_at / 1000,
            "registration_access_token": token.reveal(),
            "registration_client_uri": format!("{base}/register/{}", record.id),
            "redirect_uris": record.redirect_uris,
            "grant_types": record.grants,
            "response_types": if code { vec!["code"] } else { Vec::new() },
            "scope": record.scopes,
        });
        let mut member = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body[name] = value;
            }
        };
        member("client_name", record.name.as_deref().map(Value::from));
        member("client_secret", secret.as_ref().map(|secret| secret.reveal().into()));
        member("client_secret_expires_at", secret.as_ref().map(|_| 0.into()));
        if let Some(registered) = &record.self_registered {
            member("token_endpoint_auth_method", Some(registered.auth_method.as_str().into()));
            let said = &registered.description;
            member("contacts", (!said.contacts.is_empty()).then(|| object!(said.contacts)));
            for (name, text) in [
                ("client_uri", &said.client_uri),
                ("logo_uri", &said.logo_uri),
                ("tos_uri", &said.tos_uri),
                ("policy_uri", &said.policy_uri),
                ("software_id", &said.software_id),
                ("software_version", &said.software_version),
            ] {
                member(name, text.as_deref().map(Value::from));
            }
        }
        body
    }

    fn not_registered(&self, error: &RegistrationError) -> Response<Bytes> {
        let text = error.to_string();
        let challenged = |code: Option<BearerErrorCode>| {
            response::challenged(StatusCode::UNAUTHORIZED, code, &text, &self.challenge)
        };
        match error {
            RegistrationError::Disabled => response::failure(StatusCode::FORBIDDEN, "access_denied", &text),
            RegistrationError::Full => response::busy(&text, FULL),
            RegistrationError::InvalidToken => challenged(Some(BearerErrorCode::InvalidToken)),
            RegistrationError::Metadata(error) => refused(*error),
            RegistrationError::NoToken => challenged(None),
            RegistrationError::Random(_) | RegistrationError::Store(_) => response::unavailable(),
            RegistrationError::Throttled(wait) => response::busy(&text, *wait),
        }
    }
}

/// The bearer token of a request, and where it comes from. Other schemes are no business of these
/// endpoints; what cannot be read as a token is none that is valid.
fn registering<'r>(
    request: &'r Request<Bytes>,
    caller: &Caller<'_>,
    now: Timestamp,
) -> Result<Registering<'r>, RegistrationError> {
    let mut fields = request.headers().get_all(AUTHORIZATION).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(RegistrationError::InvalidToken);
    }
    let token = match field.map(|value| authorization(value.as_bytes())) {
        Some(Credential::Bearer(token)) => Some(token),
        Some(Credential::Malformed) => return Err(RegistrationError::InvalidToken),
        Some(Credential::Other) | None => None,
    };
    Ok(Registering { token, address: caller.address, now })
}

/// R7591-3.2.2
fn refused(error: MetadataError) -> Response<Bytes> {
    response::failure(StatusCode::BAD_REQUEST, error.code(), &error.to_string())
}

/// R7591-3a
fn unreadable(error: &json::JsonError) -> Response<Bytes> {
    match error {
        json::JsonError::Malformed(text) => refused(MetadataError::Client(text)),
        json::JsonError::TooLarge => response::too_large(),
    }
}
