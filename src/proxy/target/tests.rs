//! What is read, what is refused, and what must hold for any bytes.

use super::*;
use proptest::prelude::*;

fn normal(raw: &str) -> String {
    let target = Target::read(raw.as_bytes()).unwrap();
    assert_eq!(target.oddities(), PathPolicy::default(), "{raw}");
    target.normal().to_owned()
}

fn oddities(raw: &str) -> PathPolicy {
    Target::read(raw.as_bytes()).unwrap().oddities()
}

fn refused(raws: &[&str]) {
    for raw in raws {
        assert!(Target::read(raw.as_bytes()).is_err(), "{raw:?}");
    }
}

/// PATH-1
#[test]
fn the_decision_uses_the_path_alone() {
    let target = Target::read(b"/secret?x=/public?y").unwrap();
    assert_eq!((target.path(), target.query()), ("/secret", Some("x=/public?y")));
    assert_eq!(Target::read(b"/a?").unwrap().query(), Some(""));
    assert_eq!(normal("/a%3fb%23c"), "/a%3Fb%23c");
    refused(&["/admin#/public", "/a?b#c", "#"]);
}

/// PATH-2, hazards 1 and 2
#[test]
fn dot_segments_are_refused_in_every_spelling() {
    refused(&[
        "/public/../admin",
        "/a/.",
        "/./a",
        "/..",
        "/a/%2e%2e/b",
        "/a/%2E%2e",
        "/a/.%2e/b",
        "/a/%2e",
        "/a/%2e%2e%2fadmin",
        "/a/..%2Fadmin",
        "/a/x%2F../b",
        "http://h/a/../b",
    ]);
    assert_eq!(normal("/.well-known/x"), "/.well-known/x");
    assert_eq!(normal("/.../..a/a../%2e%2ea"), "/.../..a/a../..a");
}

/// PATH-3, hazard 3
#[test]
fn an_encoded_slash_is_an_oddity_and_stays_a_character_of_its_segment() {
    for raw in ["/admin%2Fx", "/admin%2fx"] {
        let target = Target::read(raw.as_bytes()).unwrap();
        assert_eq!(target.oddities(), PathPolicy { encoded_slash: true, ..PathPolicy::default() });
        assert_eq!(target.normal(), "/admin%2Fx");
    }
}

/// PATH-4, hazard 9
#[test]
fn empty_segments_are_an_oddity_and_a_trailing_slash_is_none() {
    for raw in ["//admin", "///", "//", "/a//b", "/a//", "http://h//a"] {
        assert_eq!(oddities(raw), PathPolicy { empty_segments: true, ..PathPolicy::default() }, "{raw}");
    }
    assert_eq!(normal("/a/"), "/a/");
    assert_eq!(normal("/"), "/");
}

/// PATH-5
#[test]
fn a_backslash_is_refused_raw_and_encoded() {
    refused(&["/api\\admin", "/api/%5cadmin", "/%5C", "/\\admin", "\\admin"]);
}

/// PATH-6
#[test]
fn a_semicolon_is_an_oddity_and_after_dots_it_is_refused() {
    for raw in ["/a;b", "/a;jsessionid=1/b", "/a%3bb", "/;"] {
        assert_eq!(oddities(raw), PathPolicy { path_parameters: true, ..PathPolicy::default() }, "{raw}");
    }
    refused(&["/api/..;/admin", "/api/.;/a", "/a/..%3b/b", "/a/..%3Bx", "/a/%2e%2e;x", "/a/.%3Bx=1"]);
}

/// PATH-7, H-form
#[test]
fn control_characters_are_refused_raw_and_encoded() {
    refused(&["/a\0", "/a\tb", "/a b", "/a\x7f", "/a\n", "/é"]);
    for octet in (0..0x20).chain([0x7f]) {
        refused(&[&format!("/a%{octet:02x}"), &format!("/a%{octet:02X}.png")]);
    }
    assert!(Target::read(b"/\xff").is_err());
}

/// PATH-8
#[test]
fn broken_escapes_are_refused() {
    refused(&["/%", "/%4", "/%zz", "/a%4/b", "/a%/b", "/%%34%31", "/%+1"]);
}

/// PATH-9
#[test]
fn octets_that_are_not_utf8_are_refused() {
    refused(&["/%c0%af", "/%c0%ae%c0%ae/admin", "/%E0%80%AF", "/%ED%A0%80", "/%80", "/%C3/%A9", "/%F5%80%80%80"]);
    assert_eq!(normal("/caf%c3%a9"), "/caf%C3%A9");
}

/// PATH-10
#[test]
fn characters_with_one_meaning_match_with_and_without_their_escape() {
    assert_eq!(normal("/%61dmin"), "/admin");
    assert_eq!(normal("/%41%2d%2E%5f%7e%39"), "/A-._~9");
    assert_eq!(normal("/users/%40me/a%3Ab%2bc"), "/users/@me/a:b+c");
    assert_eq!(normal("/a|b%7cc/%7b%22%7D"), "/a%7Cb%7Cc/%7B%22%7D");
    assert!(matches!(Target::read(b"/notes/a:b@c!$&'()*+,=~").unwrap().normal, Cow::Borrowed(_)));
    assert!(matches!(Target::read(b"/caf%C3%A9").unwrap().normal, Cow::Borrowed(_)));
}

