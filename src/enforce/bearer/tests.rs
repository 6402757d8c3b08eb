//! The three places of a token.

use super::*;
use proptest::prelude::*;

const TOKEN: &str = "tga_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO";

/// R6750-2.1a, R6750-2.1b, R6750-2.1c
#[test]
fn the_header_is_read_as_the_grammar_says() {
    let token = Credential::Bearer(b"mF_9.B5f-4.1JqM");
    for value in ["Bearer mF_9.B5f-4.1JqM", "bearer mF_9.B5f-4.1JqM", "BEARER   mF_9.B5f-4.1JqM"] {
        assert_eq!(authorization(value.as_bytes()), token, "{value}");
    }
    assert_eq!(authorization(b"Bearer ab+/=="), Credential::Bearer(b"ab+/=="));
    for value in [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a,b",
        "Bearer a=b",
        "Bearer =",
        "Bearer,a",
        "Bearer \"a\"",
        "Bearer\ta",
    ] {
        assert_eq!(authorization(value.as_bytes()), Credential::Malformed, "{value}");
    }
    for value in ["Basic YTpi", "", "Bear", "BearerX a", "Token a"] {
        assert_eq!(authorization(value.as_bytes()), Credential::Other, "{value}");
    }
}

fn texts(extracted: &Extracted) -> (Vec<&str>, Option<&str>) {
    let tokens = extracted.tokens.iter().map(|token| std::str::from_utf8(token).unwrap()).collect();
    (tokens, extracted.rest.as_deref().map(|rest| std::str::from_utf8(rest).unwrap()))
}

/// R6750-2.3a, R6750-2
#[test]
fn a_query_loses_its_token_and_nothing_else() {
    for (query, tokens, rest) in [
        ("access_token=a%2Bb", vec!["a+b"], Some("")),
        ("x=%41&access_token=t&&y", vec!["t"], Some("x=%41&&y")),
        ("access%5Ftoken=t&x=1", vec!["t"], Some("x=1")),
        ("access_token=a&access_token=a", vec!["a", "a"], Some("")),
        ("x=access_token&Access_Token=1&", vec![], None),
        ("", vec![], None),
    ] {
        assert_eq!(texts(&from_query(query.as_bytes(), true)), (tokens, rest), "{query}");
    }
}

/// PX-3, PX-4: a switched-off way is ignored, but a token of ours never passes.
#[test]
fn tokens_of_ours_are_removed_wherever_they_stand() {
    let query = format!("access_token={TOKEN}&x=1&jwt={TOKEN}");
    assert_eq!(texts(&from_query(query.as_bytes(), false)), (vec![], Some("x=1")));
    let encoded = query.replace("tga_", "%74ga%5F");
    assert_eq!(texts(&from_query(encoded.as_bytes(), false)), (vec![], Some("x=1")));
    assert_eq!(texts(&from_query(b"access_token=theirs&x=tga_short", false)), (vec![], None));
}

/// R6750-2.2a
#[test]
fn a_form_has_to_be_ascii_and_not_of_a_get() {
    assert_eq!(texts(&from_form(b"a=1&access_token=t&b=+%20", true, true).unwrap()), (vec!["t"], Some("a=1&b=+%20")));
    assert!(from_form(b"a=%C3%A4&access_token=t", true, true).is_err());
    assert!(from_form("a=ä&access_token=t".as_bytes(), true, true).is_err());
    assert!(from_form(b"access_token=t", true, false).is_err());
    assert!(from_form("a=ä&access_token=t".as_bytes(), false, true).unwrap().rest.is_none());
    assert!(from_form("a=ä".as_bytes(), true, false).unwrap().tokens.is_empty());
}

#[test]
fn only_urlencoded_forms_are_forms() {
    for form in ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded ; charset=utf-8"] {
        assert!(is_form(form.as_bytes()));
    }
    for other in ["application/json", "multipart/form-data; boundary=x", "", "application/x-www-form-urlencoded2"] {
        assert!(!is_form(other.as_bytes()));
    }
}

proptest! {
    #[test]
    fn arbitrary_octets_are_kept_or_taken(query: Vec<u8>, enabled: bool) {
        let extracted = from_query(&query, enabled);
        prop_assert!(enabled || extracted.tokens.is_empty());
        if extracted.tokens.is_empty() && !query.starts_with(b"tg") {
            prop_assert!(extracted.rest.is_none_or(|rest| rest.len() < query.len()));
        }
        let _ = authorization(&query);
    }

    #[test]
    fn no_token_survives(before in "[a-z=&%0-9]{0,12}", after in "[a-z=&]{0,12}", enabled: bool) {
        let query = format!("{before}&access_token={TOKEN}&{after}");
        let rest = from_query(query.as_bytes(), enabled).rest.unwrap();
        prop_assert!(!String::from_utf8(rest).unwrap().contains("tga_"));
    }
}
