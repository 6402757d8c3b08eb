//! Reading the form of a token, introspection or revocation request: media type, size, and no
//! secrets in the URL.

use super::BODY_LIMIT;
use crate::clock::Timestamp;
use crate::enforce::bearer::is_form;
use crate::issue::{self, IssueError};
use crate::oauth::authorization::Authorization;
use crate::oauth::params::{Params, decode};
use crate::oauth::request::REPEATABLE;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use std::net::IpAddr;

/// Why a form is not looked at any further.
#[derive(Debug)]
pub(super) enum FormError {
    /// 400.
    Refused(IssueError),
    /// 413.
    TooLarge,
}

/// Parameters that never stand in a URL, where logs and histories keep them (R6749-3.2c).
const SECRETS: [&str; 7] =
    ["client_assertion", "client_secret", "code", "device_code", "password", "refresh_token", "token"];

/// Reads the form in the body of a request.
///
/// # Errors
/// When it is none, is too large, or a secret stands in the URL.
pub(super) fn read(
    request: &Request<Bytes>,
    address: Option<IpAddr>,
    now: Timestamp,
) -> Result<issue::Request<'_>, FormError> {
    let refused = |text| FormError::Refused(IssueError::InvalidRequest(text));
    if request.body().len() > BODY_LIMIT {
        return Err(FormError::TooLarge);
    }
    if request.uri().query().is_some_and(names_a_secret) {
        return Err(refused("a secret must not stand in the URL"));
    }
    let headers = request.headers();
    let content_type = only(headers, &CONTENT_TYPE).map_err(refused)?;
    if !content_type.is_some_and(|value| is_form(value.as_bytes())) {
        return Err(refused("the body must be application/x-www-form-urlencoded"));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(refused("the body must not be compressed"));
    }
    let authorization = only(headers, &AUTHORIZATION).map_err(refused)?;
    let params = Params::parse(request.body(), &REPEATABLE).map_err(|error| FormError::Refused(error.into()))?;
    let authorization = authorization.map(|value| Authorization::parse(value.as_bytes()));
    Ok(issue::Request { params, authorization, address, now })
}

/// The only value of a field.
pub(super) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, &'static str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err("a header field is repeated"),
        (value, None) => Ok(value),
    }
}

/// A name that cannot be read might be one.
fn names_a_secret(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        decode(name.as_bytes()).map_or(true, |name| SECRETS.contains(&&*name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(uri: &str, fields: &[(&str, &str)], body: &str) -> Request<Bytes> {
        let mut request = Request::post(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    fn outcome(uri: &str, fields: &[(&str, &str)], body: &str) -> Result<(), &'static str> {
        match read(&request(uri, fields, body), None, Timestamp::default()) {
            Ok(_) => Ok(()),
            Err(FormError::TooLarge) => Err("too large"),
            Err(FormError::Refused(IssueError::InvalidRequest(_))) => Err("invalid_request"),
            Err(FormError::Refused(other)) => panic!("{other:?}"),
        }
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    /// R6749-3.2b
    #[test]
    fn only_a_form_of_reasonable_size_is_read() {
        assert_eq!(outcome("/t", &[FORM], "a=b"), Ok(()));
        assert_eq!(
            outcome("/t", &[("content-type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8")], "a=b"),
            Ok(())
        );
        assert_eq!(outcome("/t", &[("content-type", "application/json")], "{}"), Err("invalid_request"));
        assert_eq!(outcome("/t", &[], "a=b"), Err("invalid_request"));
        assert_eq!(outcome("/t", &[FORM, FORM], "a=b"), Err("invalid_request"));
        assert_eq!(outcome("/t", &[FORM, ("content-encoding", "gzip")], "a=b"), Err("invalid_request"));
        assert_eq!(outcome("/t", &[FORM], &"a".repeat(BODY_LIMIT)), Ok(()));
        assert_eq!(outcome("/t", &[FORM], &"a".repeat(BODY_LIMIT + 1)), Err("too large"));
    }

    /// R6749-3.2c
    #[test]
    fn a_secret_in_the_url_is_refused() {
        assert_eq!(outcome("/t?trace=1", &[FORM], "a=b"), Ok(()));
        for query in ["client_secret=s", "a=b&code=c", "refresh_token", "client%5Fassertion=x", "a%zz=1"] {
            assert_eq!(outcome(&format!("/t?{query}"), &[FORM], "a=b"), Err("invalid_request"), "{query}");
        }
    }

    /// R6749-3.2d, R6749-2.3a
    #[test]
    fn what_is_repeated_is_refused() {
        assert_eq!(outcome("/t", &[FORM], "a=1&a=1"), Err("invalid_request"));
        assert_eq!(outcome("/t", &[FORM], "resource=1&resource=2&audience=1&audience=1"), Ok(()));
        let twice = [FORM, ("authorization", "Basic YTpi"), ("authorization", "Basic YTpi")];
        assert_eq!(outcome("/t", &twice, "a=1"), Err("invalid_request"));
    }

    /// R6749-App-B
    #[test]
    fn a_form_that_is_no_utf8_is_refused() {
        assert_eq!(outcome("/t", &[FORM], "a=%ff"), Err("invalid_request"));
        assert_eq!(outcome("/t", &[FORM], "a=%4"), Err("invalid_request"));
    }

    proptest! {
        #[test]
        fn any_query_is_searched_without_panic(query in ".*") {
            let _ = names_a_secret(&query);
        }
    }
}
