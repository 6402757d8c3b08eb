//! Clients (RFC 6749 section 2).

use super::scope::Scope;
use super::token::Origin;
use crate::clock::Timestamp;
use crate::secret::{Digest, RandomError, random};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The grants that a client can be registered for (RFC 6749 section 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GrantType {
    /// RFC 6749 section 4.1.
    AuthorizationCode,
    /// RFC 6749 section 4.4.
    ClientCredentials,
    /// RFC 8628 section 3.4.
    DeviceCode,
    /// RFC 6749 section 4.3, for first-party clients alone (D-12).
    Password,
    /// RFC 6749 section 6.
    RefreshToken,
}

impl GrantType {
    /// Every grant, in the order of their names.
    pub const ALL: [Self; 5] =
        [Self::AuthorizationCode, Self::ClientCredentials, Self::DeviceCode, Self::Password, Self::RefreshToken];

    /// The value of `grant_type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// The grant that a configuration or an operator calls so: besides its `grant_type`, the device
    /// grant has a short name.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn named(name: &str) -> Result<Self, UnknownGrantType> {
        if name == DEVICE_CODE { Ok(Self::DeviceCode) } else { name.parse() }
    }
}

/// The short name of the device grant.
const DEVICE_CODE: &str = "device_code";

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for GrantType {
    type Err = UnknownGrantType;

    fn from_str(text: &str) -> Result<Self, UnknownGrantType> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text).ok_or(UnknownGrantType(()))
    }
}

/// No grant of this name is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown grant type")]
pub struct UnknownGrantType(());

/// What is kept of a client's secret. Not shown in `Debug`: a secret that a person chose can be guessed
/// from it.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretHash {
    /// A generated secret of 128 bits or more: a fast digest is enough (TOK-2).
    Digest(Digest),
    /// A secret that a person chose: a PHC string of argon2id.
    Phc(String),
}

/// The text form of a fast digest, as `tollgate client new` prints it.
const DIGEST_PREFIX: &str = "$sha256$";

impl FromStr for SecretHash {
    type Err = MalformedSecretHash;

    fn from_str(text: &str) -> Result<Self, MalformedSecretHash> {
        if let Some(digest) = text.strip_prefix(DIGEST_PREFIX) {
            return Digest::from_hex(digest).map(Self::Digest).ok_or(MalformedSecretHash(()));
        }
        if text.starts_with("$argon2id$") && argon2::PasswordHash::new(text).is_ok() {
            return Ok(Self::Phc(text.to_owned()));
        }
        Err(MalformedSecretHash(()))
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "{DIGEST_PREFIX}{}", digest.to_hex()),
            Self::Phc(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// Neither `$sha256$` with 64 hexadecimal characters nor a PHC string of argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected what `tollgate client new` or `tollgate hash` prints: `$sha256$…` or `$argon2id$…`")]
pub struct MalformedSecretHash(());

/// One registration of a client in the store. A client that is registered anew under an identifier that
/// was used before is another one. 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationId(pub [u8; 16]);

impl RegistrationId {
    /// A new random identifier.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, RandomError> {
        Ok(Self(random()?))
    }
}

/// Whether a client has to send a code challenge (RFC 7636). Only a confidential one can be spared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pkce {
    /// R7636-4.4.1, and what holds unless the configuration says otherwise.
    #[default]
    Required,
    /// One that is sent is checked all the same.
    Optional,
}

/// Which tokens a client may introspect beside its own (RFC 7662 section 2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Introspect {
    /// None.
    #[default]
    Nothing,
    /// Those that are good for the resource that begins at this path, empty for the gateway as a whole; and of
    /// them what is said about that resource (R7662-2.2c).
    Resource(String),
    /// Everybody's.
    Everything,
}

impl From<bool> for Introspect {
    fn from(everything: bool) -> Self {
        if everything { Self::Everything } else { Self::Nothing }
    }
}

/// A registered client.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// RFC 6749 section 2.2.
    pub id: String,
    /// The name that people see.
    pub name: Option<String>,
    /// Empty: a public client. Two at most, so that a secret can be rotated (TOK-7).
    pub secrets: Vec<SecretHash>,
    /// What it is registered for.
    pub grants: Vec<GrantType>,
    /// RFC 6749 section 3.1.2.
    pub redirect_uris: Vec<String>,
    /// The most it can ever get.
    pub scopes: Scope,
    /// What it gets when it asks for nothing in particular.
    pub default_scopes: Option<Scope>,
    /// Which tokens of others it may introspect.
    pub introspect: Introspect,
    /// `None`: it is of the configuration.
    pub registration: Option<RegistrationId>,
    /// Whether its authorization requests need a code challenge.
    pub pkce: Pkce,
    /// Its error redirects do not wait for the sign-in (D-11).
    pub immediate_error_redirect: bool,
    /// When every secret but the first ends; `None`: they do not end by themselves.
    pub old_secrets_until: Option<Timestamp>,
    /// RFC 9126 section 6: its authorization requests have to be pushed.
    pub par_required: bool,
    /// Where it registered itself (RFC 7591); `None`: somebody vouches for it.
    pub self_registered: Option<SelfRegistered>,
}

/// A client that registered itself: nothing of what it says of itself is proved, and people see it marked as
/// unverified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelfRegistered {
    /// The end of a registration that nobody has used yet.
    pub unused_until: Option<Timestamp>,
}

impl Client {
    /// Where it is defined.
    pub const fn origin(&self) -> Origin {
        if self.registration.is_some() { Origin::Store } else { Origin::Configuration }
    }

    /// Whether it can keep a secret (RFC 6749 section 2.1).
    pub fn is_confidential(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Whether its authorization requests need a code challenge; those of a public client always do.
    pub fn needs_challenge(&self) -> bool {
        self.pkce == Pkce::Required || !self.is_confidential()
    }

    /// Whether it is the client that a record names. A client of the configuration is not the one of
    /// the store that had its identifier before.
    pub fn is(&self, id: &str, origin: Origin) -> bool {
        self.id == id && self.origin() == origin
    }

    /// Whether nobody vouches for what it says of itself.
    pub const fn is_unverified(&self) -> bool {
        self.self_registered.is_some()
    }

    /// Whether its registration came to its end without being used.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        let end = self.self_registered.as_ref().and_then(|registered| registered.unused_until);
        end.is_some_and(|end| end <= now)
    }

    /// The secrets that are good at this moment, the newest first.
    pub fn secrets_at(&self, now: Timestamp) -> &[SecretHash] {
        let old_ended = self.old_secrets_until.is_some_and(|end| end <= now);
        if old_ended { self.secrets.get(..1).unwrap_or_default() } else { &self.secrets }
    }

    /// Whether it is registered for `grant`.
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_of_a_hash_does_not_show_it() {
        for text in [crate::people::password::UNUSED_HASH, &format!("{DIGEST_PREFIX}{}", "ab".repeat(32))] {
            let hash: SecretHash = text.parse().unwrap();
            assert_eq!(hash.to_string(), text);
            assert_eq!(format!("{hash:?}"), "SecretHash(…)");
        }
    }
}
