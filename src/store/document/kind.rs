//! What a document can be about.

/// What a document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// RFC 6749 section 4.1: under the digest of the code.
    AuthorizationCode,
    /// What a resource owner allows a client: under both (`consent_id`).
    Consent,
    /// RFC 8628: under the digest of the device code.
    DeviceCode,
    /// RFC 7591 section 3: an initial access token, under its digest.
    InitialAccessToken,
    /// RFC 9126: under the digest of the request URI.
    PushedRequest,
    /// A sign-in: under the digest of the cookie.
    Session,
    /// The sessions of a user: under the user and the digest.
    SessionOf,
    /// A sign-in at a provider that has come back: under the digest of its `state`.
    SpentState,
    /// A resource owner: under the folded name.
    User,
    /// RFC 8628: the digest of the device code, under the user code.
    UserCode,
}

impl Kind {
    /// Its name in the store: never changed, and neither a colon nor a zero octet in it.
    pub(in crate::store) const fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "code",
            Self::Consent => "consent",
            Self::DeviceCode => "device",
            Self::InitialAccessToken => "initial",
            Self::PushedRequest => "pushed",
            Self::Session => "session",
            Self::SessionOf => "session_of",
            Self::SpentState => "spent_state",
            Self::User => "user",
            Self::UserCode => "user_code",
        }
    }

    /// What errors call one.
    pub(in crate::store) const fn noun(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "an authorization code",
            Self::Consent => "a consent",
            Self::DeviceCode => "a device code",
            Self::InitialAccessToken => "an initial access token",
            Self::PushedRequest => "a pushed request",
            Self::Session => "a session",
            Self::SessionOf => "a session of a user",
            Self::SpentState => "a spent state",
            Self::User => "a user",
            Self::UserCode => "a user code",
        }
    }

    /// Whether there is an index of its identifiers.
    pub(in crate::store) const fn is_listed(self) -> bool {
        matches!(self, Self::Consent | Self::SessionOf | Self::User)
    }
}
