//! What goes into the store and what comes out, beside the records of the tokens themselves.

use crate::clock::Timestamp;
use crate::oauth::client::RegistrationId;
use crate::oauth::registration::Description;
use crate::oauth::token::{GrantId, Origin, RefreshRecord, TokenDigest, TokenRecord};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Tokens to be written together, durable before the answer (promise 2).
#[derive(Clone, Debug)]
pub struct Issue {
    /// The access token.
    pub access: (TokenDigest, TokenRecord),
    /// The refresh token that starts a new family, where there is one.
    pub refresh: Option<(TokenDigest, RefreshRecord)>,
    /// The registration that a client of the store authenticated as.
    pub registration: Option<RegistrationId>,
}

impl Issue {
    /// Whether the tokens are for a client of the store, which can be removed at any moment.
    pub(super) fn needs_registration(&self) -> bool {
        self.access.1.client_origin == Origin::Store
    }

    /// Whether the tokens live where their grant does. What is elsewhere would not end with it.
    pub(super) fn is_in_place(&self) -> bool {
        let (access, record) = &self.access;
        let grants = [record.grant, self.refresh.as_ref().map(|(_, record)| record.grant)];
        let refresh = self.refresh.as_ref().map_or(*access, |(digest, _)| *digest);
        refresh.place() == access.place() && grants.into_iter().flatten().all(|grant| grant.place() == access.place())
    }
}

/// What became of an [`Issue`], decided in the same atomic step.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issued {
    /// The tokens are stored.
    Done,
    /// The client was removed since it authenticated, or registered anew: nothing is stored.
    ClientGone,
}

/// What became of a new client.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Done,
    Taken,
    /// A client of this identifier is being removed: its tokens have to end first.
    Leaving,
}

/// The exchange of a refresh token for a new pair (RFC 6749 section 6).
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The token that was presented.
    pub presented: TokenDigest,
    /// The family it belongs to.
    pub grant: GrantId,
    /// The new access token.
    pub access: (TokenDigest, TokenRecord),
    /// The new refresh token.
    pub refresh: (TokenDigest, RefreshRecord),
    /// The moment of the exchange.
    pub now: Timestamp,
    /// How long the immediate predecessor may be asked for again; zero switches it off.
    pub grace: Duration,
}

impl Rotation {
    /// As [`Issue::is_in_place`].
    pub(super) fn is_in_place(&self) -> bool {
        [self.presented, self.access.0, self.refresh.0].iter().all(|digest| digest.place() == self.grant.place())
    }
}

/// What became of a [`Rotation`], decided in one atomic step (TOK-9 to TOK-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The new pair is stored; a pair it replaces inside the grace is gone.
    Done,
    /// The presented token had been used before: the whole family has ended.
    Reused,
    /// No such family (any more).
    Unknown,
}

/// Which tokens a listing or a mass revocation means. Every given part must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Of this client.
    pub client_id: Option<String>,
    /// Of this resource owner.
    pub subject: Option<String>,
}

/// One line of a listing.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The token's digest; only its public identifier is shown.
    pub digest: TokenDigest,
    /// What is known of it.
    pub record: TokenRecord,
}

/// A client that was made at run time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRecord {
    /// RFC 6749 section 2.2.
    pub id: String,
    /// The name that people see.
    pub name: Option<String>,
    /// `SecretHash` in its text form; empty: a public client.
    pub secrets: Vec<String>,
    /// Names of grant types.
    pub grants: Vec<String>,
    /// RFC 6749 section 3.1.2.
    pub redirect_uris: Vec<String>,
    /// Space-separated.
    pub scopes: String,
    /// Space-separated.
    pub default_scopes: Option<String>,
    /// RFC 7662 section 2.1.
    pub introspect: bool,
    /// Tells it from others of its identifier, earlier and later.
    pub registration: RegistrationId,
    /// Milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Gets no token until it is enabled again.
    #[serde(default)]
    pub disabled: bool,
    /// When every secret but the first ends, in milliseconds; `None`: at the next rotation.
    #[serde(default)]
    pub old_secrets_until: Option<u64>,
    /// RFC 9126 section 6: its authorization requests have to be pushed.
    #[serde(default)]
    pub par_required: bool,
    /// What it said of itself when it registered itself; `None`: an operator made it.
    #[serde(default)]
    pub self_registered: Option<SelfRegistered>,
    /// How often it was changed: for the next change.
    #[serde(default)]
    pub version: u64,
}

/// What is known of a client that registered itself (RFC 7591), beside what every client has.
/// Nothing of it is proved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfRegistered {
    /// The digest of its registration access token (RFC 7592), in hexadecimal.
    pub token: String,
    /// The end of the registration unless it is used before, in milliseconds; `None`: it was used.
    pub unused_until: Option<u64>,
    /// `token_endpoint_auth_method`.
    pub auth_method: String,
    /// What it says of itself.
    #[serde(flatten)]
    pub description: Description,
}

/// Without the hashes of its secrets.
impl fmt::Debug for ClientRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRecord").field("id", &self.id).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

impl Filter {
    /// Whether a token or a grant of this client and this resource owner is meant.
    pub fn means(&self, client_id: &str, subject: Option<&str>) -> bool {
        self.client_id.as_deref().is_none_or(|wanted| wanted == client_id)
            && self.subject.as_deref().is_none_or(|wanted| subject == Some(wanted))
    }
}
