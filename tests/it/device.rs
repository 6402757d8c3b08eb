//! The device grant as a device sees it, and as the person sees it who connects one (RFC 8628).

use crate::harness::{ALICE, Browser, Config, Form, Gateway, Response, SERVICE};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A public client and a confidential one for devices.
const DEVICES: &str = r#"
[[clients]]
id = "tv"
name = "Television"
grants = ["device_code", "refresh_token"]
scopes = "notes:read notes:write"

[[clients]]
id = "radio"
secret = "radio-secret-3Bw8"
grants = ["urn:ietf:params:oauth:grant-type:device_code"]
scopes = "notes:read"
"#;
const RADIO: (&str, &str) = ("radio", "radio-secret-3Bw8");

fn with_devices() -> Gateway {
    Gateway::start(Config::people().add(DEVICES))
}

fn begin(gateway: &Gateway, form: &[(&str, &str)]) -> Response {
    gateway.post("/oauth2/device_authorization").form(form).send()
}

fn poll(gateway: &Gateway, code: &str) -> Response {
    let form = [("grant_type", GRANT), ("client_id", "tv"), ("device_code", code)];
    gateway.post("/oauth2/token").form(&form).send()
}

fn text(response: &Response, member: &str) -> String {
    response.json()[member].as_str().unwrap_or_else(|| panic!("{member}: {response:?}")).to_owned()
}

/// R8628-3.2, R8628-5.1, R8628-4
#[test]
fn a_device_gets_its_codes_from_the_endpoint_of_the_metadata() {
    let gateway = with_devices();
    let metadata = gateway.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    assert_eq!(metadata["device_authorization_endpoint"], format!("{}/oauth2/device_authorization", gateway.url()));
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&GRANT.into()), "{metadata}");
    let response = begin(&gateway, &[("client_id", "tv"), ("scope", "notes:read")]);
    response.expect(200);
    assert!(response.field("content-type").starts_with("application/json"));
    assert_eq!((response.field("cache-control"), response.field("pragma")), ("no-store", "no-cache"));
    let json = response.json();
    let (user_code, page) = (text(&response, "user_code"), format!("{}/oauth2/device", gateway.url()));
    assert_eq!((json["expires_in"].as_u64(), json["interval"].as_u64()), (Some(600), Some(5)));
    assert_eq!(json["verification_uri"], page);
    assert_eq!(json["verification_uri_complete"], format!("{page}?user_code={user_code}"));
    let device_code = text(&response, "device_code");
    assert!(device_code.len() == 55 && device_code.starts_with("tgd_"), "{json}");
    let (left, right) = user_code.split_once('-').unwrap();
    assert!(left.len() == 4 && right.len() == 4, "{user_code}");
    assert!([left, right].concat().chars().all(|character| "BCDFGHJKLMNPQRSTVWXZ".contains(character)), "{user_code}");
}

/// R8628-3.1
#[test]
fn a_device_authorization_is_asked_for_as_a_token_is() {
    let gateway = with_devices();
    gateway.post("/oauth2/device_authorization").basic(RADIO).form(&[]).send().expect(200);
    begin(&gateway, &[("client_id", RADIO.0), ("client_secret", RADIO.1)]).expect(200);
    let refused = begin(&gateway, &[("client_id", "radio")]);
    refused.expect_error(401, "invalid_client");
    assert!(refused.field("www-authenticate").starts_with("Basic"));
    begin(&gateway, &[]).expect_error(401, "invalid_client");
    begin(&gateway, &[("client_id", "nobody")]).expect_error(401, "invalid_client");
    begin(&gateway, &[("client_id", "notes-cli")]).expect_error(400, "unauthorized_client");
    begin(&gateway, &[("client_id", "tv"), ("scope", "notes:delete")]).expect_error(400, "invalid_scope");
    begin(&gateway, &[("client_id", "tv"), ("resource", "https://a.example")]).expect_error(400, "invalid_target");
    begin(&gateway, &[("client_id", "tv"), ("client_id", "tv")]).expect_error(400, "invalid_request");
    assert_eq!(gateway.get("/oauth2/device_authorization").send().expect(405).field("allow"), "POST");
    let json = gateway.post("/oauth2/device_authorization").field("Content-Type", "application/json").body("{}").send();
    json.expect_error(400, "invalid_request");
}

