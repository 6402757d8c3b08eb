//! Signing in at an `OpenID` Connect provider, end to end, and whatever a provider, a link or another browser can do wrong.

use crate::harness::dance::{self, APP, answer};
use crate::harness::{ALICE, Browser, Config, Form, GATE, Gateway, Provider, Response, Upstream};
use serde_json::json;

fn config(upstream: &Upstream, provider: &Provider) -> Config {
    dance::with_apps(upstream)
        .set("login.issuer", &format!("\"{}\"", provider.issuer()))
        .set("login.client_id", &format!("\"{}\"", GATE.0))
        .set("login.client_secret", &format!("\"{}\"", GATE.1))
        .set("login.name", r#""Example SSO""#)
}

fn started() -> (Upstream, Provider, Gateway) {
    let (upstream, provider) = (Upstream::start(), Provider::start());
    let gateway = Gateway::start(config(&upstream, &provider));
    (upstream, provider, gateway)
}

/// From a page with a button to the provider.
#[track_caller]
fn leave(browser: &Browser<'_>, page: &Response) -> Response {
    browser.submit(&Form::to(page, "/oauth2/login/provider"), &[])
}

/// Where the provider sends the browser back to, as a target.
#[track_caller]
fn way_back(gateway: &Gateway, provider: &Provider, redirect: &Response) -> String {
    assert_eq!(redirect.status, 303, "\n{redirect:?}");
    let (_, next) = provider.visit(redirect);
    next.strip_prefix(&gateway.url()).unwrap_or_else(|| panic!("back to {next}")).to_owned()
}

/// All the way to the provider and back.
#[track_caller]
fn sign_in(gateway: &Gateway, browser: &Browser<'_>, provider: &Provider, more: &[(&str, &str)]) -> Response {
    let page = browser.get(&dance::request(APP.0, more));
    let redirect = leave(browser, page.expect(200));
    browser.get(&way_back(gateway, provider, &redirect))
}

/// Nobody has signed in, and nobody is sent to the app.
#[track_caller]
fn expect_refusal(browser: &Browser<'_>, response: &Response, status: u16) {
    response.expect(status);
    assert!(!response.has("location") && browser.cookie("tollgate-session").is_none(), "\n{response:?}");
}

#[test]
fn somebody_signs_in_at_the_provider_allows_and_the_app_gets_tokens() {
    let (upstream, provider, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[("login_hint", "jane@example.com")]));
    assert!(page.expect(200).text().contains("Example SSO") && Form::all(&page, "/oauth2/login").len() == 1);
    let policy = page.field("content-security-policy");
    assert!(policy.contains(&format!("form-action 'self' https://app.example {}", provider.issuer())), "{policy}");
    let redirect = leave(&browser, &page);
    let (request, _) = provider.visit(&redirect);
    assert_eq!(request["scope"], "openid profile email");
    assert_eq!(request["redirect_uri"], format!("{}/oauth2/login/callback", gateway.url()));
    assert_eq!((&*request["code_challenge_method"], &*request["login_hint"]), ("S256", "jane@example.com"));
    assert!(!request.contains_key("prompt") && !request.contains_key("max_age"));
    let page = browser.get(&way_back(&gateway, &provider, &redirect));
    assert!(page.expect(200).text().contains("jane@example.com"), "{}", page.text());
    let answer = answer(&dance::allow(&browser, &page));
    let tokens = dance::redeem(&gateway, &answer["code"]).tokens();
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(200);
    let subject = format!("{}#248289761001", provider.issuer());
    assert_eq!(gateway.introspect(&tokens.access)["sub"], subject.as_str());
    assert!(upstream.last().holds(&subject), "{:?}", upstream.last());
    let account = browser.get("/oauth2/account");
    assert!(account.expect(200).text().contains("Photo Book") && account.text().contains("jane@example.com"));
    // Once consented, the provider is not asked again while the session lasts.
    assert_eq!(browser.get(&dance::request(APP.0, &[])).status, 302);
}

