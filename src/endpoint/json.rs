//! Reading a JSON object in the body of a request: media type, size, one reading.

use super::BODY_LIMIT;
use super::form::only;
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::DeserializeOwned;

/// Why a body is not looked at any further.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JsonError {
    /// 400.
    Malformed(&'static str),
    /// 413.
    TooLarge,
}

/// Reads the JSON object in the body of a request. What the parser says of a body that is none is
/// not repeated: it may quote it.
///
/// # Errors
/// When it is none, is too large, or its members are not of the right type.
pub(super) fn read<T: DeserializeOwned>(request: &Request<Bytes>) -> Result<T, JsonError> {
    let body = request.body();
    if body.len() > BODY_LIMIT {
        return Err(JsonError::TooLarge);
    }
    let content_type = only(request.headers(), &CONTENT_TYPE).map_err(JsonError::Malformed)?;
    if !content_type.is_some_and(|value| is_json(value.as_bytes())) {
        return Err(JsonError::Malformed("the body must be application/json"));
    }
    if request.headers().contains_key(CONTENT_ENCODING) {
        return Err(JsonError::Malformed("the body must not be compressed"));
    }
    // A structure is read from a list as well.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(JsonError::Malformed("the body must be a JSON object"));
    }
    serde_json::from_slice(body)
        .map_err(|_| JsonError::Malformed("the body is not valid JSON, or a member has the wrong type or is repeated"))
}

fn is_json(media_type: &[u8]) -> bool {
    let name = media_type.split(|octet| *octet == b';').next().unwrap_or_default();
    name.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Eq, Deserialize)]
    #[serde(default)]
    struct Named {
        name: Option<String>,
    }

    fn outcome(fields: &[(&str, &str)], body: &[u8]) -> Result<Named, JsonError> {
        let mut request = Request::post("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        read(&request.body(Bytes::copy_from_slice(body)).unwrap())
    }

    const JSON: (&str, &str) = ("content-type", "application/json");

    /// R7591-3a
    #[test]
    fn only_an_object_of_reasonable_size_is_read() {
        let named = Named { name: Some("a".to_owned()) };
        assert_eq!(outcome(&[JSON], br#" {"name": "a", "other": 1}"#), Ok(named));
        let with_parameter = ("content-type", "Application/JSON ; charset=utf-8");
        assert_eq!(outcome(&[with_parameter], b"{}"), Ok(Named::default()));
        for (fields, body) in [
            (&[][..], &b"{}"[..]),
            (&[("content-type", "application/x-www-form-urlencoded")], b"{}"),
            (&[JSON, JSON], b"{}"),
            (&[JSON, ("content-encoding", "gzip")], b"{}"),
            (&[JSON], b""),
            (&[JSON], b"[\"a\"]"),
            (&[JSON], b"null"),
            (&[JSON], br#"{"name": 1}"#),
            (&[JSON], br#"{"name": "a", "name": "b"}"#),
            (&[JSON], b"{} {}"),
            (&[JSON], b"{\"name\": \"\xff\"}"),
        ] {
            assert!(matches!(outcome(fields, body), Err(JsonError::Malformed(_))), "{body:?}");
        }
        let large = format!("{{\"name\": \"{}\"}}", "a".repeat(BODY_LIMIT));
        assert_eq!(outcome(&[JSON], large.as_bytes()), Err(JsonError::TooLarge));
        let deep = [b"{\"x\": ".as_slice(), &b"[".repeat(BODY_LIMIT / 2)].concat();
        assert!(outcome(&[JSON], &deep).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_read_or_refused(body: Vec<u8>) {
            let _ = outcome(&[JSON], &body);
        }
    }
}