/// R8628-3.5a, R8628-3.5b
#[test]
fn a_device_that_waits_is_told_so_and_slowed_down_when_it_is_too_fast() {
    let gateway = with_devices();
    let begun = begin(&gateway, &[("client_id", "tv")]);
    let code = text(&begun, "device_code");
    let pending = poll(&gateway, &code);
    pending.expect_error(400, "authorization_pending");
    assert_eq!(pending.field("cache-control"), "no-store");
    poll(&gateway, &code).expect_error(400, "slow_down");
    let other = text(&begin(&gateway, &[("client_id", "tv")]), "device_code");
    poll(&gateway, &other).expect_error(400, "authorization_pending");
}

/// R8628-3.5b, TOK-4
#[test]
fn a_code_of_another_client_and_a_forged_one_are_invalid() {
    let gateway = with_devices();
    let code = text(&begin(&gateway, &[("client_id", "tv")]), "device_code");
    let form = [("grant_type", GRANT), ("device_code", &*code)];
    gateway.ask(RADIO, &form).expect_error(400, "invalid_grant");
    gateway.ask(SERVICE, &form).expect_error(400, "unauthorized_client");
    let (front, back) = code.split_at(54);
    let forged = format!("{front}{}", if back == "A" { "B" } else { "A" });
    poll(&gateway, &forged).expect_error(400, "invalid_grant");
    poll(&gateway, "x").expect_error(400, "invalid_grant");
    let without = [("grant_type", GRANT), ("client_id", "tv")];
    gateway.post("/oauth2/token").form(&without).send().expect_error(400, "invalid_request");
    let short = [("grant_type", "device_code"), ("client_id", "tv"), ("device_code", &*code)];
    gateway.post("/oauth2/token").form(&short).send().expect_error(400, "unsupported_grant_type");
    gateway.post(&format!("/oauth2/token?device_code={code}")).form(&form).send().expect_error(400, "invalid_request");
    poll(&gateway, &code).expect_error(400, "authorization_pending");
}

/// R8628-3.2
#[test]
fn the_times_are_those_of_the_configuration() {
    let times = Config::people().set("oauth.device_code_ttl", "\"2m\"").set("oauth.device_interval", "\"1500ms\"");
    let gateway = Gateway::start(times.add(DEVICES));
    let json = begin(&gateway, &[("client_id", "tv")]).expect(200).json();
    assert_eq!((json["expires_in"].as_u64(), json["interval"].as_u64()), (Some(120), Some(2)));
}

/// R8628-5.2, TOK-6: neither the log nor the store's file has a code.
#[test]
fn no_code_is_kept_or_logged() {
    let gateway = Gateway::start(Config::people().set("store.url", "\"redb:tokens.redb\"").add(DEVICES));
    let begun = begin(&gateway, &[("client_id", "tv")]);
    let (code, user_code) = (text(&begun, "device_code"), text(&begun, "user_code"));
    poll(&gateway, &code).expect_error(400, "authorization_pending");
    let visitor = Browser::new(&gateway);
    let page = visitor.get(&format!("{PAGE}?user_code={user_code}"));
    let page = visitor.sign_in(&page, ALICE);
    visitor.submit(&Form::to(&page, PAGE), &[("user_code", "BBBB-BBBB")]);
    visitor.submit(&Form::to(&page, PAGE), &[("user_code", &user_code)]).expect(200);
    drop(visitor);
    gateway.terminate();
    let said = gateway.output();
    assert!(said.contains("device authorization begun"), "{said}");
    assert!(!said.contains(&code) && !said.contains(&user_code) && !said.contains(&user_code.replace('-', "")));
    let file = std::fs::read(gateway.path("tokens.redb")).unwrap();
    let kept = file.windows(code.len()).any(|octets| octets == code.as_bytes());
    assert!(!kept, "the store has the device code");
}

