//! The account page: which apps have access, where somebody is signed in, and the end of either.

use crate::harness::dance::{self, APP, answer};
use crate::harness::{ALICE, BOB, Browser, Form, Gateway, Response, Upstream};

fn started() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(dance::with_apps(&upstream));
    (upstream, gateway)
}

/// The account page of somebody who signs in for it.
#[track_caller]
fn account(browser: &Browser<'_>) -> Response {
    let page = browser.get("/oauth2/account");
    let redirect = browser.sign_in(&page, ALICE);
    assert_eq!(redirect.expect(303).field("location"), "/oauth2/account");
    browser.get("/oauth2/account")
}

/// UI-10, R7009-2.1e
#[test]
fn what_is_taken_back_ends_at_once() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let tokens = dance::tokens(&gateway, &browser);
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(200);
    let page = browser.get("/oauth2/account");
    let text = page.expect(200).text();
    assert!(text.contains("Photo Book") && text.contains("Read your notes"), "{text}");
    let forms = Form::all(&page, "/oauth2/account");
    let form = forms.iter().find(|form| form.values("client_id") == [APP.0]).unwrap();
    let redirect = browser.submit(form, &[]);
    let done = redirect.expect(303).field("location");
    assert!(done.starts_with("/oauth2/account?done=app&app="), "{done}");
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(401);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &*tokens.refresh)];
    gateway.ask(APP, &refresh).expect_error(400, "invalid_grant");
    let text = browser.get(done).text().clone();
    assert!(text.contains("Photo Book has no access any more."), "{text}");
    // Only what was done is said: to nobody else, and not because a link says so.
    for lie in ["/oauth2/account?done=app&app=Photo+Book", "/oauth2/account?done=app"] {
        let text = browser.get(lie).text().clone();
        assert!(text.contains("The app has no access any more.") && !text.contains("Photo Book"), "{text}");
    }
    assert!(!browser.get("/oauth2/account?done=%3Cb%3E").text().contains("any more"));
    Form::to(&browser.get(&dance::request(APP.0, &[])), "/oauth2/consent");
}

/// UI-10
#[test]
fn everything_can_be_taken_back_and_another_persons_access_stays() {
    let (_upstream, gateway) = started();
    let (alice, bob) = (Browser::new(&gateway), Browser::new(&gateway));
    let tokens = dance::tokens(&gateway, &alice);
    let page = bob.sign_in(&bob.get(&dance::request(APP.0, &[])), BOB);
    let code = answer(&dance::allow(&bob, &page))["code"].clone();
    let bobs = dance::redeem(&gateway, &code).tokens();
    let page = alice.get("/oauth2/account");
    let dialogue = Form::all(&page, "/oauth2/account")[0].value("dialogue").to_owned();
    let all = Form { action: "/oauth2/account".into(), fields: vec![("dialogue".into(), dialogue)] };
    bob.submit(&all, &[]).expect(403);
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(200);
    assert_eq!(alice.submit(&all, &[]).expect(303).field("location"), "/oauth2/account?done=apps");
    gateway.get("/notes/1").bearer(&tokens.access).send().expect(401);
    gateway.get("/notes/1").bearer(&bobs.access).send().expect(200);
}

/// UI-7, UI-10
#[test]
fn sessions_are_listed_and_can_be_ended() {
    let (_upstream, gateway) = started();
    let (here, there) = (Browser::new(&gateway), Browser::new(&gateway));
    account(&there);
    let page = account(&here);
    let forms = Form::all(&page, "/oauth2/account");
    let others: Vec<_> = forms.iter().filter(|form| !form.values("session").is_empty()).collect();
    assert_eq!(others.len(), 1, "{}", page.text());
    let done = here.submit(others[0], &[]);
    assert_eq!(done.expect(303).field("location"), "/oauth2/account?done=session");
    Form::to(&there.get("/oauth2/account"), "/oauth2/login");
    assert!(here.get("/oauth2/account").text().contains("alice"));
}

/// UI-7
#[test]
fn signing_out_ends_the_session_on_both_sides() {
    let (_upstream, gateway) = started();
    let browser = Browser::new(&gateway);
    let page = account(&browser);
    let cookie = browser.cookie("tollgate-session").unwrap();
    let form = Form::to(&page, "/oauth2/logout");
    let cross = browser.submission(&form, &[]).field("Origin", "https://evil.example");
    browser.send(&cross).expect(403);
    let page = browser.submit(&form, &[]);
    assert!(page.expect(200).text().contains("You are signed out"));
    assert!(page.text().contains("href=\"/oauth2/account\""), "{}", page.text());
    assert!(page.field("set-cookie").contains("Max-Age=0") && browser.cookie("tollgate-session").is_none());
    let page = gateway.get("/oauth2/account").field("Cookie", &format!("tollgate-session={cookie}")).send();
    Form::to(&page, "/oauth2/login");
}
