//! RFC 6750 section 2, and what is left of a request when its tokens are gone.

use super::*;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

const OURS: &str = "tga_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijA";

fn query(text: &str, enabled: bool) -> (Vec<String>, Option<String>) {
    shown(from_query(text.as_bytes(), enabled))
}

fn shown(extracted: Extracted) -> (Vec<String>, Option<String>) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (extracted.tokens.iter().map(|token| text(token)).collect(), extracted.rest.as_deref().map(text))
}

#[expect(clippy::unnecessary_wraps, reason = "what is expected reads like what is compared")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// R6750-2.1a; section 28, "Miscellaneous"
#[test]
fn a_bearer_header_is_read_whatever_its_case_and_spaces() {
    for value in
        ["Bearer mF_9.B5f-4.1JqM", "bearer mF_9.B5f-4.1JqM", "BEARER   mF_9.B5f-4.1JqM", " Bearer mF_9.B5f-4.1JqM\t"]
    {
        assert_eq!(authorization(value.as_bytes()), Credential::Bearer(b"mF_9.B5f-4.1JqM"), "{value}");
    }
    assert_eq!(authorization(b"Bearer a~+/=="), Credential::Bearer(b"a~+/=="));
}

/// R6750-2.1b
#[test]
fn bearer_with_something_that_is_not_a_token_is_malformed() {
    for value in [
        "Bearer",
        "Bearer ",
        "bearer\ta",
        "Bearer a b",
        "Bearer a,b",
        "Bearer a, Bearer b",
        "Bearer =",
        "Bearer a=b",
        "Bearer \"a\"",
        "Bearer: a",
        "Bearer,a",
        "Bearer ä",
        "Bearer a\0",
        "Bearer=a",
        "Bearer token=a",
        "Bearer a%20",
    ] {
        assert_eq!(authorization(value.as_bytes()), Credential::Malformed, "{value:?}");
    }
}

/// R6750-2.1c
#[test]
fn another_scheme_is_no_bearer_credential() {
    for value in ["", "Basic YTpi", "Bear a", "Bearertoken", "Bearer2 a", "Bearer-x a", "Negotiate", "DPoP a"] {
        assert_eq!(authorization(value.as_bytes()), Credential::Other, "{value:?}");
    }
}

/// PX-3
#[test]
fn our_tokens_are_found_under_other_schemes() {
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    for value in [
        OURS.to_owned(),
        format!("Token {OURS}"),
        format!("Basic YTpi, Bearer {OURS}"),
        format!("Token token=\"{OURS}\""),
        basic(&format!("x:{OURS}")),
        basic(&format!("{OURS}:")).replace("Basic", "basic "),
        // Without its padding, and with bits behind its end that mean nothing.
        basic(&format!("{OURS}:pw")).trim_end_matches('=').to_owned(),
        "Basic dGdhXzE6Yn==".to_owned(),
    ] {
        assert!(holds_token(value.as_bytes()), "{value}");
    }
    for value in ["", "Basic", "Basic YTpi", "Basic !", "Token atga_x", "Bearer xtg", "Token tgx_a", &basic("a:btga_")]
    {
        assert!(!holds_token(value.as_bytes()), "{value}");
    }
}

/// R6750-2.3a, PX-4
#[test]
fn a_token_is_taken_out_of_a_query_and_the_rest_stays_byte_for_byte() {
    for (text, tokens, rest) in [
        ("a=1&access_token=t%31&b=%3d+", vec!["t1"], some("a=1&b=%3d+")),
        ("access_token=t", vec!["t"], some("")),
        ("access_token=t&a", vec!["t"], some("a")),
        ("a&access_token=t", vec!["t"], some("a")),
        ("&&access_token=t&&a&", vec!["t"], some("&&&a&")),
        ("%61ccess%5Ftoken=t+u", vec!["t u"], some("")),
        ("access_token", vec![""], some("")),
        ("access_token=", vec![""], some("")),
        ("access_token=a=b", vec!["a=b"], some("")),
        ("Access_Token=t&xaccess_token=t&access_token_=t", vec![], None),
        ("q=access_token=t", vec![], None),
        ("", vec![], None),
    ] {
        let tokens = tokens.into_iter().map(str::to_owned).collect();
        assert_eq!(query(text, true), (tokens, rest), "{text}");
    }
}

/// R6750-2
#[test]
fn a_repeated_parameter_counts_twice_even_if_equal() {
    assert_eq!(query("access_token=t&a&access_token=t", true), (vec!["t".to_owned(), "t".to_owned()], some("a")));
}