/// R8628-3.3a: as on the other pages.
#[test]
fn the_pages_of_a_device_call_the_account_what_the_provider_calls_it() {
    let (upstream, provider) = (Upstream::start(), Provider::start());
    let tv = "[[clients]]\nid = \"tv\"\ngrants = [\"device_code\"]\nscopes = \"notes:read\"\n";
    let gateway = Gateway::start(config(&upstream, &provider).add(tv));
    let form = [("client_id", "tv"), ("scope", "notes:read")];
    let begun = gateway.post("/oauth2/device_authorization").form(&form).send().expect(200).json();
    let browser = Browser::new(&gateway);
    let redirect = leave(&browser, browser.get("/oauth2/device").expect(200));
    let page = browser.get(&way_back(&gateway, &provider, &redirect));
    let code = begun["user_code"].as_str().unwrap();
    let consent = browser.submit(&Form::to(page.expect(200), "/oauth2/device"), &[("user_code", code)]);
    for page in [&page, &consent] {
        assert!(page.text().contains("jane@example.com") && !page.text().contains("#248289761001"), "{}", page.text());
    }
}

/// R9700-4.15
#[test]
fn a_subject_of_the_provider_is_nobody_of_the_configuration() {
    let (_upstream, provider, gateway) = started();
    provider.claim("sub", json!("alice"));
    let browser = Browser::new(&gateway);
    let page = sign_in(&gateway, &browser, &provider, &[]);
    let answer = answer(&dance::allow(&browser, &page));
    let tokens = dance::redeem(&gateway, &answer["code"]).tokens();
    let subject = gateway.introspect(&tokens.access)["sub"].clone();
    assert_eq!(subject, format!("{}#alice", provider.issuer()));
    // What Alice allowed is hers alone, and other letters are somebody else.
    for other in ["ALICE", "Alice"] {
        provider.claim("sub", json!(other));
        let browser = Browser::new(&gateway);
        Form::to(&sign_in(&gateway, &browser, &provider, &[]), "/oauth2/consent");
    }
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[]));
    Form::to(&browser.sign_in(&page, ALICE), "/oauth2/consent");
}

#[test]
fn an_id_token_that_is_not_good_signs_nobody_in() {
    let (_upstream, provider, gateway) = started();
    for (claim, value) in [
        ("nonce", json!("another")),
        ("nonce", json!(null)),
        ("aud", json!("another-client")),
        ("aud", json!(["tollgate", "another-client"])),
        ("iss", json!("https://evil.example")),
        ("exp", json!(1_000_000_000)),
        ("sub", json!("")),
        ("sub", json!(" a")),
    ] {
        provider.honest();
        provider.claim(claim, value.clone());
        let browser = Browser::new(&gateway);
        let response = sign_in(&gateway, &browser, &provider, &[]);
        assert!(matches!(response.status, 400 | 403), "{claim} {value}\n{response:?}");
        expect_refusal(&browser, &response, response.status);
        Form::to(&response, "/oauth2/login/provider");
    }
}

#[test]
fn keys_that_are_rotated_are_found_and_keys_of_nobody_are_not() {
    let (_upstream, provider, gateway) = started();
    Form::to(&sign_in(&gateway, &Browser::new(&gateway), &provider, &[]), "/oauth2/consent");
    let fetched = provider.asked("/jwks");
    Form::to(&sign_in(&gateway, &Browser::new(&gateway), &provider, &[]), "/oauth2/consent");
    assert_eq!(provider.asked("/jwks"), fetched, "the keys are kept");
    provider.rotate();
    Form::to(&sign_in(&gateway, &Browser::new(&gateway), &provider, &[]), "/oauth2/consent");
    assert_eq!(provider.asked("/jwks"), fetched + 1);
    provider.sign_with_another();
    let browser = Browser::new(&gateway);
    let response = sign_in(&gateway, &browser, &provider, &[]);
    expect_refusal(&browser, &response, 400);
}