/// PATH-11
#[test]
fn double_encoding_is_an_oddity_however_it_is_spelled() {
    for raw in ["/%252e%252e/admin", "/%252f", "/%255c", "/%2500", "/%25%32%65", "/a%2525", "/%25%32f"] {
        assert_eq!(oddities(raw), PathPolicy { encoded_percent: true, ..PathPolicy::default() }, "{raw}");
    }
    assert_eq!(normal("/100%25"), "/100%25");
    assert_eq!(normal("/100%25g1"), "/100%25g1");
}

/// H-form, H-host-2, PATH-16
#[test]
fn absolute_form_is_read_like_origin_form() {
    let target = Target::read(b"HTTP://API.example:80/%61?b").unwrap();
    assert_eq!(target.authority(), Some("API.example:80"));
    assert_eq!((target.path(), target.normal(), target.query()), ("/%61", "/a", Some("b")));
    let bare = Target::read(b"https://h?q").unwrap();
    assert_eq!((bare.path(), bare.query()), ("/", Some("q")));
    assert_eq!(Target::read(b"http://h").unwrap().path(), "/");
    refused(&["*", "", "admin", "example.com:443", "ftp://h/", "http:///a", "http://u@h/", "http:/a", "http://h\\a/"]);
}

/// H-host-3, hazard 4
#[test]
fn hosts_compare_folded() {
    for raw in ["api.example", "API.Example", "api.example.", "api.example:80", "Api.Example.:8443"] {
        let host = Host::read(raw.as_bytes()).unwrap();
        assert_eq!((&*host.name, host.raw), ("api.example", raw));
    }
    for raw in ["[2001:db8::1]", "[2001:DB8:0::1]:443"] {
        assert_eq!(Host::read(raw.as_bytes()).unwrap().name, "[2001:db8::1]");
    }
    assert_eq!(Host::read(b"127.0.0.1:8080").unwrap().name, "127.0.0.1");
}

/// H-host-1
#[test]
fn hosts_that_are_not_one_name_are_refused() {
    let long = "a".repeat(254);
    for raw in [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "u@h",
        "a/b",
        "a,b",
        "a b",
        " a",
        "a\t",
        "a:",
        "a:b",
        "a:0",
        "a:65536",
        "a:080080",
        "a:+8",
        ":80",
        "a:1:2",
        "::1",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[::1%25eth0]",
        "[v1.a]",
        "[1.2.3.4]",
        "ä",
        "a%41",
        "a?b",
        "a#b",
        "a\\b",
        "*",
        &long,
    ] {
        assert!(Host::read(raw.as_bytes()).is_err(), "{raw:?}");
    }
    assert!(Host::read(b"\xff").is_err());
}

#[test]
fn a_policy_allows_what_it_names_and_nothing_else() {
    let slash = PathPolicy { encoded_slash: true, ..PathPolicy::default() };
    assert!(slash.allows(slash) && slash.allows(PathPolicy::default()));
    assert!(!PathPolicy::default().allows(slash));
    assert!(!slash.allows(PathPolicy { encoded_percent: true, ..slash }));
    assert!(!slash.allows(PathPolicy { empty_segments: true, ..slash }));
    assert!(!slash.allows(PathPolicy { path_parameters: true, ..slash }));
}

/// The octets that a program behind us gets to see when it decodes once.
fn decoded_once(path: &str) -> Vec<u8> {
    decode(path).unwrap().into_owned()
}

/// Text that comes close to what is refused.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "/", ".", "..", "%2e", "%2F", "%2f", "%5c", "\\", ";", "%3b", "%25", "%", "%00", "a", "b", "2", "e",
        "%c3", "%a9", "%C3%A9", "%41", "|", "?", "#", "http://h", ":", "@",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(raw: Vec<u8>) {
        let _ = Target::read(&raw);
        let _ = Host::read(&raw);
    }

    #[test]
    fn an_accepted_path_holds_nothing_that_can_be_read_two_ways(raw in hostile()) {
        let Ok(target) = Target::read(raw.as_bytes()) else { return Ok(()) };
        if !PathPolicy::default().allows(target.oddities()) {
            return Ok(());
        }
        let decoded = decoded_once(target.path());
        prop_assert_eq!(
            memchr::memchr_iter(b'/', &decoded).count(),
            target.path().matches('/').count()
        );
        prop_assert!(!decoded.iter().any(|octet| *octet == b'\\' || *octet == b';' || octet.is_ascii_control()));
        let text = String::from_utf8(decoded).unwrap();
        prop_assert!(!text.contains("//"));
        prop_assert!(!text.split('/').any(|segment| segment == "." || segment == ".."));
        if let Ok(again) = decode(&text) {
            // What is left of `%` does not begin an escape, so a second decoding changes nothing.
            prop_assert_eq!(&*again, text.as_bytes());
        }
    }

    #[test]
    fn the_matched_form_is_its_own_matched_form(raw in hostile()) {
        let Ok(target) = Target::read(raw.as_bytes()) else { return Ok(()) };
        let again = Target::read(target.normal().as_bytes()).unwrap();
        prop_assert_eq!(again.normal(), target.normal());
        prop_assert_eq!(again.oddities(), target.oddities());
        prop_assert_eq!(target.normal().matches('/').count(), target.path().matches('/').count());
        prop_assert_eq!(decoded_once(again.path()), decoded_once(target.path()));
    }

    #[test]
    fn a_host_in_its_folded_form_is_read_as_itself(raw in "[a-zA-Z0-9._:\\[\\]-]{0,24}") {
        let Ok(host) = Host::read(raw.as_bytes()) else { return Ok(()) };
        prop_assert_eq!(&Host::read(host.name.as_bytes()).unwrap().name, &host.name);
    }
}