/// R8628-4: where no client is for devices, there is nothing of it.
#[test]
fn devices_are_not_served_unasked() {
    let gateway = Gateway::start(Config::people());
    gateway.post("/oauth2/device_authorization").form(&[("client_id", "notes-cli")]).send().expect(404);
    let form = [("grant_type", GRANT), ("client_id", "notes-cli"), ("device_code", "x")];
    gateway.post("/oauth2/token").form(&form).send().expect_error(400, "unsupported_grant_type");
    let metadata = gateway.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    assert!(metadata.get("device_authorization_endpoint").is_none());
    assert!(!metadata["grant_types_supported"].as_array().unwrap().contains(&GRANT.into()));
    gateway.get("/oauth2/device").send().expect(404);
    gateway.login(ALICE);
}

const PAGE: &str = "/oauth2/device";

/// A device that waits: its code, and the one to type.
fn waiting(gateway: &Gateway, form: &[(&str, &str)]) -> (String, String) {
    let begun = begin(gateway, form);
    begun.expect(200);
    (text(&begun, "device_code"), text(&begun, "user_code"))
}

/// Alice, in front of the form for the code.
fn alice(gateway: &Gateway) -> (Browser<'_>, Response) {
    let visitor = Browser::new(gateway);
    let page = visitor.get(PAGE);
    page.expect(200);
    let page = visitor.sign_in(&page, ALICE);
    page.expect(200);
    (visitor, page)
}

/// R8628-3.3a, R8628-3.5c
#[test]
fn a_person_signs_in_enters_the_code_and_allows_the_device_a_part() {
    let gateway = with_devices();
    let (code, user_code) = waiting(&gateway, &[("client_id", "tv")]);
    let (alice, page) = alice(&gateway);
    let typed = user_code.to_lowercase().replace('-', " ");
    let consent = alice.submit(&Form::to(&page, PAGE), &[("user_code", &typed)]);
    consent.expect(200);
    for shown in [&*user_code, "Television", "Read your notes", "Add and change your notes", "alice"] {
        assert!(consent.text().contains(shown), "{shown}: {consent:?}");
    }
    poll(&gateway, &code).expect_error(400, "authorization_pending");
    let done = alice.submit(&Form::to(&consent, PAGE), &[("decision", "allow"), ("scope", "notes:read")]);
    assert!(done.expect(200).text().contains("Your device is connected"), "{done:?}");
    let tokens = poll(&gateway, &code).tokens();
    assert_eq!(tokens.scope, "notes:read");
    let seen = gateway.introspect(&tokens.access);
    assert_eq!((&seen["sub"], &seen["client_id"]), (&"alice".into(), &"tv".into()));
    assert!(tokens.refresh.starts_with("tgr_"));
    poll(&gateway, &code).expect_error(400, "invalid_grant");
    let again = alice.submit(&Form::to(&consent, PAGE), &[("decision", "allow"), ("scope", "notes:read")]);
    assert!(again.text().contains("No device waits with this code"), "{again:?}");
}

/// R8628-3.3a
#[test]
fn a_person_refuses_a_device() {
    let gateway = with_devices();
    for answer in [&[("decision", "deny"), ("scope", "notes:read")][..], &[("decision", "allow"), ("scope", "")]] {
        let (code, user_code) = waiting(&gateway, &[("client_id", "tv")]);
        let (alice, page) = alice(&gateway);
        let consent = alice.submit(&Form::to(&page, PAGE), &[("user_code", &user_code)]);
        let done = alice.submit(&Form::to(&consent, PAGE), answer);
        assert!(done.expect(200).text().contains("You refused the device"), "{done:?}");
        poll(&gateway, &code).expect_error(400, "access_denied");
    }
}