/// Design, section 5, "Tokens in odd places"
#[test]
fn switched_off_only_values_of_ours_are_taken_out_and_none_counts() {
    assert_eq!(query("access_token=theirs&a", false), (vec![], None));
    for value in ["tga_x", "tgr_", "%74ga_abc", "tgc_a%00", OURS] {
        assert_eq!(query(&format!("a&access_token={value}&b"), false), (vec![], some("a&b")), "{value}");
    }
}

#[test]
fn one_of_our_tokens_under_another_name_never_reaches_an_upstream() {
    for enabled in [true, false] {
        assert_eq!(query(&format!("token={OURS}&b"), enabled), (vec![], some("b")));
        assert_eq!(query(&format!("a&x=%74{}", &OURS[1..]), enabled), (vec![], some("a")));
        for harmless in
            ["token=tga_x", &format!("t={OURS}x"), &format!("t={}", &OURS[1..]), &format!("t=x{OURS}"), OURS]
        {
            assert_eq!(query(harmless, enabled), (vec![], None), "{harmless}");
        }
    }
}

/// R6750-2.2a
#[test]
fn a_form_with_a_token_must_meet_the_conditions() {
    let form = |body: &[u8], enabled, method_allows| from_form(body, enabled, method_allows).map(shown);
    assert_eq!(form(b"access_token=t&b=1", true, true), Ok((vec!["t".to_owned()], some("b=1"))));
    for body in [&b"access_token=t&b=%C3%A9"[..], b"access_token=t&b=\xc3\xa9", b"%ff=&access_token=t"] {
        assert!(form(body, true, true).is_err());
        assert_eq!(form(body, false, true), Ok((vec![], None)));
    }
    assert!(form(b"access_token=t", true, false).is_err());
    assert_eq!(form(b"b=%C3%A9", true, false), Ok((vec![], None)));
    let ours = format!("access_token={OURS}&b=%C3%A9");
    assert_eq!(form(ours.as_bytes(), false, false), Ok((vec![], some("b=%C3%A9"))));
}

/// R6750-2.2a
#[test]
fn the_media_type_is_compared_without_case_and_parameters() {
    for yes in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded ; charset=UTF-8",
        " application/x-www-form-urlencoded;",
    ] {
        assert!(is_form(yes.as_bytes()), "{yes}");
    }
    for no in [
        "",
        "multipart/form-data",
        "application/x-www-form-urlencoded2",
        "application/x-www-form-urlencoded, text/plain",
    ] {
        assert!(!is_form(no.as_bytes()), "{no}");
    }
}

#[test]
fn debug_output_never_shows_a_token() {
    let shown = format!("{:?} {:?}", from_query(b"access_token=hunter2", true), authorization(b"Bearer hunter2"));
    assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
}

/// Text that comes close to what is taken out.
fn parameters() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "&",
        "&",
        "=",
        "access_token",
        "access_token=",
        "%61ccess_token=",
        "access%5ftoken",
        "tga_",
        "tgr_abc",
        OURS,
        "a",
        "b=1",
        "%",
        "%2",
        "+",
        "%26",
        "%3d",
        "%C3%A9",
        ";",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read(text: Vec<u8>, enabled: bool, method_allows: bool) {
        let _ = authorization(&text);
        let _ = holds_token(&text);
        let _ = is_form(&text);
        let _ = from_query(&text, enabled);
        let _ = from_form(&text, enabled, method_allows);
    }

    #[test]
    fn what_is_left_is_the_parameters_that_do_not_go(text in parameters(), enabled: bool) {
        let extracted = from_query(text.as_bytes(), enabled);
        let decode = |text: &str| urlencoded::decoded(text.as_bytes()).collect::<Vec<u8>>();
        let stays = |pair: &&str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (is_credential, value) = (decode(name) == b"access_token", decode(value));
            !(is_credential && (enabled || TokenKind::of(&value).is_some()) || value == OURS.as_bytes())
        };
        let left: Vec<&str> = text.split('&').filter(stays).collect();
        let all = text.split('&').count();
        let expected = (left.len() < all).then(|| left.join("&").into_bytes());
        prop_assert_eq!(&extracted.rest, &expected);
        // What is left has nothing more to give.
        if let Some(rest) = expected {
            prop_assert_eq!(from_query(&rest, enabled), Extracted::default());
        }
    }

    #[test]
    fn a_bearer_token_is_the_value_without_its_scheme(token in "[A-Za-z0-9._~+/-]{1,40}={0,2}", spaces in 1usize..4) {
        let value = format!("Bearer{}{token}", " ".repeat(spaces));
        prop_assert_eq!(authorization(value.as_bytes()), Credential::Bearer(token.as_bytes()));
    }
}
