//! Proof Key for Code Exchange (RFC 7636), with S256 alone: `plain` protects nothing where the
//! request can be read.

use crate::secret::{Digest, constant_time_eq};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The one method (R7636-4.2).
pub(crate) const METHOD: &str = "S256";

/// What S256 always gives: 32 octets in base64url without padding.
const CHALLENGE: usize = 43;

/// The length of a verifier (RFC 7636 section 4.1).
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

/// Whether `text` can be a challenge at all (R7636-4.3b).
pub(crate) fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
}

/// Whether `challenge` was made of `verifier`, compared in constant time (R7636-4.6a). What cannot be
/// a verifier never fits (R7636-4.6b).
pub(crate) fn fits(challenge: &str, verifier: &str) -> bool {
    let unreserved = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
    if !VERIFIER.contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return false;
    }
    let expected = URL_SAFE_NO_PAD.encode(Digest::of(verifier.as_bytes()).as_bytes());
    constant_time_eq(expected.as_bytes(), challenge.as_bytes())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 7636 appendix B.
    pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    /// R7636-4.6a, R7636-4.6b
    #[test]
    fn the_verifier_of_the_appendix_fits_and_no_other() {
        assert!(fits(CHALLENGE, VERIFIER));
        assert!(!fits(CHALLENGE, CHALLENGE), "plain");
        for verifier in ["", &VERIFIER[1..], &format!("{VERIFIER}="), &VERIFIER.replace('-', "+"), &"a".repeat(129)] {
            assert!(!fits(CHALLENGE, verifier), "{verifier}");
        }
        let (shortest, longest) = ("~".repeat(43), "a.".repeat(64));
        for verifier in [shortest, longest] {
            let challenge = URL_SAFE_NO_PAD.encode(Digest::of(verifier.as_bytes()).as_bytes());
            assert!(is_challenge(&challenge) && fits(&challenge, &verifier), "{verifier}");
        }
    }

    /// R7636-4.3b
    #[test]
    fn a_challenge_is_43_characters_of_base64url() {
        assert!(is_challenge(CHALLENGE));
        for text in ["", &CHALLENGE[1..], &format!("{CHALLENGE}a"), &CHALLENGE.replace('-', "+"), &"é".repeat(43)] {
            assert!(!is_challenge(text), "{text}");
        }
        assert!(!is_challenge(&CHALLENGE.replace('-', "=")), "padding");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(challenge: String, verifier: String) {
            let _ = is_challenge(&challenge);
            prop_assert!(!fits(&challenge, &verifier));
        }
    }
}
