//! Queries and forms (RFC 6749 appendix B, RFC 6750 sections 2.2 and 2.3; R6749-3.2d): every token that another
//! reader sees is found, and what is no token stays as it is, octet by octet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::borrow::Cow;
use tollgate::enforce::bearer::{Extracted, from_form, from_query};
use tollgate::oauth::params::{Params, ParamsError, decode};

/// One that may be sent more than once.
const REPEATABLE: &str = "resource";

fuzz_target!(|octets: &[u8]| {
    for enabled in [true, false] {
        let extracted = from_query(octets, enabled);
        takes_out_what_others_see(octets, enabled, &extracted);
        let form = from_form(octets, enabled, true);
        assert_eq!(from_form(octets, enabled, false).is_err(), !extracted.tokens.is_empty());
        // RFC 6750 section 2.2: the content is entirely ASCII.
        let is_ascii = pairs(octets).all(|(name, value)| name.is_ascii() && value.is_ascii());
        match form {
            Ok(form) => {
                assert!(is_ascii || extracted.tokens.is_empty());
                assert!(form == extracted);
            }
            Err(_) => assert!(!is_ascii && !extracted.tokens.is_empty()),
        }
    }
    has_each_parameter_once(octets);
});

/// Compares with what the reader of the URL standard sees.
fn takes_out_what_others_see(octets: &[u8], enabled: bool, extracted: &Extracted) {
    let mut tokens = Vec::new();
    let mut kept = Vec::new();
    for pair in octets.split(|octet| *octet == b'&') {
        let (name, value) = form_urlencoded::parse(pair).next().unwrap_or_default();
        match &*name {
            "access_token" if enabled => tokens.push(exact(pair)),
            "access_token" if begins_as_ours(&value) => {}
            "access_token" => kept.push(pair),
            _ if is_ours(&value) => {}
            _ => kept.push(pair),
        }
    }
    assert_eq!(extracted.tokens.len(), tokens.len(), "{}", octets.escape_ascii());
    assert!(extracted.tokens.iter().zip(&tokens).all(|(one, other)| **one == **other), "{}", octets.escape_ascii());
    let kept = kept.join(&b'&');
    match &extracted.rest {
        Some(rest) => assert_eq!(rest.escape_ascii().to_string(), kept.escape_ascii().to_string()),
        None => assert_eq!(kept, octets, "{}", octets.escape_ascii()),
    }
    if let Some(rest) = &extracted.rest {
        assert!(rest.len() < octets.len());
        assert!(from_query(rest, enabled) == Extracted::default(), "{}", octets.escape_ascii());
    }
}

/// The value of a parameter, which need not be UTF-8.
fn exact(pair: &[u8]) -> Vec<u8> {
    let value = pair.splitn(2, |octet| *octet == b'=').nth(1).unwrap_or_default();
    let spaced: Vec<u8> = value.iter().map(|&octet| if octet == b'+' { b' ' } else { octet }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}

/// `tg[acdimrs]_`
fn begins_as_ours(value: &str) -> bool {
    let letters = value.strip_prefix("tg").and_then(|rest| rest.split_once('_')).map(|(letter, _)| letter);
    letters.is_some_and(|letter| letter.len() == 1 && "acdimrs".contains(letter))
}

/// `tg[acdimrs]_[0-9A-Za-z]{51}`
fn is_ours(value: &str) -> bool {
    begins_as_ours(value) && value.len() == 55 && value[4..].bytes().all(|octet| octet.is_ascii_alphanumeric())
}

/// What the form of an endpoint says: no name twice, nothing that can be read in two ways.
fn has_each_parameter_once(octets: &[u8]) {
    let parsed = Params::parse(octets, &[REPEATABLE]);
    let pairs: Vec<_> = pairs(octets).collect();
    let is_plain = octets.split(|octet| matches!(octet, b'&' | b'=')).all(is_plain);
    let repeated = pairs
        .iter()
        .enumerate()
        .any(|(at, (name, _))| name != REPEATABLE && pairs[..at].iter().any(|(before, _)| before == name));
    match parsed {
        Ok(params) => {
            assert!(is_plain && !repeated, "{}", octets.escape_ascii());
            for (name, _) in &pairs {
                let named = pairs.iter().filter(|(other, value)| other == name && !value.is_empty());
                assert!(params.get_all(name).eq(named.map(|(_, value)| &**value)));
                assert_eq!(params.get(name), params.get_all(name).next());
            }
        }
        Err(ParamsError::Malformed) => assert!(!is_plain, "{}", octets.escape_ascii()),
        Err(ParamsError::Repeated) => assert!(repeated || !is_plain, "{}", octets.escape_ascii()),
    }
    if let Ok(text) = decode(octets) {
        let again: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        assert_eq!(decode(again.as_bytes()).as_deref(), Ok(&*text));
    }
}

/// Whether every escape is whole and the text is UTF-8.
fn is_plain(text: &[u8]) -> bool {
    let mut behind = text.split(|octet| *octet == b'%').skip(1);
    behind.all(|rest| rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit))
        && percent_encoding::percent_decode(text).decode_utf8().is_ok()
}

/// Every parameter, as the URL standard reads it.
fn pairs(octets: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(octets)
}
