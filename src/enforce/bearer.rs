//! Where a bearer token may stand in a request: the header, one form field, one query parameter
//! (RFC 6750 section 2), each with the RFC's exact conditions.

mod urlencoded;

use crate::oauth::token::TokenKind;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
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
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// A bearer token of the right syntax (R6750-2.1a).
    Bearer(&'a [u8]),
    /// Another scheme (R6750-2.1c).
    Other,
    /// `Bearer` with something that is not a token (R6750-2.1b).
    Malformed,
}

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(…)",
            Self::Other => "Other",
            Self::Malformed => "Malformed",
        })
    }
}

/// Reads one `Authorization` field value.
pub fn authorization(value: &[u8]) -> Credential<'_> {
    const SCHEME: usize = "bearer".len();
    let value = trim(value);
    let Some((scheme, rest)) = value.split_at_checked(SCHEME) else { return Credential::Other };
    if !scheme.eq_ignore_ascii_case(b"bearer") || rest.first().is_some_and(|next| is_tchar(*next)) {
        return Credential::Other;
    }
    let spaces = rest.iter().take_while(|octet| **octet == b' ').count();
    let token = &rest[spaces..];
    if spaces > 0 && is_b64token(token) { Credential::Bearer(token) } else { Credential::Malformed }
}

/// Base64 as the most forgiving upstream reads it.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether an `Authorization` value of another scheme holds a token of ours, which no upstream may
/// get (PX-3): as a word of it, or as name or password of `Basic`.
pub fn holds_token(value: &[u8]) -> bool {
    if prefixes(value).any(|at| at == 0 || !value[at - 1].is_ascii_alphanumeric()) {
        return true;
    }
    let Some((scheme, rest)) = trim(value).split_at_checked("basic".len()) else { return false };
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return false;
    }
    let Ok(pair) = FORGIVING.decode(trim(rest)).map(Zeroizing::new) else { return false };
    pair.splitn(2, |octet| *octet == b':').any(|half| TokenKind::of(half).is_some())
}

/// Where prefixes of our tokens stand in `text`. Their last character is the rarest.
fn prefixes(text: &[u8]) -> impl Iterator<Item = usize> {
    const BEFORE: usize = "tga".len();
    memchr::memchr_iter(b'_', text)
        .filter_map(|at| at.checked_sub(BEFORE))
        .filter(|at| TokenKind::of(&text[*at..]).is_some())
}

/// A query or a form without its tokens.
#[derive(Default, PartialEq, Eq)]
pub struct Extracted {
    /// The values of `access_token` that count, form-decoded; more than one is an error of the caller.
    pub tokens: Vec<Zeroizing<Vec<u8>>>,
    /// The text without them; `None`: nothing was taken out, forward the original bytes. Empty:
    /// nothing else was there.
    pub rest: Option<Vec<u8>>,
}

impl std::fmt::Debug for Extracted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Extracted({} tokens, {})",
            self.tokens.len(),
            if self.rest.is_some() { "edited" } else { "as it was" }
        )
    }
}

/// Takes `access_token` parameters out of a query. Switched off, only values with one of our token
/// prefixes are taken out, and none counts (design, section 5, "Tokens in odd places"). A parameter
/// of another name is taken out when its whole value is one of our tokens.
pub fn from_query(query: &[u8], enabled: bool) -> Extracted {
    urlencoded::extract(query, enabled)
}

/// Whether a request's content means something with this method, so that a form may hold the token
/// (RFC 6750 section 2.2): RFC 9110 sections 9.3.1, 9.3.2, 9.3.5, 9.3.7 and 9.3.8 define nothing for
/// these.
pub fn method_has_form(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD" | "DELETE" | "OPTIONS" | "TRACE")
}

/// A form body that breaks a condition of RFC 6750 section 2.2 (400).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FormError(pub &'static str);

/// Takes `access_token` fields out of a urlencoded body. See [`from_query`] for `enabled`.
///
/// # Errors
/// When there is such a field, the way is switched on, and the body is not entirely ASCII after
/// decoding, or `method_allows` is false ([`method_has_form`]).
pub fn from_form(body: &[u8], enabled: bool, method_allows: bool) -> Result<Extracted, FormError> {
    let extracted = urlencoded::extract(body, enabled);
    if extracted.tokens.is_empty() {
        return Ok(extracted);
    }
    if !method_allows {
        return Err(FormError("A request of this method has no form that could hold the access token."));
    }
    if !urlencoded::decoded(body).all(|octet| octet.is_ascii()) {
        return Err(FormError("A form that holds the access token must be entirely ASCII."));
    }
    Ok(extracted)
}

/// Whether a `Content-Type` says `application/x-www-form-urlencoded`, whatever its parameters.
pub fn is_form(content_type: &[u8]) -> bool {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    trim(&content_type[..end]).eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// The value without the optional whitespace around it.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(token: &[u8]) -> bool {
    let body = token.iter().position(|octet| !B64TOKEN[usize::from(*octet)]).unwrap_or(token.len());
    body > 0 && token[body..].iter().all(|octet| *octet == b'=')
}

/// What a `b64token` holds before its padding.
const B64TOKEN: [bool; 256] = {
    let legal = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    let mut table = [false; 256];
    let mut at = 0;
    while at < legal.len() {
        table[legal[at] as usize] = true;
        at += 1;
    }
    table
};

/// A character of a token in the sense of RFC 9110 section 5.6.2: the scheme's name goes on.
fn is_tchar(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

#[cfg(test)]
mod tests;
