//! The decision of the resource owner: what it takes, what it cannot be made to be, and what is remembered of it.

use crate::harness::dance::{self, APP, answer};
use crate::harness::{ALICE, BOB, Browser, Form, Gateway, Response, Upstream};

fn started() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(dance::with_apps(&upstream));
    (upstream, gateway)
}

/// R6749-4.1.2.1a
#[test]
fn who_refuses_is_sent_back_and_no_code_is_made() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = dance::consent_page(&browser, &[]);
    let form = Form::to(&page, "/oauth2/consent");
    let redirect = browser.submit(&form, &[("decision", "deny")]);
    let answer = answer(&redirect);
    assert_eq!((redirect.status, &*answer["error"], &*answer["state"]), (303, "access_denied", "s t&t"));
    assert!(answer["iss"] == gateway.url() && !answer.contains_key("code"));
    let again = browser.get(&dance::request(APP.0, &[]));
    Form::to(&again, "/oauth2/consent");
}

/// UI-5
#[test]
fn fewer_scopes_can_be_chosen_but_no_others() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = dance::consent_page(&browser, &[]);
    let form = Form::to(&page, "/oauth2/consent");
    expect_forged(&browser.submit(&form, &[("decision", "allow"), ("scope", "notes:delete")]));
    let answer = answer(&browser.submit(&form, &[("decision", "allow"), ("scope", "notes:read")]));
    assert_eq!(dance::redeem(&gateway, &answer["code"]).tokens().scope, "notes:read");
    let page = browser.get(&dance::request(APP.0, &[]));
    let nothing = Form {
        fields: vec![("dialogue".into(), Form::to(&page, "/oauth2/consent").value("dialogue").into())],
        action: form.action,
    };
    assert_eq!(dance::answer(&browser.submit(&nothing, &[("decision", "allow")]))["error"], "access_denied");
}

/// Nothing is granted, nobody is sent anywhere.
#[track_caller]
fn expect_forged(response: &Response) {
    response.expect(403);
    assert!(response.field("content-type").starts_with("text/html") && !response.has("location"), "\n{response:?}");
}

/// R6749-10.12, UI-4
#[test]
fn another_site_cannot_decide() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = dance::consent_page(&browser, &[]);
    let form = Form::to(&page, "/oauth2/consent");
    let request = || browser.submission(&form, &[("decision", "allow")]);
    for fields in [
        &[("Origin", "https://evil.example")][..],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")],
    ] {
        expect_forged(&browser.send(&request().fields(fields)));
    }
    expect_forged(&browser.send(&request().host("evil.example").field("Origin", "http://evil.example")));
    let ours = [("Origin", &*gateway.url()), ("Sec-Fetch-Site", "same-origin")];
    assert!(answer(&browser.send(&request().fields(&ours))).contains_key("code"));
    let page = browser.get(&dance::request(APP.0, &[("prompt", "consent")]));
    let form = Form::to(&page, "/oauth2/consent");
    let request = browser.submission(&form, &[("decision", "allow")]);
    // A page without a referrer has its forms sent with the origin `null`.
    let request = request.field("Origin", "null").field("Sec-Fetch-Site", "same-origin");
    assert!(answer(&browser.send(&request)).contains_key("code"));
}

/// R6749-10.12, UI-4, UI-5
#[test]
fn a_decision_needs_the_page_that_this_browser_got_for_this_session() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let login = browser.get(&dance::request(APP.0, &[]));
    let page = browser.sign_in(&login, ALICE);
    let form = Form::to(&page, "/oauth2/consent");
    let decide =
        |browser: &Browser<'_>, dialogue: &str| browser.submit(&form, &[("decision", "allow"), ("dialogue", dialogue)]);
    expect_forged(&decide(&browser, ""));
    expect_forged(&decide(&browser, "AAAA"));
    expect_forged(&decide(&browser, Form::to(&login, "/oauth2/login").value("dialogue")));
    expect_forged(&decide(&browser, Form::to(&page, "/oauth2/logout").value("dialogue")));
    let good = form.value("dialogue");
    for at in [0, good.len() / 2, good.len() - 1] {
        let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
        expect_forged(&decide(&browser, &format!("{}{other}{}", &good[..at], &good[at + 1..])));
    }
    let eve = Browser::new(&gateway);
    dance::consent_page(&eve, &[]);
    expect_forged(&decide(&eve, good));
    // Another session of the same browser, and none.
    let again = browser.get(&dance::request(APP.0, &[("prompt", "login")]));
    browser.sign_in(&again, BOB);
    expect_forged(&decide(&browser, good));
    let stranger = Browser::new(&gateway);
    expect_forged(&decide(&stranger, good));
    stranger.get(&format!("/oauth2/consent?decision=allow&dialogue={good}")).expect(405);
}

