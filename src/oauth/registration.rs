//! Client metadata (RFC 7591 section 2) as a client sends it, and what of it can be registered.
//! Everything in it is what the client says of itself.

use super::client::GrantType;
use super::redirect;
use super::scope::{Scope, ScopeSet, ScopeTable};
use super::url::Url;
use crate::secret::Secret;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The longest name, URI or identifier of a software.
const LONGEST: usize = 1024;
/// The longest name that people see.
const LONGEST_NAME: usize = 200;
/// The most redirect URIs and the most contacts.
const MOST: usize = 20;

/// Client metadata as sent. Members that are not known are ignored (R7591-2c).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClientMetadata {
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    scope: Option<String>,
    contacts: Option<Vec<String>>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    jwks: Option<IgnoredAny>,
    jwks_uri: Option<IgnoredAny>,
    software_id: Option<String>,
    software_version: Option<String>,
    // What only an update has a rule for (RFC 7592 section 2.2).
    client_id: Option<String>,
    client_secret: Option<SentSecret>,
    registration_access_token: Option<IgnoredAny>,
    registration_client_uri: Option<IgnoredAny>,
    client_secret_expires_at: Option<IgnoredAny>,
    client_id_issued_at: Option<IgnoredAny>,
}

/// A secret in a request.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
struct SentSecret(Secret);

impl From<String> for SentSecret {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// How a client authenticates (RFC 7591 section 2, `token_endpoint_auth_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// A public client.
    None,
    /// HTTP Basic.
    SecretBasic,
    /// The form.
    SecretPost,
}

impl AuthMethod {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::None, Self::SecretBasic, Self::SecretPost];

    /// The value of `token_endpoint_auth_method`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
        }
    }
}

/// What may be registered.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'p> {
    /// The grants, in the order in which they are shown.
    pub grants: &'p [GrantType],
    /// The scopes.
    pub scopes: &'p Scope,
    /// Every scope that exists.
    pub table: &'p ScopeTable,
}

/// What a client says of itself for people to read. Nothing of it is proved: it is text, and nothing of it is
/// fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Its home page.
    pub client_uri: Option<String>,
    /// Its logo.
    pub logo_uri: Option<String>,
    /// Its terms of service.
    pub tos_uri: Option<String>,
    /// Its privacy policy.
    pub policy_uri: Option<String>,
    /// Whom to write to.
    pub contacts: Vec<String>,
    /// Which software it is.
    pub software_id: Option<String>,
    /// Which version of it.
    pub software_version: Option<String>,
}

/// Metadata that was checked and cut to what may be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrable {
    /// RFC 6749 section 3.1.2.
    pub redirect_uris: Vec<String>,
    /// How it authenticates.
    pub auth_method: AuthMethod,
    /// What it may use.
    pub grants: Vec<GrantType>,
    /// The most it can get.
    pub scope: Scope,
    /// What it calls itself.
    pub name: Option<String>,
    /// What else it says of itself.
    pub description: Description,
}

/// Why metadata is not registered (RFC 7591 section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// `invalid_client_metadata`.
    #[error("{0}")]
    Client(&'static str),
    /// `invalid_redirect_uri`.
    #[error("a redirect URI {0}: {1}")]
    RedirectUri(&'static str, &'static str),
}

impl MetadataError {
    /// The value of the `error` member.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Client(_) => "invalid_client_metadata",
            Self::RedirectUri(..) => "invalid_redirect_uri",
        }
    }
}

impl ClientMetadata {
    /// What of it can be registered.
    ///
    /// # Errors
    /// When it contradicts itself, or nothing of use is left of it.
    pub fn check(self, policy: &Policy<'_>) -> Result<Registrable, MetadataError> {
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(MetadataError::Client("jwks and jwks_uri must not both be there"));
        }
        let grants = grants(self.grant_types.as_deref(), policy.grants)?;
        response_types(self.response_types.as_deref(), &grants)?;
        let redirect_uris = self.redirect_uris.unwrap_or_default();
        check_redirect_uris(&redirect_uris, &grants)?;
        let contacts = self.contacts.unwrap_or_default();
        if contacts.len() > MOST || contacts.iter().any(|contact| !is_plain(contact, LONGEST)) {
            return Err(MetadataError::Client("contacts are too many, too long or have control characters"));
        }
        Ok(Registrable {
            redirect_uris,
            auth_method: auth_method(self.token_endpoint_auth_method.as_deref())?,
            grants,
            scope: scope(self.scope.as_deref(), policy)?,
            name: name(self.client_name)?,
            description: Description {
                client_uri: page(self.client_uri)?,
                logo_uri: page(self.logo_uri)?,
                tos_uri: page(self.tos_uri)?,
                policy_uri: page(self.policy_uri)?,
                contacts,
                software_id: plain(self.software_id)?,
                software_version: plain(self.software_version)?,
            },
        })
    }

    /// Whether it is an update of the client `id` (R7592-2.2). The secret that it may name has to be
    /// compared with the client's.
    ///
    /// # Errors
    /// When it is for another client, or names what only the server may set.
    pub fn check_update(&self, id: &str) -> Result<Option<&Secret>, MetadataError> {
        if self.client_id.as_deref() != Some(id) {
            return Err(MetadataError::Client("client_id must be there, and be the client's own"));
        }
        let of_the_server = [
            self.registration_access_token,
            self.registration_client_uri,
            self.client_secret_expires_at,
            self.client_id_issued_at,
        ];
        if of_the_server.iter().any(Option::is_some) {
            return Err(MetadataError::Client("a member is there that only the server may set"));
        }
        Ok(self.client_secret.as_ref().map(|SentSecret(secret)| secret))
    }
}

