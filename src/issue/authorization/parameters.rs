//! The parameters of an authorization request, as strictly as they can be read before it is known
//! where an error may go: what is wrong with one is said when that one is asked for.

use crate::oauth::params::{ParamsError, decode};
use std::borrow::Cow;

/// Every parameter that means something here; others are ignored (R6749-3.1d).
const KNOWN: [&str; 14] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "login_hint",
    "max_age",
    "prompt",
    "redirect_uri",
    "request",
    "request_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// The one that may be repeated (RFC 8707 section 2).
const REPEATABLE: &str = "resource";

/// The known parameters of a query or a form.
#[derive(Debug)]
pub(in crate::issue) struct Parameters<'p>(Vec<(&'static str, Result<Cow<'p, str>, ParamsError>)>);

impl<'p> Parameters<'p> {
    /// Reads a query or a form.
    pub(in crate::issue) fn read(form: &'p [u8]) -> Self {
        let pairs = form.split(|octet| *octet == b'&').filter_map(|pair| {
            let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let name = decode(&pair[..at]).ok()?;
            let name = KNOWN.into_iter().find(|known| *known == name)?;
            Some((name, decode(pair.get(at + 1..).unwrap_or_default())))
        });
        Self(pairs.collect())
    }

    /// The value of `name`; an empty one counts as absent (R6749-3.1c).
    ///
    /// # Errors
    /// When it is repeated (R6749-3.1e), or cannot be read.
    pub(in crate::issue) fn get(&self, name: &str) -> Result<Option<&str>, ParamsError> {
        let mut values = self.values(name);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(ParamsError::Repeated);
        }
        value.map(|value| Some(value).filter(|value| !value.is_empty()))
    }

    /// Every value of the repeatable parameter.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(in crate::issue) fn resources(&self) -> Result<Vec<&str>, ParamsError> {
        let values: Result<Vec<_>, _> = self.values(REPEATABLE).collect();
        Ok(values?.into_iter().filter(|value| !value.is_empty()).collect())
    }

    /// Whether every known parameter stands there once and can be read.
    ///
    /// # Errors
    /// What is wrong with one that does not.
    pub(in crate::issue) fn check(&self) -> Result<(), ParamsError> {
        let mut once = KNOWN.into_iter().filter(|name| *name != REPEATABLE);
        once.try_for_each(|name| self.get(name).map(drop))?;
        self.resources().map(drop)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = Result<&str, ParamsError>> {
        let named = self.0.iter().filter(move |(known, _)| *known == name);
        named.map(|(_, value)| value.as_deref().map_err(|error| *error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// R6749-3.1c, R6749-3.1d, R6749-3.1e
    #[test]
    fn each_known_parameter_stands_there_once_and_others_do_not_matter() {
        let read = Parameters::read(b"state=&x=1&x=%zz&%ff=1&client_id=a%2fb&&resource=1&resource=2&resource=");
        assert_eq!(
            (read.get("state"), read.get("client_id"), read.get("scope")),
            (Ok(None), Ok(Some("a/b")), Ok(None))
        );
        assert_eq!(read.resources(), Ok(vec!["1", "2"]));
        assert_eq!(read.check(), Ok(()));
        let read = Parameters::read(b"state=1&st%61te=&scope=%zz&client_id=%ff&prompt=none");
        assert_eq!(read.get("state"), Err(ParamsError::Repeated));
        assert_eq!(read.get("scope"), Err(ParamsError::Malformed));
        assert_eq!(read.get("client_id"), Err(ParamsError::Malformed));
        assert_eq!(read.get("prompt"), Ok(Some("none")));
        assert!(read.check().is_err());
        assert!(Parameters::read(b"resource=%").check().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(form: Vec<u8>) {
            let read = Parameters::read(&form);
            let _ = (read.check(), read.get("state"), read.resources());
        }

        #[test]
        fn what_stands_there_once_is_what_was_sent(
            state in ".+",
            before in "([a-z_]{1,4}(=[a-z%]{0,3})?&){0,3}",
            again: bool,
        ) {
            let sent = crate::oauth::redirect::with("", &[("state", &state)]);
            let sent = sent.trim_start_matches('?');
            let form = if again { format!("{sent}&{before}{sent}") } else { format!("{before}{sent}") };
            let read = Parameters::read(form.as_bytes());
            let expected = if again { Err(ParamsError::Repeated) } else { Ok(Some(&*state)) };
            prop_assert_eq!(read.get("state"), expected);
        }
    }
}
