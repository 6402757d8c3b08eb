//! The `Authorization` field of the token, introspection and revocation endpoints: HTTP Basic, read
//! as a person's (RFC 7617) or as a client's (RFC 6749 section 2.3.1). Bearer tokens are not read
//! here.

use super::params::decode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use std::fmt;
use zeroize::Zeroizing;

/// What an `Authorization` field holds.
#[derive(Debug)]
pub enum Authorization {
    /// A name and a password.
    Basic(Basic),
    /// Anything else: another scheme, or a Basic value that cannot be read.
    Unusable,
}

impl Authorization {
    /// Reads one field value.
    pub fn parse(value: &[u8]) -> Self {
        basic(value).map_or(Self::Unusable, Self::Basic)
    }
}

/// The two halves of HTTP Basic as they were sent; UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Basic {
    name: String,
    password: Zeroizing<String>,
}

impl Basic {
    /// What stands before the first colon.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands behind it.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Both halves form-decoded, as a client's must be read (R6749-2.3.1a); `None` when an escape
    /// is broken.
    pub fn form_decoded(&self) -> Option<Self> {
        let half = |text: &str| decode(text.as_bytes()).map(std::borrow::Cow::into_owned).ok();
        Some(Self { name: half(&self.name)?, password: Zeroizing::new(half(&self.password)?) })
    }
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Basic(…)")
    }
}

fn basic(value: &[u8]) -> Option<Basic> {
    let (scheme, rest) = value.split_at_checked("Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let octets = Zeroizing::new(STANDARD_PAD_INDIFFERENT.decode(rest.trim_ascii()).ok()?);
    let (name, password) = std::str::from_utf8(&octets).ok()?.split_once(':')?;
    if name.contains(char::is_control) || password.contains(char::is_control) {
        return None;
    }
    Some(Basic { name: name.to_owned(), password: Zeroizing::new(password.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn halves(value: &str) -> Option<(String, String)> {
        basic(value.as_bytes()).map(|basic| (basic.name().to_owned(), basic.password().to_owned()))
    }

    fn decoded(value: &str) -> (String, String) {
        let basic = basic(value.as_bytes()).unwrap().form_decoded().unwrap();
        (basic.name().to_owned(), basic.password().to_owned())
    }

    fn pair(name: &str, password: &str) -> (String, String) {
        (name.to_owned(), password.to_owned())
    }

    /// R6749-2.3.1a: the vectors of the specifications.
    #[test]
    fn a_clients_halves_are_form_decoded() {
        assert_eq!(
            decoded("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"),
            pair("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw")
        );
        assert_eq!(decoded("basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"), pair("s6BhdRkqt3", "gX1fBat3bV"));
        assert_eq!(decoded("Basic YSUzQWIrYzpwJTJCJTI1JTI2JTNEJTJGJUMyJUEzJUUyJTgyJUFD"), pair("a:b c", "p+%&=/£€"));
        assert_eq!(decoded("Basic Y2xpZW50JTJGMTpwYStzcw=="), pair("client/1", "pa ss"));
        for spelling in [
            "bXktYXBwXzEueDpzLWVfYy5yJTdFdA==",
            "bXklMkRhcHAlNUYxJTJFeDpzJTJEZSU1RmMlMkVyJTdFdA==",
            "bXktYXBwXzEueDpzLWVfYy5yfnQ=",
        ] {
            assert_eq!(decoded(&format!("Basic {spelling}")), pair("my-app_1.x", "s-e_c.r~t"));
        }
    }

    /// R6749-4.3d: RFC 7617.
    #[test]
    fn a_persons_halves_are_taken_as_they_are() {
        assert_eq!(halves("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Some(pair("Aladdin", "open sesame")));
        assert_eq!(halves("BASIC  dGVzdDoxMjPCow"), Some(pair("test", "123£")));
        assert_eq!(halves("Basic YTpiOmM="), Some(pair("a", "b:c")));
    }

    #[test]
    fn what_is_not_basic_is_unusable() {
        for value in ["", "Basic", "Basic ", "Basic !!!!", "Basic YWJj", "Bearer dGVzdDoxMjPCow==", "Basic YTpiCg=="] {
            assert!(matches!(Authorization::parse(value.as_bytes()), Authorization::Unusable), "{value:?}");
        }
        let shown = format!("{:?}", Authorization::parse(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(!shown.contains("sesame"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(value: Vec<u8>) {
            let _ = Authorization::parse(&[b"Basic ", value.as_slice()].concat());
            let _ = Authorization::parse(&value);
        }

        #[test]
        fn any_pair_survives(name in "[^:\\p{Cc}]*", password in "[^\\p{Cc}]*") {
            use base64::engine::general_purpose::STANDARD;
            let value = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
            prop_assert_eq!(halves(&value), Some((name, password)));
        }
    }
}
