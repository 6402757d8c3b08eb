//! Where a token lives: said by the first two of its random characters.
//!
//! A Redis Cluster keeps together what is of one place, so that a grant and all its tokens change in one step,
//! and a token is found by its text alone. There are 3,844 places. They say nothing about a token but where it
//! is kept: what makes it hard to guess are the other 41 characters.

use super::{PREFIX, push_random};
use crate::secret::RandomError;
use std::fmt;

/// How many characters say it.
pub(super) const LENGTH: usize = 2;

/// Two characters of `0-9A-Za-z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place([u8; LENGTH]);

impl Place {
    /// Where what is no token would live: nothing is there.
    const NOWHERE: Self = Self(*b"00");

    /// A random one.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn draw() -> Result<Self, RandomError> {
        let mut text = Vec::with_capacity(LENGTH);
        push_random(&mut text, LENGTH)?;
        Ok(Self::of(&text))
    }

    /// The place of a token with this text.
    pub(super) fn of_text(token: &[u8]) -> Self {
        token.get(PREFIX..PREFIX + LENGTH).map_or(Self::NOWHERE, Self::of)
    }

    /// The place that `octets` begin with. Whatever they are, it can stand in braces.
    pub(super) fn of(octets: &[u8]) -> Self {
        match octets {
            [first, second, ..] if first.is_ascii_alphanumeric() && second.is_ascii_alphanumeric() => {
                Self([*first, *second])
            }
            _ => Self::NOWHERE,
        }
    }

    /// The two octets.
    pub const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// The two characters.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::token::{GrantId, TagKeys, Token, TokenDigest, TokenKind};
    use proptest::prelude::*;

    #[test]
    fn the_tokens_of_a_grant_live_where_it_does() {
        let keys = TagKeys::generate().unwrap();
        for _ in 0..100 {
            let place = GrantId::generate().unwrap().place();
            for kind in [TokenKind::Access, TokenKind::Refresh] {
                let token = Token::mint_at(kind, &keys, place).unwrap();
                let text = token.secret().reveal();
                assert_eq!(&text[4..6], place.as_str());
                assert_eq!(text.len(), 55);
                assert!(keys.recognise(kind, text.as_bytes()));
                assert_eq!((token.digest().place(), TokenDigest::of(text.as_bytes())), (place, token.digest()));
            }
        }
    }

    #[test]
    fn places_are_drawn_from_all_of_them() {
        let drawn: std::collections::BTreeSet<_> = (0..40_000).map(|_| Place::draw().unwrap()).collect();
        assert!(drawn.len() > 3_800, "{}", drawn.len());
    }

    /// TOK-2
    #[test]
    fn a_digest_is_the_place_and_what_nobody_can_turn_back() {
        let text = b"tga_xyABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijk";
        let digest = TokenDigest::of(text);
        assert_eq!(&digest.as_bytes()[..2], b"xy");
        assert_eq!(digest.as_bytes()[2..], crate::secret::Digest::of(text).as_bytes()[..30]);
        assert_eq!(digest.place().as_str(), "xy");
    }

    proptest! {
        #[test]
        fn any_octets_have_a_place_that_can_stand_in_a_key(octets: Vec<u8>, digest: [u8; 32]) {
            for place in [TokenDigest::of(&octets).place(), TokenDigest::from_bytes(digest).place(), Place::of(&octets)] {
                prop_assert!(place.as_bytes().iter().all(u8::is_ascii_alphanumeric));
            }
        }
    }
}
