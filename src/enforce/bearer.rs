//! Where a bearer token may stand in a request: the header, one form field, one query parameter
//! (RFC 6750 section 2), each with the RFC's exact conditions.

/// The ways in which a token may be sent (`bearer.methods`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods {
    /// RFC 6750 section 2.1.
    pub header: bool,
    /// RFC 6750 section 2.2.
    pub form: bool,
    /// RFC 6750 section 2.3.
    pub query: bool,
}

/// What an `Authorization` field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'a> {
    /// A bearer token of the right syntax (R6750-2.1a).
    Bearer(&'a [u8]),
    /// Another scheme (R6750-2.1c).
    Other,
    /// `Bearer` with something that is not a token (R6750-2.1b).
    Malformed,
}

/// Reads one `Authorization` field value.
pub fn authorization(value: &[u8]) -> Credential<'_> {
    let _ = value;
    todo!()
}

/// A query or a form without its tokens.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// The values of `access_token` that count, form-decoded; more than one is an error of the caller.
    pub tokens: Vec<zeroize::Zeroizing<Vec<u8>>>,
    /// The text without them; `None`: nothing was taken out, forward the original bytes.
    pub rest: Option<Vec<u8>>,
}

/// Takes `access_token` parameters out of a query. Switched off, only values with one of our token
/// prefixes are taken out, and none counts (design, section 5, "Tokens in odd places").
pub fn from_query(query: &[u8], enabled: bool) -> Extracted {
    let _ = (query, enabled);
    todo!()
}

/// A form body that breaks a condition of RFC 6750 section 2.2 (400).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FormError(pub &'static str);

/// Takes `access_token` fields out of a urlencoded body. See [`from_query`] for `enabled`.
///
/// # Errors
/// When there is such a field, the way is switched on, and the body is not entirely ASCII after
/// decoding, or `method_allows` is false (GET).
pub fn from_form(body: &[u8], enabled: bool, method_allows: bool) -> Result<Extracted, FormError> {
    let _ = (body, enabled, method_allows);
    todo!()
}

/// Whether a `Content-Type` says `application/x-www-form-urlencoded`, whatever its parameters.
pub fn is_form(content_type: &[u8]) -> bool {
    let _ = content_type;
    todo!()
}
