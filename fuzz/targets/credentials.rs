//! `Authorization` fields (R6750-2.1, R6749-2.3.1a, PX-3): every credential that an independent reader finds is
//! found, and no token of ours stands in what is passed on.
#![no_main]

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::STANDARD as PADDED;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use libfuzzer_sys::fuzz_target;
use tollgate::enforce::bearer::{Credential, authorization, holds_token};
use tollgate::oauth::authorization::Authorization;

/// Base64 as the most forgiving reader takes it.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

fuzz_target!(|octets: &[u8]| {
    if octets.iter().any(|octet| octet.is_ascii_control() && *octet != b'\t') {
        return;
    }
    reads_bearer(octets);
    reads_basic(octets);
    let text = octets.trim_ascii();
    let is_basic = text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic"));
    let in_halves = halves(text.get(5..).unwrap_or_default())
        .is_some_and(|(name, password)| is_basic && (begins_as_ours(&name) || begins_as_ours(&password)));
    assert_eq!(holds_token(octets), in_halves || has_word_of_ours(octets), "{}", octets.escape_ascii());
});

fn reads_bearer(octets: &[u8]) {
    let text = octets.trim_ascii();
    let scheme_ends = text.iter().position(|octet| !is_token(*octet)).unwrap_or(text.len());
    let (scheme, rest) = text.split_at(scheme_ends);
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer");
    match authorization(octets) {
        Credential::Other => assert!(!is_bearer, "{}", octets.escape_ascii()),
        Credential::Malformed => assert!(is_bearer && bearer(rest).is_none(), "{}", octets.escape_ascii()),
        Credential::Bearer(token) => {
            assert!(is_bearer && bearer(rest) == Some(token), "{}", octets.escape_ascii());
            assert!(authorization(&[b"Bearer ", token].concat()) == Credential::Bearer(token));
            assert!(!begins_as_ours(token) || holds_token(octets), "{}", octets.escape_ascii());
        }
    }
}

fn reads_basic(octets: &[u8]) {
    let Authorization::Basic(basic) = Authorization::parse(octets) else { return };
    let (scheme, rest) = octets.split_at(6);
    assert!(scheme.eq_ignore_ascii_case(b"basic "), "{}", octets.escape_ascii());
    let (name, password) = halves(rest).expect("it is base64");
    assert_eq!((basic.name().as_bytes(), basic.password().as_bytes()), (&name[..], &password[..]));
    assert!(!basic.name().contains(char::is_control) && !basic.password().contains(char::is_control));
    if let Some(decoded) = basic.form_decoded() {
        assert_eq!(decoded.name().as_bytes(), form_decoded(&name));
        assert_eq!(decoded.password().as_bytes(), form_decoded(&password));
    }
    let again = PADDED.encode([&name[..], b":", &password].concat());
    let again = Authorization::parse(format!("Basic {again}").as_bytes());
    assert!(matches!(again, Authorization::Basic(again) if again == basic));
}

/// `1*SP b64token` (RFC 6750 section 2.1).
fn bearer(rest: &[u8]) -> Option<&[u8]> {
    let token = std::str::from_utf8(rest.strip_prefix(b" ")?).ok()?.trim_start_matches(' ');
    let unpadded = token.trim_end_matches('=');
    let is_legal = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(&octet);
    (!unpadded.is_empty() && unpadded.bytes().all(is_legal)).then_some(token.as_bytes())
}

/// Name and password of HTTP Basic.
fn halves(rest: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let octets = FORGIVING.decode(rest.trim_ascii()).ok()?;
    let colon = octets.iter().position(|octet| *octet == b':').unwrap_or(octets.len());
    Some((octets[..colon].to_vec(), octets.get(colon + 1..).unwrap_or_default().to_vec()))
}

fn form_decoded(half: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = half.iter().map(|&octet| if octet == b'+' { b' ' } else { octet }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}

/// Whether a prefix of our tokens begins a word.
fn has_word_of_ours(octets: &[u8]) -> bool {
    let begins = |at: usize| at == 0 || !octets[at - 1].is_ascii_alphanumeric();
    (0..octets.len()).any(|at| begins(at) && begins_as_ours(&octets[at..]))
}

/// `tg[acdimrs]_`
fn begins_as_ours(text: &[u8]) -> bool {
    matches!(text, [b't', b'g', b'a' | b'c' | b'd' | b'i' | b'm' | b'r' | b's', b'_', ..])
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&octet)
}