/// Of the grants asked for those that may be registered; the answer shows which (R7591-2b).
fn grants(asked: Option<&[String]>, permitted: &[GrantType]) -> Result<Vec<GrantType>, MetadataError> {
    let asked_for = |grant: &GrantType| match asked {
        Some(names) => names.iter().any(|name| name.parse() == Ok(*grant)),
        None => *grant == GrantType::AuthorizationCode,
    };
    let grants: Vec<GrantType> = permitted.iter().copied().filter(asked_for).collect();
    // A refresh token comes with another grant.
    if grants.iter().all(|grant| *grant == GrantType::RefreshToken) {
        return Err(MetadataError::Client("none of the grant_types can be registered here"));
    }
    Ok(grants)
}

/// `code` belongs to the authorization code grant, and nothing else exists (R7591-2b).
fn response_types(asked: Option<&[String]>, grants: &[GrantType]) -> Result<(), MetadataError> {
    let Some(asked) = asked else { return Ok(()) };
    let has_code = asked.iter().any(|name| name == "code");
    if has_code == grants.contains(&GrantType::AuthorizationCode) {
        Ok(())
    } else {
        Err(MetadataError::Client("response_types and grant_types do not agree"))
    }
}

fn check_redirect_uris(uris: &[String], grants: &[GrantType]) -> Result<(), MetadataError> {
    if grants.contains(&GrantType::AuthorizationCode) && uris.is_empty() {
        return Err(MetadataError::RedirectUri("is missing", "authorization_code needs one"));
    }
    if uris.len() > MOST || uris.iter().any(|uri| uri.len() > LONGEST) {
        return Err(MetadataError::RedirectUri("is too long", "or there are too many of them"));
    }
    let wrong = uris.iter().find_map(|uri| redirect::wrong(uri));
    wrong.map_or(Ok(()), |(why, help)| Err(MetadataError::RedirectUri(why, help)))
}

fn auth_method(asked: Option<&str>) -> Result<AuthMethod, MetadataError> {
    let Some(asked) = asked else { return Ok(AuthMethod::SecretBasic) };
    let known = AuthMethod::ALL.into_iter().find(|method| method.as_str() == asked);
    known.ok_or(MetadataError::Client("token_endpoint_auth_method: none, client_secret_basic or client_secret_post"))
}

/// Of the scopes asked for those that may be registered, or all of these.
fn scope(asked: Option<&str>, policy: &Policy<'_>) -> Result<Scope, MetadataError> {
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Ok(policy.scopes.clone()) };
    let asked: Scope = asked.parse().map_err(|_| MetadataError::Client("scope is malformed"))?;
    let ceiling: ScopeSet = policy.table.set_of(policy.scopes);
    let scope = policy.table.narrow(&asked, &ceiling);
    if scope.is_empty() { Err(MetadataError::Client("none of the scopes can be registered here")) } else { Ok(scope) }
}

fn name(name: Option<String>) -> Result<Option<String>, MetadataError> {
    match name.filter(|name| !name.trim().is_empty()) {
        Some(name) if !is_plain(&name, LONGEST_NAME) => {
            Err(MetadataError::Client("client_name is too long or has characters that are not shown"))
        }
        name => Ok(name),
    }
}

/// An https URL that people may go to (R7591-5c).
fn page(uri: Option<String>) -> Result<Option<String>, MetadataError> {
    let is_page = |uri: &str| {
        uri.len() <= LONGEST && Url::parse(uri).is_some_and(|url| url.scheme == "https" && url.user_info.is_none())
    };
    match uri {
        Some(uri) if !is_page(&uri) => {
            Err(MetadataError::Client("client_uri, logo_uri, tos_uri and policy_uri are https URLs"))
        }
        uri => Ok(uri),
    }
}

fn plain(text: Option<String>) -> Result<Option<String>, MetadataError> {
    match text {
        Some(text) if !is_plain(&text, LONGEST) => {
            Err(MetadataError::Client("software_id or software_version is too long or has control characters"))
        }
        text => Ok(text),
    }
}

/// Whether a text is what it looks like: no control characters, and none that turn the direction of
/// what stands around them or take no room.
fn is_plain(text: &str, longest: usize) -> bool {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
            || matches!(
                c,
                '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
            )
            || matches!(c, '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
    };
    text.len() <= longest && !text.contains(hidden)
}

#[cfg(test)]
mod tests;
