//! Clients: those of the configuration can be looked at, those of the store come and go.

use super::answer::{Refusal, json};
use super::{AUDIT, Admin};
use crate::clock::Timestamp;
use crate::issue::secret_hash;
use crate::oauth::client::{Client, GrantType, Introspect, RegistrationId};
use crate::oauth::redirect;
use crate::oauth::scope::{Scope, ScopeTable};
use crate::oauth::token::{Token, TokenKind};
use crate::secret::RandomError;
use crate::store::ClientRecord;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json as value};

/// The longest identifier, name or URI.
const LONGEST: usize = 1024;
/// The longest identifier that is looked up.
const LONGEST_ID: usize = 256;

/// A client to be.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewClient {
    /// RFC 6749 section 2.2.
    pub id: String,
    /// The name that people see.
    pub name: Option<String>,
    /// Names of grant types.
    pub grants: Vec<String>,
    /// RFC 6749 section 3.1.2.
    pub redirect_uris: Vec<String>,
    /// Space-separated: the most it can ever get.
    pub scopes: String,
    /// Space-separated: what it gets when it asks for nothing.
    pub default_scopes: Option<String>,
    /// Gets no secret.
    pub public: bool,
    /// RFC 7662 section 2.1.
    pub introspect: bool,
    /// RFC 9126 section 6: its authorization requests have to be pushed.
    pub par_required: bool,
}

impl NewClient {
    /// Checks what can be checked without knowing which scopes exist.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        let printable = self.id.bytes().all(|octet| matches!(octet, b' '..=b'~'));
        if self.id.is_empty() || self.id.len() > LONGEST_ID || !printable {
            return Err(format!("an identifier has 1 to {LONGEST_ID} printable ASCII characters"));
        }
        if self.name.as_ref().is_some_and(|name| name.len() > LONGEST || name.chars().any(char::is_control)) {
            return Err("the name is too long or has control characters".to_owned());
        }
        let grants =
            self.grants.iter().map(|grant| GrantType::named(grant).map_err(|error| format!("{grant}: {error}")));
        let grants = grants.collect::<Result<Vec<_>, _>>()?;
        if self.public && grants.contains(&GrantType::ClientCredentials) {
            return Err("client_credentials needs a client that can keep a secret (RFC 6749 section 4.4)".to_owned());
        }
        if self.public && self.introspect {
            return Err("introspection needs a client that can keep a secret (RFC 7662 section 2.1)".to_owned());
        }
        if grants.contains(&GrantType::AuthorizationCode) && self.redirect_uris.is_empty() {
            return Err("authorization_code needs a redirect URI (RFC 6749 section 3.1.2.2)".to_owned());
        }
        self.redirect_uris.iter().try_for_each(|uri| check_redirect_uri(uri))?;
        scope_of(&self.scopes)?;
        self.default_scopes.as_deref().map_or(Ok(()), |text| scope_of(text).map(drop))
    }

    fn check_scopes(&self, table: &ScopeTable) -> Result<(), String> {
        let scopes = scope_of(&self.scopes)?;
        if let Some(unknown) = scopes.iter().find(|token| !table.may_be_configured(token)) {
            return Err(format!("the scope {} does not exist", unknown.as_str()));
        }
        let ceiling = table.set_of(&scopes);
        let default = self.default_scopes.as_deref().map(scope_of).transpose()?.unwrap_or_default();
        match default.iter().find(|token| !table.holds(&ceiling, token.as_str())) {
            Some(beyond) => Err(format!("the default scope {} is not among the scopes", beyond.as_str())),
            None => Ok(()),
        }
    }

    fn record(self, secrets: Vec<String>, now: Timestamp) -> Result<ClientRecord, RandomError> {
        Ok(ClientRecord {
            id: self.id,
            name: self.name,
            secrets,
            // In the spelling of RFC 8628, whichever was written.
            grants: self.grants.iter().filter_map(|grant| Some(GrantType::named(grant).ok()?.to_string())).collect(),
            redirect_uris: self.redirect_uris,
            scopes: self.scopes,
            default_scopes: self.default_scopes,
            introspect: self.introspect,
            registration: RegistrationId::generate()?,
            created_at: now.as_millis(),
            disabled: false,
            old_secrets_until: None,
            par_required: self.par_required,
            self_registered: None,
            version: 0,
        })
    }
}

fn scope_of(text: &str) -> Result<Scope, String> {
    if text.is_empty() { Ok(Scope::default()) } else { text.parse().map_err(|error| format!("{text}: {error}")) }
}

fn check_redirect_uri(uri: &str) -> Result<(), String> {
    if uri.len() > LONGEST {
        return Err(format!("a redirect URI has {LONGEST} octets at most"));
    }
    redirect::wrong(uri).map_or(Ok(()), |(why, help)| Err(format!("the redirect URI {uri:?} {why}: {help}")))
}

