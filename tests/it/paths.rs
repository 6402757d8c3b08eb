//! One reading of a path: what could be read two ways is refused, what passes reaches the upstream byte for byte.

use crate::harness::{Config, Gateway, Upstream, notes};

/// Forms that two programs could read in two ways, below a prefix.
const AMBIGUOUS: &[&str] = &[
    // PATH-2: dot segments, literal, encoded and mixed; also at the end and at the start
    "/../admin",
    "/..",
    "/.",
    "/./x",
    "/a/../../admin/x",
    "/%2e%2e/admin",
    "/%2E%2E/admin",
    "/.%2e/admin",
    "/%2e./admin",
    "/%2E%2e/admin",
    "/%2e/x",
    "/x/%2e%2e",
    // PATH-3: an encoded slash, both cases
    "/a%2fb",
    "/a%2Fb",
    "/..%2fadmin",
    "/%2e%2e%2fadmin",
    "/%2e%2e%2Fadmin",
    // PATH-4: empty segments
    "//admin",
    "///",
    "/a//b",
    "/x//",
    // PATH-5: backslashes
    "/\\admin",
    "/a\\..\\admin",
    "/a%5cb",
    "/a%5Cb",
    "/..%5cadmin",
    // PATH-6: path parameters
    "/..;/admin",
    "/.;/x",
    "/..;x=1/admin",
    "/a;b/c",
    "/;/x",
    "/..%3b/admin",
    "/..%3B/admin",
    "/%2e%2e;/admin",
    // PATH-7: control characters
    "/a%00",
    "/a%00.png",
    "/a%0a",
    "/a%0d%0aX:%20y",
    "/a%1F",
    "/a%1f",
    "/a%7f",
    "/a%7F",
    "/a%09b",
    // PATH-8: broken escapes
    "/%",
    "/a%",
    "/a%4",
    "/a%zz",
    "/a%4z",
    "/%u0041",
    // PATH-9: not UTF-8, overlong, surrogates
    "/%c0%af",
    "/%C0%AF",
    "/%e0%80%af",
    "/%c0%ae%c0%ae/admin",
    "/%ff",
    "/%80",
    "/%ed%a0%80",
    "/%c3",
    "/%c3x",
    "/%f5%80%80%80",
    // PATH-11: double encoding
    "/%252e%252e/admin",
    "/a%252fb",
    "/a%252Fb",
    "/a%255cb",
    "/a%2500",
    "/%2541",
    // PATH-1: a fragment
    "/x#/public",
    "/#",
    "#",
    "/x?y#z",
    // raw characters that no URI has (H-form)
    "/a\u{7f}b",
    "/a\tb",
    "/é",
    "/a\u{1}",
];

/// PATH-1 to PATH-9, PATH-11; hazards 1, 2, 3, 6, 7, 9.
#[test]
fn ambiguous_paths_are_refused_before_any_route_and_never_reach_the_upstream() {
    let (upstream, gateway) = notes();
    for prefix in ["/public", "/admin", "/nowhere", "/notes/1"] {
        for form in AMBIGUOUS {
            let target = format!("{prefix}{form}");
            let response = gateway.get(&target).send();
            assert_eq!(response.status, 400, "{target:?}\n{response:?}");
            assert!(response.has("x-request-id"), "{target:?}\n{response:?}");
        }
    }
    upstream.expect_nothing();
}

/// The same with a token that may do everything: a right does not make a path unambiguous.
#[test]
fn a_token_does_not_open_ambiguous_paths() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:admin");
    for form in AMBIGUOUS {
        gateway.get(&format!("/admin{form}")).bearer(&token).send().expect(400);
    }
    upstream.expect_nothing();
}

/// PATH-4, hazard 9: a leading `//` is no authority, and nothing is folded away.
#[test]
fn leading_slashes_are_refused() {
    let (upstream, gateway) = notes();
    for target in ["//admin", "//public/x", "///", "//", "/\\admin", "//evil.example/public/x", "/%2fadmin", "/./admin"]
    {
        gateway.get(target).send().expect(400);
    }
    upstream.expect_nothing();
}

