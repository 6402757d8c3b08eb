//! What the gateway says about itself (RFC 8414, RFC 9728).

use crate::harness::{Config, Gateway, Upstream, notes};
use serde_json::Value;

const AS: &str = "/.well-known/oauth-authorization-server";
const RESOURCE: &str = "/.well-known/oauth-protected-resource";

fn sorted(list: &Value) -> Vec<&str> {
    let mut words: Vec<&str> = list.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    words.sort_unstable();
    words
}

/// R8414-2a to R8414-2c, R8414-3a, R8414-3.2, R8414-3.3.
#[test]
fn the_authorization_server_describes_what_is_switched_on() {
    let (upstream, gateway) = notes();
    let json = gateway.get(AS).send().expect(200).json();
    let url = gateway.url();
    assert_eq!(json["issuer"], url);
    for (member, name) in [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "token"),
        ("revocation_endpoint", "revoke"),
        ("introspection_endpoint", "introspect"),
    ] {
        assert_eq!(json[member], format!("{url}/oauth2/{name}"));
    }
    assert_eq!(
        sorted(&json["grant_types_supported"]),
        ["authorization_code", "client_credentials", "password", "refresh_token"]
    );
    for list in ["token_endpoint_auth_methods_supported", "revocation_endpoint_auth_methods_supported"] {
        assert_eq!(sorted(&json[list]), ["client_secret_basic", "client_secret_post", "none"], "{list}");
    }
    assert!(sorted(&json["scopes_supported"]).contains(&"notes:read"));
    for absent in ["registration_endpoint", "jwks_uri", "device_authorization_endpoint"] {
        assert!(json.get(absent).is_none(), "{absent}");
    }
    for (name, value) in json.as_object().unwrap() {
        assert_ne!(value, &serde_json::json!([]), "{name} is empty: it is left out");
    }
    upstream.expect_nothing();
}

/// R9728-2a, R9728-2b, R9728-3a, R9728-3b.
#[test]
fn the_protected_resource_describes_itself() {
    let (upstream, gateway) = notes();
    let json = gateway.get(RESOURCE).send().expect(200).json();
    assert_eq!(json["resource"], gateway.url());
    assert_eq!(json["authorization_servers"], serde_json::json!([gateway.url()]));
    assert_eq!(sorted(&json["bearer_methods_supported"]), ["body", "header", "query"]);
    assert!(sorted(&json["scopes_supported"]).contains(&"notes:read"));
    upstream.expect_nothing();
}

/// R9728-3c, R8414-3b, R8414-7, PX-19: the prefixes are the gateway's, even before a catch-all.
#[test]
fn no_route_shadows_or_receives_the_well_known_prefixes() {
    let upstream = Upstream::start();
    let catch_all = "[[routes]]\npath = \"/{*rest}\"\naccess = \"public\"\nupstream = \"notes\"\n";
    let gateway = Gateway::start(Config::notes(&upstream).add(catch_all));
    gateway.get(AS).send().expect(200);
    gateway.get(RESOURCE).send().expect(200);
    for target in [format!("{AS}/issuer1"), format!("{RESOURCE}/nowhere"), "/oauth2/nothing".into(), "/oauth2".into()] {
        gateway.get(&target).send().expect(404);
    }
    for target in [AS, RESOURCE] {
        assert!(gateway.post(target).send().expect(405).field("allow").contains("GET"));
        gateway.request("HEAD", target).send().expect(200);
    }
    // in every spelling
    gateway.get("/.well-known/oauth-authorization%2Dserver").send().expect(200);
    gateway.get("/%6Fauth2/tokeninfo").send().expect(401);
    upstream.expect_nothing();
    gateway.get("/.well-known/security.txt").send().expect(200);
    assert_eq!(upstream.last().target, "/.well-known/security.txt");
}

/// R8414-3b: the well-known string stands between host and path.
#[test]
fn an_issuer_with_a_path_has_its_metadata_in_between() {
    let gateway = Gateway::start(Config::people().set("server.public_url", r#""http://127.0.0.1:1/gate""#));
    let json = gateway.get(&format!("{AS}/gate")).send().expect(200).json();
    assert_eq!(json["issuer"], "http://127.0.0.1:1/gate");
    assert_eq!(json["token_endpoint"], "http://127.0.0.1:1/gate/oauth2/token");
    gateway.get(&format!("/gate{AS}")).send().expect(404);
    let resource = gateway.get(&format!("{RESOURCE}/gate")).send().expect(200).json();
    assert_eq!(resource["resource"], "http://127.0.0.1:1/gate");
}

/// R8414-3.3: a slash at the end of the issuer is part of it, and of no location.
#[test]
fn the_issuer_is_what_is_configured_byte_for_byte() {
    for (url, document, token) in [
        ("http://127.0.0.1:1/", AS.to_owned(), "http://127.0.0.1:1/oauth2/token"),
        ("http://127.0.0.1:1/gate/", format!("{AS}/gate"), "http://127.0.0.1:1/gate/oauth2/token"),
    ] {
        let gateway = Gateway::start(Config::people().set("server.public_url", &format!("\"{url}\"")));
        let json = gateway.get(&document).send().expect(200).json();
        assert_eq!((json["issuer"].as_str(), json["token_endpoint"].as_str()), (Some(url), Some(token)));
    }
}

/// RFC 9110 section 8.6: the length of an answer to HEAD is that of the answer to GET.
#[test]
fn the_length_of_an_answer_to_head_is_that_to_get() {
    let (_upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    for target in [AS, RESOURCE, "/oauth2/tokeninfo", "/oauth2/token", "/oauth2/nothing", "/nowhere", "/notes/1"] {
        let length = |method| {
            let request = gateway.request(method, target);
            let request = if target.ends_with("tokeninfo") { request.bearer(&token) } else { request };
            request.send().field("content-length").to_owned()
        };
        assert_eq!(length("HEAD"), length("GET"), "{target}");
    }
}

/// The operator's own scope is no business of clients.
#[test]
fn the_scopes_are_those_that_are_declared() {
    let (_upstream, gateway) = notes();
    for target in [AS, RESOURCE] {
        let json = gateway.get(target).send().json();
        let declared = ["notes:admin", "notes:delete", "notes:read", "notes:write"];
        assert_eq!(sorted(&json["scopes_supported"]), declared);
    }
}

/// R8414-2a, R9728-5.1a, FWD-5: never derived from what a client sends.
#[test]
fn metadata_never_follows_the_clients_host() {
    let (_upstream, gateway) = notes();
    for target in [AS, RESOURCE, "/notes/1"] {
        let request = gateway.get(target).host("evil.example").field("X-Forwarded-Host", "evil.example");
        let response = request.field("X-Forwarded-Proto", "https").field("Forwarded", "host=evil.example").send();
        assert!(!response.whole().contains("evil"), "{response:?}");
    }
}
