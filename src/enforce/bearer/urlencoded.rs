//! Taking parameters out of urlencoded text while everything else stays byte for byte.

use super::Extracted;
use crate::oauth::token::TokenKind;
use zeroize::Zeroizing;

/// RFC 6750 sections 2.2 and 2.3.
const ACCESS_TOKEN: &[u8] = b"access_token";
/// `tg[acdimrs]_[0-9A-Za-z]{51}`
const TOKEN_LENGTH: usize = 55;
const PREFIX_LENGTH: usize = 4;

/// What becomes of one parameter.
enum Fate {
    Keep,
    /// It does not reach an upstream, and does not count.
    Drop,
    /// It is the request's credential.
    Token(Zeroizing<Vec<u8>>),
}

/// Takes the tokens out of `text`. Nothing is allocated when there is none.
pub(super) fn extract(text: &[u8], enabled: bool) -> Extracted {
    let mut extracted = Extracted::default();
    if !may_hold_token(text) {
        return extracted;
    }
    let mut start = 0;
    let mut kept_one = false;
    while start <= text.len() {
        let end = memchr::memchr(b'&', &text[start..]).map_or(text.len(), |length| start + length);
        let pair = &text[start..end];
        match (fate(pair, enabled), &mut extracted.rest) {
            (Fate::Keep, None) => kept_one = true,
            (Fate::Keep, Some(rest)) => {
                if kept_one {
                    rest.push(b'&');
                }
                rest.extend_from_slice(pair);
                kept_one = true;
            }
            (dropped, rest) => {
                if let Fate::Token(token) = dropped {
                    extracted.tokens.push(token);
                }
                // The parameters before the first one that goes, without their last `&`.
                rest.get_or_insert_with(|| {
                    let mut kept = Vec::with_capacity(text.len());
                    kept.extend_from_slice(&text[..start.saturating_sub(1)]);
                    kept
                });
            }
        }
        start = end + 1;
    }
    extracted
}

/// Form-decoded octets: `+` is a space, `%XX` an octet, a broken escape what it looks like.
pub(super) fn decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16);
    let mut at = 0;
    std::iter::from_fn(move || {
        let octet = *text.get(at)?;
        at += 1;
        if octet == b'+' {
            return Some(b' ');
        }
        if octet == b'%'
            && let (Some(high), Some(low)) = (text.get(at).and_then(digit), text.get(at + 1).and_then(digit))
        {
            at += 2;
            return u8::try_from(high * 16 + low).ok();
        }
        Some(octet)
    })
}

/// A quick look that finds every text with something to take out, and few others.
fn may_hold_token(text: &[u8]) -> bool {
    // Both the name and the prefixes of our tokens have an underscore.
    memchr::memchr2(b'%', b'_', text).is_some_and(|at| {
        memchr::memchr(b'%', &text[at..]).is_some()
            || memchr::memmem::find(text, ACCESS_TOKEN).is_some()
            || super::prefixes(text).next().is_some()
    })
}

fn fate(pair: &[u8], enabled: bool) -> Fate {
    let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
    let (name, value) = (&pair[..at], pair.get(at + 1..).unwrap_or_default());
    let is_credential = decoded(name).eq(ACCESS_TOKEN.iter().copied());
    if is_credential && enabled {
        let mut token = Zeroizing::new(Vec::with_capacity(value.len()));
        token.extend(decoded(value));
        return Fate::Token(token);
    }
    let is_ours = if is_credential { has_our_prefix(value) } else { is_our_token(value) };
    if is_ours { Fate::Drop } else { Fate::Keep }
}

fn has_our_prefix(value: &[u8]) -> bool {
    let mut prefix = [0; PREFIX_LENGTH];
    prefix.iter_mut().zip(decoded(value)).for_each(|(slot, octet)| *slot = octet);
    TokenKind::of(&prefix).is_some()
}

fn is_our_token(value: &[u8]) -> bool {
    let mut tail = decoded(value).skip(PREFIX_LENGTH);
    has_our_prefix(value)
        && tail.by_ref().take(TOKEN_LENGTH - PREFIX_LENGTH).filter(u8::is_ascii_alphanumeric).count()
            == TOKEN_LENGTH - PREFIX_LENGTH
        && tail.next().is_none()
}