/// H-fwd-2: the upstream gets the octets that were decided on.
#[test]
fn what_passes_reaches_the_upstream_byte_for_byte() {
    let (upstream, gateway) = notes();
    for target in [
        "/public/x",
        "/public",
        "/public/",
        "/public/a%20b",
        "/public/%C3%A9t%c3%a9",
        "/public/%F0%9F%98%80",
        "/public/a:b@c!$&'()*+,=~-._",
        "/public/a%2Cb%3Ac%40d",
        "/public/%41%7E",
        "/public/a%3Fb%23c",
        "/public/100%25",
        "/public/...",
        "/public/..x/x..",
        "/public/.well-known/x",
        "/public/x?a=1&b=%2F..%2F&c=//;x=/../admin",
        "/public/x?",
        "/public/x??y=?",
        "/public/x?%zz&broken=%",
        "/public/x?q=%00%ff",
    ] {
        gateway.get(target).send().expect(200);
        assert_eq!(upstream.last().target, target);
    }
}

/// PATH-10: `/%61dmin` is `/admin`, and arrives as it was sent.
#[test]
fn escapes_of_unreserved_characters_match_as_the_character() {
    let (upstream, gateway) = notes();
    for target in ["/%61dmin/x", "/%61%64%6d%69%6e/x", "/%61%64%6D%69%6E/x", "/adm%69n", "/%61dmin/%78"] {
        gateway.get(target).send().expect(401);
        upstream.expect_nothing();
    }
    let token = gateway.token("notes:admin");
    gateway.get("/%61dmin/%78").bearer(&token).send().expect(200);
    assert_eq!(upstream.last().target, "/%61dmin/%78");
}

/// PATH-1, hazard 8: what stands in the query decides nothing.
#[test]
fn the_query_never_decides() {
    let (upstream, gateway) = notes();
    for target in ["/admin/x?x=/public", "/admin/x?/public/", "/admin?/../public/x", "/admin/x?a=%2Fpublic%2F"] {
        gateway.get(target).send().expect(401);
    }
    // `%3F` and `%23` do not end the path
    gateway.get("/admin%3F/x").send().expect(404);
    gateway.get("/admin/x%23/public").send().expect(401);
    gateway.get("/admin/x%3F/public").send().expect(401);
    upstream.expect_nothing();
}

/// PATH-12: rules cover whole segments; a trailing slash changes no protection.
#[test]
fn prefixes_cover_whole_segments() {
    let (upstream, gateway) = notes();
    for target in ["/admin", "/admin/", "/admin/x", "/admin/x/", "/admin/x/y"] {
        gateway.get(target).send().expect(401);
    }
    for target in ["/adminx", "/adminx/y", "/admi", "/publicx", "/", "/public.x"] {
        gateway.get(target).send().expect(404);
    }
    upstream.expect_nothing();
}

/// PATH-13: letters have a case.
#[test]
fn paths_are_case_sensitive() {
    let (upstream, gateway) = notes();
    for target in ["/Admin/x", "/ADMIN", "/Public/x", "/%50ublic"] {
        gateway.get(target).send().expect(404);
    }
    upstream.expect_nothing();
}

/// PATH-14, hazards 1 and 5: the most specific route, whatever order and spelling.
#[test]
fn the_most_specific_route_decides() {
    let upstream = Upstream::start();
    let config = Config::notes(&upstream).add(
        r#"
[[routes]]
path = "/{*rest}"
access = "public"
upstream = "notes"

[[routes]]
path = "/files/{*rest}"
access = "public"
upstream = "notes"

[[routes]]
path = "/files/private/{*rest}"
scopes = "notes:admin"
upstream = "notes"

[[routes]]
path = "/files/{name}/open"
access = "public"
upstream = "notes"
"#,
    );
    let gateway = Gateway::start(config);
    for target in ["/files/private", "/files/private/", "/files/private/x", "/files/%70rivate/x", "/files/privat%65"] {
        gateway.get(target).send().expect(401);
    }
    // a literal segment is more specific than `{name}`
    gateway.get("/files/private/open").send().expect(401);
    upstream.expect_nothing();
    for target in ["/files/x", "/files/privatex", "/files/x/open", "/elsewhere", "/"] {
        gateway.get(target).send().expect(200);
        assert_eq!(upstream.last().target, target);
    }
    for target in ["/files/x/../private/x", "/files//private/x", "/files/x/%2e%2e/private", "/files/.;/private"] {
        gateway.get(target).send().expect(400);
    }
}

