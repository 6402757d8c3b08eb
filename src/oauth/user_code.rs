//! The user code of the device grant (RFC 8628 section 6.1): what a person reads off one screen and
//! types into another.

use crate::secret::{RandomError, random};
use std::fmt;

/// No vowels, so that no word comes out, and nothing that is easily taken for something else.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// Octets from here on are dropped, so that no character is likelier than another.
const UNBIASED: u8 = 240;

/// Eight characters, shown as `XXXX-XXXX` (R8628-5.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserCode([u8; LENGTH]);

impl UserCode {
    /// A new random code.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, RandomError> {
        let mut code = [0; LENGTH];
        let mut missing = code.iter_mut();
        loop {
            for octet in random::<16>()?.into_iter().filter(|octet| *octet < UNBIASED) {
                let Some(character) = missing.next() else { return Ok(Self(code)) };
                *character = ALPHABET[usize::from(octet) % ALPHABET.len()];
            }
        }
    }

    /// What a person typed: in either case, characters outside the set are dropped; `None` when it is
    /// no code then.
    pub fn read(text: &str) -> Option<Self> {
        let typed = text.bytes().map(|character| character.to_ascii_uppercase());
        let typed: Vec<u8> = typed.filter(|character| ALPHABET.contains(character)).take(LENGTH + 1).collect();
        typed.try_into().ok().map(Self)
    }

    /// The eight characters alone: what the store knows it by.
    pub fn bare(&self) -> String {
        self.0.iter().copied().map(char::from).collect()
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.bare();
        let (left, right) = bare.split_at(LENGTH / 2);
        write!(f, "{left}-{right}")
    }
}

/// With it somebody else's device could be approved.
impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// R8628-5.1
    #[test]
    fn a_code_has_eight_characters_of_the_set_and_a_dash() {
        let codes: HashSet<String> = (0..200).map(|_| UserCode::generate().unwrap().to_string()).collect();
        assert_eq!(codes.len(), 200, "they differ");
        let used: HashSet<u8> = codes.iter().flat_map(|code| code.bytes()).collect();
        assert_eq!(used.len(), 21, "every character is used");
        for code in &codes {
            assert!(code.len() == 9 && code.as_bytes()[4] == b'-', "{code}");
            assert!(code.replace('-', "").bytes().all(|character| ALPHABET.contains(&character)), "{code}");
            assert_eq!(UserCode::read(code).map(|code| code.to_string()).as_ref(), Some(code));
        }
    }

    /// R8628-5.1
    #[test]
    fn what_is_typed_is_upper_cased_and_other_characters_are_dropped() {
        let code = UserCode::read("WDJB-MJHT").unwrap();
        for text in ["wdjbmjht", " wdjb mjht ", "W.D.J.B.M.J.H.T", "WDJB–MJHT", "aWDJBeMJHT1", "WDJB-MJHT\n"] {
            assert_eq!(UserCode::read(text), Some(code), "{text:?}");
        }
        for text in ["", "WDJB-MJH", "WDJB-MJHTT", "12345678", "AEIOUY", "WDJB-MJHT-WDJB-MJHT"] {
            assert_eq!(UserCode::read(text), None, "{text:?}");
        }
        assert_eq!((code.bare().as_str(), format!("{code:?}").as_str()), ("WDJBMJHT", "UserCode(…)"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_code_or_none(text: String) {
            let code = UserCode::read(&text).map(|code| code.to_string());
            prop_assert!(code.is_none_or(|code| UserCode::read(&code).is_some()));
        }
    }
}
