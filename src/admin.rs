//! The operator's JSON API: tokens, grants, clients, users.
//!
//! It is reached over a unix socket that only its owner may open, or over TCP with a bearer token of
//! the scope `tollgate:admin`. Tokens stand in bodies and never in URLs, which end up in logs; what is
//! shown of a token is its public identifier (TOK-6).

mod answer;
pub mod clients;
mod grants;
mod lifecycle;
mod request;
mod store;
mod tokens;
mod users;

use crate::clock::{self, Timestamp};
use crate::enforce::bearer::{Credential, authorization};
use crate::enforce::guard::{CheckError, Guard};
use crate::http1::stream::Listen;
use crate::issue::{Clients, Issuer};
use crate::oauth::resource::ResourceId;
use crate::oauth::token::TokenDigest;
use crate::people::directory::Directory;
use crate::store::Store;
use answer::{Refusal, json};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use request::{Query, body};
use std::sync::Arc;

/// `[admin]`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A unix socket of mode 0600; on TCP a token with the scope `tollgate:admin` is demanded.
    pub listen: Option<Listen>,
}

/// The scope that opens the API on TCP.
pub const SCOPE: &str = crate::oauth::scope::OPERATOR;

/// The longest body of a request.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The target of what is logged of an operator's deeds.
const AUDIT: &str = "tollgate::audit";

/// How a request came here, and so what it has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Over a socket that only the owner may open, or from within the process.
    Private,
    /// Over TCP: a bearer token.
    Tcp,
}

/// The API over one configuration.
pub struct Admin {
    store: Store,
    issuer: Issuer,
    guard: Guard,
    clients: Arc<Clients>,
    directory: Directory,
}

impl Admin {
    /// An API over `store`; `guard` checks the tokens of requests over TCP.
    pub const fn new(store: Store, issuer: Issuer, guard: Guard, clients: Arc<Clients>, directory: Directory) -> Self {
        Self { store, issuer, guard, clients, directory }
    }

    /// Answers a request.
    pub async fn handle(&self, request: Request<Bytes>, transport: Transport) -> Response<Bytes> {
        let now = clock::now();
        match Box::pin(self.answer(&request, transport, now)).await {
            Ok(response) => response,
            Err(refusal) => refusal.response(),
        }
    }

    async fn answer(
        &self,
        request: &Request<Bytes>,
        transport: Transport,
        now: Timestamp,
    ) -> Result<Response<Bytes>, Refusal> {
        if transport == Transport::Tcp {
            self.authenticate(request.headers(), now).await?;
        }
        not_from_a_page(request)?;
        let path = request.uri().path();
        let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        match segments.as_slice() {
            ["tokens", rest @ ..] => self.of_tokens(request, rest, now).await,
            ["grants"] => self.of_grants(request, now).await,
            ["clients", rest @ ..] => self.of_clients(request, rest, now).await,
            ["users", rest @ ..] => self.of_users(request, rest, now).await,
            alone => self.of_one(request, alone, now).await,
        }
    }

    /// What is there for one method.
    async fn of_one(
        &self,
        request: &Request<Bytes>,
        segments: &[&str],
        now: Timestamp,
    ) -> Result<Response<Bytes>, Refusal> {
        match (request.method(), segments) {
            (&Method::POST, ["invites"]) => self.invite(body(request.body())?, now).await,
            (&Method::POST, ["store", "rotate-key"]) => self.rotate_key(body(request.body())?, now).await,
            (&Method::GET, ["healthz"]) => self.health().await,
            (_, ["invites"] | ["store", "rotate-key"]) => Err(Refusal::Method("POST")),
            (_, ["healthz"]) => Err(Refusal::Method("GET")),
            _ => Err(nothing_here()),
        }
    }

    async fn of_tokens(
        &self,
        request: &Request<Bytes>,
        rest: &[&str],
        now: Timestamp,
    ) -> Result<Response<Bytes>, Refusal> {
        let content = request.body();
        match (request.method(), rest) {
            (&Method::GET, []) => self.list_tokens(&Query::of(request.uri().query())?, now).await,
            (&Method::POST, []) => self.issue(body(content)?, now).await,
            (&Method::POST, ["inspect"]) => self.inspect(body(content)?, now).await,
            (&Method::POST, ["revoke"]) => self.revoke(body(content)?, now).await,
            (&Method::GET, [id]) => self.inspect(tokens::Named::by_id(id)?, now).await,
            (&Method::DELETE, [id]) => self.revoke(tokens::Revocation::by_id(id)?, now).await,
            (_, []) => Err(Refusal::Method("GET, POST")),
            (_, [_]) => Err(Refusal::Method("GET, DELETE")),
            _ => Err(nothing_here()),
        }
    }