#[test]
fn rsa_is_as_good_as_elliptic_curves() {
    let (_upstream, provider, gateway) = started();
    provider.sign_with_rsa();
    Form::to(&sign_in(&gateway, &Browser::new(&gateway), &provider, &[]), "/oauth2/consent");
}

#[test]
fn a_way_back_is_good_once_and_in_the_browser_that_left() {
    let (_upstream, provider, gateway) = started();
    let (browser, victim) = (Browser::new(&gateway), Browser::new(&gateway));
    victim.get(&dance::request(APP.0, &[]));
    let page = browser.get(&dance::request(APP.0, &[]));
    let back = way_back(&gateway, &provider, &leave(&browser, &page));
    // Login CSRF: the link of somebody else.
    let response = victim.get(&back);
    expect_refusal(&victim, &response, 403);
    expect_refusal(&Browser::new(&gateway), &gateway.get(&back).send(), 403);
    for (from, to) in [("state=", "state=A"), ("state=", "x="), ("code=", "code=a&code=")] {
        let response = browser.get(&back.replace(from, to));
        assert!(matches!(response.status, 400 | 403), "{response:?}");
        expect_refusal(&browser, &response, response.status);
    }
    Form::to(&browser.get(&back), "/oauth2/consent");
    let session = browser.cookie("tollgate-session");
    browser.get(&back).expect(400);
    assert_eq!(browser.cookie("tollgate-session"), session);
    let asked = provider.asked("/token");
    browser.get(&back).expect(400);
    assert_eq!(provider.asked("/token"), asked);
}

/// The code of one sign-in with the state of another: PKCE and nonce tell.
#[test]
fn a_code_of_another_sign_in_is_not_good() {
    let (_upstream, provider, gateway) = started();
    let (attacker, victim) = (Browser::new(&gateway), Browser::new(&gateway));
    let back = |browser: &Browser<'_>| {
        let page = browser.get(&dance::request(APP.0, &[]));
        way_back(&gateway, &provider, &leave(browser, &page))
    };
    let (theirs, own) = (back(&attacker), back(&victim));
    let code = theirs.split("code=").nth(1).unwrap();
    let mixed = format!("{}code={code}", own.split("code=").next().unwrap());
    let response = victim.get(&mixed);
    expect_refusal(&victim, &response, 400);
}

/// RFC 9207
#[test]
fn an_answer_of_another_issuer_is_not_good() {
    let (_upstream, provider, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[]));
    let back = way_back(&gateway, &provider, &leave(&browser, &page));
    let response = browser.get(&back.replace("iss=http", "iss=https"));
    expect_refusal(&browser, &response, 400);
    assert_eq!(provider.asked("/token"), 0);
}

#[test]
fn errors_of_the_provider_are_a_page_and_never_a_redirect() {
    let (_upstream, provider, gateway) = started();
    for (error, status) in [("access_denied", 200), ("invalid_scope", 400), ("temporarily_unavailable", 503)] {
        provider.fail(Some(error));
        let browser = Browser::new(&gateway);
        let response = sign_in(&gateway, &browser, &provider, &[]);
        expect_refusal(&browser, &response, status);
        Form::to(&response, "/oauth2/login/provider");
        assert!(!response.text().contains(error));
    }
}

#[test]
fn a_provider_that_is_down_does_not_keep_others_from_signing_in() {
    let (upstream, provider) = (Upstream::start(), Provider::start());
    provider.set_down(true);
    let gateway = Gateway::start(config(&upstream, &provider));
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[]));
    let response = leave(&browser, page.expect(200));
    expect_refusal(&browser, &response, 503);
    Form::to(&browser.sign_in(&page, ALICE), "/oauth2/consent");
    gateway.get("/readyz-is-not-here").send().expect(404);
}

#[test]
fn a_provider_that_fails_on_the_way_back_is_a_page() {
    let (_upstream, provider, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[]));
    let back = way_back(&gateway, &provider, &leave(&browser, &page));
    provider.set_down(true);
    let response = browser.get(&back);
    expect_refusal(&browser, &response, 503);
}