/// PATH-15, hazard 5: a rewrite comes after the decision, takes the text as it came, and is checked again.
#[test]
fn rewrites_insert_the_text_as_it_came_and_are_checked_again() {
    let upstream = Upstream::start();
    let config = Config::notes(&upstream).add(
        r#"
[[routes]]
path = "/dot/{*rest}"
access = "public"
upstream = "notes"
rewrite = "/.{rest}"
"#,
    );
    let gateway = Gateway::start(config);
    let token = gateway.token("notes:read");
    for (target, arrives) in [
        ("/old/x", "/internal/x"),
        ("/old/a/b?c=d&e", "/internal/a/b?c=d&e"),
        ("/old/a%20b%C3%A9", "/internal/a%20b%C3%A9"),
        ("/%6fld/%61", "/internal/%61"),
    ] {
        gateway.get(target).bearer(&token).send().expect(200);
        assert_eq!(upstream.last().target, arrives);
    }
    gateway.get("/dot/x").send().expect(200);
    assert_eq!(upstream.last().target, "/.x");
    upstream.forget();
    // an empty rest would make a dot segment of the template's dot
    gateway.get("/dot").send().expect(400);
    gateway.get("/dot/").send().expect(400);
    assert!(upstream.requests().is_empty());
}

/// PATH-3, PATH-11: opting in keeps the escape as it is, inside its segment.
#[test]
fn a_route_may_keep_encoded_slashes_and_percents() {
    let upstream = Upstream::start();
    let config = Config::notes(&upstream).add(
        r#"
[[routes]]
path = "/keep/{name}"
access = "public"
upstream = "notes"
encoded_slash = "keep"

[[routes]]
path = "/percent/{name}"
access = "public"
upstream = "notes"
encoded_percent = "keep"
"#,
    );
    let gateway = Gateway::start(config);
    for target in ["/keep/a%2Fb", "/keep/a%2fb%2Fc", "/percent/100%25AB", "/percent/%2541"] {
        gateway.get(target).send().expect(200);
        assert_eq!(upstream.last().target, target);
    }
    upstream.forget();
    for target in ["/keep/a%252Fb", "/percent/a%2Fb", "/keep/a%2F%00", "/keep/a%5Cb", "/keep/a%2Fb/../x"] {
        gateway.get(target).send().expect(400);
    }
    gateway.get("/keep/a/b").send().expect(404);
    assert!(upstream.requests().is_empty());
}

/// PATH-16, H-host-2: absolute-form is held to the same rules.
#[test]
fn absolute_form_goes_through_the_same_checks() {
    let (upstream, gateway) = notes();
    gateway.get("http://api.example.com/admin/x").send().expect(401);
    gateway.get("http://api.example.com/%61dmin/x").send().expect(401);
    gateway.get("http://api.example.com").send().expect(404);
    for target in [
        "http://api.example.com/public/../admin",
        "http://api.example.com//admin",
        "http://api.example.com/public/%2e%2e/admin",
        "http://user@api.example.com/public/x",
        "http:///public/x",
        "http:/public/x",
        "ftp://api.example.com/public/x",
        "http://api.example.com/public/x#y",
    ] {
        let status = gateway.get(target).send().status;
        assert_eq!(status, 400, "{target}");
    }
    upstream.expect_nothing();
    gateway.get("http://api.example.com:8080/public/x?y").send().expect(200);
    let request = upstream.last();
    assert_eq!(request.target, "/public/x?y");
    assert_eq!(request.field("host"), "api.example.com:8080", "the target's authority replaces Host");
    gateway.get("HTTP://api.example.com?y").send().expect(404);
}

/// H-form, H-connect: every form of a target has its method.
#[test]
fn target_forms_belong_to_their_methods() {
    let (upstream, gateway) = notes();
    for (method, target) in [
        ("GET", "*"),
        ("POST", "*"),
        ("GET", "admin"),
        ("GET", "public/x"),
        ("GET", "127.0.0.1:80"),
        ("GET", "?x"),
        ("GET", ""),
        ("OPTIONS", "*x"),
    ] {
        let response = gateway.request(method, target).send();
        assert_eq!(response.status, 400, "{method} {target}\n{response:?}");
    }
    upstream.expect_nothing();
}
