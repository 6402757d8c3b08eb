//! Tokens as text, their digests, and what the store remembers of them.
//!
//! A token is `<prefix>_<43 characters><8 characters>`, all of the last 51 from `0-9A-Za-z`: random
//! ones, the first two of which are its place and may be those of its grant, so that 244 bits are its
//! own; then a keyed tag over everything before it (TOK-3). The expression for secret
//! scanners is `tg[acdimrs]_[0-9A-Za-z]{51}`. At 55 characters a token fits into one block of SHA-256.

mod keys;
mod place;

pub use keys::{NotRotated, TagKeys};
pub use place::Place;

use crate::clock::Timestamp;
use crate::secret::{Digest, RandomError, Secret, random};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: usize = 4;
const RANDOM: usize = 43;
const TAG: usize = 8;
const LENGTH: usize = PREFIX + RANDOM + TAG;

/// What a token is for; each kind has a prefix of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// RFC 6749 section 1.4.
    Access,
    /// RFC 6749 section 4.1: an authorization code.
    Code,
    /// RFC 8628 section 3.2: a device code.
    DeviceCode,
    /// RFC 6749 section 1.5.
    Refresh,
    /// RFC 6749 section 2.3.1: a generated client secret.
    ClientSecret,
    /// RFC 7591 section 3: an initial access token, which allows its bearer to register a client.
    InitialAccess,
    /// RFC 7592 section 3: a registration access token, with which a client manages its registration.
    Registration,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Access,
        Self::Code,
        Self::DeviceCode,
        Self::Refresh,
        Self::ClientSecret,
        Self::InitialAccess,
        Self::Registration,
    ];

    /// The four characters each token of this kind begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "tga_",
            Self::Code => "tgc_",
            Self::DeviceCode => "tgd_",
            Self::Refresh => "tgr_",
            Self::ClientSecret => "tgs_",
            Self::InitialAccess => "tgi_",
            Self::Registration => "tgm_",
        }
    }

    /// The kind whose prefix `text` begins with. Whatever this recognises never reaches an upstream.
    pub fn of(text: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| text.starts_with(kind.prefix().as_bytes()))
    }
}

/// A freshly minted token: shown once, to the one it was issued to.
#[derive(Clone, Debug)]
pub struct Token {
    text: Secret,
    digest: TokenDigest,
}

impl Token {
    /// A new token at a random place (R6749-10.10).
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn mint(kind: TokenKind, keys: &TagKeys) -> Result<Self, RandomError> {
        Self::beginning_with(&[], kind, keys)
    }

    /// A new token at the place of its grant, with 244 random bits of its own (R6749-10.10).
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn mint_at(kind: TokenKind, keys: &TagKeys, place: Place) -> Result<Self, RandomError> {
        Self::beginning_with(place.as_bytes(), kind, keys)
    }

    fn beginning_with(place: &[u8], kind: TokenKind, keys: &TagKeys) -> Result<Self, RandomError> {
        let mut text = Zeroizing::new(Vec::with_capacity(LENGTH));
        text.extend_from_slice(kind.prefix().as_bytes());
        text.extend_from_slice(place);
        push_random(&mut text, PREFIX + RANDOM)?;
        let tag = keys.current().tag(&text);
        push_base62(&mut text, tag);
        let digest = TokenDigest::of(&text);
        Ok(Self { text: Secret::new(String::from_utf8_lossy(&text)), digest })
    }

    /// The text, for the response that hands it out.
    pub const fn secret(&self) -> &Secret {
        &self.text
    }

    /// The key under which the store knows it.
    pub const fn digest(&self) -> TokenDigest {
        self.digest
    }
}

/// A token's place and the first 30 octets of its SHA-256: the key of the cache and of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenDigest(Digest);

impl TokenDigest {
    /// The digest of a token's text.
    pub fn of(token: &[u8]) -> Self {
        let mut bytes = [0; 32];
        let (place, digest) = bytes.split_at_mut(place::LENGTH);
        place.copy_from_slice(Place::of_text(token).as_bytes());
        for (to, from) in digest.iter_mut().zip(Digest::of(token).as_bytes()) {
            *to = *from;
        }
        Self::from_bytes(bytes)
    }

    /// Where the token lives.
    pub fn place(&self) -> Place {
        Place::of(self.as_bytes())
    }

    /// A digest read back from the store.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Digest::from_bytes(bytes))
    }

    /// The 32 octets.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// What may be logged and listed in the token's place (TOK-6), 16 hexadecimal characters.
    pub fn public_id(&self) -> String {
        self.0.public_id()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenDigest({})", self.public_id())
    }
}

/// The grant that a token came from: one sign-in or one refresh family. Its place, and 112 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GrantId(pub [u8; 16]);

impl GrantId {
    /// A new random identifier.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, RandomError> {
        let mut bytes: [u8; 16] = random()?;
        for (to, from) in bytes.iter_mut().zip(Place::draw()?.as_bytes()) {
            *to = *from;
        }
        Ok(Self(bytes))
    }

    /// Where it lives, and every token of it.
    pub fn place(&self) -> Place {
        Place::of(&self.0)
    }
}