/// UI-4: a sign-in cannot be made for somebody in another browser.
#[test]
fn nobody_can_be_signed_in_by_another_site() {
    let (_upstream, gateway) = started();
    let (eve, victim) = (Browser::new(&gateway), Browser::new(&gateway));
    let form = Form::to(&eve.get(&dance::request(APP.0, &[])), "/oauth2/login");
    victim.get(&dance::request(APP.0, &[]));
    expect_forged(&victim.submit(&form, &[("username", ALICE.0), ("password", ALICE.1)]));
    let fields = [("username", ALICE.0), ("password", ALICE.1)];
    expect_forged(&eve.send(&eve.submission(&form, &fields).field("Sec-Fetch-Site", "cross-site")));
    assert!(victim.cookie("tollgate-session").is_none() && eve.cookie("tollgate-session").is_none());
}

/// Design, section 5, "Consent"
#[test]
fn a_consent_is_remembered_where_the_redirect_assures_the_client() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = dance::consent_page(&browser, &[("scope", "notes:read")]);
    dance::allow(&browser, &page);
    let answer = answer(&browser.get(&dance::request(APP.0, &[("scope", "notes:read")])));
    assert_eq!(dance::redeem(&gateway, &answer["code"]).tokens().scope, "notes:read");
    Form::to(&browser.get(&dance::request(APP.0, &[])), "/oauth2/consent");
    for _ in 0..2 {
        let page = browser.get(&dance::request("desktop", &[]));
        assert!(dance::answer(&dance::allow(&browser, &page)).contains_key("code"));
    }
}

/// UI-5: what can be granted is what the person who is signed in may grant.
#[test]
fn somebody_else_can_be_chosen_on_the_consent_page() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = dance::consent_page(&browser, &[]);
    let old = browser.cookie("tollgate-session").unwrap();
    let page = browser.submit(&Form::to(&page, "/oauth2/logout"), &[]);
    assert!(browser.cookie("tollgate-session").is_none());
    let page = browser.sign_in(&page, BOB);
    let form = Form::to(&page, "/oauth2/consent");
    assert_eq!(form.values("scope"), ["notes:read"]);
    let answer = answer(&browser.submit(&form, &[("decision", "allow")]));
    let tokens = dance::redeem(&gateway, &answer["code"]).tokens();
    assert_eq!(gateway.introspect(&tokens.access)["sub"], "bob");
    let silent = gateway.get(&dance::request(APP.0, &[("prompt", "none")]));
    let silent = silent.field("Cookie", &format!("tollgate-session={old}")).send();
    assert_eq!(dance::answer(&silent)["error"], "login_required");
}

/// UI-2: a browser applies `form-action` to every redirect after the form; a page ends the form's chain.
#[test]
fn a_browser_is_led_to_a_site_by_a_page_and_to_this_machine_by_a_redirect() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let navigate = ("Sec-Fetch-Mode", "navigate");
    let page = dance::consent_page(&browser, &[]);
    let request = browser.submission(&Form::to(&page, "/oauth2/consent"), &[("decision", "deny")]);
    let onward = browser.send(&request.fields(&[navigate]));
    let text = onward.expect(200).text();
    assert!(text.contains("content=\"0;url=https://app.example/cb?error=access_denied&#38;"), "{text}");
    assert_eq!((onward.field("cache-control"), onward.field("referrer-policy")), ("no-store", "no-referrer"));
    assert!(!onward.has("location") && text.contains("app.example"));
    let page = browser.get(&dance::request("desktop", &[]));
    let request = browser.submission(&Form::to(&page, "/oauth2/consent"), &[("decision", "allow")]);
    assert!(answer(&browser.send(&request.fields(&[navigate]))).contains_key("code"));
    let silent = browser.request("GET", &dance::request(APP.0, &[("prompt", "none")])).fields(&[navigate]);
    browser.send(&silent).expect(302);
}