/// A client as it is shown: never its secrets.
#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    name: Option<String>,
    kind: &'static str,
    grants: Vec<String>,
    redirect_uris: Vec<String>,
    scopes: String,
    default_scopes: Option<String>,
    /// A boolean, or the path of the resource whose tokens it may introspect.
    introspect: Value,
    par_required: bool,
    origin: &'static str,
    /// `active`, or `disabled`: it gets no token.
    state: &'static str,
    /// It registered itself: nobody vouches for its name.
    unverified: bool,
    /// How many secrets it has, those included that have ended since the last change.
    secrets: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_secret_expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unused_until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_id: Option<String>,
}

impl Shown {
    pub(super) fn configured(client: &Client) -> Self {
        Self {
            id: client.id.clone(),
            name: client.name.clone(),
            kind: kind(client.is_confidential()),
            grants: client.grants.iter().map(ToString::to_string).collect(),
            redirect_uris: client.redirect_uris.clone(),
            scopes: client.scopes.to_string(),
            default_scopes: client.default_scopes.as_ref().map(ToString::to_string),
            introspect: match &client.introspect {
                Introspect::Nothing => false.into(),
                Introspect::Resource(path) if path.is_empty() => "/".into(),
                Introspect::Resource(path) => path.as_str().into(),
                Introspect::Everything => true.into(),
            },
            par_required: client.par_required,
            origin: "configuration",
            state: state(false),
            unverified: false,
            secrets: client.secrets.len(),
            old_secret_expires_at: None,
            created_at: None,
            unused_until: None,
            client_uri: None,
            software_id: None,
        }
    }

    pub(super) fn stored(client: ClientRecord) -> Self {
        let unverified = client.self_registered.is_some();
        let said = client.self_registered.unwrap_or_default();
        Self {
            kind: kind(!client.secrets.is_empty()),
            secrets: client.secrets.len(),
            id: client.id,
            name: client.name,
            grants: client.grants,
            redirect_uris: client.redirect_uris,
            scopes: client.scopes,
            default_scopes: client.default_scopes,
            introspect: client.introspect.into(),
            par_required: client.par_required,
            origin: "store",
            state: state(client.disabled),
            unverified,
            old_secret_expires_at: client.old_secrets_until.map(|millis| millis / 1000),
            created_at: Some(client.created_at / 1000),
            unused_until: said.unused_until.map(|millis| millis / 1000),
            client_uri: said.description.client_uri,
            software_id: said.description.software_id,
        }
    }
}

const fn state(disabled: bool) -> &'static str {
    if disabled { "disabled" } else { "active" }
}

const fn kind(confidential: bool) -> &'static str {
    if confidential { "confidential" } else { "public" }
}

impl Admin {
    /// `GET /clients`.
    pub(super) async fn list_clients(&self) -> Result<Response<Bytes>, Refusal> {
        let configured = self.clients.iter().map(|client| Shown::configured(client));
        let stored = self.store.clients().await?.into_iter().map(Shown::stored);
        let mut clients: Vec<Shown> = configured.chain(stored).collect();
        clients.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(json(StatusCode::OK, &value!({ "clients": clients })))
    }

    /// `POST /clients`. The secret is in this answer and nowhere else (TOK-7).
    pub(super) async fn add_client(&self, new: NewClient, now: Timestamp) -> Result<Response<Bytes>, Refusal> {
        new.check().and_then(|()| new.check_scopes(self.issuer.scopes())).map_err(Refusal::Invalid)?;
        let taken = || Refusal::Conflict("there is a client with this identifier".to_owned());
        if self.clients.get(&new.id).is_some() {
            return Err(taken());
        }
        let id = new.id.clone();
        let secret =
            if new.public { None } else { Some(Token::mint(TokenKind::ClientSecret, &*self.store.tag_keys()?)?) };
        let hash = secret.as_ref().map(secret_hash);
        let record = new.record(hash.iter().cloned().collect(), now)?;
        if !self.store.add_client(record).await? {
            return Err(taken());
        }
        tracing::info!(target: AUDIT, client = id, by = "operator", "client added");
        let secret: Option<Value> = secret.map(|secret| secret.secret().reveal().into());
        Ok(json(StatusCode::CREATED, &value!({ "id": id, "secret": secret, "secret_hash": hash })))
    }

    /// `DELETE /clients/{id}`: its tokens end with it (TOK-13).
    pub(super) async fn remove_client(&self, id: &str) -> Result<Response<Bytes>, Refusal> {
        if self.store.remove_client(id).await? {
            tracing::info!(target: AUDIT, client = id, by = "operator", "client removed");
            return Ok(json(StatusCode::OK, &value!({ "removed": id })));
        }
        if self.clients.get(id).is_some() {
            return Err(Refusal::Conflict("this client is in the configuration: remove it there".to_owned()));
        }
        Err(Refusal::NotFound("no such client".to_owned()))
    }
}