/// Where a client or a user is defined, and so what its removal means for its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// In the configuration: gone from it, the tokens are no longer valid.
    Configuration,
    /// In the store: removing it there revokes the tokens.
    Store,
    /// At an identity provider, for users alone: no longer trusted, or the user no longer allowed, the
    /// tokens are no longer valid.
    Provider,
}

/// What the store remembers of an access token (the members of RFC 7662 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The client that the token was issued to.
    pub client_id: String,
    /// Where that client is defined.
    pub client_origin: Origin,
    /// The resource owner; `None` when the client acts for itself (R6749-4.4b).
    pub subject: Option<String>,
    /// Where that resource owner is defined: one of the configuration must still be in it.
    pub subject_origin: Origin,
    /// The granted scope, space-separated; never empty.
    pub scope: String,
    /// The resources it is good for; empty: every one that does not require an audience.
    pub audience: Vec<String>,
    /// When it was issued.
    #[serde(with = "millis")]
    pub issued_at: Timestamp,
    /// From this moment on it is not valid (zero leeway, TOK-8).
    #[serde(with = "millis")]
    pub expires_at: Timestamp,
    /// The grant it came from, where there is a refresh token.
    pub grant: Option<GrantId>,
}

/// What the store remembers of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshRecord {
    /// The family.
    pub grant: GrantId,
    /// The client it is bound to.
    pub client_id: String,
    /// Where that client is defined.
    pub client_origin: Origin,
    /// The resource owner.
    pub subject: Option<String>,
    /// Where that resource owner is defined.
    pub subject_origin: Origin,
    /// The scope of the grant: rotation keeps it (R6749-6c).
    pub scope: String,
    /// The resources of the grant.
    pub audience: Vec<String>,
    /// When this token was issued.
    #[serde(with = "millis")]
    pub issued_at: Timestamp,
    /// The end of the grant as a whole: rotation does not extend it (R9700-4.14a).
    #[serde(with = "millis")]
    pub expires_at: Timestamp,
}

/// What both kinds have in common, for those who ask about a token of either.
impl From<RefreshRecord> for TokenRecord {
    fn from(record: RefreshRecord) -> Self {
        Self {
            client_id: record.client_id,
            client_origin: record.client_origin,
            subject: record.subject,
            subject_origin: record.subject_origin,
            scope: record.scope,
            audience: record.audience,
            issued_at: record.issued_at,
            expires_at: record.expires_at,
            grant: Some(record.grant),
        }
    }
}

/// Serialises a [`Timestamp`] as milliseconds.
pub(crate) mod millis {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde fixes this signature")]
    pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.as_millis())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

/// Appends uniform characters until there are `length`. Octets of 248 and more are dropped, so that no
/// character is likelier than another.
fn push_random(text: &mut Vec<u8>, length: usize) -> Result<(), RandomError> {
    while text.len() < length {
        let missing = length - text.len();
        let usable = random::<64>()?.into_iter().filter(|octet| *octet < 248).take(missing);
        text.extend(usable.map(|octet| ALPHABET[usize::from(octet % 62)]));
    }
    Ok(())
}

/// Appends the eight lowest base-62 digits of `value`.
fn push_base62(text: &mut Vec<u8>, mut value: u64) {
    for _ in 0..TAG {
        let digit = usize::try_from(value % 62).unwrap_or_default();
        text.push(ALPHABET[digit]);
        value /= 62;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::TagKey;
    use proptest::prelude::*;

    fn keys(octet: u8) -> TagKeys {
        TagKeys::new(TagKey::from_bytes([octet; 32]), TagKey::from_bytes([octet + 100; 32]))
    }

    /// TOK-1, TOK-3
    #[test]
    fn a_token_has_a_readable_prefix_and_fits_one_block() {
        for kind in TokenKind::ALL {
            let token = Token::mint(kind, &keys(1)).unwrap();
            let text = token.secret().reveal();
            assert_eq!(text.len(), 55);
            assert!(text.starts_with(kind.prefix()));
            assert!(text[4..].bytes().all(|character| character.is_ascii_alphanumeric()));
            assert!(keys(1).recognise(kind, text.as_bytes()));
            assert_eq!(TokenKind::of(text.as_bytes()), Some(kind));
        }
    }

    /// TOK-4
    #[test]
    fn a_token_of_another_kind_or_another_key_is_not_recognised() {
        let token = Token::mint(TokenKind::Access, &keys(1)).unwrap();
        let text = token.secret().reveal().as_bytes();
        assert!(!keys(1).recognise(TokenKind::Refresh, text));
        assert!(!keys(2).recognise(TokenKind::Access, text));
    }

    proptest! {
        #[test]
        fn any_changed_octet_is_refused(at in 0usize..55, octet: u8) {
            let token = Token::mint(TokenKind::Access, &keys(1)).unwrap();
            let mut text = token.secret().reveal().as_bytes().to_vec();
            prop_assume!(text[at] != octet);
            text[at] = octet;
            prop_assert!(!keys(1).recognise(TokenKind::Access, &text));
        }

        #[test]
        fn arbitrary_bytes_never_panic(text: Vec<u8>) {
            prop_assert!(!keys(1).recognise(TokenKind::Access, &text));
        }
    }
}