    async fn of_grants(&self, request: &Request<Bytes>, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        let query = request.uri().query();
        match *request.method() {
            Method::GET => self.list_grants(&Query::of(query)?, now).await,
            Method::DELETE => self.end_grants(&Query::of(query)?, now).await,
            _ => Err(Refusal::Method("DELETE, GET")),
        }
    }

    async fn of_clients(
        &self,
        request: &Request<Bytes>,
        rest: &[&str],
        now: Timestamp,
    ) -> Result<Response<Bytes>, Refusal> {
        match (request.method(), rest) {
            (&Method::GET, []) => self.list_clients().await,
            (&Method::POST, []) => self.add_client(body(request.body())?, now).await,
            (&Method::GET, [id]) => self.show_client(&request::decoded(id)?).await,
            (&Method::DELETE, [id]) => self.remove_client(&request::decoded(id)?).await,
            (&Method::POST, [id, "rotate"]) => {
                self.rotate_secret(&request::decoded(id)?, body(request.body())?, now).await
            }
            (&Method::POST, [id, "disable"]) => self.disable_client(&request::decoded(id)?).await,
            (&Method::POST, [id, "enable"]) => self.enable_client(&request::decoded(id)?).await,
            (_, []) => Err(Refusal::Method("GET, POST")),
            (_, [_]) => Err(Refusal::Method("DELETE, GET")),
            (_, [_, "rotate" | "disable" | "enable"]) => Err(Refusal::Method("POST")),
            _ => Err(nothing_here()),
        }
    }

    async fn health(&self) -> Result<Response<Bytes>, Refusal> {
        self.store.ping().await?;
        Ok(json(StatusCode::OK, &serde_json::json!({ "status": "ok" })))
    }

    async fn authenticate(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Refusal> {
        let mut fields = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else { return Err(Refusal::NoToken) };
        let Credential::Bearer(token) = authorization(field.as_bytes()) else { return Err(Refusal::NoToken) };
        let digest = TokenDigest::of(token);
        let checked = match self.guard.cached(&digest, now) {
            Some(answer) => answer.map_err(CheckError::Invalid),
            None => self.guard.check(token, &digest, now).await,
        };
        let identity = checked.map_err(|error| match error {
            CheckError::Invalid(_) => Refusal::InvalidToken,
            CheckError::Store(error) => {
                tracing::warn!(%error, "an operator's token cannot be checked");
                Refusal::Undecided
            }
        })?;
        // A token that was asked for with another resource is for that one (R6750-5.3b); the operator's
        // API is a part of the gateway as a whole.
        if !identity.audience().is_empty() && !identity.resources.contains(ResourceId::GATEWAY) {
            return Err(Refusal::InvalidToken);
        }
        if self.issuer.scopes().holds(&identity.scopes, SCOPE) { Ok(()) } else { Err(Refusal::Scope) }
    }
}

fn nothing_here() -> Refusal {
    Refusal::NotFound(
        "there are /tokens, /grants, /clients, /invites, /store/rotate-key, /users and /healthz".to_owned(),
    )
}

/// A web page that a browser shows to the operator must not be able to ask for anything: pages cannot
/// send JSON without an `Origin` and a preflight, which is not answered.
fn not_from_a_page(request: &Request<Bytes>) -> Result<(), Refusal> {
    let headers = request.headers();
    let fetched = headers.get("sec-fetch-site").is_some_and(|site| site != "none" && site != "same-origin");
    if headers.contains_key(header::ORIGIN) || fetched {
        return Err(Refusal::Page);
    }
    let is_json = headers.get(header::CONTENT_TYPE).and_then(|field| field.to_str().ok()).is_some_and(|field| {
        field.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
    });
    if request.method() == Method::POST && !is_json { Err(Refusal::MediaType) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
