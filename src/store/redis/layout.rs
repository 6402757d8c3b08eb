//! What the keys are called. All of them begin with the prefix of `[store] key_prefix`, and `tg:`.
//!
//! - `tg:a:{<place>}:<digest>`, `tg:r:{<place>}:<digest>`: the record of an access or a refresh token, gone when
//!   it expires.
//! - `tg:f:{<place>}:<grant>`: a family, that is a grant with refresh tokens: `current`, `access`, `previous`,
//!   `rotated_at`, `expires_at`, `client`, `subject`, and `replaced`, the access token that the last rotation ended.
//! - `tg:fa:{<place>}:<grant>`, `tg:fr:{<place>}:<grant>`: the digests of its access tokens (by expiry) and of its
//!   refresh tokens.
//! - `tg:clients`: clients by identifier, `''` while the tokens of a removed one are being ended.
//! - `tg:i:c:<client>`, `tg:i:s:<subject>`: names of tokens and grants, `a<digest>` and `g<grant>` by expiry.
//! - `tg:d:…`, `tg:n:…`, `tg:e:…`: documents ([`super::documents`]); `tg:l:<digest>`: counts; `tg:k`: the keys
//!   of the tags.
//!
//! Digests and grants are hexadecimal. A cluster keeps together what has the same part in braces: each script
//! is about keys of one place, or about one key.

use crate::oauth::token::{GrantId, Place, TokenDigest};
use crate::secret::Digest;
use crate::store::Filter;
use std::sync::Arc;

/// Names keys.
#[derive(Clone)]
pub(super) struct Layout {
    prefix: Arc<str>,
    /// Before the place of an access token: what is followed.
    access: Arc<str>,
}

/// What an index names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Member {
    Access(TokenDigest),
    Grant(GrantId),
}

impl Layout {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into(), access: format!("{prefix}tg:a:").into() }
    }

    /// What every key of an access token begins with, and no other.
    pub(super) fn access_prefix(&self) -> &str {
        &self.access
    }

    pub(super) fn access(&self, digest: &TokenDigest) -> String {
        self.placed("a", digest.place(), digest.as_bytes())
    }

    pub(super) fn refresh(&self, digest: &TokenDigest) -> String {
        self.placed("r", digest.place(), digest.as_bytes())
    }

    /// The family, then its access tokens and its refresh tokens.
    pub(super) fn family(&self, grant: GrantId) -> [String; 3] {
        ["f", "fa", "fr"].map(|part| self.placed(part, grant.place(), &grant.0))
    }

    /// The client's index, then the resource owner's.
    pub(super) fn indexes(&self, client: &str, subject: Option<&str>) -> Vec<String> {
        let mut indexes = vec![self.by_client(client)];
        indexes.extend(subject.filter(|subject| !subject.is_empty()).map(|subject| self.by_subject(subject)));
        indexes
    }

    /// The index in which everything that `filter` means is named; `None`: it means everything.
    pub(super) fn index(&self, filter: &Filter) -> Option<String> {
        match (&filter.subject, &filter.client_id) {
            (Some(subject), _) => Some(self.by_subject(subject)),
            (None, Some(client)) => Some(self.by_client(client)),
            (None, None) => None,
        }
    }

    /// `tg:<rest>`.
    pub(super) fn key(&self, rest: &str) -> String {
        format!("{}tg:{rest}", self.prefix)
    }

    /// The pattern of the keys of every access token, and of those whose digest begins with `first`.
    pub(super) fn every_access(&self) -> String {
        self.key("a:*")
    }

    pub(super) fn access_beginning_with(&self, first: [u8; 8]) -> String {
        let mut beginning = [0; 32];
        for (to, from) in beginning.iter_mut().zip(first) {
            *to = from;
        }
        let place = TokenDigest::from_bytes(beginning).place();
        self.placed("a", place, &first) + "*"
    }

    /// The pattern of the keys of every family.
    pub(super) fn every_family(&self) -> String {
        self.key("f:*")
    }

    /// The access token with this key; `None`: it is another key.
    pub(super) fn digest_of(&self, key: &[u8]) -> Option<TokenDigest> {
        let rest = key.strip_prefix(self.access.as_bytes())?;
        let digest = digest_of(rest.get(rest.len().checked_sub(64)?..)?)?;
        (self.access(&digest).as_bytes() == key).then_some(digest)
    }

    /// What an index would call the token or the family with this key.
    pub(super) fn member(&self, key: &[u8]) -> Option<Member> {
        if let Some(digest) = self.digest_of(key) {
            return Some(Member::Access(digest));
        }
        let grant = grant_of(key.get(key.len().checked_sub(32)?..)?)?;
        let [family, ..] = self.family(grant);
        (family.as_bytes() == key).then_some(Member::Grant(grant))
    }

    fn by_client(&self, client: &str) -> String {
        format!("{}tg:i:c:{client}", self.prefix)
    }

    fn by_subject(&self, subject: &str) -> String {
        format!("{}tg:i:s:{subject}", self.prefix)
    }

    fn placed(&self, part: &str, place: Place, id: &[u8]) -> String {
        let mut key = String::with_capacity(self.prefix.len() + 12 + 2 * id.len());
        for text in [&self.prefix, "tg:", part, ":{", place.as_str(), "}:"] {
            key.push_str(text);
        }
        push_hex(&mut key, id);
        key
    }
}

