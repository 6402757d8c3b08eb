//! Where a bearer token may stand in a request: the header, one form field, one query parameter
//! (RFC 6750 section 2), each with the RFC's exact conditions.

#[cfg(test)]
mod tests;

use crate::oauth::params;
use crate::oauth::token::TokenKind;
use std::borrow::Cow;
use zeroize::Zeroizing;

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
    /// `Bearer` with something that is not a token (R6750-2.1b).
    Malformed,
    /// Another scheme (R6750-2.1c).
    Other,
}

const SCHEME: &[u8] = b"bearer";

/// Reads one `Authorization` field value.
pub fn authorization(value: &[u8]) -> Credential<'_> {
    let Some((scheme, rest)) = value.split_at_checked(SCHEME.len()) else { return Credential::Other };
    if !scheme.eq_ignore_ascii_case(SCHEME) || rest.first().is_some_and(u8::is_ascii_alphanumeric) {
        return Credential::Other;
    }
    let spaces = rest.iter().take_while(|octet| **octet == b' ').count();
    let token = &rest[spaces..];
    if spaces > 0 && is_b64token(token) { Credential::Bearer(token) } else { Credential::Malformed }
}

/// `b64token` (RFC 6750 section 2.1).
fn is_b64token(text: &[u8]) -> bool {
    let padding = text.iter().rev().take_while(|octet| **octet == b'=').count();
    let body = &text[..text.len() - padding];
    let allowed =
        |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    !body.is_empty() && body.iter().all(allowed)
}

/// A query or a form without its tokens.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// The values of `access_token` that count, form-decoded; more than one is an error of the caller.
    pub tokens: Vec<Zeroizing<Vec<u8>>>,
    /// The text without them; `None`: nothing was taken out, forward the original bytes.
    pub rest: Option<Vec<u8>>,
}

/// Takes `access_token` parameters out of a query. Switched off, only values with one of our token
/// prefixes are taken out, and none counts (design, section 5, "Tokens in odd places").
pub fn from_query(query: &[u8], enabled: bool) -> Extracted {
    let mut extracted = Extracted::default();
    let mut start = 0;
    while start <= query.len() {
        let end = memchr::memchr(b'&', &query[start..]).map_or(query.len(), |length| start + length);
        match judge(&query[start..end], enabled) {
            Fate::Keep => {
                if let Some(rest) = &mut extracted.rest {
                    push(rest, &query[start..end]);
                }
            }
            Fate::Remove => {
                extracted.rest.get_or_insert_with(|| before(query, start));
            }
            Fate::Take(token) => {
                extracted.rest.get_or_insert_with(|| before(query, start));
                extracted.tokens.push(token);
            }
        }
        start = end + 1;
    }
    extracted
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
    let extracted = from_query(body, enabled);
    if extracted.tokens.is_empty() {
        return Ok(extracted);
    }
    if !method_allows {
        return Err(FormError("A GET request has no form that could hold the access token."));
    }
    if !params::decode(body).is_ok_and(|decoded| decoded.is_ascii()) {
        return Err(FormError("A form that holds the access token must be entirely ASCII."));
    }
    Ok(extracted)
}

/// Whether a `Content-Type` says `application/x-www-form-urlencoded`, whatever its parameters.
pub fn is_form(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|octet| *octet == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// What becomes of one parameter.
enum Fate {
    Keep,
    Remove,
    Take(Zeroizing<Vec<u8>>),
}

fn judge(parameter: &[u8], enabled: bool) -> Fate {
    let equals = memchr::memchr(b'=', parameter).unwrap_or(parameter.len());
    let value = parameter.get(equals + 1..).unwrap_or_default();
    if *decoded(&parameter[..equals]) == *b"access_token" {
        let token = decoded(value);
        return match enabled {
            true => Fate::Take(Zeroizing::new(token.into_owned())),
            false if TokenKind::of(&token).is_some() => Fate::Remove,
            false => Fate::Keep,
        };
    }
    if is_our_token(value) { Fate::Remove } else { Fate::Keep }
}

/// Whether the value, under whatever name, is a whole token of ours.
fn is_our_token(value: &[u8]) -> bool {
    if value.len() < TOKEN_LENGTH {
        return false;
    }
    let value = decoded(value);
    value.len() == TOKEN_LENGTH && TokenKind::of(&value).is_some() && value[4..].iter().all(u8::is_ascii_alphanumeric)
}

/// `tg[arcs]_` and 51 characters.
const TOKEN_LENGTH: usize = 55;

/// The decoded octets; what cannot be decoded stays as it is.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    match params::decode(text) {
        Ok(Cow::Owned(decoded)) => Cow::Owned(decoded.into_bytes()),
        Ok(Cow::Borrowed(_)) | Err(_) => Cow::Borrowed(text),
    }
}

/// What stands before the parameter at `start`, without the `&` between.
fn before(query: &[u8], start: usize) -> Vec<u8> {
    query[..start.saturating_sub(1)].to_vec()
}

fn push(rest: &mut Vec<u8>, parameter: &[u8]) {
    if !rest.is_empty() {
        rest.push(b'&');
    }
    rest.extend_from_slice(parameter);
}
