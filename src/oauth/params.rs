//! `application/x-www-form-urlencoded` parameters, read strictly (RFC 6749 appendix B).

use std::borrow::Cow;

/// The parameters of a token, introspection or revocation request: each name at most once, empty
/// values left out (R6749-3.2d).
#[derive(Debug, Default)]
pub struct Params<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Why a form could not be read; always 400 `invalid_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// A broken `%` escape or octets that are not UTF-8.
    #[error("the form is not valid application/x-www-form-urlencoded UTF-8")]
    Malformed,
    /// A parameter that may occur once occurs twice.
    #[error("a parameter is repeated")]
    Repeated,
}

impl<'a> Params<'a> {
    /// Reads a form. Names in `repeatable` may occur more than once.
    ///
    /// # Errors
    /// When an escape is broken, the text is not UTF-8, or a name is repeated.
    pub fn parse(form: &'a [u8], repeatable: &[&str]) -> Result<Self, ParamsError> {
        let mut params: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for pair in form.split(|octet| *octet == b'&').filter(|pair| !pair.is_empty()) {
            let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let name = decode(&pair[..at])?;
            let value = decode(pair.get(at + 1..).unwrap_or_default())?;
            if params.iter().any(|(known, _)| *known == name) && !repeatable.contains(&&*name) {
                return Err(ParamsError::Repeated);
            }
            params.push((name, value));
        }
        params.retain(|(_, value)| !value.is_empty());
        Ok(Self(params))
    }

    /// The value of `name`; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// Every value of a repeatable parameter.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// Decodes one name or value: `+` is a space, `%XX` an octet, the whole UTF-8.
///
/// # Errors
/// When an escape is broken or the result is not UTF-8.
pub fn decode(text: &[u8]) -> Result<Cow<'_, str>, ParamsError> {
    if !text.iter().any(|octet| matches!(octet, b'+' | b'%')) {
        return std::str::from_utf8(text).map(Cow::Borrowed).map_err(|_| ParamsError::Malformed);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(octet) = rest.next() {
        decoded.push(match octet {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else { return Err(ParamsError::Malformed) };
                u8::try_from(high * 16 + low).map_err(|_| ParamsError::Malformed)?
            }
            other => *other,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| ParamsError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// R6749-App-B
    #[test]
    fn forms_are_decoded_as_the_appendix_says() {
        assert_eq!(decode(b"+%25%26%2B%C2%A3%E2%82%AC").unwrap(), " %&+£€");
        for broken in [&b"%"[..], b"%4", b"%zz", b"%ff", b"\xff"] {
            assert_eq!(decode(broken), Err(ParamsError::Malformed), "{broken:?}");
        }
    }

    /// R6749-3.2d
    #[test]
    fn a_repeated_name_is_refused_and_an_empty_value_is_absent() {
        assert_eq!(Params::parse(b"a=1&%61=2", &[]).unwrap_err(), ParamsError::Repeated);
        assert_eq!(Params::parse(b"a=&a=2", &[]).unwrap_err(), ParamsError::Repeated);
        let params = Params::parse(b"a=&b&c=3&r=1&r=2", &["r"]).unwrap();
        assert_eq!((params.get("a"), params.get("b"), params.get("c")), (None, None, Some("3")));
        assert_eq!(params.get_all("r").collect::<Vec<_>>(), ["1", "2"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(form: Vec<u8>) {
            let _ = Params::parse(&form, &["resource"]);
        }
    }
}