/// UI-9
#[test]
fn prompt_and_max_age_go_to_the_provider_and_its_word_is_checked() {
    let (_upstream, provider, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[("prompt", "login"), ("max_age", "60")]));
    let redirect = leave(&browser, &page);
    let (request, _) = provider.visit(&redirect);
    assert_eq!((&*request["prompt"], &*request["max_age"]), ("login", "60"));
    provider.claim("auth_time", json!(1_700_000_000));
    expect_refusal(&browser, &browser.get(&way_back(&gateway, &provider, &redirect)), 403);
    provider.claim("auth_time", json!(null));
    expect_refusal(&browser, &sign_in(&gateway, &browser, &provider, &[("max_age", "60")]), 403);
    provider.honest();
    Form::to(&sign_in(&gateway, &browser, &provider, &[("max_age", "60")]), "/oauth2/consent");
    // Who signed in long ago at the provider has not signed in recently.
    let browser = Browser::new(&gateway);
    provider.claim("auth_time", json!(1_700_000_000));
    Form::to(&sign_in(&gateway, &browser, &provider, &[]), "/oauth2/consent");
    let page = browser.get(&dance::request(APP.0, &[("max_age", "3600")]));
    Form::to(page.expect(200), "/oauth2/login/provider");
}

#[test]
fn only_those_on_the_list_sign_in_and_who_leaves_it_has_nothing_left() {
    let (upstream, provider) = (Upstream::start(), Provider::start());
    let base = config(&upstream, &provider).set("login.allowed_domains", r#"["example.com"]"#);
    let gateway = Gateway::start(base.clone().set("login.allowed_subjects", r#"["248289761001"]"#));
    let browser = Browser::new(&gateway);
    provider.claim("sub", json!("other"));
    expect_refusal(&browser, &sign_in(&gateway, &browser, &provider, &[]), 403);
    provider.honest();
    provider.claim("email_verified", json!(false));
    expect_refusal(&browser, &sign_in(&gateway, &browser, &provider, &[]), 403);
    provider.honest();
    let page = sign_in(&gateway, &browser, &provider, &[]);
    let tokens = dance::redeem(&gateway, &answer(&dance::allow(&browser, &page))["code"]).tokens();
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(200);
    gateway.configure(base.set("login.allowed_subjects", r#"["somebody-else"]"#));
    gateway.signal("HUP");
    crate::harness::eventually("the token is not good any more", || {
        gateway.get("/notes/1").bearer(&tokens.access).send().status == 401
    });
    assert_eq!(gateway.introspect(&tokens.access)["active"], false);
    Form::to(browser.get("/oauth2/account").expect(200), "/oauth2/login/provider");
}

#[test]
fn without_passwords_the_provider_is_the_only_way() {
    let (upstream, provider) = (Upstream::start(), Provider::start());
    let gateway = Gateway::start(config(&upstream, &provider).set("login.passwords", "false"));
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[]));
    assert!(Form::all(&page, "/oauth2/login").is_empty());
    let dialogue = Form::to(&page, "/oauth2/login/provider").value("dialogue").to_owned();
    let form = [("dialogue", &*dialogue), ("username", ALICE.0), ("password", ALICE.1)];
    browser.send(&browser.request("POST", "/oauth2/login").form(&form)).expect(404);
}

#[test]
fn who_switches_the_account_is_asked_which() {
    let (_upstream, provider, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = sign_in(&gateway, &browser, &provider, &[]);
    let page = browser.submit(&Form::to(&page, "/oauth2/logout"), &[]);
    let (request, _) = provider.visit(&leave(&browser, page.expect(200)));
    assert_eq!(request["prompt"], "select_account");
}

#[test]
fn a_forged_form_goes_to_no_provider() {
    let (_upstream, _provider, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = browser.get(&dance::request(APP.0, &[]));
    let form = Form::to(&page, "/oauth2/login/provider");
    browser.submit(&form, &[("dialogue", "AAAA")]).expect(403);
    browser.send(&browser.submission(&form, &[]).field("Origin", "https://evil.example")).expect(403);
    assert_eq!(gateway.get("/oauth2/login/provider").send().expect(405).field("allow"), "POST");
    assert_eq!(gateway.request("HEAD", "/oauth2/login/callback").send().expect(405).field("allow"), "GET");
}

#[test]
fn an_operator_shuts_out_one_of_the_provider() {
    let (_upstream, provider, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = sign_in(&gateway, &browser, &provider, &[]);
    let tokens = dance::redeem(&gateway, &answer(&dance::allow(&browser, &page))["code"]).tokens();
    let subject = format!("{}#248289761001", provider.issuer());
    let listed = gateway.cli(&["user", "list"]);
    assert!(listed.stdout.contains(&subject) && listed.stdout.contains("provider"), "{listed:?}");
    gateway.cli(&["user", "disable", &subject]).expect(0);
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(401);
    Form::to(browser.get("/oauth2/account").expect(200), "/oauth2/login/provider");
    let again = Browser::new(&gateway);
    expect_refusal(&again, &sign_in(&gateway, &again, &provider, &[]), 403);
    gateway.cli(&["user", "enable", &subject]).expect(0);
    Form::to(&sign_in(&gateway, &again, &provider, &[]), "/oauth2/consent");
}

/// RP-Initiated Logout: whoever signed in at the provider is signed out there too, where the operator wants that.
#[test]
fn signing_out_may_end_the_session_at_the_provider_too() {
    let (upstream, provider) = (Upstream::start(), Provider::start());
    let gateway = Gateway::start(config(&upstream, &provider).set("login.sign_out", r#""provider""#));
    let browser = Browser::new(&gateway);
    sign_in(&gateway, &browser, &provider, &[]);
    let account = browser.get("/oauth2/account");
    let policy = account.expect(200).field("content-security-policy");
    assert!(policy.ends_with(&format!("form-action 'self' {}", provider.issuer())), "{policy}");
    let redirect = browser.submit(&Form::to(&account, "/oauth2/logout"), &[]);
    assert!(redirect.expect(303).field("location").starts_with(&format!("{}/end?", provider.issuer())), "{redirect:?}");
    let (request, back) = provider.visit(&redirect);
    let account = format!("{}/oauth2/account", gateway.url());
    assert_eq!((&*request["client_id"], &request["post_logout_redirect_uri"], request.len()), (GATE.0, &account, 2));
    assert_eq!(back, account);
    Form::to(browser.get("/oauth2/account").expect(200), "/oauth2/login/provider");

    // Who has a password here has no session there; and to be somebody else is not to leave.
    let page = browser.get(&dance::request(APP.0, &[]));
    let consent = browser.sign_in(&page, ALICE);
    let out = browser.submit(&Form::to(&browser.get("/oauth2/account"), "/oauth2/logout"), &[]);
    assert!(out.expect(200).text().contains("You are signed out") && consent.status == 200);
    let consent = sign_in(&gateway, &browser, &provider, &[]);
    Form::to(browser.submit(&Form::to(&consent, "/oauth2/logout"), &[]).expect(200), "/oauth2/login/provider");
    assert_eq!(provider.asked("/end"), 1);
}

#[test]
fn signing_out_ends_the_session_here_alone_unless_told_otherwise() {
    let (_upstream, provider, gateway) = started();
    let browser = Browser::new(&gateway);
    sign_in(&gateway, &browser, &provider, &[]);
    let account = browser.get("/oauth2/account");
    assert!(account.field("content-security-policy").ends_with("form-action 'self'"), "{account:?}");
    let out = browser.submit(&Form::to(&account, "/oauth2/logout"), &[]);
    assert!(out.expect(200).text().contains("You are signed out"));
}
