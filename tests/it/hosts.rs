//! One reading of a host.

use crate::harness::{Config, Gateway, Upstream, notes};

fn by_host(upstream: &Upstream) -> Gateway {
    Gateway::start(Config::notes(upstream).add(
        r#"
[[routes]]
path = "/h/{*rest}"
access = "public"
upstream = "notes"

[[routes]]
host = "api.example.com"
path = "/{*rest}"
scopes = "notes:read"
upstream = "notes"

[[routes]]
host = "*.wild.example"
path = "/h/{*rest}"
scopes = "notes:read"
upstream = "notes"
"#,
    ))
}

/// H-host-3, hazard 4: case, port and trailing dot never choose another route.
#[test]
fn hosts_compare_without_case_port_and_trailing_dot() {
    let upstream = Upstream::start();
    let gateway = by_host(&upstream);
    for host in [
        "api.example.com",
        "API.Example.COM",
        "api.example.com.",
        "API.EXAMPLE.COM.",
        "api.example.com:80",
        "api.example.com:8080",
        "Api.Example.Com.:443",
    ] {
        let response = gateway.get("/h/x").host(host).send();
        assert_eq!(response.status, 401, "{host}\n{response:?}");
        assert_eq!(gateway.get(&format!("http://{host}/h/x")).host("open.example").send().status, 401, "{host}");
    }
    upstream.expect_nothing();
    for host in ["example.com", "xapi.example.com", "api.example.com.evil.example", "127.0.0.1", "[::1]:80"] {
        gateway.get("/h/x").host(host).send().expect(200);
        assert_eq!(upstream.last().field("host"), host, "the upstream sees the client's host");
    }
}

/// A route with a host beats one without, whatever their paths.
#[test]
fn a_route_with_a_host_beats_one_without() {
    let upstream = Upstream::start();
    let gateway = by_host(&upstream);
    gateway.get("/public/x").host("api.example.com").send().expect(401);
    gateway.get("/public/x").host("other.example").send().expect(200);
}

/// `*.example.com` is one label.
#[test]
fn a_wildcard_is_one_label() {
    let upstream = Upstream::start();
    let gateway = by_host(&upstream);
    for host in ["a.wild.example", "A.WILD.example.", "xn--e1afmkfd.wild.example:81"] {
        gateway.get("/h/x").host(host).send().expect(401);
    }
    for host in ["wild.example", "a.b.wild.example", "awild.example"] {
        gateway.get("/h/x").host(host).send().expect(200);
    }
}

/// H-host-1.
#[test]
fn a_missing_repeated_or_odd_host_is_refused() {
    let (upstream, gateway) = notes();
    for fields in [
        "",
        "Host: a.example\r\nHost: a.example\r\n",
        "Host: a.example\r\nhost: b.example\r\n",
        "Host:\r\n",
        "Host: \t\r\n",
        "Host: user@a.example\r\n",
        "Host: user:pw@a.example\r\n",
        "Host: a.example/public\r\n",
        "Host: a.example?x\r\n",
        "Host: a.example#x\r\n",
        "Host: a.example, b.example\r\n",
        "Host: a b\r\n",
        "Host: a.example\\b\r\n",
        "Host: a.example:\u{e9}\r\n",
        "Host: a.example:99999x\r\n",
        "Host: http://a.example\r\n",
    ] {
        for target in ["/public/x", "http://a.example/public/x"] {
            let mut connection = gateway.connect();
            let response = connection.send(format!("GET {target} HTTP/1.1\r\n{fields}X-Other: y\r\n\r\n")).response();
            assert_eq!(response.status, 400, "{target} {fields:?}\n{response:?}");
        }
    }
    upstream.expect_nothing();
}

/// H-host-2: with absolute-form the target's authority decides, not `Host`.
#[test]
fn the_authority_of_the_target_replaces_the_host_field() {
    let upstream = Upstream::start();
    let gateway = by_host(&upstream);
    gateway.get("http://api.example.com/h/x").host("open.example").send().expect(401);
    gateway.get("http://open.example/h/x").host("api.example.com").send().expect(200);
    assert_eq!(upstream.last().field("host"), "open.example");
}

/// FWD-5, hazard 18: no field of the client chooses a route or an upstream.
#[test]
fn no_field_but_host_chooses_a_route() {
    let upstream = Upstream::start();
    let gateway = by_host(&upstream);
    for field in
        ["X-Forwarded-Host", "X-Host", "X-Original-Host", "Forwarded", "X-Upstream", "X-Backend", "X-Real-Host"]
    {
        let value = if field == "Forwarded" { "host=open.example" } else { "open.example" };
        gateway.get("/h/x").host("api.example.com").field(field, value).send().expect(401);
    }
    upstream.expect_nothing();
}
