//! Which resource a token is for (RFC 8707): the gateway as a whole is one.

use crate::harness::{ALICE, SERVICE, notes};

/// R8707-2a, R8707-P: a token for another resource is never issued.
#[test]
fn the_gateway_is_the_only_resource() {
    let (_upstream, gateway) = notes();
    let ask = |resources: &[&str]| {
        let mut form = vec![("grant_type", "client_credentials"), ("scope", "notes:read")];
        form.extend(resources.iter().map(|resource| ("resource", *resource)));
        gateway.ask(SERVICE, &form)
    };
    let own = gateway.url();
    let (loud, slash) = (own.to_ascii_uppercase(), format!("{own}/"));
    for resources in [&[&*own][..], &[&*own, &*own], &[&*loud], &[&*slash], &[""]] {
        let access = ask(resources).tokens().access;
        assert_eq!(gateway.introspect(&access)["aud"], serde_json::json!([own]));
    }
    for foreign in ["https://other.example", "/notes", "notes", &format!("{own}#a"), &format!("{own}/notes"), "urn:x"] {
        ask(&[foreign]).expect_error(400, "invalid_target");
        ask(&[&own, foreign]).expect_error(400, "invalid_target");
    }
    let tokens = gateway.login(ALICE);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &*tokens.refresh)];
    let foreign = [&refresh[..], &[("resource", "https://other.example")]].concat();
    gateway.ask_cli(&foreign).expect_error(400, "invalid_target");
    gateway.ask_cli(&refresh).expect(200);
}