impl Member {
    /// Where it is kept.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Access(digest) => digest.place(),
            Self::Grant(grant) => grant.place(),
        }
    }

    /// As it stands in the indexes.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Access(digest) => text_of('a', digest.as_bytes()),
            Self::Grant(grant) => text_of('g', &grant.0),
        }
    }

    /// From an index. A name in capitals was written a second time ([`super::tokens`]).
    pub(super) fn read(name: &[u8]) -> Option<Self> {
        match name.split_first()? {
            (b'a' | b'A', digest) => digest_of(digest).map(Self::Access),
            (b'g' | b'G', grant) => grant_of(grant).map(Self::Grant),
            _ => None,
        }
    }

    pub(super) const fn access(&self) -> Option<TokenDigest> {
        match self {
            Self::Access(digest) => Some(*digest),
            Self::Grant(_) => None,
        }
    }

    pub(super) const fn grant(&self) -> Option<GrantId> {
        match self {
            Self::Access(_) => None,
            Self::Grant(grant) => Some(*grant),
        }
    }
}

fn text_of(kind: char, id: &[u8]) -> String {
    let mut text = String::with_capacity(1 + 2 * id.len());
    text.push(kind);
    push_hex(&mut text, id);
    text
}

/// Appends lower-case hexadecimal.
fn push_hex(text: &mut String, octets: &[u8]) {
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    text.extend(digits.map(|digit| char::from(if digit < 10 { b'0' + digit } else { b'a' - 10 + digit })));
}

/// A digest from its text; `None` when it is none.
pub(super) fn digest_of(text: &[u8]) -> Option<TokenDigest> {
    let digest = Digest::from_hex(str::from_utf8(text).ok()?)?;
    Some(TokenDigest::from_bytes(*digest.as_bytes()))
}

/// A grant from its text; `None` when it is none.
fn grant_of(text: &[u8]) -> Option<GrantId> {
    if text.len() != 32 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u128::from_str_radix(str::from_utf8(text).ok()?, 16).ok().map(|number| GrantId(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::slots::slot_of;
    use proptest::prelude::*;

    #[test]
    fn what_is_of_one_place_is_of_one_slot() {
        let layout = Layout::new("acme:");
        let grant = GrantId::generate().unwrap();
        let mut bytes = [7; 32];
        bytes[..2].copy_from_slice(grant.place().as_bytes());
        let digest = TokenDigest::from_bytes(bytes);
        let slot = slot_of(layout.access(&digest).as_bytes());
        for key in layout.family(grant).into_iter().chain([layout.refresh(&digest)]) {
            assert!(key.starts_with("acme:tg:"), "{key}");
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn gateways_that_share_a_redis_do_not_take_keys_for_their_own() {
        let (one, other) = (Layout::new(""), Layout::new("x:"));
        let (digest, grant) = (TokenDigest::of(b"tga_ab"), GrantId::generate().unwrap());
        for (ours, theirs) in [(&one, &other), (&other, &one)] {
            let [family, access, refresh] = ours.family(grant);
            assert!(ours.member(ours.access(&digest).as_bytes()) == Some(Member::Access(digest)));
            assert!(ours.member(family.as_bytes()) == Some(Member::Grant(grant)));
            for key in [access, refresh, ours.refresh(&digest), theirs.access(&digest), theirs.family(grant)[0].clone()]
            {
                assert!(ours.member(key.as_bytes()).is_none(), "{key}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_member_is_read_as_it_was_named(digest: [u8; 32], grant: [u8; 16]) {
            let layout = Layout::new("");
            let digest = TokenDigest::from_bytes(digest);
            for member in [Member::Access(digest), Member::Grant(GrantId(grant))] {
                prop_assert!(Member::read(member.name().as_bytes()) == Some(member));
                prop_assert!(Member::read(member.name().to_uppercase().as_bytes()) == Some(member));
            }
            prop_assert!(layout.digest_of(layout.access(&digest).as_bytes()) == Some(digest));
        }

        #[test]
        fn any_octets_are_a_key_or_none(key: Vec<u8>, tail in "[0-9a-f]{0,70}") {
            let layout = Layout::new("");
            let placed = format!("tg:a:{{ab}}:{tail}");
            for key in [key.as_slice(), tail.as_bytes(), placed.as_bytes()] {
                let _ = (layout.member(key), Member::read(key));
            }
        }
    }
}