/// R8628-3.3b
#[test]
fn a_link_with_the_code_fills_it_in_and_does_nothing_else() {
    let gateway = with_devices();
    let begun = begin(&gateway, &[("client_id", "tv"), ("scope", "notes:read")]);
    let (code, user_code) = (text(&begun, "device_code"), text(&begun, "user_code"));
    let link = text(&begun, "verification_uri_complete");
    let link = link.strip_prefix(&gateway.url()).unwrap();
    let visitor = Browser::new(&gateway);
    let page = visitor.get(link);
    let page = visitor.sign_in(&page, ALICE);
    assert!(page.expect(200).text().contains(&format!("value=\"{user_code}\"")), "{page:?}");
    let page = visitor.get(link);
    assert!(page.expect(200).text().contains(&format!("value=\"{user_code}\"")), "signed in: {page:?}");
    visitor.get(&format!("{link}&decision=allow&scope=notes:read")).expect(200);
    poll(&gateway, &code).expect_error(400, "authorization_pending");
    let consent = visitor.submit(&Form::to(&page, PAGE), &[("user_code", &user_code)]);
    assert!(consent.text().contains("Does your device show this code?"), "{consent:?}");
    let switch = visitor.submit(&Form::to(&consent, "/oauth2/logout"), &[]);
    let page = visitor.sign_in(&switch, ALICE);
    assert!(page.expect(200).text().contains(&user_code), "kept over another sign-in: {page:?}");
}

/// UI-4, UI-5: what did not stand on the page, another browser, another site.
#[test]
fn a_forged_answer_allows_nothing() {
    let gateway = with_devices();
    let (code, user_code) = waiting(&gateway, &[("client_id", "tv"), ("scope", "notes:read")]);
    let (alice, page) = alice(&gateway);
    let consent = alice.submit(&Form::to(&page, PAGE), &[("user_code", &user_code)]);
    let allow = [("decision", "allow"), ("scope", "notes:read")];
    alice.submit(&Form::to(&consent, PAGE), &[("decision", "allow"), ("scope", "notes:write")]).expect(403);
    alice.submit(&Form::to(&consent, PAGE), &[("decision", "maybe")]).expect(400);
    Browser::new(&gateway).submit(&Form::to(&consent, PAGE), &allow).expect(403);
    let (other, _) = self::alice(&gateway);
    other.submit(&Form::to(&consent, PAGE), &allow).expect(403);
    let foreign = alice.submission(&Form::to(&consent, PAGE), &allow).field("Origin", "https://evil.example");
    alice.send(&foreign).expect(403);
    let foreign = alice.submission(&Form::to(&consent, PAGE), &allow).field("Sec-Fetch-Site", "cross-site");
    alice.send(&foreign).expect(403);
    alice.send(&alice.request("POST", PAGE).form(&allow)).expect(403);
    poll(&gateway, &code).expect_error(400, "authorization_pending");
    alice.submit(&Form::to(&consent, PAGE), &allow).expect(200);
    poll(&gateway, &code).expect(200);
}

/// R8628-5.1
#[test]
fn after_five_wrong_codes_none_is_taken() {
    let gateway = with_devices();
    let (code, user_code) = waiting(&gateway, &[("client_id", "tv")]);
    let (alice, page) = alice(&gateway);
    for last in ["B", "C", "D", "F", "G"] {
        let wrong = alice.submit(&Form::to(&page, PAGE), &[("user_code", &format!("BBBB-BBB{last}"))]);
        assert!(wrong.expect(200).text().contains("No device waits with this code"), "{wrong:?}");
    }
    let held = alice.submit(&Form::to(&page, PAGE), &[("user_code", &user_code)]);
    assert!(held.expect(429).text().contains("too many wrong codes"), "{held:?}");
    assert!(held.field("retry-after").parse::<u64>().is_ok_and(|secs| (1..=600).contains(&secs)), "{held:?}");
    poll(&gateway, &code).expect_error(400, "authorization_pending");
}
